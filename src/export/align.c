#include "export/align.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void body_done(struct split *s);
static void edge_read(struct blk_req *r);
static void edge_written(struct blk_req *r);
static void start_waiting(struct align_disk *disk);

static bool
is_partial(const struct align_io *io)
{
	return io->has_head || io->has_tail;
}

static bool
is_write(enum blk_op op)
{
	return op == BLK_WRITE || op == BLK_WRITE_ZEROES;
}

static bool
must_wait_for(const struct align_io *a, const struct align_io *b)
{
	return (is_partial(a) || is_partial(b)) && a->start < b->end && b->start < a->end;
}

/* Those that passed say nothing of their blocks, so a partial one waits for all of them. */
static bool
waits_for_passed(const struct align_io *io)
{
	return is_partial(io) && io->disk->passed_count > 0;
}

/* Is there one in the list, before `end`, that io may not overtake? */
static bool
conflicts(const struct align_io *io, const struct list *head, const struct list *end)
{
	for (const struct list *n = head->next; n != end; n = n->next)
		if (must_wait_for(io, LIST_ENTRY(n, const struct align_io, link)))
			return true;
	return false;
}

void
align_init(struct align_disk *disk, struct blk_dev *dev)
{
	disk->dev = dev;
	list_init(&disk->running);
	list_init(&disk->waiting);
	disk->partial_count = 0;
	disk->passed_count = 0;
}

bool
align_pass(struct align_disk *disk, enum blk_op op, uint64_t offset, uint64_t len)
{
	const struct blk_dev *d = disk->dev;

	if (((offset | len) & (d->block_bytes - 1)) != 0 ||
	    (op <= BLK_WRITE && len > d->max_io_bytes))
		return false;
	if (!is_write(op))
		return true;
	if (disk->partial_count > 0)
		return false;
	disk->passed_count++;
	return true;
}

void
align_passed(struct align_disk *disk, enum blk_op op)
{
	if (!is_write(op))
		return;
	assert(disk->passed_count > 0);
	if (--disk->passed_count == 0 && !list_empty(&disk->waiting))
		start_waiting(disk);
}

static void
finish(struct align_io *io)
{
	struct align_disk *disk = io->disk;

	if (is_write(io->op)) {
		list_remove(&io->link);
		if (is_partial(io))
			disk->partial_count--;
		if (!list_empty(&disk->waiting))
			start_waiting(disk);
	}
	io->done(io);
}

void
align_gone(struct align_disk *disk)
{
	struct list gone, *n;

	disk->dev = NULL;
	list_init(&gone);
	list_splice_front(&gone, &disk->waiting);
	while ((n = list_pop(&gone)) != NULL) {
		struct align_io *io = LIST_ENTRY(n, struct align_io, link);

		io->result = -ENXIO;
		finish(io);
	}
}

/* Whole blocks from `start` to `end`, for which buf has the data. */
static void
submit_body(struct align_io *io, uint64_t start, uint64_t end, uint8_t *buf)
{
	struct split *s = &io->body;

	s->dev = &io->disk->dev;
	s->op = io->op;
	s->fua = io->fua;
	s->offset = start;
	s->len = end - start;
	s->buf = buf;
	s->done = body_done;
	split_submit(s);
}

static void
submit_edge(struct align_io *io, struct blk_req *r, enum blk_op op)
{
	bool is_head = r == &io->head;

	*r = (struct blk_req){
		.op = op,
		.offset = is_head ? io->start : io->end - io->block_bytes,
		.len = io->block_bytes,
		.buf = io->scratch + (is_head ? 0 : io->block_bytes),
		.done = op == BLK_READ ? edge_read : edge_written,
		.user = io,
	};
	io->disk->dev->submit(io->disk->dev, r);
}

/* The first and the last block as they are; one block that is both is read once. */
static void
submit_edges(struct align_io *io, enum blk_op op)
{
	io->edges_running += io->has_head + io->has_tail;
	if (io->has_head)
		submit_edge(io, &io->head, op);
	if (io->has_tail)
		submit_edge(io, &io->tail, op);
}

static void
start_write(struct align_io *io)
{
	list_push_back(&io->disk->running, &io->link);
	io->edges_running = 0;
	if (is_partial(io))
		submit_edges(io, BLK_READ);
	else
		submit_body(io, io->start, io->end, io->buf);
}

