#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "export/loopuse.h"
#include "export/ublkjob_impl.h"

/* udev looks into a device for a moment after every change. */
#define RELEASE_TRIES 100

static void
report_use(struct ublkjob *job)
{
	struct loopuse use = { .number = LOOPUSE_UBLK | job->number };

	loopuse_find(&use, 1, job->group);
	if (use.is_used)
		ublkjob_fail(
		    job, -EBUSY, "/dev/ublkb%d is %s; end that first", job->number, use.who);
	else
		ublkjob_fail(
		    job, -EBUSY, "/dev/ublkb%d was opened just now; close it first", job->number);
}

/* What is in its page cache is written, and flushed on the disk. */
static void
write_out(struct ublkjob *job, int fd)
{
	const unsigned all =
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	if (sync_file_range(fd, 0, 0, all) < 0)
		ublkjob_fail(job, -errno, "/dev/ublkb%d keeps data that could not be written: %s",
		    job->number, strerror(errno));
	else if (!job->is_lost && fsync(fd) < 0)
		ublkjob_fail(job, -errno,
		    "the disk of /dev/ublkb%d did not answer a flush of its write cache: %s",
		    job->number, strerror(errno));
}

/*
 * Nobody has it.  Who opens it from now on is refused where the kernel can (Linux 7.0), and else
 * gets errors.
 */
static void
let_go(struct ublkjob *job)
{
	int fd = ublkjob_open(job->number, O_RDONLY | O_EXCL);
	struct loopuse use = { .number = LOOPUSE_UBLK | job->number };

	if (fd == -ENOENT || fd == -ENXIO)
		return; /* it is gone, or was never started */
	if (fd == -EBUSY)
		report_use(job);
	else if (fd < 0)
		ublkjob_fail(job, fd, "cannot open /dev/ublkb%d: %s", job->number, strerror(-fd));
	else
		write_out(job, fd);
	if (fd >= 0)
		close(fd);
	if (job->result < 0)
		return;
	loopuse_find(&use, 1, job->group);
	if (use.is_used)
		ublkjob_fail(
		    job, -EBUSY, "/dev/ublkb%d is %s; end that first", job->number, use.who);
}

void
ublkstop_run(struct ublkjob *job, struct ublkctl *c)
{
	bool is_safe;
	int err = 0;

	if (!job->is_forced)
		let_go(job);
	if (job->result < 0)
		return;
	is_safe = !job->is_forced && (ublkjob_features(c) & UBLK_F_SAFE_STOP_DEV) != 0;
	for (int i = 0; i < RELEASE_TRIES; i++) {
		err = ublkctl_do(c, is_safe ? UBLK_U_CMD_TRY_STOP_DEV : UBLK_U_CMD_STOP_DEV,
		    job->number, NULL, 0, 0);
		if (err != -EBUSY)
			break;
		ublkjob_nap();
	}
	if (err == -EBUSY)
		report_use(job);
	else if (err < 0 && err != -ENODEV)
		ublkjob_fail(
		    job, err, "/dev/ublkb%d cannot be taken away: %s", job->number, strerror(-err));
}
