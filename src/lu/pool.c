#include <assert.h>
#include <stdlib.h>

#include "lu/lu_impl.h"
#include "lu/pool_impl.h"

static unsigned
share_of(const struct pool *p)
{
	return p->units_n == 0 ? p->usable : p->usable > p->units_n ? p->usable / p->units_n : 1;
}

/* The sums anew: the share is another one. */
static void
settle(struct pool *p)
{
	unsigned window = p->window < p->slots ? p->window : p->slots;

	p->usable = window > 1 ? window - 1 : window;
	p->share = share_of(p);
	p->idle = p->owed = 0;
	LIST_EACH(node, tmp, &p->units)
	{
		const struct pool_share *s = LIST_ENTRY(node, struct pool_share, link);

		p->idle += s->busy == 0;
		p->owed += s->busy < p->share ? p->share - s->busy : 0;
	}
}

/* A few more slots.  False: there are all, or there is no memory. */
static bool
grow(struct pool *p)
{
	struct io *more = p->made < p->slots ? calloc(POOL_CHUNK, sizeof *more) : NULL;

	if (more == NULL)
		return false;
	p->chunk[p->made / POOL_CHUNK] = more;
	for (unsigned i = 0; i < POOL_CHUNK && p->made < p->slots; i++) {
		more[i].number = (uint16_t)p->made++;
		list_push_back(&p->free, &more[i].link);
	}
	return true;
}

struct pool *
pool_new(unsigned slots)
{
	size_t chunks = (slots + POOL_CHUNK - 1u) / POOL_CHUNK;
	struct pool *p = calloc(1, sizeof *p + chunks * sizeof p->chunk[0]);

	if (p == NULL)
		return NULL;
	assert(slots > 0);
	list_init(&p->free);
	list_init(&p->units);
	for (unsigned i = 0; i < LINES; i++)
		list_init(&p->lines[i]);
	p->slots = p->window = slots;
	settle(p);
	if (!grow(p)) {
		free(p);
		return NULL;
	}
	return p;
}

void
pool_free(struct pool *p)
{
	assert(p == NULL || (p->used == 0 && p->units_n == 0));
	for (unsigned i = 0; p != NULL && i < p->made; i += POOL_CHUNK)
		free(p->chunk[i / POOL_CHUNK]);
	free(p);
}

void
pool_window(struct pool *p, unsigned n)
{
	bool is_more = n > p->window;

	if (n == p->window)
		return;
	p->window = n;
	settle(p);
	if (is_more)
		pool_wake(p);
}

void
pool_join(struct pool *p, struct pool_share *s)
{
	*s = (struct pool_share){ 0 };
	list_init(&s->waiting);
	list_push_back(&p->units, &s->link);
	p->units_n++;
	p->idle++;
	p->owed += p->share;
	if (p->share != share_of(p)) /* seldom where there are many units */
		settle(p);
}

void
pool_leave(struct pool *p, struct pool_share *s)
{
	assert(s->busy == 0);
	pool_forget(p, s);
	list_remove(&s->link);
	p->units_n--;
	p->idle--;
	p->owed -= p->share;
	if (p->share != share_of(p))
		settle(p);
	pool_wake(p);
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* May a unit that has `busy` have one more? */
static bool
may_have(const struct pool *p, unsigned busy)
{
	/* More units than slots are idle: half of the slots are enough for them all. */
	unsigned idle = least(p->idle, p->usable / 2), owed = least(p->owed, p->usable / 4);

	if (busy == 0)
		return p->used < p->usable;
	if (busy < p->share)
		return p->used + idle < p->usable;
	return p->used + (owed > idle ? owed : idle) < p->usable;
}

static unsigned
line_of(const struct pool *p, const struct pool_share *s)
{
	return s->busy == 0 ? LINE_IDLE : s->busy < p->share ? LINE_WITHIN : LINE_BORROWER;
}

void
pool_wait(struct pool *p, struct pool_share *s)
{
	unsigned line = line_of(p, s);

	if (!list_empty(&s->waiting) && s->line == line)
		return;
	pool_forget(p, s);
	s->line = line;
	list_push_back(&p->lines[line], &s->waiting);
	p->waiting++;
}

void
pool_forget(struct pool *p, struct pool_share *s)
{
	if (list_empty(&s->waiting))
		return;
	list_remove(&s->waiting);
	p->waiting--;
}

struct io *
pool_get(struct pool *p, struct pool_share *s)
{
	struct list *node;

	/* Where there is no memory for more, others are in use, and come back. */
	if (!may_have(p, s->busy) || (list_empty(&p->free) && !grow(p))) {
		pool_wait(p, s);
		return NULL;
	}
	node = list_pop(&p->free);
	p->used++;
	p->idle -= s->busy == 0;
	p->owed -= s->busy < p->share;
	s->busy++;
	return LIST_ENTRY(node, struct io, link);
}

void
pool_put(struct pool *p, struct pool_share *s, struct io *io)
{
	assert(s->busy > 0 && p->used > 0);
	s->busy--;
	p->used--;
	p->idle += s->busy == 0;
	p->owed += s->busy < p->share;
	io->blk = NULL;
	/* The slot used last is the one still in the processor's cache. */
	list_push_front(&p->free, &io->link);
}

/*
 * Whoever is woken and cannot use a slot (it is being asked, its depth is
 * reached) does not wait again, and the next is woken; one that waits again was
 * refused, and so would be those behind it.
 */
void
pool_wake(struct pool *p)
{
	for (unsigned line = 0; p->waiting > 0 && line < LINES && p->used < p->usable;) {
		struct pool_share *s;
		struct list *node = list_pop(&p->lines[line]);

		if (node == NULL) {
			line++;
			continue;
		}
		p->waiting--;
		s = LIST_ENTRY(node, struct pool_share, waiting);
		lunpath_go_on(LIST_ENTRY(s, struct lunpath, share));
		if (!list_empty(&s->waiting) && s->line == line)
			line++;
	}
}

struct io *
pool_next(struct pool *p, const struct lunpath *lp, struct io *io)
{
	for (unsigned at = io != NULL ? io->number + 1u : 0; at < p->made; at++) {
		struct io *next = &p->chunk[at / POOL_CHUNK][at % POOL_CHUNK];

		if (next->blk != NULL && (lp == NULL || next->lp == lp))
			return next;
	}
	return NULL;
}

unsigned
pool_used(const struct pool *p)
{
	return p->used;
}
