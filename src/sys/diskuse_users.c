#include <sys/sysmacros.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "sys/diskuse.h"
#include "sys/diskuse_impl.h"

/*
 * A process uses a disk by what it has open, where it stands, and what it has mapped.  The number
 * of the mount (fdinfo) says that of a file without looking at the file, in every namespace.
 */

/* A client that has one of these open makes it of its disk's socket, as nbd-client(8) does. */
#define NBD_DEVICE "/dev/nbd"

/* The mount that an open file of a process is in, or -1. */
static int
mount_id(const char *pid, const char *fd)
{
	char path[64], line[128];
	int id = -1;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%.16s/fdinfo/%.16s", pid, fd); /* fits */
	f = fopen(path, "re");
	while (f != NULL && id < 0 && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "mnt_id: %d", &id) != 1)
			id = -1;
	if (f != NULL)
		(void)fclose(f); /* only read */
	return id;
}

/* The disk of a block device or a disk's file, by the name that the kernel gives the open file. */
static bool
is_disk(const struct diskuse *u, const char *path, char *ret_disk)
{
	size_t len = strlen(u->files);

	if (strncmp(path, "/dev/", 5) == 0)
		for (size_t i = 0; i < u->n_devices; i++)
			if (strcmp(path + 5, u->devices[i].name) == 0) {
				cut_copy(ret_disk, DISKUSE_NAME_BYTES, u->devices[i].disk);
				return true;
			}
	if (strncmp(path, u->files, len) != 0 || path[len] != '/')
		return false;
	cut_copy(ret_disk, DISKUSE_NAME_BYTES, strrchr(path, '/') + 1);
	return true;
}

static bool
is_in_mount(const struct diskuse *u, int id, char *ret_disk)
{
	size_t device = diskuse_mount_device(u, id);

	if (device == SIZE_MAX)
		return false;
	cut_copy(ret_disk, DISKUSE_NAME_BYTES, u->devices[device].disk);
	return true;
}

static bool
has_opened(const struct diskuse *u, const char *pid, char *ret_disk)
{
	char path[PATH_MAX];
	bool is_found = false, is_client = false, is_device = false;
	struct dirent *e;
	DIR *dir;

	(void)snprintf(path, sizeof path, "/proc/%.16s/fd", pid); /* fits */
	dir = opendir(path);
	while (!is_found && dir != NULL && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, path, sizeof path - 1);

		if (n <= 0)
			continue;
		path[n] = '\0';
		if (u->n_sockets > 0 && !is_client)
			is_client = diskuse_is_socket(u, path, ret_disk);
		if (strncmp(path, NBD_DEVICE, strlen(NBD_DEVICE)) == 0)
			is_device = true;
		is_found = is_disk(u, path, ret_disk) ||
			   (u->n_mounts > 0 && is_in_mount(u, mount_id(pid, e->d_name), ret_disk));
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	return is_found || (is_client && !is_device);
}

/* Its directory, its root, its program: a descriptor that only says where (O_PATH) has a mount,
 * too. */
static bool
stands_in(const struct diskuse *u, const char *pid, const char *link, char *ret_disk)
{
	char path[64], number[16];
	int fd;
	bool is_found;

	(void)snprintf(path, sizeof path, "/proc/%.16s/%s", pid, link); /* fits */
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)snprintf(number, sizeof number, "%d", fd); /* fits */
	is_found = is_in_mount(u, mount_id("self", number), ret_disk);
	close(fd);
	return is_found;
}

static bool
has_mapped(const struct diskuse *u, const char *pid, char *ret_disk)
{
	char path[64], line[PATH_MAX + 128];
	bool is_found = false;
	unsigned a, b;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%.16s/maps", pid); /* fits */
	f = fopen(path, "re");
	while (f != NULL && !is_found && fgets(line, sizeof line, f) != NULL)
		for (size_t i = 0;
		     sscanf(line, "%*s %*s %*s %x:%x", &a, &b) == 2 && i < u->n_devices; i++)
			if (u->devices[i].dev == makedev(a, b)) {
				cut_copy(ret_disk, DISKUSE_NAME_BYTES, u->devices[i].disk);
				is_found = true;
			}
	if (f != NULL)
		(void)fclose(f); /* only read */
	return is_found;
}

static bool
uses(const struct diskuse *u, const char *pid, char *ret_disk)
{
	static const char *const links[] = { "cwd", "root", "exe" };

	if (has_opened(u, pid, ret_disk))
		return true;
	for (size_t i = 0; u->n_mounts > 0 && i < sizeof links / sizeof links[0]; i++)
		if (stands_in(u, pid, links[i], ret_disk))
			return true;
	return u->n_mounts > 0 && has_mapped(u, pid, ret_disk);
}

/* Its name and its parent, of /proc/PID/stat; false: it is gone. */
static bool
describe(const char *pid, char name[16], pid_t *ret_parent)
{
	char path[64], line[256];
	const char *end;
	int parent = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%.16s/stat", pid); /* fits */
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	line[fread(line, 1, sizeof line - 1, f)] = '\0';
	(void)fclose(f); /* only read */
	end = strrchr(line, ')');
	if (end == NULL || sscanf(line, "%*d (%15[^\n]", name) != 1 ||
	    sscanf(end + 1, " %*c %d", &parent) != 1)
		return false;
	if ((end = strrchr(name, ')')) != NULL)
		name[end - name] = '\0';
	*ret_parent = parent;
	return true;
}

bool
diskuse_is_user(const struct diskuse *u, pid_t pid)
{
	char text[16], disk[DISKUSE_NAME_BYTES];

	(void)snprintf(text, sizeof text, "%d", (int)pid); /* fits */
	return uses(u, text, disk);
}

/* The driver, or a process that it, or a child of it, started. */
static bool
is_drivers(pid_t pid, pid_t driver)
{
	char text[16], name[16];

	while (pid > 1 && pid != driver) {
		(void)snprintf(text, sizeof text, "%d", (int)pid); /* fits */
		if (!describe(text, name, &pid))
			return false;
	}
	return pid > 1;
}

int
diskuse_find_users(struct diskuse *u, pid_t driver)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int err = 0;

	while (err == 0 && proc != NULL && (e = readdir(proc)) != NULL) {
		struct diskuse_user who = { .pid = (pid_t)strtol(e->d_name, NULL, 10) }, *all;
		pid_t parent;

		if (who.pid <= 1 || who.pid == getpid() || !describe(e->d_name, who.name, &parent))
			continue;
		if (!uses(u, e->d_name, who.disk) || is_drivers(who.pid, driver))
			continue;
		all = reallocarray(u->users, u->n_users + 1, sizeof who);
		if (all == NULL) {
			err = -ENOMEM;
			continue;
		}
		u->users = all;
		u->users[u->n_users++] = who;
	}
	if (proc != NULL)
		(void)closedir(proc); /* only read */
	return err;
}
