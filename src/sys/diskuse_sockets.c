/*
 * Disks that are sockets: who is connected to one of them.  The kernel tells of each Unix socket to
 * which file it belongs and which socket is its other end (sock_diag(7)); a process has that one
 * open.  Where the kernel does not tell, nobody is found.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "sys/diskuse_impl.h"

#define ESTABLISHED (1u << 1)
#define ANSWER_MS   2000

/* A socket's file. */
struct file {
	uint32_t ino;
	dev_t dev;
	char disk[DISKUSE_NAME_BYTES];
};

struct files {
	struct file *list;
	size_t n;
};

/* The files of one session. */
static int
add_files(struct files *f, int parent, const char *session)
{
	int fd = openat(parent, session, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int err = 0;

	if (dir == NULL && fd >= 0)
		close(fd);
	while (err == 0 && dir != NULL && (e = readdir(dir)) != NULL) {
		struct file *more;
		struct stat st;

		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISSOCK(st.st_mode))
			continue;
		more = reallocarray(f->list, f->n + 1, sizeof *more);
		if (more == NULL) {
			err = -ENOMEM;
			continue;
		}
		f->list = more;
		f->list[f->n] = (struct file){ .ino = (uint32_t)st.st_ino, .dev = st.st_dev };
		cut_copy(f->list[f->n++].disk, DISKUSE_NAME_BYTES, e->d_name);
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	return err;
}

static int
find_files(struct files *f, const struct paths *paths)
{
	DIR *dir = opendir(paths->sockets);
	struct dirent *e;
	int err = 0;

	while (err == 0 && dir != NULL && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			err = add_files(f, dirfd(dir), e->d_name);
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	return err;
}

/* The kernel's own way to write a device number. */
static bool
is_dev(uint32_t told, dev_t dev)
{
	return told >> 20 == major(dev) && (told & 0xfffffu) == minor(dev);
}

/* One socket of ours that has another end. */
static int
take(struct diskuse *u, const struct files *f, struct nlmsghdr *h)
{
	struct unix_diag_msg *m = NLMSG_DATA(h);
	struct rtattr *a = (struct rtattr *)(void *)(m + 1);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof *m);
	const struct unix_diag_vfs *vfs = NULL;
	const uint32_t *peer = NULL;
	struct diskuse_socket *more;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(a) >= sizeof *vfs)
			vfs = RTA_DATA(a);
		if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= sizeof *peer)
			peer = RTA_DATA(a);
	}
	for (size_t i = 0; vfs != NULL && peer != NULL && i < f->n; i++) {
		if (vfs->udiag_vfs_ino != f->list[i].ino ||
		    !is_dev(vfs->udiag_vfs_dev, f->list[i].dev))
			continue;
		more = reallocarray(u->sockets, u->n_sockets + 1, sizeof *more);
		if (more == NULL)
			return -ENOMEM;
		u->sockets = more;
		u->sockets[u->n_sockets].ino = *peer;
		cut_copy(u->sockets[u->n_sockets++].disk, DISKUSE_NAME_BYTES, f->list[i].disk);
		break;
	}
	return 0;
}

static int
ask(void)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} q = { .head = { .nlmsg_len = sizeof q,
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX,
		    .udiag_states = ESTABLISHED,
		    .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_PEER } };
	const struct timeval patience = { .tv_sec = ANSWER_MS / 1000 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
			   send(fd, &q, sizeof q, 0) != (ssize_t)sizeof q)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int
find_peers(struct diskuse *u, const struct files *f)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	int fd = ask(), err = 0;
	bool is_over = fd < 0;
	ssize_t n;

	while (!is_over && err == 0 && (n = recv(fd, buf, sizeof buf, 0)) > 0) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;

		for (; NLMSG_OK(h, n) && err == 0; h = NLMSG_NEXT(h, n)) {
			is_over =
			    is_over || h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			u->is_told = u->is_told || h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
				err = take(u, f, h);
		}
	}
	if (fd >= 0)
		close(fd);
	return err;
}

int
diskuse_find_sockets(struct diskuse *u, const struct paths *paths)
{
	struct files f = { 0 };
	int err = find_files(&f, paths);

	if (err == 0 && f.n > 0)
		err = find_peers(u, &f);
	free(f.list);
	return err;
}

bool
diskuse_is_socket(const struct diskuse *u, const char *link, char *ret_disk)
{
	unsigned long ino;

	if (sscanf(link, "socket:[%lu]", &ino) != 1)
		return false;
	for (size_t i = 0; i < u->n_sockets; i++)
		if (u->sockets[i].ino == ino) {
			cut_copy(ret_disk, DISKUSE_NAME_BYTES, u->sockets[i].disk);
			return true;
		}
	return false;
}

bool
diskuse_is_connected(const struct diskuse *u, const char *disk)
{
	/* A socket whose other end is closed has it still, without a number. */
	for (size_t i = 0; i < u->n_sockets; i++)
		if (u->sockets[i].ino != 0 && strcmp(u->sockets[i].disk, disk) == 0)
			return true;
	return !u->is_told;
}
