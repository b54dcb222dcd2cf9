/*
 * The one who asks serves the device himself, so nothing here may wait for it: commands and the
 * read are begun on one ring, requests come on another, and both are looked at in turn.
 */
#include "export/ublkprobe.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "export/loopuse.h"
#include "export/ublkctl.h"

#define PROBE_BYTES (1u << 20)
#define READ_BYTES  4096u
#define PATTERN     0x5a
#define PATIENCE_MS 5000

/* What is under way on the ring of commands. */
enum step { STEP_START, STEP_READ, STEP_STOP, STEP_ENDED };

struct probe {
	struct ublkctl ctl;
	struct io_uring ring; /* requests */
	int device, block;    /* /dev/ublkcN, /dev/ublkbN */
	const struct ublksrv_io_desc *desc;
	size_t desc_bytes;
	enum step step;
	int err; /* of the first step that failed */
	uint8_t data[READ_BYTES];
};

static void
offer(struct probe *p, unsigned tag, uint32_t op, int32_t result)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&p->ring);
	const struct ublksrv_io_cmd cmd = { .tag = (uint16_t)tag, .result = result };

	if (sqe == NULL) {
		p->err = -EAGAIN;
		return;
	}
	memset(sqe, 0, sizeof *sqe);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = p->device;
	sqe->off = op;
	sqe->user_data = tag;
	memcpy((uint8_t *)sqe + 48, &cmd, sizeof cmd);
}

/* A disk that is full of one byte. */
static void
answer(struct probe *p, unsigned tag)
{
	const struct ublksrv_io_desc *d = &p->desc[tag];
	uint8_t block[READ_BYTES];
	uint32_t bytes = d->nr_sectors << 9;
	uint64_t at = UBLKSRV_IO_BUF_OFFSET + ((uint64_t)tag << UBLK_TAG_OFF);
	int32_t result = -EIO;

	memset(block, PATTERN, sizeof block);
	if (ublksrv_get_op(d) == UBLK_IO_OP_READ) {
		result = (int32_t)bytes;
		for (uint32_t n = 0; n < bytes; n += READ_BYTES) {
			uint32_t part = bytes - n < READ_BYTES ? bytes - n : READ_BYTES;

			if (pwrite(p->device, block, part, (off_t)(at + n)) != (ssize_t)part)
				result = -EIO;
		}
	}
	offer(p, tag, UBLK_U_IO_COMMIT_AND_FETCH_REQ, result);
}

static void
take_requests(struct probe *p)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&p->ring, &cqe) == 0) {
		unsigned tag = (unsigned)cqe->user_data;
		int res = cqe->res;

		io_uring_cqe_seen(&p->ring, cqe);
		if (res == UBLK_IO_RES_OK && tag < UBLK_DEPTH)
			answer(p, tag);
		else if (res != UBLK_IO_RES_ABORT && p->err == 0)
			p->err = res < 0 ? res : -EIO;
	}
	(void)io_uring_submit(&p->ring); /* what fails is not answered, and that is noticed */
}

static void
begin_read(struct probe *p, int number)
{
	struct io_uring_sqe *sqe;
	char path[32];

	loopuse_path(LOOPUSE_UBLK | number, path);
	p->block = open(path, O_RDONLY | O_CLOEXEC);
	sqe = p->block >= 0 ? io_uring_get_sqe(&p->ctl.ring) : NULL;
	if (sqe == NULL) {
		p->err = p->block < 0 ? -errno : -EAGAIN;
		return;
	}
	memset(sqe, 0, 2 * sizeof *sqe);
	io_uring_prep_read(sqe, p->block, p->data, sizeof p->data, 0);
	p->step = STEP_READ;
	if (io_uring_submit(&p->ctl.ring) < 0)
		p->err = -EIO;
}

