#include "ini/fence.h"

#include <assert.h>
#include <string.h>

static void
drop(struct fence *f, size_t i)
{
	f->n--;
	memmove(&f->row[i], &f->row[i + 1], (f->n - i) * sizeof f->row[0]);
}

/* The two oldest count as the older one, living as long as the longer of them. */
static void
make_room(struct fence *f)
{
	struct fence_row *a = &f->row[0], *b = &f->row[1];

	if (f->n < FENCE_ROWS)
		return;
	b->nexus = a->nexus;
	b->tpgt = a->tpgt == b->tpgt && a->who == b->who ? b->tpgt : -1;
	if (b->dead_us < a->dead_us)
		b->dead_us = a->dead_us;
	drop(f, 0);
}

void
fence_login(struct fence *f, uint64_t nexus, int32_t tpgt, uint32_t who)
{
	assert(nexus > f->newest);
	for (size_t i = f->n; i-- > 0;)
		if (tpgt >= 0 && f->row[i].tpgt == tpgt && f->row[i].who == who)
			drop(f, i);
	make_room(f);
	f->row[f->n++] = (struct fence_row){ nexus, UINT64_MAX, tpgt, who };
	f->newest = nexus;
}

static struct fence_row *
newest(struct fence *f)
{
	return f->n > 0 && f->row[f->n - 1].nexus == f->newest ? &f->row[f->n - 1] : NULL;
}

void
fence_lost(struct fence *f, uint64_t now_us, uint16_t time2wait_s, uint16_t time2retain_s)
{
	struct fence_row *r = newest(f);

	if (r != NULL && r->dead_us == UINT64_MAX)
		r->dead_us =
		    now_us + (time2wait_s + (uint64_t)time2retain_s) * 1000000 + FENCE_GRACE_US;
}

void
fence_logged_out(struct fence *f)
{
	if (newest(f) != NULL)
		drop(f, f->n - 1);
}

uint64_t
fence_dead(struct fence *f, uint64_t now_us)
{
	for (size_t i = f->n; i-- > 0;)
		if (f->row[i].dead_us <= now_us)
			drop(f, i);
	return f->n > 0 ? f->row[0].nexus - 1 : f->newest;
}

uint64_t
fence_next_us(const struct fence *f)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < f->n; i++)
		if (f->row[i].dead_us < at)
			at = f->row[i].dead_us;
	return at;
}
