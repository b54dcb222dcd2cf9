#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "export/filters_impl.h"

/*
 * Where there is no filter f->dev hands each request on, and that is all.  Else it has a chain:
 * a request goes from filter to filter by its own list node, so one that waits costs
 * nothing, and how long is in its blk_hold, which is the device's only once it has the request.
 * "stats" alone has to see the answer: it puts itself in the place of done() and keeps the
 * original in one of so many slots.
 *
 * A chain that was replaced is retired: all that waits in it goes on without waiting, and it is
 * freed when the last slot is free.
 */

/* ---- chains ---- */

static void
enter(struct filters_chain *c)
{
	c->inside++;
}

static void
chain_free(struct filters_chain *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		agenda_clear(c->owner->agenda, &c->stage[i].timer);
		free(c->stage[i].slots);
		free(c->stage[i].kind);
	}
	agenda_cancel(&c->answer);
	free(c);
}

static void
leave(struct filters_chain *c)
{
	if (--c->inside > 0 || !c->is_retired || c->timed > 0)
		return;
	list_remove(&c->link);
	chain_free(c);
}

/* ---- answers ---- */

static void
answer_all(struct filters_chain *c)
{
	struct list now, *node;

	/* What an answer brings waits for the next turn. */
	list_init(&now);
	list_splice_front(&now, &c->answered);
	enter(c);
	while ((node = list_pop(&now)) != NULL) {
		struct blk_req *r = LIST_ENTRY(node, struct blk_req, link);

		r->done(r);
	}
	leave(c);
}

static void
answer_work(struct agenda_work *w)
{
	answer_all(LIST_ENTRY(w, struct filters_chain, answer));
}

static void
answer(struct filters_chain *c, struct blk_req *r, int result)
{
	r->result = result;
	list_push_back(&c->answered, &r->link);
	agenda_defer(c->owner->agenda, &c->answer);
}

/* ---- which requests ---- */

static bool
touches(const struct stage *s, const struct blk_req *r)
{
	uint32_t block = s->chain->owner->dev.block_bytes;

	if (s->filter.last == UINT64_MAX)
		return true;
	return r->len > 0 && r->offset / block <= s->filter.last &&
	       (r->offset + r->len - 1) / block >= s->filter.first;
}

/* Is it one that this filter means? */
static bool
matches(struct stage *s, const struct blk_req *r)
{
	if ((s->filter.kinds & 1u << r->op) == 0 || !touches(s, r) ||
	    ++s->matched < s->filter.every)
		return false;
	s->matched = 0;
	s->requests++;
	return true;
}

/* ---- the filters ---- */

static void go_on(struct filters_chain *c, unsigned i, struct blk_req *r);

static void
go_past(struct stage *s, struct list *node)
{
	go_on(
	    s->chain, (unsigned)(s - s->chain->stage) + 1, LIST_ENTRY(node, struct blk_req, link));
}

static struct blk_req *
first_delayed(const struct stage *s)
{
	return list_empty(&s->delayed) ? NULL : LIST_ENTRY(s->delayed.next, struct blk_req, link);
}

static void
set_timer(struct stage *s)
{
	const struct blk_req *r = first_delayed(s);

	if (r != NULL && !s->timer.armed)
		agenda_set(s->chain->owner->agenda, &s->timer, r->hold.not_before_us);
}

static void
let_go(struct stage *s, uint64_t until_us)
{
	const struct blk_req *r;

	while ((r = first_delayed(s)) != NULL && r->hold.not_before_us <= until_us)
		go_past(s, list_pop(&s->delayed));
}

static void
delay_expired(struct agenda_timer *t)
{
	struct stage *s = LIST_ENTRY(t, struct stage, timer);

	enter(s->chain);
	let_go(s, agenda_now(s->chain->owner->agenda));
	set_timer(s);
	leave(s->chain);
}

static void
delay(struct stage *s, struct blk_req *r)
{
	r->hold.not_before_us = agenda_now(s->chain->owner->agenda) + s->filter.delay_us;
	list_push_back(&s->delayed, &r->link);
	set_timer(s);
}

