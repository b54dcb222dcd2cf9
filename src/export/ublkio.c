#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "export/ublkint.h"

/* Zeros of one write, where a unit must not deallocate instead. */
#define ZERO_BYTES (256u << 10)

static void done(struct split *s);

/* ---- answers ---- */

void
ublkio_answer(struct ublk_slot *s, int32_t result)
{
	s->ring.is_answer = true;
	s->ring.result = result;
	ublkring_offer(s->disk->ex->ring, &s->ring);
}

/* As the kernel's block layer may be told: what else there is means that it is to try again. */
static int32_t
error_of(int err)
{
	return err == -ENOSPC || err == -EOPNOTSUPP ? err : -EIO;
}

/* The slots that wait for an op, as far as there are some. */
static void
go_on_waiting(struct export *ex)
{
	struct list stopped;

	list_init(&stopped);
	list_splice_front(&stopped, &ex->waiting);
	while (!list_empty(&stopped)) {
		struct ublk_slot *s = LIST_ENTRY(list_pop(&stopped), struct ublk_slot, waiting);

		s->waits = false;
		ublkio_begin(s);
		if (!s->waits)
			continue;
		/* Behind it all wait on, in their order. */
		list_splice_front(&stopped, &ex->waiting);
		break;
	}
	list_splice_front(&ex->waiting, &stopped);
}

static void
end(struct ublk_op *op, int result)
{
	struct ublk_slot *s = op->slot;
	struct ublk_disk *k = op->disk;

	if (s != NULL) {
		s->op = NULL;
		ublkio_answer(s, result < 0 ? error_of(result) : result);
	}
	list_remove(&op->link);
	ublkpool_put(k->ex, op);
	if (k->dev == NULL)
		ublkdisk_go_on(k);
	go_on_waiting(k->ex);
}

/* ---- data ---- */

static off_t
data_at(const struct ublk_slot *s)
{
	return (off_t)(UBLKSRV_IO_BUF_OFFSET + ((uint64_t)s->ring.tag << UBLK_TAG_OFF));
}

static bool
take_data(const struct ublk_op *op)
{
	return pread(op->disk->fd, op->mem, op->len, data_at(op->slot)) == (ssize_t)op->len;
}

static bool
give_data(const struct ublk_op *op)
{
	return pwrite(op->disk->fd, op->mem, op->len, data_at(op->slot)) == (ssize_t)op->len;
}

/* ---- steps ---- */

static void
submit(struct ublk_op *op, enum blk_op kind, uint64_t offset, uint64_t len)
{
	op->split.dev = &op->disk->dev;
	op->split.op = kind;
	op->split.fua = kind == BLK_WRITE && op->fua;
	op->split.offset = offset;
	op->split.len = len;
	op->split.buf = op->mem;
	op->split.done = done;
	split_submit(&op->split);
}

static void
write_zeros(struct ublk_op *op)
{
	uint64_t left = op->len - op->zeroed, n = left < ZERO_BYTES ? left : ZERO_BYTES;
	uint64_t at = op->offset + op->zeroed;

	op->zeroed += n;
	submit(op, BLK_WRITE, at, n);
}

/* A step has ended: the next one, or the answer. */
static void
done(struct split *split)
{
	struct ublk_op *op = LIST_ENTRY(split, struct ublk_op, split);
	int result = split->result;

	if (result == 0 && op->disk->dev == NULL)
		result = -ENXIO;
	if (result == 0 && op->zeroed < op->len && op->op == UBLK_IO_OP_WRITE_ZEROES) {
		write_zeros(op);
		return;
	}
	if (result == 0 && op->flushes) {
		op->flushes = false;
		submit(op, BLK_FLUSH, 0, 0);
		return;
	}
	if (result == 0 && op->op == UBLK_IO_OP_READ && op->slot != NULL && !give_data(op))
		result = -EIO;
	if (result == 0 && (op->op == UBLK_IO_OP_READ || op->op == UBLK_IO_OP_WRITE))
		result = (int32_t)op->len;
	end(op, result);
}

