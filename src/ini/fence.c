#include "ini/fence.h"

#include <assert.h>
#include <string.h>

static void
drop(struct fence *f, size_t i)
{
	f->n--;
	memmove(&f->row[i], &f->row[i + 1], (f->n - i) * sizeof f->row[0]);
}

static bool
is_same(const struct fence_place *a, const struct fence_place *b)
{
	return a->tpgt == b->tpgt && strcmp(a->name, b->name) == 0;
}

bool
fence_reinstates(const struct fence_place *a, const struct fence_place *b)
{
	return a->tpgt >= 0 && is_same(a, b);
}

bool
fence_covers(const struct fence_place *list, size_t n, const struct fence_place *at)
{
	for (size_t i = 0; i < n; i++)
		if (is_same(&list[i], at) && list[i].retain_s >= at->retain_s)
			return true;
	return false;
}

/* The two oldest count as the older one, living as long as the longer of them. */
static void
make_room(struct fence *f)
{
	struct fence_row *a = &f->row[0], *b = &f->row[1];

	if (f->n < FENCE_ROWS)
		return;
	b->nexus = a->nexus;
	if (!fence_reinstates(&a->at, &b->at))
		b->at.tpgt = -1;
	if (b->at.retain_s < a->at.retain_s)
		b->at.retain_s = a->at.retain_s;
	if (b->dead_us < a->dead_us)
		b->dead_us = a->dead_us;
	drop(f, 0);
}

static void
add(struct fence *f, uint64_t nexus, const struct fence_place *at, uint64_t dead_us)
{
	assert(nexus > f->newest);
	make_room(f);
	f->row[f->n++] = (struct fence_row){ nexus, dead_us, *at };
	f->newest = nexus;
}

void
fence_login(struct fence *f, uint64_t nexus, const struct fence_place *at)
{
	for (size_t i = f->n; i-- > 0;)
		if (fence_reinstates(&f->row[i].at, at))
			drop(f, i);
	add(f, nexus, at, UINT64_MAX);
}

static uint64_t
dead_us(uint64_t now_us, uint64_t retain_s)
{
	return now_us + retain_s * 1000000 + FENCE_GRACE_US;
}

void
fence_past(struct fence *f, uint64_t nexus, const struct fence_place *at, uint64_t now_us)
{
	add(f, nexus, at, dead_us(now_us, at->retain_s));
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

	if (r == NULL || r->dead_us != UINT64_MAX)
		return;
	r->at.retain_s = (uint32_t)time2wait_s + time2retain_s;
	r->dead_us = dead_us(now_us, r->at.retain_s);
}

void
fence_logged_out(struct fence *f)
{
	const struct fence_row *r = newest(f);

	/* One that is lost is not meant: a login after it ended before it was counted. */
	if (r != NULL && r->dead_us == UINT64_MAX)
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

/* It stands there already: it lives as long as the longer of them. */
static bool
is_there(struct fence_place *list, size_t n, const struct fence_place *at)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_same(&list[i], at))
			continue;
		if (list[i].retain_s < at->retain_s)
			list[i].retain_s = at->retain_s;
		return true;
	}
	return false;
}

size_t
fence_living(const struct fence *f, struct fence_place ret[FENCE_ROWS])
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (!is_there(ret, n, &f->row[i].at))
			ret[n++] = f->row[i].at;
	return n;
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

uint64_t
fence_last_us(const struct fence *f, uint64_t now_us)
{
	uint64_t last = 0;

	for (size_t i = 0; i < f->n; i++) {
		uint64_t at = f->row[i].dead_us != UINT64_MAX
				  ? f->row[i].dead_us
				  : dead_us(now_us, f->row[i].at.retain_s);

		last = at > last ? at : last;
	}
	return last;
}
