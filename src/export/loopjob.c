/*
 * How is a loop device known again?  By sysfs, which says the name of its file
 * and asks no file system.  A file in a mount that was taken away lazily has
 * only the rest of its name left ("/c1t0d0"): then the name counts that was
 * given to the device (lo_file_name), or, where even that cannot be asked for
 * because the mount is dead (ENOTCONN), that it is dead.
 */
#include "export/loopjob.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/loopuse.h"

/* Others take the free device that was found before it could be: never so often. */
#define FREE_TRIES 64
/* udev looks into a device for a moment after every change. */
#define RELEASE_TRIES 100
#define RELEASE_NAP   (20 * 1000 * 1000) /* nanoseconds */

__attribute__((format(printf, 3, 4))) static void
fail(struct loopdev_job *job, int err, const char *format, ...)
{
	va_list ap;

	job->result = err;
	va_start(ap, format);
	vsnprintf(job->why, sizeof job->why, format, ap);
	va_end(ap);
}

static void
name_node(struct loopdev_job *job, int number)
{
	job->number = number;
	snprintf(job->path, sizeof job->path, "/dev/loop%d", number);
}

/* The name the device gets: the file's, or its end if that is too long, which is unique enough. */
static void
mark(const char *file, char *ret, size_t size)
{
	size_t n = strlen(file);

	if (n >= size) {
		file += n - size + 1;
		n = size - 1;
	}
	memcpy(ret, file, n + 1);
}

/* The file of /dev/loop<number> in sysfs.  False: it has none. */
static bool
backing_file(int number, char *ret, size_t size)
{
	char path[64];
	FILE *f;
	bool ok;

	snprintf(path, sizeof path, "/sys/block/loop%d/loop/backing_file", number);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	ok = fgets(ret, (int)size, f) != NULL;
	fclose(f);
	if (ok)
		ret[strcspn(ret, "\n")] = '\0';
	return ok;
}

