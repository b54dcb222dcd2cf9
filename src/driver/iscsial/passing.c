#include "driver/iscsial/passing.h"

#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "driver/iscsial/disks_impl.h"

/* A question that was not executed is repeated so often: about a second. */
#define PASSING_PATIENCE 4

/* ---- on the worker ---- */

static void
answer(struct mail_pass *q)
{
	--*q->busy;
	free(q->ask);
	q->ask = NULL;
	mail_answer(&q->base.mail);
}

static void
passed(struct pass *p)
{
	answer(LIST_ENTRY(p, struct mail_pass, pass));
}

static void
refuse(struct mail_pass *q, enum fault_code code, const char *next, const char *why)
{
	q->pass.req.result = REQ_UNSENT;
	fault_set(&q->pass.why, code, next, "%s", why);
	answer(q);
}

/* ---- a LUN that is no disk of ours: who stands there? ---- */

struct asking {
	struct ask ask; /* first: freed as one */
	struct mail_pass *q;
};

static bool
known(struct ask *a)
{
	(void)a;
	return false; /* what it is like does not matter */
}

static void
asked(struct ask *a)
{
	struct mail_pass *q = LIST_ENTRY(a, struct asking, ask)->q;
	enum identity_match match = identity_compare(&q->id, &a->info.id);

	if (a->info.answer == LU_NO_ANSWER) {
		refuse(q, FAULT_OFFLINE, a->info.fault.next, a->info.fault.message);
	} else if (a->info.answer == LU_NOBODY) {
		refuse(q, FAULT_NOTFOUND, "scan again: ioscan", "the target has no such LUN now");
	} else if (match == IDENTITY_OTHER || match == IDENTITY_UNCERTAIN) {
		refuse(q, FAULT_OFFLINE, "scan again: ioscan",
		    "another unit stands there than the one that was found: it gets no command");
	} else {
		q->pass.is_bound = true;
		q->pass.nexus = a->info.nexus;
		q->pass.doubts = a->info.doubts;
		pass_start_raw(&q->pass, a->path);
	}
}

static void
attention(struct ask *a, const struct sense *s)
{
	pass_heard(a->path, a->req.lun, s);
}

static const struct ask_ops ask_ops = { .known = known, .done = asked, .attention = attention };

static void
ask_who(struct mail_pass *q, struct path *path)
{
	struct asking *x = call_alloc(sizeof *x);

	x->q = q;
	q->ask = &x->ask;
	ask_init(&x->ask, path, &ask_ops);
	x->ask.patience = PASSING_PATIENCE;
	x->ask.is_ready_first = true;
	ask_expect(&x->ask, &q->id);
	x->ask.info.number = q->lun;
	memcpy(x->ask.info.wire, q->pass.req.lun, sizeof x->ask.info.wire);
	ask_start(&x->ask);
}

/* ---- messages ---- */

void
passing_take(void *owner, struct mail *m)
{
	struct nexus *x = owner;
	struct disks *d = nexus_user(x);
	struct mail_pass *q = LIST_ENTRY(m, struct mail_pass, base.mail);
	struct path *path = session_path(nexus_session(x));
	const struct disk *k = disks_find(d, q->lun);
	enum session_state state = session_state(nexus_session(x));

	q->busy = &d->passing;
	d->passing++;
	q->pass.done = passed;
	q->pass.patience_us = q->pass.req.timeout_ms * 1000ull;
	if (nexus_is_closing(x) || state == SESSION_CLOSED || state == SESSION_LOGOUT)
		refuse(q, FAULT_OFFLINE, "", "the session was closed");
	else if (k != NULL) {
		q->pass.only = q->is_here ? path : NULL;
		pass_start(&q->pass, k->lu);
	} else if (!path->is_up)
		refuse(q, FAULT_OFFLINE, "wait until it is: iscsiutil -p -S",
		    "the session is not online");
	else if (q->has_id)
		ask_who(q, path);
	else
		pass_start_raw(&q->pass, path);
}

void
passing_refuse(struct mail *m)
{
	struct mail_pass *q = LIST_ENTRY(m, struct mail_pass, base.mail);

	q->pass.req.result = REQ_UNSENT;
	fault_set(&q->pass.why, FAULT_OFFLINE, "open it: ioscan", "the session was closed");
}

void
passing_drop(struct mail *m)
{
	passing_free(LIST_ENTRY(m, struct mail_pass, base.mail));
}

/* ---- on the main loop ---- */

void
passing_to_node(const struct node *n, struct passing_to *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->instance = n->path.part[2];
	ret->lun = n->lun;
	if (n->info != NULL) {
		memcpy(ret->wire, n->info->wire, sizeof ret->wire);
		ret->has_id = true;
		identity_unpack(n->info->id, &ret->id);
	} else {
		(void)passing_to_lun(
		    ret->instance, n->lun, ret); /* a node has a number that fits */
	}
}

bool
passing_to_lun(uint32_t instance, uint32_t lun, struct passing_to *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->instance = instance;
	ret->lun = lun;
	return luns_encode(LUNS_PERIPHERAL, lun, ret->wire) ||
	       luns_encode(LUNS_FLAT, lun, ret->wire) || luns_encode(LUNS_EXTENDED, lun, ret->wire);
}

struct mail_pass *
passing_new(uint32_t data_bytes, void (*done)(struct question *q), void *user)
{
	struct mail_pass *q = question_new(sizeof *q, done, user);

	if (data_bytes > 0)
		q->pass.req.data = call_alloc(data_bytes);
	q->pass.req.data_len = data_bytes;
	return q;
}

struct mail_pass *
passing_of(struct question *q)
{
	return LIST_ENTRY(q, struct mail_pass, base);
}

void
passing_free(struct mail_pass *q)
{
	free(q->pass.req.data);
	free(q->ask);
	free(q);
}

static void
tell_gone(void *arg)
{
	struct mail_pass *q = arg;

	q->base.done(&q->base);
}

void
passing_send(struct driver *d, const struct passing_to *to, struct mail_pass *q)
{
	struct wanted *w = wanted_find(d, to->instance);

	q->lun = to->lun;
	q->has_id = to->has_id;
	q->id = to->id;
	q->is_here = to->is_here;
	memcpy(q->pass.req.lun, to->wire, sizeof q->pass.req.lun);
	if (w != NULL && wanted_ask(w, &q->base, &mail_pass))
		return;
	q->pass.req.result = REQ_UNSENT;
	fault_set(&q->pass.why, FAULT_OFFLINE, "open it: ioscan", "there is no such session");
	call_post(d->loop, tell_gone, q);
}
