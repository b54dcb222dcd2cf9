#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include "export/fuseint.h"

static void io_done(struct align_io *io);
static void passed(struct blk_req *r);

/* What a caller may see: an errno of ours that the kernel would take for something else is EIO. */
static int
errno_for_caller(int result)
{
	switch (-result) {
	case ENOSYS: /* the kernel would never ask again, and report success */
	case EINTR:
	case EAGAIN:
		return EIO;
	default:
		return -result < 512 ? -result : EIO;
	}
}

/*
 * The request that was just received becomes an op with the memory it lies in.
 * NULL when it was answered: there is no such device, or not any more.
 */
static struct fuse_op *
take(fuse_req_t req, fuse_ino_t ino)
{
	struct export *ex = fuse_req_userdata(req);
	struct fuse_node *node = fuse_node_by_ino(ex, ino);
	struct fuse_op *op = ex->rx;

	if (node == NULL || node->disk.dev == NULL) {
		fuse_reply_err(req, fuse_node_errno(node));
		return NULL;
	}
	ex->rx = NULL;
	op->req = req;
	op->node = node;
	node->ops++;
	list_push_back(&ex->busy, &op->link);
	return op;
}

static void
release(struct fuse_op *op)
{
	struct export *ex = op->ex;

	list_remove(&op->link);
	fusestate_done(ex->state, op->record);
	op->node->ops--;
	fuse_node_release(ex, op->node);
	fusepool_put(op);
	fuselife_op_back(ex);
}

/* The device has written to all of the data, which lies behind the header. */
static void
answer_read(struct fuse_op *op, fuse_req_t req, const uint8_t *buf, uint64_t len)
{
	size_t there = (FUSE_HEADER_BYTES + (size_t)len) / 4096 * 4096;

	(void)fuse_reply_buf(req, (const char *)buf, len);
	if (op->resident >= FUSE_HEADER_BYTES && op->resident < there)
		op->resident = there;
}

/*
 * libfuse's answers fail only when the caller is gone (interrupted, or the
 * mount is): nobody is left to be told.
 */
static void
answer(struct fuse_op *op, enum blk_op kind, int result, const uint8_t *buf, uint64_t len)
{
	fuse_req_t req = op->req;

	op->req = NULL;
	if (req == NULL)
		; /* answered by fuseio_abandon() */
	else if (result != 0)
		(void)fuse_reply_err(req, errno_for_caller(result));
	else if (kind == BLK_READ)
		answer_read(op, req, buf, len);
	else if (kind == BLK_WRITE)
		(void)fuse_reply_write(req, len);
	else
		(void)fuse_reply_err(req, 0);
	release(op);
}

static void
passed(struct blk_req *r)
{
	struct fuse_op *op = LIST_ENTRY(r, struct fuse_op, blk);

	align_passed(&op->node->disk, r->op);
	answer(op, r->op, r->result, r->buf, r->len);
}

static void
io_done(struct align_io *io)
{
	answer(io->user, io->op, io->result, io->buf, io->len);
}

void
fuseio_abandon(struct export *ex, int err)
{
	LIST_EACH(n, tmp, &ex->busy)
	{
		struct fuse_op *op = LIST_ENTRY(n, struct fuse_op, link);

		if (op->req != NULL)
			(void)fuse_reply_err(op->req, err);
		op->req = NULL;
		op->record = FUSESTATE_NO_RECORD; /* it is another connection when it comes back */
	}
}

static uint64_t
size_of(const struct blk_dev *d)
{
	return d->size_bytes - d->size_bytes % d->block_bytes;
}

/* How much of a request lies inside the device. */
static uint64_t
clip(const struct blk_dev *d, off_t off, size_t len)
{
	uint64_t size = size_of(d), start = (uint64_t)off;

	if (off < 0 || start >= size)
		return 0;
	return len < size - start ? len : size - start;
}