static void
begin_stop(struct probe *p, int number)
{
	if (p->block >= 0)
		close(p->block);
	p->block = -1;
	p->step = STEP_STOP;
	if (ublkctl_begin(&p->ctl, UBLK_U_CMD_STOP_DEV, number, 0, 0) < 0)
		p->step = STEP_ENDED;
}

/* One step has ended: the next one.  Whatever failed, the device is stopped. */
static void
next_step(struct probe *p, int number, int res)
{
	if (p->err == 0 && res < 0 && p->step != STEP_STOP)
		p->err = res;
	switch (p->step) {
	case STEP_START:
		if (p->err == 0)
			begin_read(p, number);
		if (p->err < 0)
			begin_stop(p, number);
		break;
	case STEP_READ:
		if (p->err == 0 && (res != READ_BYTES || p->data[0] != PATTERN ||
				       p->data[READ_BYTES - 1] != PATTERN))
			p->err = -EIO;
		begin_stop(p, number);
		break;
	case STEP_STOP:
	case STEP_ENDED:
		p->step = STEP_ENDED;
	}
}

static void
serve(struct probe *p, int number, pid_t server)
{
	int err;

	for (unsigned tag = 0; tag < UBLK_DEPTH; tag++)
		offer(p, tag, UBLK_U_IO_FETCH_REQ, 0);
	err = io_uring_submit(&p->ring);
	if (err >= 0)
		err = ublkctl_begin(&p->ctl, UBLK_U_CMD_START_DEV, number, (uint64_t)server, 0);
	if (err < 0) {
		p->err = err;
		return;
	}
	while (p->step != STEP_ENDED) {
		struct pollfd polls[2] = { { .fd = p->ctl.ring.ring_fd, .events = POLLIN },
			{ .fd = p->ring.ring_fd, .events = POLLIN } };
		struct io_uring_cqe *cqe;

		if (poll(polls, 2, PATIENCE_MS) == 0) {
			p->err = -ETIMEDOUT;
			return;
		}
		take_requests(p);
		if (io_uring_peek_cqe(&p->ctl.ring, &cqe) == 0) {
			int res = cqe->res;

			io_uring_cqe_seen(&p->ctl.ring, cqe);
			next_step(p, number, res);
		}
	}
}

/* 0 or a negative errno; the device is deleted by the caller. */
static int
try(const struct ublkjob *made, pid_t server)
{
	struct probe p = { .device = made->fd, .block = -1 };
	int err = ublkctl_open(&p.ctl);

	if (err < 0)
		return err;
	err = io_uring_queue_init(UBLK_DEPTH, &p.ring, 0);
	if (err == 0) {
		p.desc_bytes = UBLK_DEPTH * sizeof *p.desc;
		p.desc = mmap(
		    NULL, p.desc_bytes, PROT_READ, MAP_SHARED, p.device, UBLKSRV_CMD_BUF_OFFSET);
		if (p.desc != MAP_FAILED) {
			serve(&p, made->number, server);
			err = p.err;
			(void)munmap((void *)p.desc, p.desc_bytes); /* it is one of ours */
		} else {
			err = -errno;
		}
		io_uring_queue_exit(&p.ring);
	}
	ublkctl_close(&p.ctl);
	return err;
}

void
ublkprobe_run(struct ublkjob *job)
{
	struct ublkjob made = { .what = UBLKJOB_ADD,
		.number = UBLK_ANY,
		.tag = ublkjob_tag(),
		.size_bytes = PROBE_BYTES,
		.block_bytes = 512,
		.server = getpid() };
	int err;

	ublkjob_run(&made);
	if (made.result == 0) {
		err = try(&made, made.server);
		close(made.fd);
		made.what = UBLKJOB_DELETE;
		ublkjob_run(&made);
		if (err < 0) {
			made.result = err;
			(void)snprintf(made.why, sizeof made.why,
			    "a ublk device was made to try it and could not be read: %s",
			    strerror(-err)); /* fits */
		}
	}
	job->result = made.result;
	cut_copy(job->why, sizeof job->why, made.why);
}
