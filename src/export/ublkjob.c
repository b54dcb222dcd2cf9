#include "export/ublkjob.h"

#include <sys/ioctl.h>
#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "export/loopuse.h"
#include "export/ublkjob_impl.h"
#include "export/ublkprobe.h"

/* Of every tag: "OI". */
#define TAG_MARK 0x4f49ull
#define TAG_AT   48
/* A server that was killed is noticed when the last of its threads is gone; likewise its node. */
#define TRIES 1000
#define NAP   (10 * 1000 * 1000) /* nanoseconds */

#define FLAGS_NEEDED                                                                     \
	(UBLK_F_USER_RECOVERY | UBLK_F_USER_RECOVERY_REISSUE | UBLK_F_CMD_IOCTL_ENCODE | \
	    UBLK_F_USER_COPY)

uint64_t
ublkjob_tag(void)
{
	uint64_t random;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return 0;
	return TAG_MARK << TAG_AT | (random & ((1ull << TAG_AT) - 1));
}

bool
ublkjob_is_tag(uint64_t tag)
{
	return tag >> TAG_AT == TAG_MARK;
}

void
ublkjob_fail(struct ublkjob *job, int err, const char *format, ...)
{
	va_list ap;

	job->result = err;
	va_start(ap, format);
	(void)vsnprintf(job->why, sizeof job->why, format, ap); /* words for people: cut */
	va_end(ap);
}

void
ublkjob_nap(void)
{
	/* no-sleep-ok: the kernel tells nobody when a server is gone, or udev has made a node. */
	nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
}

/* ---- what there is ---- */

static void
open_failed(struct ublkjob *job, int err)
{
	if (err == -ENOENT)
		ublkjob_fail(job, err,
		    "there is no /dev/ublk-control: load the kernel module ublk_drv (Linux 6.8 and "
		    "later)");
	else if (err == -EPERM || err == -EACCES)
		ublkjob_fail(
		    job, err, "this user or container may not use /dev/ublk-control, or io_uring");
	else if (err == -ENOSYS)
		ublkjob_fail(job, err, "this kernel has no io_uring for ublk");
	else
		ublkjob_fail(job, err, "cannot use /dev/ublk-control: %s", strerror(-err));
}

uint64_t
ublkjob_features(struct ublkctl *c)
{
	uint64_t all = 0;

	if (ublkctl_do(c, UBLK_U_CMD_GET_FEATURES, UBLK_ANY, &all, sizeof all, 0) < 0)
		return 0;
	return (all & FLAGS_NEEDED) == FLAGS_NEEDED ? all : 0;
}

static uint64_t
check(struct ublkjob *job, struct ublkctl *c)
{
	uint64_t all = ublkjob_features(c);

	if (all == 0)
		ublkjob_fail(job, -EOPNOTSUPP,
		    "this kernel's ublk is too old, or not allowed: Linux 6.8 "
		    "and later are wanted");
	return all;
}

/* ---- making one ---- */

static uint8_t
shift(uint32_t bytes)
{
	return (uint8_t)__builtin_ctz(bytes);
}

static uint32_t
at_least(uint32_t bytes, uint32_t block)
{
	return bytes < block || (bytes & (bytes - 1)) != 0 ? block : bytes;
}

static void
describe(const struct ublkjob *job, struct ublk_params *p)
{
	uint32_t block = job->block_bytes, physical = at_least(job->physical_bytes, block);
	uint32_t optimal = at_least(job->optimal_bytes, physical);

	*p = (struct ublk_params){ .len = sizeof *p, .types = UBLK_PARAM_TYPE_BASIC };
	p->basic = (struct ublk_param_basic){
		.attrs = UBLK_ATTR_VOLATILE_CACHE | UBLK_ATTR_FUA,
		.logical_bs_shift = shift(block),
		.physical_bs_shift = shift(physical),
		.io_min_shift = shift(physical),
		.io_opt_shift = shift(optimal),
		.max_sectors = LIMIT_UBLK_IO_BYTES >> 9,
		.dev_sectors = job->size_bytes >> 9,
	};
	if (!job->can_discard && !job->can_write_zeroes)
		return;
	p->types |= UBLK_PARAM_TYPE_DISCARD;
	p->discard = (struct ublk_param_discard){
		.discard_granularity = at_least(job->discard_bytes, block),
		.max_discard_sectors = job->can_discard ? LIMIT_UBLK_DISCARD_BYTES >> 9 : 0,
		.max_write_zeroes_sectors =
		    job->can_write_zeroes ? LIMIT_UBLK_DISCARD_BYTES >> 9 : 0,
		.max_discard_segments = 1,
	};
}

