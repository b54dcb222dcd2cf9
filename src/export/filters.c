#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "export/filters_impl.h"

/* ---- the device ---- */

static void
submit_through(struct blk_dev *d, struct blk_req *r)
{
	struct filters *f = d->user;

	filters_chain_submit(f->chain, r);
}

static void
submit_past(struct blk_dev *d, struct blk_req *r)
{
	struct blk_dev *in = ((struct filters *)d->user)->in;

	in->submit(in, r);
}

bool
filters_refuse_writes(const struct filters *f)
{
	for (unsigned i = 0; f->chain != NULL && i < f->chain->n; i++)
		if (f->chain->stage[i].filter.id == FILTER_readonly)
			return true;
	return false;
}

void
filters_changed(struct filters *f)
{
	f->dev = *f->in;
	f->dev.submit = f->chain != NULL ? submit_through : submit_past;
	f->dev.user = f;
	if (filters_refuse_writes(f)) {
		f->dev.read_only = true;
		f->dev.can_discard = f->dev.can_write_zeroes = false;
	}
}

void
filters_init(struct filters *f, struct blk_dev *in, struct agenda *agenda)
{
	*f = (struct filters){ .in = in, .agenda = agenda };
	list_init(&f->retired);
	filters_changed(f);
}

static bool
is_same(const struct filters_chain *c, const struct filterspec *s)
{
	if ((c != NULL ? c->n : 0) != s->n)
		return false;
	for (unsigned i = 0; i < s->n; i++) {
		const struct filter *a = &c->stage[i].filter, *b = &s->filter[i];

		if (a->id != b->id || a->kinds != b->kinds || a->every != b->every ||
		    a->first != b->first || a->last != b->last || a->delay_us != b->delay_us ||
		    a->err != b->err)
			return false;
	}
	return true;
}

bool
filters_set(struct filters *f, const struct filterspec *spec)
{
	struct filters_chain *before = f->chain, *c = NULL;

	if (f->is_closed || is_same(f->chain, spec))
		return true;
	if (spec->n > 0 && (c = filters_chain_new(f, spec)) == NULL)
		return false;
	f->chain = c;
	filters_changed(f);
	if (before != NULL)
		filters_chain_retire(before);
	return true;
}

void
filters_close(struct filters *f)
{
	static const struct filterspec none = { .n = 0 };

	(void)filters_set(f, &none); /* needs no memory */
	f->is_closed = true;
}

bool
filters_are_idle(const struct filters *f)
{
	return f->chain == NULL && list_empty(&f->retired);
}

void
filters_fini(struct filters *f)
{
	filters_close(f);
	assert(filters_are_idle(f));
}

/* ---- displays ---- */

struct filters_report *
filters_report(const struct filters *f)
{
	const struct filters_chain *c = f->chain;
	struct filters_report *r;

	if (c == NULL)
		return NULL;
	r = calloc(1, sizeof *r + c->n * sizeof r->view[0]);
	if (r == NULL)
		return NULL;
	for (r->n = 0; r->n < c->n; r->n++) {
		const struct stage *s = &c->stage[r->n];
		struct filters_view *v = &r->view[r->n];

		v->filter = s->filter;
		v->requests = s->requests;
		v->has_kinds = s->kind != NULL;
		if (v->has_kinds)
			memcpy(v->kind, s->kind, sizeof v->kind);
	}
	return r;
}

void
filters_clear(struct filters *f)
{
	for (unsigned i = 0; f->chain != NULL && i < f->chain->n; i++) {
		struct stage *s = &f->chain->stage[i];

		s->requests = 0;
		if (s->kind != NULL)
			memset(s->kind, 0, FILTERSPEC_KINDS * sizeof *s->kind);
	}
}
