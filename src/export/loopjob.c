/*
 * A job, on a thread that may wait.  A number alone is no proof: whoever takes
 * a loop device away by hand makes its number free for others.  So what is done
 * to a device is done through a descriptor of it that was found to be on the
 * file that is meant.
 */
#include "export/loopjob.h"

#include <sys/ioctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/loopadopt.h"
#include "export/loopid.h"
#include "export/loopsweep.h"

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
	(void)vsnprintf(job->why, sizeof job->why, format, ap); /* words for people: cut */
	va_end(ap);
}

static void
name_node(struct loopdev_job *job, int number)
{
	job->number = number;
	(void)snprintf(job->path, sizeof job->path, "/dev/loop%d", number); /* fits */
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

/* The block device's own flag: it can be raised and lifted at any time, whoever has it open. */
static int
protect(int fd, bool is_read_only)
{
	int flag = is_read_only, now;

	if (ioctl(fd, BLKROSET, &flag) < 0 || ioctl(fd, BLKROGET, &now) < 0)
		return -errno;
	return (now != 0) == is_read_only ? 0 : -EROFS;
}

static void
configure_failed(struct loopdev_job *job, int err)
{
	if (err == -ENOTTY)
		fail(job, err, "this kernel cannot configure loop devices at once; Linux 5.8 can");
	else
		fail(job, err, "cannot put %s on %s with blocks of %u bytes: %s", job->file,
		    job->path, job->block_bytes, strerror(-err));
}

/* It is on our file now: what it is tied to, and its protection. */
static int
settle(struct loopdev_job *job, int fd)
{
	struct loop_info64 info;
	int err = loopid_get(fd, job->number, job->file, &job->id);

	if (err == 0)
		err = protect(fd, job->is_read_only);
	if (err != 0)
		(void)ioctl(fd, LOOP_CLR_FD, 0); /* nobody has it yet */
	else
		job->is_direct = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 &&
				 (info.lo_flags & LO_FLAGS_DIRECT_IO);
	return err;
}

/* Put the file on a free device.  -EAGAIN: somebody else took it first. */
static int
configure(struct loopdev_job *job, int number, int file)
{
	struct loop_config config = {
		.fd = (uint32_t)file,
		.block_size = job->block_bytes,
		.info.lo_flags = LO_FLAGS_DIRECT_IO,
	};
	int fd, err;

	name_node(job, number);
	loopid_mark(job->file, (char *)config.info.lo_file_name, sizeof config.info.lo_file_name);
	fd = open(job->path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		/* Missing: it was taken out of the system just now, or nobody makes device files.
		 */
		if (err == -ENOENT)
			fail(job, err,
			    "the kernel offers loop device %d, but the device file %s is missing; "
			    "make it with: mknod -m 600 %s b 7 %d",
			    number, job->path, job->path, number);
		else if (err != -ENXIO && err != -EBUSY)
			fail(job, err, "cannot open %s: %s", job->path, strerror(-err));
		return err == -ENXIO || err == -EBUSY ? -EAGAIN : err;
	}
	err = ioctl(fd, LOOP_CONFIGURE, &config) < 0 ? -errno : settle(job, fd);
	close(fd);
	if (err == -EBUSY)
		return -EAGAIN;
	if (err < 0)
		configure_failed(job, err);
	return err;
}

static void
attach_file(struct loopdev_job *job, int control, int file)
{
	bool is_new = job->is_crowded;
	int err = -EAGAIN;

	for (int i = 0; (err == -EAGAIN || err == -ENOENT) && i < FREE_TRIES; i++) {
		int number = is_new ? ioctl(control, LOOP_CTL_ADD, -1) : -1;

		is_new = number >= 0;
		if (!is_new)
			number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0) {
			err = -errno;
			fail(job, err, "the kernel has no free loop device: %s", strerror(-err));
		} else {
			err = configure(job, number, file);
		}
		if (err < 0 && is_new)
			(void)ioctl(control, LOOP_CTL_REMOVE, number); /* one that is used stays */
		is_new = false;
	}
	if (err == -EAGAIN)
		fail(job, -EBUSY,
		    "other programs take every free loop device first; try again later");
	else if (err == 0)
		job->result = 0; /* a try before this one may have failed */
}