/* Its node may be a moment behind the device, and a process that was killed may still have it. */
static int
open_device(const struct ublkjob *job)
{
	int fd = -ENOENT;

	for (int i = 0; i < TRIES && (fd == -ENOENT || fd == -EBUSY); i++) {
		if (i > 0)
			ublkjob_nap();
		fd = job->is_opened_later ? ublkctl_has_device(job->number)
					  : ublkctl_device(job->number);
	}
	return fd;
}

/* 0 or a negative errno. */
static int
take_device(struct ublkjob *job)
{
	int fd = open_device(job);

	if (fd >= 0 && !job->is_opened_later)
		job->fd = fd;
	return fd < 0 ? fd : 0;
}

static void
add(struct ublkjob *job, struct ublkctl *c)
{
	uint64_t all = check(job, c);
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = UBLK_DEPTH,
		.max_io_buf_bytes = LIMIT_UBLK_IO_BYTES,
		.dev_id = UINT32_MAX,
		.ublksrv_pid = job->server,
		.flags = FLAGS_NEEDED | (all & (UBLK_F_NO_AUTO_PART_SCAN | UBLK_F_UPDATE_SIZE |
						   UBLK_F_SAFE_STOP_DEV)),
		.ublksrv_flags = job->tag,
	};
	struct ublk_params params;
	int err;

	if (all == 0)
		return;
	err = ublkctl_do(c, UBLK_U_CMD_ADD_DEV, UBLK_ANY, &info, sizeof info, 0);
	if (err < 0) {
		ublkjob_fail(job, err, "the kernel makes no ublk device: %s", strerror(-err));
		return;
	}
	job->number = (int)info.dev_id;
	describe(job, &params);
	err = ublkctl_do(c, UBLK_U_CMD_SET_PARAMS, job->number, &params, sizeof params, 0);
	if (err >= 0)
		err = take_device(job);
	if (err >= 0)
		return;
	(void)ublkctl_do(c, UBLK_U_CMD_DEL_DEV, job->number, NULL, 0, 0); /* nobody has it */
	ublkjob_fail(job, err, "ublk device %d of %llu bytes in blocks of %u cannot be set up: %s",
	    job->number, (unsigned long long)job->size_bytes, job->block_bytes, strerror(-err));
	job->number = UBLK_ANY;
}

static void
start(struct ublkjob *job, struct ublkctl *c)
{
	uint32_t op = job->is_recovery ? UBLK_U_CMD_END_USER_RECOVERY : UBLK_U_CMD_START_DEV;
	int err = ublkctl_do(c, op, job->number, NULL, 0, (uint64_t)job->server);

	if (err < 0)
		ublkjob_fail(
		    job, err, "ublk device %d does not start: %s", job->number, strerror(-err));
}

/* ---- going on with one ---- */

static void
recover(struct ublkjob *job, struct ublkctl *c)
{
	struct ublksrv_ctrl_dev_info info;
	int err = ublkctl_find(c, job->number, job->tag, &info);

	if (err >= 0) {
		job->number = err;
		err = 0;
	}
	if (err == 0 && (info.state == UBLK_S_DEV_DEAD || info.queue_depth != UBLK_DEPTH ||
			    info.nr_hw_queues != 1 || (info.flags & FLAGS_NEEDED) != FLAGS_NEEDED))
		err = -ENXIO; /* it never started, or is another release's */
	for (int i = 0; err == 0 && i < TRIES; i++) {
		err = ublkctl_do(c, UBLK_U_CMD_START_USER_RECOVERY, job->number, NULL, 0, 0);
		if (err != -EBUSY)
			break;
		err = 0;
		ublkjob_nap();
	}
	if (err >= 0)
		err = take_device(job);
	if (err < 0)
		ublkjob_fail(job, err,
		    "ublk device %d of a driver before this one cannot be gone on with: %s",
		    job->number, strerror(-err));
}

