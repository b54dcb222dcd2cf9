#include "export/memdev.h"

#include <sys/mman.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
answer(struct memdev *m, struct blk_req *r, int result)
{
	list_remove(&r->link);
	m->queued--;
	m->answered[r->op]++;
	r->result = result;
	r->done(r);
}

static int
execute(struct memdev *m, const struct blk_req *r)
{
	if (m->fail[r->op] != 0)
		return m->fail[r->op];
	if (r->offset > m->dev.size_bytes || r->len > m->dev.size_bytes - r->offset)
		return -EIO;
	if (r->op <= BLK_WRITE && r->offset < m->bad_to && m->bad_from < r->offset + r->len)
		return -EIO;
	if (r->op != BLK_READ && r->op != BLK_FLUSH && m->dev.read_only)
		return -EROFS;
	switch (r->op) {
	case BLK_READ:
		memcpy(r->buf, m->mem + r->offset, r->len);
		break;
	case BLK_WRITE:
		memcpy(m->mem + r->offset, r->buf, r->len);
		break;
	case BLK_WRITE_ZEROES:
		memset(m->mem + r->offset, 0, r->len);
		break;
	case BLK_DISCARD:
		memset(m->mem + r->offset, 0xdc, r->len); /* anything may be read: something ugly */
		break;
	case BLK_FLUSH:
		break;
	}
	return 0;
}

/* xorshift64: enough to mix an order, and the same on every machine. */
static uint64_t
next_random(struct memdev *m)
{
	uint64_t x = m->reorder_seed;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return m->reorder_seed = x;
}

/* Answer about half of what is queued, in any order; the rest in a later turn. */
static void
answer_some(struct memdev *m)
{
	unsigned n = (m->queued + 1) / 2;

	while (n-- > 0 && m->queued > 0) {
		struct list *node = m->queue.next;

		for (uint64_t skip = next_random(m) % m->queued; skip > 0; skip--)
			node = node->next;

		struct blk_req *r = LIST_ENTRY(node, struct blk_req, link);

		answer(m, r, execute(m, r));
	}
	if (m->queued > 0)
		agenda_defer(loop_agenda(m->loop), &m->work);
}

static void
answer_all(struct memdev *m)
{
	struct list now, *node;

	/* What is submitted by an answer waits for the next turn. */
	list_init(&now);
	list_splice_front(&now, &m->queue);
	while ((node = now.next) != &now) {
		struct blk_req *r = LIST_ENTRY(node, struct blk_req, link);

		answer(m, r, execute(m, r));
	}
}

static void
run(struct agenda_work *w)
{
	struct memdev *m = LIST_ENTRY(w, struct memdev, work);

	if (m->hold)
		return;
	m->turns++;
	if (m->reorder_seed != 0)
		answer_some(m);
	else
		answer_all(m);
}

static void
expired(struct agenda_timer *t)
{
	run(&LIST_ENTRY(t, struct memdev, timer)->work);
}

static void
submit(struct blk_dev *d, struct blk_req *r)
{
	struct memdev *m = d->user;

	assert(r->offset % d->block_bytes == 0 && r->len % d->block_bytes == 0);
	assert(r->op > BLK_WRITE || (r->len > 0 && r->len <= d->max_io_bytes));
	list_push_back(&m->queue, &r->link);
	m->queued++;
	m->submitted[r->op]++;
	m->fua_count += r->fua;
	if (r->op <= BLK_WRITE && r->len > m->largest_bytes)
		m->largest_bytes = r->len;
	if (m->delay_us > 0 && !m->timer.armed)
		agenda_set(loop_agenda(m->loop), &m->timer, loop_now(m->loop) + m->delay_us);
	else if (m->delay_us == 0)
		agenda_defer(loop_agenda(m->loop), &m->work);
	if (m->on_submit != NULL)
		m->on_submit(m, r);
}

struct memdev *
memdev_new(struct loop *loop, const char *name, uint64_t size_bytes, uint32_t block_bytes)
{
	struct memdev *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->mem = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->mem == MAP_FAILED) {
		free(m);
		return NULL;
	}
	snprintf(m->dev.name, sizeof m->dev.name, "%s", name);
	m->dev.size_bytes = size_bytes;
	m->dev.block_bytes = block_bytes;
	m->dev.max_io_bytes = 1u << 20;
	m->dev.can_discard = m->dev.can_write_zeroes = true;
	m->dev.submit = submit;
	m->dev.user = m;
	m->loop = loop;
	m->timer.expired = expired;
	list_init(&m->queue);
	agenda_work_init(&m->work, run);
	return m;
}

void
memdev_free(struct memdev *m)
{
	if (m == NULL)
		return;
	assert(m->queued == 0);
	agenda_cancel(&m->work);
	agenda_clear(loop_agenda(m->loop), &m->timer);
	munmap(m->mem, m->dev.size_bytes);
	free(m);
}

void
memdev_release(struct memdev *m)
{
	m->hold = false;
	agenda_defer(loop_agenda(m->loop), &m->work);
}

void
memdev_fail_all(struct memdev *m, int result)
{
	struct list now, *node;

	list_init(&now);
	list_splice_front(&now, &m->queue);
	while ((node = now.next) != &now)
		answer(m, LIST_ENTRY(node, struct blk_req, link), result);
}
