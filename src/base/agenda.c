#include "base/agenda.h"

void
agenda_init(struct agenda *a, uint64_t now_us)
{
	*a = (struct agenda){ .now_us = now_us };
	list_init(&a->works);
}

/*
 * Deadlines are a pairing heap (Fredman et al., 1986) whose nodes are in their
 * owners: arming allocates nothing and so cannot fail, the next deadline is the
 * root.  `child` is the first child; `next` the sibling; `prev` the sibling
 * before, or the parent of a first child.
 */
static bool
timer_before(const struct agenda_timer *a, const struct agenda_timer *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

/* Make one heap of two; either may be NULL. */
static struct agenda_timer *
timer_meld(struct agenda_timer *a, struct agenda_timer *b)
{
	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (timer_before(b, a)) {
		struct agenda_timer *t = a;

		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next != NULL)
		b->next->prev = b;
	a->child = b;
	return a;
}

/* Make one heap of a list of siblings: in pairs forward, then together backward. */
static struct agenda_timer *
timer_meld_siblings(struct agenda_timer *first)
{
	struct agenda_timer *pairs = NULL, *all = NULL;

	while (first != NULL) {
		struct agenda_timer *a = first, *b = a->next;

		first = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		a = timer_meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs != NULL) {
		struct agenda_timer *a = pairs;

		pairs = a->next;
		a->next = NULL;
		all = timer_meld(all, a);
	}
	return all;
}

void
agenda_clear(struct agenda *a, struct agenda_timer *t)
{
	struct agenda_timer *below;

	if (!t->armed)
		return;
	below = timer_meld_siblings(t->child);
	if (t == a->timers) {
		a->timers = below;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next != NULL)
			t->next->prev = t->prev;
		a->timers = timer_meld(a->timers, below);
	}
	t->child = t->next = t->prev = NULL;
	t->armed = false;
}

void
agenda_set(struct agenda *a, struct agenda_timer *t, uint64_t at_us)
{
	/* One that is re-armed for the past by its own callback may not starve those behind it. */
	if (a->firing && at_us < a->firing_us)
		at_us = a->firing_us;
	agenda_clear(a, t);
	t->at_us = at_us;
	t->order = a->order++;
	t->armed = true;
	a->timers = timer_meld(a->timers, t);
}

static void
fire_timers(struct agenda *a)
{
	const uint64_t order_end = a->order;

	a->firing = true;
	a->firing_us = a->now_us;
	while (
	    a->timers != NULL && a->timers->at_us <= a->firing_us && a->timers->order < order_end) {
		struct agenda_timer *t = a->timers;

		agenda_clear(a, t);
		t->expired(t);
	}
	a->firing = false;
}

void
agenda_work_init(struct agenda_work *w, void (*run)(struct agenda_work *w))
{
	w->run = run;
	list_init(&w->link);
}

void
agenda_defer(struct agenda *a, struct agenda_work *w)
{
	if (list_empty(&w->link))
		list_push_back(&a->works, &w->link);
}

void
agenda_cancel(struct agenda_work *w)
{
	list_remove(&w->link);
}

static void
run_works(struct agenda *a)
{
	struct list now, *node;

	/* Work that is deferred from here on belongs to the next turn. */
	list_init(&now);
	list_splice_front(&now, &a->works);
	while ((node = list_pop(&now)) != NULL) {
		struct agenda_work *w = LIST_ENTRY(node, struct agenda_work, link);

		w->run(w);
	}
}

uint64_t
agenda_next_us(const struct agenda *a)
{
	if (!list_empty(&a->works))
		return 0;
	return a->timers != NULL ? a->timers->at_us : UINT64_MAX;
}

void
agenda_run(struct agenda *a)
{
	if (a->timers != NULL && a->timers->at_us <= a->now_us)
		fire_timers(a);
	if (!list_empty(&a->works))
		run_works(a);
}