/*
 * 0 or a negative errno.  Only where it is another size: a newer kernel (Linux 6.18) asks the file
 * for it, and where the one who asks is killed meanwhile, with a driver, it makes the device empty
 * under its users.
 */
static int
take_size(const struct loopdev_job *job, int fd)
{
	struct stat st;
	uint64_t now;

	if (job->has_fd && job->fd < 0)
		return job->fd;
	/* Older kernels take the size they know, so let them ask for it. */
	if ((job->has_fd ? fstat(job->fd, &st) : stat(job->file, &st)) < 0)
		return -errno;
	if (ioctl(fd, BLKGETSIZE64, &now) == 0 &&
	    now == (uint64_t)st.st_size - (uint64_t)st.st_size % 512)
		return 0;
	return ioctl(fd, LOOP_SET_CAPACITY, 0) < 0 ? -errno : 0;
}

/* One that an earlier run left on the file, as it is.  False: there is none. */
static bool
adopt(struct loopdev_job *job, int file)
{
	struct loop_info64 info;
	int number = loopadopt_find(job->file, file), fd, err;

	if (number == -ENXIO)
		return false;
	if (number < 0) {
		fail(job, number,
		    "it cannot be seen which block device of %s is in use since an earlier run, so "
		    "none is made (sysfs: %s)",
		    job->file, strerror(-number));
		return true;
	}
	name_node(job, number);
	fd = loopid_open(number, O_RDONLY);
	err = fd < 0 ? fd : loopid_get(fd, number, job->file, &job->id);
	if (err == 0)
		err = take_size(job, fd);
	if (err == 0)
		err = protect(fd, job->is_read_only);
	if (err == 0)
		job->is_direct = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 &&
				 (info.lo_flags & LO_FLAGS_DIRECT_IO);
	else
		fail(job, err, "%s, which an earlier run left, cannot be used: %s", job->path,
		    strerror(-err));
	if (fd >= 0)
		close(fd);
	return true;
}

/*
 * Also a protected disk's file is opened for writing, which the exporter allows
 * its own process: a device on a file that is open for reading can never be
 * written to.
 */
static void
attach(struct loopdev_job *job)
{
	int control, file;

	job->path[0] = '\0';
	control = open_control(job);
	if (control < 0)
		return;
	file = job->has_fd ? job->fd : open(job->file, O_RDWR | O_CLOEXEC);
	if (file < 0)
		fail(job, job->has_fd ? file : -errno, "cannot open %s: %s", job->file,
		    strerror(job->has_fd ? -file : errno));
	else if (!job->may_adopt || !adopt(job, file))
		attach_file(job, control, file);
	if (file >= 0 && !job->has_fd)
		close(file);
	close(control);
	if (job->result < 0)
		job->path[0] = '\0';
	else
		job->why[0] = '\0';
}

/* The device, found to be on the file.  -1: job->result says why not. */
static int
open_tied(struct loopdev_job *job, int flags)
{
	int fd = loopid_open(job->number, flags), err;

	if (fd == -ENOENT || fd == -ENXIO) {
		fail(job, -ENXIO, "there is no %s any more", job->path);
	} else if (fd < 0) {
		fail(job, fd, "cannot open %s: %s", job->path, strerror(-fd));
	} else {
		err = loopid_tied(fd, job->number, &job->id, job->file);
		if (err == 0)
			return fd;
		if (err == -ENXIO)
			fail(job, err, "%s is not, or no more, on %s", job->path, job->file);
		else
			fail(job, err, "cannot look at %s: %s", job->path, strerror(-err));
		close(fd);
	}
	return -1;
}

static void
change(struct loopdev_job *job)
{
	int fd = open_tied(job, O_RDONLY), err;

	if (fd < 0)
		return;
	err = take_size(job, fd);
	if (err < 0) {
		fail(job, err, "cannot change the size of %s: %s", job->path, strerror(-err));
		err = 0;
	} else
		err = protect(fd, job->is_read_only);
	if (err < 0)
		fail(job, err, "cannot change the write protection of %s: %s", job->path,
		    strerror(-err));
	close(fd);
}

