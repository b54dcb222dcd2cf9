#include "sys/sock.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A socket's address; dir_fd must stay open while it is used. */
struct addr {
	struct sockaddr_un un;
	int dir_fd;
};

static int addr_make(struct addr *a, const char *path);
static void addr_done(struct addr *a);
static int clear_stale(struct addr *a, int dir_fd, const char *path, int type);
static void take_fds(struct msghdr *m, int *ret_fds, size_t n_fds);

int
sock_listen(const char *path, int type, mode_t mode)
{
	struct addr a;
	int err, fd;

	err = addr_make(&a, path);
	if (err < 0)
		return err;
	err = clear_stale(&a, AT_FDCWD, path, type);
	if (err < 0) {
		addr_done(&a);
		return err;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		err = -errno;
		addr_done(&a);
		return err;
	}
	/* bind() makes the file with the socket's mode less the umask: never wider than wanted. */
	if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&a.un, sizeof a.un) < 0) {
		err = -errno;
	} else if (chmod(path, mode) < 0 || listen(fd, SOMAXCONN) < 0) {
		err = -errno;
		(void)unlink(path); /* ours; the first error counts */
	}
	addr_done(&a);
	if (err < 0) {
		(void)close(fd); /* the first error counts */
		return err;
	}
	return fd;
}

int
sock_listen_at(int dir_fd, const char *name, int type, mode_t mode)
{
	struct addr a = { .un.sun_family = AF_UNIX, .dir_fd = -1 };
	int n, err, fd;

	n = snprintf(a.un.sun_path, sizeof a.un.sun_path, "/proc/self/fd/%d/%s", dir_fd, name);
	if (n < 0 || (size_t)n >= sizeof a.un.sun_path)
		return -ENAMETOOLONG;
	err = clear_stale(&a, dir_fd, name, type);
	if (err < 0)
		return err;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* bind() makes the file with the socket's mode less the umask. */
	if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&a.un, sizeof a.un) < 0) {
		err = -errno;
	} else if (listen(fd, SOMAXCONN) < 0) {
		err = -errno;
		(void)unlinkat(dir_fd, name, 0); /* ours; the first error counts */
	}
	if (err == 0)
		return fd;
	(void)close(fd); /* the first error counts */
	return err;
}

int
sock_connect(const char *path, int type)
{
	struct addr a;
	int err, fd;

	err = addr_make(&a, path);
	if (err < 0)
		return err;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err = -errno;
	else if (connect(fd, (struct sockaddr *)&a.un, sizeof a.un) < 0)
		err = -errno;
	addr_done(&a);
	if (err < 0 && fd >= 0)
		(void)close(fd); /* the first error counts */
	return err < 0 ? err : fd;
}

int
sock_accept(int fd)
{
	int got;

	do
		got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (got < 0 && (errno == EINTR || errno == ECONNABORTED));
	return got < 0 ? -errno : got;
}

int
sock_peer(int fd, struct sock_peer *ret_peer)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*ret_peer = (struct sock_peer){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
	return 0;
}

bool
sock_peer_is_member(int fd, const struct sock_peer *peer, gid_t gid)
{
	socklen_t len = 0;
	gid_t *groups;
	bool is_member = peer->gid == gid;

	/* The length that is needed comes with the refusal of none. */
	if (is_member || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 ||
	    errno != ERANGE)
		return is_member;
	groups = malloc(len);
	if (groups == NULL)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		for (size_t i = 0; i < len / sizeof groups[0] && !is_member; i++)
			is_member = groups[i] == gid;
	free(groups);
	return is_member;
}

ssize_t
sock_send_fds(int fd, const void *buf, size_t len, const int *fds, size_t n_fds)
{
	union {
		char space[CMSG_SPACE(SOCK_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	assert(len > 0 && n_fds <= SOCK_FDS_MAX);
	if (n_fds > 0) {
		struct cmsghdr *c;

		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t
sock_send(int fd, const void *buf, size_t len, int pass_fd)
{
	return sock_send_fds(fd, buf, len, &pass_fd, pass_fd >= 0 ? 1 : 0);
}

ssize_t
sock_recv_fds(int fd, void *buf, size_t cap, int *ret_fds, size_t n_fds)
{
	union {
		char space[CMSG_SPACE(SOCK_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control.space };
	ssize_t n;

	for (size_t i = 0; i < n_fds; i++)
		ret_fds[i] = -1;
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(&m, ret_fds, n_fds);
	if ((m.msg_flags & MSG_TRUNC) == 0)
		return n;
	/* They belong to a message that nobody can read. */
	for (size_t i = 0; i < n_fds; i++) {
		if (ret_fds[i] >= 0)
			(void)close(ret_fds[i]);
		ret_fds[i] = -1;
	}
	return -EMSGSIZE;
}

ssize_t
sock_recv(int fd, void *buf, size_t cap, int *ret_fd)
{
	return sock_recv_fds(fd, buf, cap, ret_fd, ret_fd != NULL ? 1 : 0);
}

/*
 * sockaddr_un holds 107 bytes of path, less than many a root.  The kernel
 * resolves /proc/self/fd/N/name like any path, so that a descriptor of the
 * directory stands for all of it but the last component.
 */
static int
addr_make(struct addr *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int n;

	*a = (struct addr){ .un.sun_family = AF_UNIX, .dir_fd = -1 };
	if (strlen(path) < sizeof a->un.sun_path) {
		memcpy(a->un.sun_path, path, strlen(path));
		return 0;
	}
	if (slash == NULL)
		return -ENAMETOOLONG;
	dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir == NULL)
		return -ENOMEM;
	a->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	n = a->dir_fd < 0 ? -errno : 0;
	free(dir);
	if (n < 0)
		return n;
	n = snprintf(a->un.sun_path, sizeof a->un.sun_path, "/proc/self/fd/%d%s", a->dir_fd, slash);
	if (n < 0 || (size_t)n >= sizeof a->un.sun_path) {
		addr_done(a);
		return -ENAMETOOLONG;
	}
	return 0;
}

static void
addr_done(struct addr *a)
{
	if (a->dir_fd >= 0)
		(void)close(a->dir_fd); /* O_PATH: nothing to lose */
}

/* Make way: a socket file whose listener is gone refuses connections. */
static int
clear_stale(struct addr *a, int dir_fd, const char *path, int type)
{
	struct stat st;
	int fd, err;

	if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, (type & ~SOCK_NONBLOCK) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (struct sockaddr *)&a->un, sizeof a->un) < 0 ? -errno : 0;
	(void)close(fd); /* only asked whether somebody is there */
	if (err == -ENOENT)
		return 0;
	if (err != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlinkat(dir_fd, path, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Keep the first descriptors where they are wanted, close all others. */
static void
take_fds(struct msghdr *m, int *ret_fds, size_t n_fds)
{
	size_t got = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (got < n_fds)
				ret_fds[got++] = fd;
			else
				(void)close(fd); /* nobody asked for it */
		}
	}
	/* The kernel had no number for it. */
	if (got < n_fds && (m->msg_flags & MSG_CTRUNC) != 0)
		ret_fds[got] = -EMFILE;
}
