/* The keys themselves, and commands that change them. */
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsial/registrants_impl.h"

#define KEYS_BYTES 4096

struct registrants *
registrants_new(struct driver *d)
{
	struct registrants *r = call_alloc(sizeof *r);

	(void)d; /* all of it comes later */
	list_init(&r->all);
	return r;
}

void
registrants_free(struct registrants *r)
{
	struct list *node;

	if (r == NULL)
		return;
	while ((node = list_pop(&r->all)) != NULL)
		free(LIST_ENTRY(node, struct registrant, link));
	free(r);
}

const char *
registrants_unit(const struct node *n)
{
	return n->twin[0] != '\0' ? n->twin : n->name;
}

struct registrant *
registrants_find(const struct driver *d, const char *unit)
{
	LIST_EACH(node, tmp, &d->registrants->all)
	{
		struct registrant *k = LIST_ENTRY(node, struct registrant, link);

		if (strcmp(k->unit, unit) == 0)
			return k;
	}
	return NULL;
}

void
registrants_forget(const struct driver *d, const char *unit)
{
	struct registrant *k = registrants_find(d, unit);

	if (k == NULL)
		return;
	list_remove(&k->link);
	free(k);
}

bool
registrants_has_status(const struct mail_pass *q, enum sense_status status)
{
	return q->pass.req.result == REQ_DONE && q->pass.req.status == status;
}

struct mail_pass *
registrants_question(enum reserve_in action, void (*done)(struct question *q), void *user)
{
	struct mail_pass *q = passing_new(KEYS_BYTES, done, user);

	reserve_in(q->pass.req.cdb, action, KEYS_BYTES);
	q->pass.req.dir = REQ_READ;
	q->pass.req.timeout_ms = REGISTRANTS_TIMEOUT_MS;
	return q;
}

bool
registrants_take_keys(const struct mail_pass *q, struct reserve_keys *ret)
{
	return registrants_has_status(q, SENSE_STATUS_GOOD) &&
	       reserve_keys_parse(q->pass.req.data, q->pass.req.data_got, ret);
}

/* ---- a command of somebody's ---- */

struct outing {
	struct driver *d;
	char unit[32];
	uint8_t action;
	bool has_list;
	struct reserve_list list;
	registrants_done *done;
	void *user;
	struct registrants_answer a;
	struct passing_to *to; /* n of them, owned */
	size_t n, next;
};

static bool
is_register(uint8_t action)
{
	return action == RESERVE_OUT_REGISTER || action == RESERVE_OUT_REGISTER_IGNORE;
}

/*
 * Each nexus has a registration of its own, and only the one that reserved releases: elsewhere
 * RELEASE is answered GOOD and changes nothing.
 */
static bool
goes_everywhere(uint8_t action)
{
	return is_register(action) || action == RESERVE_OUT_RELEASE;
}

/* What the target counts now: the key is known to be there with it. */
static void
counted(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct look *l = m->user;
	struct registrant *k = registrants_find(l->d, l->unit);
	struct reserve_keys now;

	if (registrants_take_keys(q, &now) && k != NULL && reserve_keys_count(&now, k->key) > 0)
		k->generation = now.generation;
	registrants_look_end(l, q);
}

static void
remember(const struct outing *o)
{
	struct registrant *k = registrants_find(o->d, o->unit);
	struct look *l;

	if (o->action == RESERVE_OUT_CLEAR ||
	    (is_register(o->action) && o->has_list && o->list.service_key == 0)) {
		registrants_forget(o->d, o->unit);
		return;
	}
	if (is_register(o->action) && o->has_list && k == NULL) {
		k = call_alloc(sizeof *k);
		cut_copy(k->unit, sizeof k->unit, o->unit);
		list_push_back(&o->d->registrants->all, &k->link);
	}
	if (k == NULL)
		return;
	if (is_register(o->action) && o->has_list) {
		k->key = o->list.service_key;
		k->aptpl = o->list.aptpl;
		k->generation = 0; /* nothing is lower: not known yet */
	}
	l = call_alloc(sizeof *l);
	l->d = o->d;
	l->to = o->to[0];
	cut_copy(l->unit, sizeof l->unit, o->unit);
	passing_send(o->d, &l->to, registrants_question(RESERVE_IN_KEYS, counted, l));
}

static void
outing_end(struct outing *o)
{
	if (registrants_has_status(o->a.answer, SENSE_STATUS_GOOD))
		remember(o);
	o->done(o->user, &o->a);
	free(o->to);
	free(o);
}

static void other_told(struct question *m);

/* The same to the next path. */
static void
go_on(struct outing *o)
{
	const struct pass *first = &o->a.answer->pass;
	struct mail_pass *q;

	if (o->next >= o->n || !registrants_has_status(o->a.answer, SENSE_STATUS_GOOD)) {
		outing_end(o);
		return;
	}
	q = passing_new(first->req.data_len, other_told, o);
	memcpy(q->pass.req.cdb, first->req.cdb, sizeof q->pass.req.cdb);
	if (first->req.data_len > 0)
		memcpy(q->pass.req.data, first->req.data, first->req.data_len);
	q->pass.req.dir = first->req.dir;
	q->pass.req.timeout_ms = first->req.timeout_ms;
	o->a.paths++;
	passing_send(o->d, &o->to[o->next++], q);
}

static void
other_told(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct outing *o = m->user;

	o->a.failed += !registrants_has_status(q, SENSE_STATUS_GOOD);
	passing_free(q);
	go_on(o);
}

static void
first_told(struct question *m)
{
	struct outing *o = m->user;

	o->a.answer = passing_of(m);
	go_on(o);
}

static bool
is_online(const struct driver *d, const struct node *n)
{
	const struct wanted *w = wanted_find(d, n->path.part[2]);

	return w != NULL && wanted_is_online(w);
}

/* The paths of the unit: the one that is named, then all others that are there now; which are all
 * where the named one is away. */
static void
find_paths(struct outing *o, const struct node *n)
{
	const struct tree *t = o->d->tree;

	o->to = call_alloc(sizeof *o->to);
	passing_to_node(n, &o->to[o->n++]);
	for (size_t i = 0; goes_everywhere(o->action) && i < t->n; i++) {
		const struct node *other = t->nodes[i];
		struct passing_to *more;

		if (other == n || other->kind != TREE_LUN || other->info == NULL ||
		    other->is_replaced || other->is_absent ||
		    strcmp(registrants_unit(other), o->unit) != 0 || !is_online(o->d, other))
			continue; /* who is away hears of it when it comes */
		more = realloc(o->to, (o->n + 1) * sizeof *more);
		if (more == NULL)
			return; /* likewise */
		o->to = more;
		passing_to_node(other, &o->to[o->n++]);
	}
	if (o->n > 1 && !is_online(o->d, n))
		memmove(o->to, o->to + 1, --o->n * sizeof *o->to);
	for (size_t i = 0; i < o->n; i++)
		o->to[i].is_here = goes_everywhere(o->action);
}

void
registrants_out(
    struct driver *d, const struct node *n, struct mail_pass *q, registrants_done *done, void *user)
{
	struct outing *o = call_alloc(sizeof *o);

	o->d = d;
	o->done = done;
	o->user = user;
	o->action = q->pass.req.cdb[1] & 0x1f;
	o->has_list = reserve_list_parse(q->pass.req.data, q->pass.req.data_len, &o->list);
	cut_copy(o->unit, sizeof o->unit, registrants_unit(n));
	find_paths(o, n);
	o->next = 1;
	q->base.done = first_told;
	q->base.user = o;
	passing_send(d, &o->to[0], q);
}
