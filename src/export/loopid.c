/*
 * How is a loop device known again?  While its file answers, by the file's
 * device and inode, which the kernel tells with the device's status; that holds
 * also where the mount was taken away lazily.  A file whose mount is dead
 * (ENOTCONN) has only its name left, which sysfs has without asking any file
 * system; and where the mount is gone from the tree as well, the rest of the
 * name ("/c1t0d0").
 */
#include "export/loopid.h"

#include <sys/ioctl.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/sysfs.h"

int
loopid_open(int number, int flags)
{
	char node[32];
	int fd;

	(void)snprintf(node, sizeof node, "/dev/loop%d", number); /* fits */
	fd = open(node, flags | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool
loopid_file(int number, char *ret, size_t size)
{
	return sysfs_line(ret, size, "block/loop%d/loop/backing_file", number);
}

void
loopid_mark(const char *file, char *ret, size_t size)
{
	size_t n = strlen(file);

	if (n >= size) {
		file += n - size + 1;
		n = size - 1;
	}
	memcpy(ret, file, n + 1);
}

int
loopid_get(int fd, int number, const char *file, struct loopdev_id *ret_id)
{
	struct loop_info64 info;
	char name[LO_NAME_SIZE] = { 0 };

	if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return -errno;
	loopid_mark(file, name, sizeof name);
	if (info.lo_number != (uint32_t)number ||
	    strncmp(name, (const char *)info.lo_file_name, sizeof name) != 0)
		return -ENXIO;
	*ret_id = (struct loopdev_id){ info.lo_device, info.lo_inode };
	return 0;
}

bool
loopid_is_dead(int err)
{
	return err == -ENOTCONN || err == -ECONNABORTED;
}

/* Nothing more, but that the kernel says that nobody finds it by this name now. */
static bool
is_end(const char *rest)
{
	return rest[0] == '\0' || strcmp(rest, " (deleted)") == 0;
}

/* By its name alone; `file`: a file, or a directory with '/' at its end. */
static bool
has_name(const char *backing, const char *file)
{
	size_t n = strlen(file);

	if (n > 0 && file[n - 1] == '/')
		return strncmp(backing, file, n) == 0;
	return strncmp(backing, file, n) == 0 && is_end(backing + n);
}

/* "/c1t0d0": a disk's file at the root of a mount that is not in the tree any more. */
static bool
is_lone_disk(const char *backing)
{
	unsigned bus, target, lun;
	int end = 0;

	return sscanf(backing, "/c%ut%ud%u%n", &bus, &target, &lun, &end) == 3 && end > 0 &&
	       is_end(backing + end);
}

/* Is it a device of a mount that is no longer in the tree, and was on this file? */
static bool
was_on_file(int fd, const char *backing, const char *file)
{
	struct loop_info64 info;
	char name[LO_NAME_SIZE];
	const char *base = strrchr(file, '/');
	int err;

	if (base == NULL || backing[0] != '/' || strchr(backing + 1, '/') != NULL)
		return false;
	err = ioctl(fd, LOOP_GET_STATUS64, &info) < 0 ? -errno : 0;
	if (base[1] == '\0') /* nobody can use a disk of a dead process, whosever it was */
		return loopid_is_dead(err) && is_lone_disk(backing);
	if (strcmp(base, backing) != 0)
		return false;
	if (err != 0)
		return loopid_is_dead(err);
	loopid_mark(file, name, sizeof name);
	return strncmp(name, (const char *)info.lo_file_name, sizeof name) == 0;
}

bool
loopid_is_below(int number, const char *dir)
{
	char backing[PATH_MAX + 16];

	return loopid_file(number, backing, sizeof backing) &&
	       strncmp(backing, dir, strlen(dir)) == 0;
}

bool
loopid_is_on(int number, const char *file)
{
	char backing[PATH_MAX + 16];
	bool was;
	int fd;

	if (!loopid_file(number, backing, sizeof backing))
		return false;
	if (has_name(backing, file))
		return true;
	fd = loopid_open(number, O_RDONLY);
	if (fd < 0)
		return false;
	was = was_on_file(fd, backing, file);
	close(fd);
	return was;
}

int
loopid_tied(int fd, int number, const struct loopdev_id *id, const char *file)
{
	struct loopdev_id now;
	int err;

	if (id->inode == 0)
		return loopid_is_on(number, file) ? 0 : -ENXIO;
	err = loopid_get(fd, number, file, &now);
	if (err == 0)
		return now.device == id->device && now.inode == id->inode ? 0 : -ENXIO;
	if (loopid_is_dead(err))
		return loopid_is_on(number, file) ? 0 : -ENXIO;
	return err;
}
