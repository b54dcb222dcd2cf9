#include <assert.h>
#include <errno.h>
#include <string.h>

#include "export/nbdint.h"

/* Zeros of one write, where a unit must not deallocate instead. */
#define ZERO_BYTES (256u << 10)
static_assert(ZERO_BYTES <= LIMIT_NBD_IO_BYTES, "they fit into an op");

static void step(struct nbd_op *op, int result);

static uint8_t *
data_of(struct nbd_op *op)
{
	return op->mem + NBD_DATA_AT;
}

static bool
is_fua(const struct nbd_op *op)
{
	return (op->request.flags & NBD_COMMAND_FLAG_FUA) != 0;
}

static void
passed(struct blk_req *r)
{
	struct nbd_op *op = r->user;

	align_passed(&op->conn->disk->disk, r->op);
	step(op, r->result);
}

static void
io_done(struct align_io *io)
{
	step(io->user, io->result);
}

static void
submit(struct nbd_op *op, enum blk_op kind, uint64_t offset, uint64_t len, uint8_t *buf)
{
	struct align_disk *disk = &op->conn->disk->disk;
	bool fua = kind == BLK_WRITE && is_fua(op);

	op->kind = kind;
	op->covers = op->conn->disk->written;
	if (align_pass(disk, kind, offset, len)) {
		op->blk = (struct blk_req){ .op = kind,
			.fua = fua,
			.offset = offset,
			.len = len,
			.buf = buf,
			.done = passed,
			.user = op };
		disk->dev->submit(disk->dev, &op->blk);
		return;
	}
	op->io.op = kind;
	op->io.fua = fua;
	op->io.offset = offset;
	op->io.len = len;
	op->io.buf = buf;
	op->io.scratch = op->mem;
	op->io.done = io_done;
	op->io.user = op;
	align_submit(disk, &op->io);
}

/* The next of the zeros that are written one by one. */
static void
write_zeros(struct nbd_op *op)
{
	uint64_t left = op->request.length - op->zeroed;
	uint64_t n = left < ZERO_BYTES ? left : ZERO_BYTES;
	uint64_t at = op->request.offset + op->zeroed;

	op->zeroed += n;
	submit(op, BLK_WRITE, at, n, data_of(op));
}

/* Only whole blocks can be given up, and nobody has to.  False: there is none. */
static bool
trim(struct nbd_op *op)
{
	const uint64_t mask = op->conn->disk->disk.dev->block_bytes - 1;
	uint64_t start = (op->request.offset + mask) & ~mask;
	uint64_t end = (op->request.offset + op->request.length) & ~mask;

	if (start >= end)
		return false;
	op->flushes = is_fua(op);
	submit(op, BLK_DISCARD, start, end - start, NULL);
	return true;
}

static void
zero(struct nbd_op *op)
{
	if ((op->request.flags & NBD_COMMAND_FLAG_NO_HOLE) != 0) {
		memset(data_of(op), 0, op->carries);
		write_zeros(op);
		return;
	}
	op->zeroed = op->request.length;
	op->flushes = is_fua(op);
	submit(op, BLK_WRITE_ZEROES, op->request.offset, op->request.length, NULL);
}

uint32_t
nbdio_bytes(const struct nbd_request *r)
{
	if (r->command == NBD_COMMAND_READ || r->command == NBD_COMMAND_WRITE)
		return r->length;
	if (r->command == NBD_COMMAND_WRITE_ZEROES && (r->flags & NBD_COMMAND_FLAG_NO_HOLE) != 0)
		return r->length < ZERO_BYTES ? r->length : ZERO_BYTES;
	return 0;
}

void
nbdio_begin(struct nbd_op *op)
{
	const struct nbd_request *r = &op->request;

	if (op->error != NBD_OK) {
		nbdconn_answer(op->conn, op);
		return;
	}
	switch (r->command) {
	case NBD_COMMAND_READ:
		submit(op, BLK_READ, r->offset, r->length, data_of(op));
		break;
	case NBD_COMMAND_WRITE:
		submit(op, BLK_WRITE, r->offset, r->length, data_of(op));
		break;
	case NBD_COMMAND_FLUSH:
		if (op->conn->disk->disk.dev->read_only)
			nbdconn_answer(op->conn, op);
		else
			submit(op, BLK_FLUSH, 0, 0, NULL);
		break;
	case NBD_COMMAND_TRIM:
		if (!trim(op))
			nbdconn_answer(op->conn, op);
		break;
	default:
		assert(r->command == NBD_COMMAND_WRITE_ZEROES); /* nbd_check() lets no other pass */
		zero(op);
	}
}

/* What a step that succeeded means for the unit's cache. */
static void
note(const struct nbd_op *op)
{
	struct nbd_disk *disk = op->conn->disk;

	if (op->kind == BLK_FLUSH && op->covers > disk->flushed)
		disk->flushed = op->covers;
	else if (op->kind != BLK_FLUSH && op->kind != BLK_READ &&
		 !(op->kind == BLK_WRITE && is_fua(op)))
		disk->written++;
}

bool
nbdio_is_due(const struct nbd_disk *disk)
{
	return disk->written > disk->flushed && disk->disk.dev != NULL && !disk->ex->is_stopping;
}

bool
nbdio_write_out(struct nbd_conn *c)
{
	struct nbd_op *op = nbdpool_get(c, 0);

	if (op == NULL)
		return false;
	op->request = (struct nbd_request){ .command = NBD_COMMAND_FLUSH };
	nbdio_begin(op);
	return true;
}

/* One step is done: the next one, or the answer. */
static void
step(struct nbd_op *op, int result)
{
	if (result == 0)
		note(op);
	if (result == 0 && op->conn->disk->disk.dev == NULL)
		result = -ENXIO;
	if (result == 0) {
		if (op->request.command == NBD_COMMAND_WRITE_ZEROES &&
		    op->zeroed < op->request.length) {
			write_zeros(op);
			return;
		}
		if (op->flushes) {
			op->flushes = false;
			submit(op, BLK_FLUSH, 0, 0, NULL);
			return;
		}
	}
	op->error = nbd_error_of(result);
	nbdconn_answer(op->conn, op);
}