/* Is it a device of a mount that is no longer in the tree, and was on this file? */
static bool
was_on_file(int number, const char *backing, const char *file)
{
	struct loop_info64 info;
	char node[32], name[LO_NAME_SIZE];
	const char *base = strrchr(file, '/');
	int fd, err;

	if (base == NULL || strcmp(base, backing) != 0)
		return false;
	snprintf(node, sizeof node, "/dev/loop%d", number);
	fd = open(node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	err = ioctl(fd, LOOP_GET_STATUS64, &info) < 0 ? errno : 0;
	close(fd);
	if (err != 0)
		return err == ENOTCONN || err == ECONNABORTED;
	mark(file, name, sizeof name);
	return strncmp(name, (const char *)info.lo_file_name, sizeof name) == 0;
}

/* `file`: a file, or a directory with '/' at its end. */
static bool
is_on_file(int number, const char *file)
{
	char backing[PATH_MAX + 16];
	size_t n = strlen(file);

	if (!backing_file(number, backing, sizeof backing))
		return false;
	if (n > 0 && file[n - 1] == '/')
		return strncmp(backing, file, n) == 0;
	if (strncmp(backing, file, n) == 0 &&
	    (backing[n] == '\0' || strcmp(backing + n, " (deleted)") == 0))
		return true;
	return was_on_file(number, backing, file);
}

static int
open_control(struct loopdev_job *job)
{
	char why[sizeof job->why];
	int err = loopdev_check(why, sizeof why), fd;

	if (err == 0) {
		fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		err = -errno;
		snprintf(why, sizeof why, "cannot open /dev/loop-control: %s", strerror(-err));
	}
	fail(job, err, "%s", why);
	return -1;
}

/* Put the file on a free device.  -EAGAIN: somebody else took it first. */
static int
configure(struct loopdev_job *job, int number, int file)
{
	struct loop_config config = {
		.fd = (uint32_t)file,
		.block_size = job->block_bytes,
		.info.lo_flags = LO_FLAGS_DIRECT_IO | (job->is_read_only ? LO_FLAGS_READ_ONLY : 0),
	};
	struct loop_info64 info;
	int fd, err;

	name_node(job, number);
	mark(job->file, (char *)config.info.lo_file_name, sizeof config.info.lo_file_name);
	fd = open(job->path, (job->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		if (err == -ENOENT)
			fail(job, err,
			    "the kernel offers loop device %d, but the device file %s is missing; "
			    "make it with: mknod -m 600 %s b 7 %d",
			    number, job->path, job->path, number);
		else if (err == -ENXIO || err == -EBUSY)
			return -EAGAIN;
		else
			fail(job, err, "cannot open %s: %s", job->path, strerror(-err));
		return err;
	}
	err = ioctl(fd, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
	if (err == 0)
		job->is_direct = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 &&
				 (info.lo_flags & LO_FLAGS_DIRECT_IO);
	close(fd);
	if (err == -EBUSY)
		return -EAGAIN;
	if (err == -ENOTTY)
		fail(job, err, "this kernel cannot configure loop devices at once; Linux 5.8 can");
	else if (err < 0)
		fail(job, err, "cannot put %s on %s with blocks of %u bytes: %s", job->file,
		    job->path, job->block_bytes, strerror(-err));
	return err;
}

static void
attach(struct loopdev_job *job)
{
	int err = -EAGAIN, control, file;

	control = open_control(job);
	if (control < 0)
		return;
	file = open(job->file, (job->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (file < 0)
		fail(job, -errno, "cannot open %s: %s", job->file, strerror(errno));
	for (int i = 0; file >= 0 && err == -EAGAIN && i < FREE_TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		if (number < 0) {
			err = -errno;
			fail(job, err, "the kernel has no free loop device: %s", strerror(-err));
		} else {
			err = configure(job, number, file);
		}
	}
	if (file >= 0 && err == -EAGAIN)
		fail(job, -EBUSY,
		    "other programs take every free loop device first; try again later");
	if (file >= 0)
		close(file);
	close(control);
	if (job->result < 0)
		job->path[0] = '\0';
}

static void
grow(struct loopdev_job *job)
{
	struct stat st;
	int fd;

	/* Older kernels take the size they know, so let them ask for it. */
	if (stat(job->file, &st) < 0) {
		fail(job, -errno, "cannot look at %s: %s", job->file, strerror(errno));
		return;
	}
	fd = open(job->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_SET_CAPACITY, 0) < 0)
		fail(job, -errno, "cannot change the size of %s: %s", job->path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Tell the kernel to let go of the file.  0 or a negative errno. */
static int
clear(struct loopdev_job *job, int number, bool is_claimed, bool is_synced)
{
	char node[32];
	int fd, err = 0;

	snprintf(node, sizeof node, "/dev/loop%d", number);
	fd = open(node, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (is_claimed ? O_EXCL : 0));
	if (fd < 0) {
		err = -errno;
		fail(job, err, "cannot open %s: %s", node, strerror(-err));
		return err;
	}
	if (is_synced && fsync(fd) < 0) {
		err = -errno;
		fail(job, err, "%s keeps data that could not be written: %s", node, strerror(-err));
	}
	if (err == 0 && ioctl(fd, LOOP_CLR_FD, 0) < 0 && errno != ENXIO) {
		err = -errno;
		fail(job, err, "cannot detach %s: %s", node, strerror(-err));
	}
	close(fd);
	return err;
}

/* The last close ends it; udev's may come a moment later. */
static bool
is_released(int number, const char *file)
{
	for (int i = 0; i < RELEASE_TRIES; i++) {
		if (!is_on_file(number, file))
			return true;
		/* no-sleep-ok: the kernel tells nobody when a loop device is released. */
		nanosleep(&(struct timespec){ .tv_nsec = RELEASE_NAP }, NULL);
	}
	return false;
}

static void
report_use(struct loopdev_job *job, int number)
{
	char who[256];

	if (loopuse_find(number, who, sizeof who))
		fail(job, -EBUSY, "/dev/loop%d is %s; end that first", number, who);
}

static void
detach(struct loopdev_job *job)
{
	if (!is_on_file(job->number, job->file)) {
		fail(job, -ENXIO, "%s is not, or no more, on %s", job->path, job->file);
		return;
	}
	if (job->is_forced) {
		(void)clear(job, job->number, false, false); /* job->result has it */
		return;
	}
	report_use(job, job->number);
	if (job->result < 0 || clear(job, job->number, true, true) < 0)
		return;
	if (!is_released(job->number, job->file)) {
		report_use(job, job->number);
		if (job->result == 0)
			fail(job, -EBUSY, "%s was opened just now; it goes when it is closed",
			    job->path);
	}
}

static void
sweep(struct loopdev_job *job)
{
	DIR *d = opendir("/sys/block");
	struct dirent *e;

	if (d == NULL) {
		/* Without sysfs there is nothing to find; without loop devices neither. */
		return;
	}
	while ((e = readdir(d)) != NULL) {
		char *end;
		long number;

		if (strncmp(e->d_name, "loop", 4) != 0 || !isdigit((unsigned char)e->d_name[4]))
			continue;
		number = strtol(e->d_name + 4, &end, 10);
		if (*end != '\0' || number > INT_MAX || !is_on_file((int)number, job->file) ||
		    clear(job, (int)number, false, false) < 0)
			continue;
		job->count++;
		if (!is_released((int)number, job->file))
			report_use(job, (int)number);
	}
	closedir(d);
}

void
loopjob_run(struct loopdev_job *job)
{
	job->result = 0;
	job->why[0] = '\0';
	job->path[0] = '\0';
	job->count = 0;
	job->is_direct = false;
	if (job->what != LOOPDEV_ATTACH && job->what != LOOPDEV_SWEEP)
		name_node(job, job->number);
	switch (job->what) {
	case LOOPDEV_ATTACH:
		attach(job);
		break;
	case LOOPDEV_GROW:
		grow(job);
		break;
	case LOOPDEV_DETACH:
		detach(job);
		break;
	case LOOPDEV_SWEEP:
		sweep(job);
		break;
	case LOOPDEV_IN_USE:
		report_use(job, job->number);
		break;
	}
}