static void
timed(struct blk_req *r)
{
	struct slot *slot = r->user;
	struct stage *s = slot->stage;
	struct filters_chain *c = s->chain;
	struct filters_kind *k = &s->kind[r->op];

	hist_add(&k->latency_us, agenda_now(c->owner->agenda) - slot->since_us);
	k->bytes += r->result == 0 ? r->len : 0;
	k->errors += r->result != 0;
	s->requests++;
	r->done = slot->done;
	r->user = slot->user;
	list_push_front(&s->idle, &slot->link);
	c->timed--;
	enter(c);
	if (!list_empty(&s->full))
		go_on(c, (unsigned)(s - c->stage),
		    LIST_ENTRY(list_pop(&s->full), struct blk_req, link));
	r->done(r);
	leave(c);
}

/* False: it waits until another one is answered. */
static bool
begin_timing(struct stage *s, struct blk_req *r)
{
	struct list *node = list_pop(&s->idle);
	struct slot *slot;

	if (node == NULL) {
		list_push_back(&s->full, &r->link);
		return false;
	}
	slot = LIST_ENTRY(node, struct slot, link);
	slot->stage = s;
	slot->done = r->done;
	slot->user = r->user;
	slot->since_us = agenda_now(s->chain->owner->agenda);
	r->done = timed;
	r->user = slot;
	s->chain->timed++;
	return true;
}

static bool
changes(enum blk_op op)
{
	return op == BLK_WRITE || op == BLK_DISCARD || op == BLK_WRITE_ZEROES;
}

/* From its i-th filter to the device. */
static void
go_on(struct filters_chain *c, unsigned i, struct blk_req *r)
{
	for (; i < c->n; i++) {
		struct stage *s = &c->stage[i];

		switch (s->filter.id) {
		case FILTER_delay:
			if (c->is_retired || !matches(s, r))
				continue;
			delay(s, r);
			return;
		case FILTER_error:
			if (!matches(s, r))
				continue;
			answer(c, r, s->filter.err);
			return;
		case FILTER_readonly:
			if (!changes(r->op))
				continue;
			s->requests++;
			answer(c, r, -EROFS);
			return;
		case FILTER_stats:
			if (c->is_retired || begin_timing(s, r))
				continue;
			return;
		case FILTER_IDS:
			break;
		}
		assert(false);
	}
	c->owner->in->submit(c->owner->in, r);
}

/* ---- making them ---- */

static bool
stage_init(struct stage *s, struct filters_chain *c, const struct filter *f)
{
	s->filter = *f;
	s->chain = c;
	s->timer.expired = delay_expired;
	list_init(&s->full);
	list_init(&s->idle);
	list_init(&s->delayed);
	if (f->id != FILTER_stats)
		return true;
	s->kind = calloc(FILTERSPEC_KINDS, sizeof *s->kind);
	s->slots = calloc(LIMIT_FILTER_TIMED, sizeof *s->slots);
	for (unsigned i = 0; s->slots != NULL && i < LIMIT_FILTER_TIMED; i++)
		list_push_back(&s->idle, &s->slots[i].link);
	return s->kind != NULL && s->slots != NULL;
}

struct filters_chain *
filters_chain_new(struct filters *f, const struct filterspec *spec)
{
	struct filters_chain *c = calloc(1, sizeof *c + spec->n * sizeof c->stage[0]);

	if (c == NULL)
		return NULL;
	c->owner = f;
	list_init(&c->answered);
	agenda_work_init(&c->answer, answer_work);
	while (c->n < spec->n) {
		unsigned i = c->n++;

		if (!stage_init(&c->stage[i], c, &spec->filter[i])) {
			chain_free(c);
			return NULL;
		}
	}
	return c;
}

/* Everything that waits goes on. */
static void
hurry(struct filters_chain *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct stage *s = &c->stage[i];

		agenda_clear(c->owner->agenda, &s->timer);
		let_go(s, UINT64_MAX);
		while (!list_empty(&s->full))
			go_past(s, list_pop(&s->full));
	}
}

void
filters_chain_retire(struct filters_chain *c)
{
	list_push_back(&c->owner->retired, &c->link);
	c->is_retired = true;
	enter(c);
	hurry(c);
	answer_all(c);
	leave(c);
}

void
filters_chain_submit(struct filters_chain *c, struct blk_req *r)
{
	go_on(c, 0, r);
}