/* Start, in order, what has to wait no longer. */
static void
start_waiting(struct align_disk *disk)
{
	LIST_EACH(n, tmp, &disk->waiting)
	{
		struct align_io *io = LIST_ENTRY(n, struct align_io, link);

		if (waits_for_passed(io) || conflicts(io, &disk->running, &disk->running) ||
		    conflicts(io, &disk->waiting, n))
			continue;
		list_remove(n);
		start_write(io);
	}
}

void
align_submit(struct align_disk *disk, struct align_io *io)
{
	const uint64_t mask = disk->dev->block_bytes - 1;

	io->disk = disk;
	io->result = 0;
	io->block_bytes = disk->dev->block_bytes;
	io->start = io->offset & ~mask;
	io->end = (io->offset + io->len + mask) & ~mask;
	list_init(&io->link);
	if (!is_write(io->op)) {
		io->has_head = io->has_tail = false;
		submit_body(io, io->start, io->end,
		    io->op == BLK_READ ? io->buf - (io->offset - io->start) : NULL);
		return;
	}
	io->has_head = io->offset != io->start;
	io->has_tail = io->offset + io->len != io->end;
	/* One block that is cut at its end only is its own tail; cut at both, its head. */
	if (io->has_head && io->end - io->start == io->block_bytes)
		io->has_tail = false;
	if (is_partial(io))
		disk->partial_count++;
	if (disk->partial_count > 0 &&
	    (waits_for_passed(io) || conflicts(io, &disk->running, &disk->running) ||
		conflicts(io, &disk->waiting, &disk->waiting))) {
		list_push_back(&disk->waiting, &io->link);
		return;
	}
	start_write(io);
}

/* The old bytes before and behind the new ones, and then one write of it all. */
static void
write_merged(struct align_io *io)
{
	uint64_t before = io->offset - io->start, behind = io->end - (io->offset + io->len);
	const uint8_t *last = io->scratch + (io->has_tail ? 2 : 1) * (size_t)io->block_bytes;

	if (before > 0)
		memcpy(io->buf - before, io->scratch, before);
	if (behind > 0)
		memcpy(io->buf + io->len, last - behind, behind);
	submit_body(io, io->start, io->end, io->buf - before);
}

/* Zeros over the part of an edge block that the request covers. */
static void
zero_edge(const struct align_io *io, const struct blk_req *edge)
{
	uint64_t from = edge->offset > io->offset ? edge->offset : io->offset;
	uint64_t to = edge->offset + edge->len;

	if (to > io->offset + io->len)
		to = io->offset + io->len;
	memset(edge->buf + (from - edge->offset), 0, to - from);
}

/* Whole blocks are zeroed by the device, the edges are written back. */
static void
zero_merged(struct align_io *io)
{
	uint64_t start = io->start + (io->has_head ? io->block_bytes : 0);
	uint64_t end = io->end - (io->has_tail ? io->block_bytes : 0);

	if (io->has_head)
		zero_edge(io, &io->head);
	if (io->has_tail)
		zero_edge(io, &io->tail);
	if (start < end)
		io->edges_running++; /* the body counts as one here */
	submit_edges(io, BLK_WRITE);
	if (start < end)
		submit_body(io, start, end, NULL);
}

static void
edge_read(struct blk_req *r)
{
	struct align_io *io = r->user;

	if (io->result == 0)
		io->result = r->result;
	if (--io->edges_running > 0)
		return;
	if (io->result == 0 && io->disk->dev == NULL)
		io->result = -ENXIO;
	if (io->result != 0)
		finish(io);
	else if (io->op == BLK_WRITE)
		write_merged(io);
	else
		zero_merged(io);
}

static void
part_done(struct align_io *io, int result)
{
	if (io->result == 0)
		io->result = result;
	if (--io->edges_running == 0)
		finish(io);
}

static void
edge_written(struct blk_req *r)
{
	part_done(r->user, r->result);
}

static void
body_done(struct split *s)
{
	struct align_io *io = LIST_ENTRY(s, struct align_io, body);

	if (io->op == BLK_WRITE_ZEROES && is_partial(io)) {
		part_done(io, s->result);
		return;
	}
	io->result = s->result;
	finish(io);
}