static void
begin(struct ublk_op *op, uint32_t flags)
{
	switch (op->op) {
	case UBLK_IO_OP_READ:
		submit(op, BLK_READ, op->offset, op->len);
		break;
	case UBLK_IO_OP_WRITE:
		if (take_data(op))
			submit(op, BLK_WRITE, op->offset, op->len);
		else
			end(op, -EIO);
		break;
	case UBLK_IO_OP_FLUSH:
		op->len = 0;
		if (op->disk->dev->read_only)
			end(op, 0);
		else
			submit(op, BLK_FLUSH, 0, 0);
		break;
	case UBLK_IO_OP_DISCARD:
		op->flushes = op->fua;
		submit(op, BLK_DISCARD, op->offset, op->len);
		break;
	default:
		assert(op->op == UBLK_IO_OP_WRITE_ZEROES); /* carries() lets no other pass */
		if ((flags & (UBLK_IO_F_NOUNMAP >> 8)) != 0) {
			memset(op->mem, 0, op->carries);
			write_zeros(op);
			break;
		}
		op->zeroed = op->len;
		op->flushes = op->fua;
		submit(op, BLK_WRITE_ZEROES, op->offset, op->len);
	}
}

/* ---- requests ---- */

/* Bytes of memory that it needs; negative: it cannot be executed. */
static ssize_t
carries(const struct ublk_disk *k, uint8_t op, uint32_t flags, uint64_t offset, uint64_t len)
{
	const struct blk_dev *d = k->dev;
	uint64_t mask = d->block_bytes - 1;

	if (op == UBLK_IO_OP_FLUSH)
		return 0;
	if (((offset | len) & mask) != 0 || len == 0 || offset > d->size_bytes ||
	    len > d->size_bytes - offset)
		return -EIO;
	switch (op) {
	case UBLK_IO_OP_READ:
	case UBLK_IO_OP_WRITE:
		return len <= LIMIT_UBLK_IO_BYTES ? (ssize_t)len : -EIO;
	case UBLK_IO_OP_DISCARD:
		return 0;
	case UBLK_IO_OP_WRITE_ZEROES:
		if ((flags & (UBLK_IO_F_NOUNMAP >> 8)) == 0)
			return 0;
		return (ssize_t)(len < ZERO_BYTES ? len : ZERO_BYTES);
	default:
		return -EOPNOTSUPP;
	}
}

void
ublkio_begin(struct ublk_slot *s)
{
	struct ublk_disk *k = s->disk;
	const struct ublksrv_io_desc *d = &k->desc[s->ring.tag];
	uint64_t offset = d->start_sector << 9, len = (uint64_t)d->nr_sectors << 9;
	uint32_t flags = ublksrv_get_flags(d);
	uint8_t kind = ublksrv_get_op(d);
	struct ublk_op *op;
	ssize_t bytes = k->dev != NULL ? carries(k, kind, flags, offset, len) : -EIO;

	if (bytes < 0) {
		ublkio_answer(s, (int32_t)bytes);
		return;
	}
	op = ublkpool_get(k->ex, (size_t)bytes);
	if (op == NULL) {
		s->waits = true;
		list_push_back(&k->ex->waiting, &s->waiting);
		return;
	}
	op->disk = k;
	op->slot = s;
	op->op = kind;
	op->fua = (flags & (UBLK_IO_F_FUA >> 8)) != 0;
	op->flushes = false;
	op->offset = offset;
	op->len = len;
	op->zeroed = 0;
	s->op = op;
	list_push_back(&k->running, &op->link);
	begin(op, flags);
}

void
ublkio_fail_all(struct ublk_disk *k)
{
	for (unsigned i = 0; k->slots != NULL && i < UBLK_DEPTH; i++) {
		struct ublk_slot *s = &k->slots[i];

		if (s->waits) {
			s->waits = false;
			list_remove(&s->waiting);
			ublkio_answer(s, -EIO);
		} else if (s->op != NULL) {
			s->op->slot = NULL;
			s->op = NULL;
			ublkio_answer(s, -EIO);
		}
	}
}