static void
submit(struct fuse_op *op, enum blk_op kind, bool fua, uint64_t offset, uint64_t len, uint8_t *buf)
{
	struct align_disk *disk = &op->node->disk;

	fusepool_carry(op, buf != NULL ? len : 0);
	if (align_pass(disk, kind, offset, len)) {
		op->blk = (struct blk_req){ .op = kind,
			.fua = fua,
			.offset = offset,
			.len = len,
			.buf = buf,
			.done = passed };
		disk->dev->submit(disk->dev, &op->blk);
		return;
	}
	op->io->op = kind;
	op->io->fua = fua;
	op->io->offset = offset;
	op->io->len = len;
	op->io->buf = buf;
	op->io->scratch = op->mem;
	op->io->done = io_done;
	op->io->user = op;
	align_submit(disk, op->io);
}

/* For what ends without the device. */
static void
answer_now(struct fuse_op *op, int err)
{
	(void)fuse_reply_err(op->req, err);
	op->req = NULL;
	release(op);
}

static void
do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fuse_op *op = take(req, ino);
	uint64_t len;

	(void)fi;
	if (op == NULL)
		return;
	len = clip(op->node->disk.dev, off, size);
	if (size > LIMIT_FUSE_IO_BYTES) {
		answer_now(op, EINVAL);
	} else if (len == 0) {
		/* The end of the device.  No data and no error look the same. */
		answer_now(op, 0);
	} else {
		submit(op, BLK_READ, false, (uint64_t)off, len,
		    op->mem + FUSE_ROOM + FUSE_HEADER_BYTES);
	}
}

/* `buf` is in the op's own memory, where the request was received. */
static void
do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
    struct fuse_file_info *fi)
{
	struct fuse_op *op = take(req, ino);
	uint64_t len;

	if (op == NULL)
		return;
	len = clip(op->node->disk.dev, off, size);
	if (op->node->disk.dev->read_only) {
		answer_now(op, EROFS);
	} else if (size == 0 || size > LIMIT_FUSE_IO_BYTES) {
		answer_now(op, EINVAL); /* the kernel sends no such thing */
	} else if (len == 0) {
		answer_now(op, ENOSPC);
	} else {
		/* Direct writes are not followed by an FSYNC: the opener's wish is in each of them.
		 */
		submit(op, BLK_WRITE, (fi->flags & O_DSYNC) != 0, (uint64_t)off, len,
		    op->mem + (buf - (const char *)op->mem));
	}
}

static void
do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct fuse_op *op = take(req, ino);

	(void)datasync; /* a device has nothing but data */
	(void)fi;
	if (op == NULL)
		return;
	if (op->node->disk.dev->read_only)
		answer_now(op, 0);
	else
		submit(op, BLK_FLUSH, false, 0, 0, NULL);
}

/*
 * As a block device does it: holes and zeros are zeros, inside the device, and
 * there is nothing to allocate.
 */
static void
do_fallocate(
    fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length, struct fuse_file_info *fi)
{
	struct fuse_op *op = take(req, ino);
	const struct blk_dev *d;
	uint64_t len;

	(void)fi;
	if (op == NULL)
		return;
	d = op->node->disk.dev;
	len = length > 0 ? clip(d, off, (size_t)length) : 0;
	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) &&
	    (mode & ~FALLOC_FL_KEEP_SIZE) != FALLOC_FL_ZERO_RANGE)
		answer_now(op, EOPNOTSUPP);
	else if (d->read_only)
		answer_now(op, EROFS);
	else if (!d->can_write_zeroes)
		answer_now(op, EOPNOTSUPP);
	else if (len == 0 || (len < (uint64_t)length && !(mode & FALLOC_FL_KEEP_SIZE)))
		answer_now(op, EINVAL);
	else
		submit(op, BLK_WRITE_ZEROES, false, (uint64_t)off, len, NULL);
}

void
fuseio_fill(struct fuse_lowlevel_ops *ops)
{
	ops->read = do_read;
	ops->write = do_write;
	ops->fsync = do_fsync;
	ops->fallocate = do_fallocate;
}
