#include "sys/sysfs.h"

#include <sys/syscall.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* <linux/mount.h> and <sys/mount.h> exclude each other in some releases. */
#define OPEN_CLOEXEC   1u                  /* FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC */
#define CONFIG_CREATE  6u                  /* FSCONFIG_CMD_CREATE */
#define MOUNT_FLAGS    (1u | 2u | 4u | 8u) /* read only, no set-user-ID, devices, programs */
#define NOT_OPENED_YET INT_MIN

/* Of each thread, because threads may have tables of descriptors of their own. */
static _Thread_local int root = NOT_OPENED_YET;

/* A mount that is nowhere in the tree. */
static int
mount_apart(void)
{
	int fs = (int)syscall(SYS_fsopen, "sysfs", OPEN_CLOEXEC), fd = -1, err;

	if (fs >= 0 && syscall(SYS_fsconfig, fs, CONFIG_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, fs, OPEN_CLOEXEC, MOUNT_FLAGS);
	err = fd < 0 ? -errno : fd;
	if (fs >= 0)
		close(fs);
	return err;
}

static int
open_root(void)
{
	int fd = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == SYSFS_MAGIC)
		return fd;
	if (fd >= 0)
		close(fd);
	return mount_apart();
}

int
sysfs_keep(int number)
{
	int fd = open_root();

	root = fd;
	if (fd < 0 || fd == number)
		return fd < 0 ? fd : 0;
	root = dup3(fd, number, O_CLOEXEC) < 0 ? -errno : number;
	close(fd);
	return root < 0 ? root : 0;
}

/* A descriptor, or -1 with errno. */
static int
open_below(int flags, const char *format, va_list ap)
{
	char name[PATH_MAX];

	if (root == NOT_OPENED_YET)
		root = open_root();
	if (root < 0) {
		errno = root == -ENOENT ? ENODEV : -root;
		return -1;
	}
	if (vsnprintf(name, sizeof name, format, ap) >= (int)sizeof name) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return openat(root, name, flags | O_RDONLY | O_CLOEXEC);
}

DIR *
sysfs_dir(const char *format, ...)
{
	DIR *dir;
	va_list ap;
	int fd;

	va_start(ap, format);
	fd = open_below(O_DIRECTORY, format, ap);
	va_end(ap);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL && fd >= 0)
		close(fd);
	return dir;
}

bool
sysfs_line(char *ret, size_t cap, const char *format, ...)
{
	va_list ap;
	FILE *f;
	int fd;

	va_start(ap, format);
	fd = open_below(0, format, ap);
	va_end(ap);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (f == NULL || fgets(ret, (int)cap, f) == NULL)
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	if (f != NULL)
		(void)fclose(f); /* only read */
	else if (fd >= 0)
		close(fd);
	return ret[0] != '\0';
}
