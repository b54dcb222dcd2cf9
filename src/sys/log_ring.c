/*
 * A ring of cells, each with a number that says whose turn it is: `position` it
 * may be filled for that position, position + 1 it may be read.  Writers take a
 * position by one compare-and-swap, fill their cell at leisure and hand it over
 * by its number; one that is stopped in between holds up the reader, never
 * another writer.
 */
#include "sys/log_ring.h"

#include <assert.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static_assert((LOG_RING_LINES & (LOG_RING_LINES - 1)) == 0, "positions wrap around");

struct cell {
	atomic_uint_least64_t turn;
	struct log_line line;
};

struct log_ring {
	sem_t ready; /* posting it neither waits nor allocates */
	atomic_uint_least64_t tail, head;
	atomic_uint dropped;
	struct cell cells[LOG_RING_LINES];
};

static struct cell *
cell_at(struct log_ring *r, uint64_t position)
{
	return &r->cells[position & (LOG_RING_LINES - 1)];
}

struct log_ring *
log_ring_new(void)
{
	struct log_ring *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	if (sem_init(&r->ready, 0, 0) != 0) {
		free(r);
		return NULL;
	}
	for (uint64_t i = 0; i < LOG_RING_LINES; i++)
		atomic_store(&r->cells[i].turn, i);
	return r;
}

/* NULL: all cells are full. */
static struct cell *
claim(struct log_ring *r, uint64_t *ret_position)
{
	uint64_t at = atomic_load(&r->tail);

	for (;;) {
		struct cell *c = cell_at(r, at);
		uint64_t turn = atomic_load(&c->turn);

		if (turn == at) {
			if (!atomic_compare_exchange_weak(&r->tail, &at, at + 1))
				continue;
			*ret_position = at;
			return c;
		}
		if (turn < at)
			return NULL;
		at = atomic_load(&r->tail); /* somebody else was faster */
	}
}

bool
log_ring_put(struct log_ring *r, const struct log_line *line)
{
	uint64_t at;
	struct cell *c = claim(r, &at);

	assert(line->len <= sizeof line->text);
	if (c == NULL) {
		atomic_fetch_add(&r->dropped, 1);
		return false;
	}
	c->line.level = line->level;
	c->line.when = line->when;
	c->line.len = line->len;
	memcpy(c->line.text, line->text, line->len);
	c->line.dropped = atomic_exchange(&r->dropped, 0);
	atomic_store(&c->turn, at + 1);
	(void)sem_post(&r->ready); /* it counts no further than the cells there are */
	return true;
}

uint64_t
log_ring_tail(const struct log_ring *r)
{
	return atomic_load(&r->tail);
}

bool
log_ring_is_past(const struct log_ring *r, uint64_t tail)
{
	return atomic_load(&r->head) >= tail;
}

void
log_ring_wait(struct log_ring *r)
{
	while (sem_wait(&r->ready) != 0)
		; /* a signal */
}

const struct log_line *
log_ring_peek(struct log_ring *r)
{
	uint64_t at = atomic_load(&r->head);
	struct cell *c = cell_at(r, at);

	return atomic_load(&c->turn) == at + 1 ? &c->line : NULL;
}

void
log_ring_pop(struct log_ring *r)
{
	uint64_t at = atomic_load(&r->head);
	struct cell *c = cell_at(r, at);

	assert(atomic_load(&c->turn) == at + 1);
	atomic_store(&c->turn, at + LOG_RING_LINES);
	atomic_store(&r->head, at + 1);
}

unsigned
log_ring_take_dropped(struct log_ring *r)
{
	return atomic_exchange(&r->dropped, 0);
}