/* ---- an existing one ---- */

int
ublkjob_open(int number, int flags)
{
	char path[32];
	int fd;

	loopuse_path(LOOPUSE_UBLK | number, path);
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int
protect(int fd, bool is_read_only)
{
	int flag = is_read_only;

	return ioctl(fd, BLKROSET, &flag) < 0 ? -errno : 0;
}

/* Its size and its protection are the disk's. */
static void
change(struct ublkjob *job, struct ublkctl *c)
{
	int fd = ublkjob_open(job->number, O_RDONLY), err = fd < 0 ? fd : 0;
	off_t now = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (err == 0)
		err = protect(fd, job->is_read_only);
	if (err < 0)
		ublkjob_fail(job, err, "cannot change the write protection of /dev/ublkb%d: %s",
		    job->number, strerror(-err));
	if (fd >= 0)
		close(fd);
	if (err < 0 || now < 0 || (uint64_t)now == job->size_bytes)
		return;
	err =
	    (ublkjob_features(c) & UBLK_F_UPDATE_SIZE) == 0
		? -EOPNOTSUPP
		: ublkctl_do(c, UBLK_U_CMD_UPDATE_SIZE, job->number, NULL, 0, job->size_bytes >> 9);
	if (err == -EOPNOTSUPP)
		ublkjob_fail(job, err,
		    "this kernel cannot change the size of /dev/ublkb%d while it is there (Linux "
		    "6.16 "
		    "can): when nobody uses it, rmsf and insf make it anew",
		    job->number);
	else if (err < 0)
		ublkjob_fail(job, err, "cannot change the size of /dev/ublkb%d: %s", job->number,
		    strerror(-err));
}

/* ---- the end of one ---- */

static void
take_out(struct ublkjob *job, struct ublkctl *c)
{
	int err = ublkctl_do(c, UBLK_U_CMD_STOP_DEV, job->number, NULL, 0, 0);

	(void)err; /* it may be stopped already: the next step says what is wrong */
	err = ublkctl_do(c, UBLK_U_CMD_DEL_DEV, job->number, NULL, 0, 0);
	if (err < 0 && err != -ENODEV)
		ublkjob_fail(
		    job, err, "ublk device %d stays behind: %s", job->number, strerror(-err));
}

/* ---- all of them ---- */

/* It is ours, by its tag. */
static bool
find(struct ublkjob *job, struct ublkctl *c)
{
	struct ublksrv_ctrl_dev_info info;
	int n = ublkctl_find(c, job->number, job->tag, &info);

	if (n >= 0)
		job->number = n;
	else if (n == -ENXIO)
		ublkjob_fail(job, n, "there is no ublk device of this disk any more");
	else
		ublkjob_fail(
		    job, n, "cannot look at ublk device %d: %s", job->number, strerror(-n));
	return n >= 0;
}

static void
run(struct ublkjob *job, struct ublkctl *c)
{
	switch (job->what) {
	case UBLKJOB_CHECK:
		(void)check(job, c); /* the result says it */
		break;
	case UBLKJOB_PROBE:
		if (check(job, c) != 0)
			ublkprobe_run(job);
		break;
	case UBLKJOB_ADD:
		add(job, c);
		break;
	case UBLKJOB_RECOVER:
		recover(job, c);
		break;
	case UBLKJOB_START:
		if (find(job, c))
			start(job, c);
		/* The kernel starts the others as they were told to be. */
		if (job->result == 0 && !job->is_recovery && job->is_read_only)
			change(job, c);
		break;
	case UBLKJOB_CHANGE:
		if (find(job, c))
			change(job, c);
		break;
	case UBLKJOB_STOP:
		if (find(job, c))
			ublkstop_run(job, c);
		break;
	case UBLKJOB_DELETE:
		if (find(job, c))
			take_out(job, c);
		break;
	case UBLKJOB_WHATS:
		break;
	}
}

void
ublkjob_run(struct ublkjob *job)
{
	struct ublkctl c;
	int err = ublkctl_open(&c);

	job->result = 0;
	job->why[0] = '\0';
	job->fd = -1;
	if (err < 0) {
		open_failed(job, err);
		return;
	}
	run(job, &c);
	ublkctl_close(&c);
}
