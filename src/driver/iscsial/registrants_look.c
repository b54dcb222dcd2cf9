/*
 * A path is looked at in steps: READ KEYS says whether the key may be registered there
 * (reserve_again()), and how many have it; where the target lost all keys, READ RESERVATION whether
 * somebody counts on ours being gone; then REGISTER with no key of before, which changes nothing
 * where the path has a registration; and because somebody may have come in between, the last
 * question again: where its answer is another one now, what we registered is taken back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/diag/diag.h"
#include "driver/iscsial/registrants_impl.h"

/* More unit attentions than a target has to tell at once. */
#define AGAIN_MAX 8

void
registrants_look_end(struct look *l, struct mail_pass *q)
{
	passing_free(q);
	free(l);
}

static void
tell(const struct look *l, void (*message)(const struct diag_ctx *ctx, const char *disk))
{
	const struct wanted *w = wanted_find(l->d, l->to.instance);
	const struct diag_ctx about = { (int32_t)l->to.instance, w != NULL ? w->target : NULL,
		w != NULL ? w->about : NULL, l->d->diag, l->unit };

	message(&about, l->unit);
}

static void
register_as(struct look *l, uint64_t from, uint64_t to, void (*done)(struct question *q))
{
	const struct registrant *k = registrants_find(l->d, l->unit);
	const struct reserve_list list = {
		.key = from, .service_key = to, .aptpl = k != NULL && k->aptpl
	};
	struct mail_pass *q = passing_new(RESERVE_LIST_BYTES, done, l);

	reserve_out(q->pass.req.cdb, RESERVE_OUT_REGISTER, 0);
	reserve_list_make(&list, q->pass.req.data);
	q->pass.req.dir = REQ_WRITE;
	q->pass.req.timeout_ms = REGISTRANTS_TIMEOUT_MS;
	passing_send(l->d, &l->to, q);
}

static void
taken_back(struct question *m)
{
	registrants_look_end(m->user, passing_of(m));
}

/* Somebody else took the key away, or counts on its being gone. */
static void
taken(struct look *l)
{
	registrants_forget(l->d, l->unit);
	tell(l, diag_OPENISW_LOG_KEY_TAKEN);
}

/* It is still ours to look at: nobody registered another one meanwhile, or took it away. */
static struct registrant *
known(const struct look *l)
{
	struct registrant *k = registrants_find(l->d, l->unit);

	return k != NULL && k->key == l->key ? k : NULL;
}

/* What we registered is taken back: he who came in between was right. */
static void
take_back(struct look *l, struct mail_pass *q)
{
	passing_free(q);
	taken(l);
	register_as(l, l->key, 0, taken_back);
}

static void
keys_checked(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct look *l = m->user;
	struct registrant *k = known(l);
	struct reserve_keys now;

	if (k == NULL || !registrants_take_keys(q, &now)) {
		registrants_look_end(l, q);
	} else if (reserve_keys_count(&now, l->key) > l->count) {
		k->generation = now.generation;
		registrants_look_end(l, q);
	} else {
		take_back(l, q);
	}
}

static bool
take_reservation(const struct mail_pass *q, uint32_t *ret_generation, bool *ret_is_held)
{
	struct reserve_holder holder;

	return registrants_has_status(q, SENSE_STATUS_GOOD) &&
	       reserve_reservation_parse(
		   q->pass.req.data, q->pass.req.data_got, ret_generation, ret_is_held, &holder);
}

static void
loss_checked(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct look *l = m->user;
	struct registrant *k = known(l);
	uint32_t generation;
	bool is_held;

	if (k == NULL || !take_reservation(q, &generation, &is_held)) {
		registrants_look_end(l, q);
	} else if (!is_held) {
		k->generation = generation;
		tell(l, diag_OPENISW_LOG_KEY_AGAIN);
		registrants_look_end(l, q);
	} else {
		take_back(l, q);
	}
}

static void
registered(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct look *l = m->user;

	/* RESERVATION CONFLICT: this path has the registration. */
	if (!registrants_has_status(q, SENSE_STATUS_GOOD)) {
		registrants_look_end(l, q);
		return;
	}
	passing_free(q);
	passing_send(l->d, &l->to,
	    l->was_lost ? registrants_question(RESERVE_IN_RESERVATION, loss_checked, l)
			: registrants_question(RESERVE_IN_KEYS, keys_checked, l));
}

static void
loss_told(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct look *l = m->user;
	uint32_t generation;
	bool is_held;

	if (known(l) == NULL || !take_reservation(q, &generation, &is_held)) {
		registrants_look_end(l, q);
		return;
	}
	if (is_held) {
		taken(l);
		registrants_look_end(l, q);
		return;
	}
	l->was_lost = true;
	passing_free(q);
	register_as(l, 0, l->key, registered);
}

/* So many paths of the unit are known, whether they are there now or not. */
static uint32_t
paths(const struct look *l)
{
	const struct tree *t = l->d->tree;
	uint32_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->nodes[i]->kind == TREE_LUN &&
		     strcmp(registrants_unit(t->nodes[i]), l->unit) == 0;
	return n;
}

static void keys_told(struct question *m);

/* A path that has just come may have something to tell first, and tells it once. */
static bool
is_asked_again(struct look *l, struct mail_pass *q)
{
	if (!registrants_has_status(q, SENSE_STATUS_CHECK_CONDITION) || ++l->again > AGAIN_MAX)
		return false;
	passing_free(q);
	passing_send(l->d, &l->to, registrants_question(RESERVE_IN_KEYS, keys_told, l));
	return true;
}

static void
keys_told(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct look *l = m->user;
	struct registrant *k = known(l);
	struct reserve_keys now;

	if (k != NULL && is_asked_again(l, q))
		return;
	if (k == NULL || !registrants_take_keys(q, &now)) {
		registrants_look_end(
		    l, q); /* who cannot say is looked at when it comes the next time */
		return;
	}
	switch (reserve_again(&now, k->key, k->generation)) {
	case RESERVE_IS_THERE:
		k->generation = now.generation;
		l->count = reserve_keys_count(&now, l->key);
		/*
		 * All paths have it: nothing is sent that could undo a fence which comes at
		 * this moment.
		 */
		if (l->count >= paths(l)) {
			registrants_look_end(l, q);
			break;
		}
		passing_free(q);
		register_as(l, 0, l->key, registered);
		break;
	case RESERVE_WAS_LOST:
		passing_free(q);
		passing_send(
		    l->d, &l->to, registrants_question(RESERVE_IN_RESERVATION, loss_told, l));
		break;
	case RESERVE_WAS_TAKEN:
		taken(l);
		registrants_look_end(l, q);
		break;
	}
}

void
registrants_came(struct driver *d, const struct node *n)
{
	const struct registrant *k = registrants_find(d, registrants_unit(n));
	struct look *l;

	if (k == NULL)
		return;
	l = call_alloc(sizeof *l);
	l->d = d;
	l->key = k->key;
	cut_copy(l->unit, sizeof l->unit, k->unit);
	passing_to_node(n, &l->to);
	l->to.is_here = true;
	passing_send(d, &l->to, registrants_question(RESERVE_IN_KEYS, keys_told, l));
}