static void
check(struct loopdev_job *job)
{
	int fd = open_tied(job, O_RDONLY);

	if (fd >= 0)
		close(fd);
}

/*
 * Tell the kernel to let go of the file: at once, or when the last one who has
 * the device open closes it.  The protection is lifted, or the number's next user has it.
 */
static void
let_go(struct loopdev_job *job, int fd)
{
	(void)protect(fd, false); /* who attaches next sets it, too */
	if (ioctl(fd, LOOP_CLR_FD, 0) < 0 && errno != ENXIO)
		fail(job, -errno, "cannot detach %s: %s", job->path, strerror(errno));
}

/* The last close ends it; udev's may come a moment later. */
static bool
is_released(struct loopdev_job *job)
{
	for (int i = 0; i < RELEASE_TRIES; i++) {
		int fd = loopid_open(job->number, O_RDONLY);
		int err = fd >= 0 ? loopid_tied(fd, job->number, &job->id, job->file) : -ENXIO;

		if (fd >= 0)
			close(fd);
		if (err == -ENXIO)
			return true;
		/* no-sleep-ok: the kernel tells nobody when a loop device is released. */
		nanosleep(&(struct timespec){ .tv_nsec = RELEASE_NAP }, NULL);
	}
	return false;
}

static void
report_use(struct loopdev_job *job)
{
	struct loopuse use = { .number = job->number };

	loopuse_find(&use, 1, job->group);
	if (use.is_used)
		fail(job, -EBUSY, "%s is %s; end that first", job->path, use.who);
	else
		fail(job, -EBUSY, "%s was opened just now; close it first", job->path);
}

/* Somebody has it: it is not to go when he closes it. */
static void
keep(struct loopdev_job *job)
{
	struct loop_info64 info;
	int fd = loopid_open(job->number, O_RDONLY);

	if (fd < 0)
		return;
	if (loopid_tied(fd, job->number, &job->id, job->file) == 0 &&
	    ioctl(fd, LOOP_GET_STATUS64, &info) == 0) {
		info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
		(void)ioctl(fd, LOOP_SET_STATUS64, &info); /* else it goes with its user */
		(void)protect(fd, job->is_read_only);
	}
	close(fd);
}

/* What is in its page cache is written, and flushed on the disk. */
static void
write_out(struct loopdev_job *job, int fd)
{
	const unsigned all =
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	/* No flush in this one, and nothing to be done where nothing is dirty. */
	if (sync_file_range(fd, 0, 0, all) < 0)
		fail(job, -errno, "%s keeps data that could not be written: %s", job->path,
		    strerror(errno));
	else if (!job->is_lost && fsync(fd) < 0)
		fail(job, -errno, "the disk of %s did not answer a flush of its write cache: %s",
		    job->path, strerror(errno));
}

/*
 * To see that nobody uses it and to let go of it are one step: the kernel takes
 * no second exclusive opener, and lets go only when the last opener closes.
 */
static void
detach(struct loopdev_job *job)
{
	int fd = open_tied(job, O_RDONLY | (job->is_forced ? 0 : O_EXCL));

	if (fd < 0) {
		if (job->result == -EBUSY)
			report_use(job);
		return;
	}
	if (!job->is_forced)
		write_out(job, fd);
	if (job->result == 0)
		let_go(job, fd);
	close(fd);
	if (job->is_forced || job->result != 0 || is_released(job))
		return;
	report_use(job);
	keep(job);
}

void
loopjob_run(struct loopdev_job *job)
{
	job->result = 0;
	job->why[0] = '\0';
	job->count = 0;
	job->is_direct = false;
	switch (job->what) {
	case LOOPDEV_ATTACH:
		attach(job);
		break;
	case LOOPDEV_CHANGE:
		name_node(job, job->number);
		change(job);
		break;
	case LOOPDEV_CHECK:
		name_node(job, job->number);
		check(job);
		break;
	case LOOPDEV_DETACH:
		name_node(job, job->number);
		detach(job);
		break;
	case LOOPDEV_SWEEP:
		loopsweep_run(job);
		break;
	case LOOPDEV_TIDY:
		loopsweep_tidy(job);
		break;
	case LOOPDEV_USERS:
		loopuse_find(job->users, job->n_numbers, job->group);
		break;
	}
}
