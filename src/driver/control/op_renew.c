/*
 * session.renew: sessions log in anew, with what is configured now.  All at once, or one
 * after the other: then a unit with several paths keeps one, and where a session does not come
 * back, for a wrong secret perhaps, the others are left as they are.
 */
#include <stdlib.h>

#include "core/iname.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/wanted_find.h"
#include "ipc/pieces.h"

/* A client hears at least so often what is waited for. */
#define HEARTBEAT_US (IPC_PROGRESS_MS / 4 * 1000)

struct renewal {
	struct later later; /* first: freed as one */
	uint32_t *todo;     /* instances, n of them, owned; `at` is next */
	size_t at, n;
	unsigned pending; /* sessions that have not answered, and one while they are asked */
	uint32_t last;    /* who was asked last */
	bool is_in_turn, is_outdated;
	bool has_failed; /* in turn: `last` did not come back */
	json_t *sessions;
	size_t told; /* of them */
	struct ipc_pieces pieces;
	struct agenda_timer heartbeat;
};

struct renewed {
	struct renewal *r;
	uint32_t instance;
};

static void go_on(struct renewal *r);

static void
heartbeat(struct agenda_timer *t)
{
	struct renewal *r = LIST_ENTRY(t, struct renewal, heartbeat);
	struct loop *loop = r->later.d->loop;
	const struct wanted *w = wanted_find(r->later.d, r->last);
	char label[WANTED_LABEL_BYTES];

	ipc_call_progress(r->later.call,
	    json_pack("{s:I, s:I, s:s?}", "done", (json_int_t)json_array_size(r->sessions), "total",
		(json_int_t)r->n, "what", w != NULL ? wanted_label(w, label) : NULL));
	agenda_set(loop_agenda(loop), t, loop_now_update(loop) + HEARTBEAT_US);
}

static json_t *
next_session(struct ipc_pieces *p)
{
	struct renewal *r = LIST_ENTRY(p, struct renewal, pieces);

	return json_incref(json_array_get(r->sessions, r->told++));
}

static void
sessions_told(struct ipc_pieces *p)
{
	struct renewal *r = LIST_ENTRY(p, struct renewal, pieces);

	json_decref(r->sessions);
	free(r->todo);
	later_free(&r->later);
}

static const struct ipc_pieces_ops session_pieces = { next_session, sessions_told };

static void
one_less(struct renewal *r)
{
	if (--r->pending > 0)
		return;
	agenda_clear(loop_agenda(r->later.d->loop), &r->heartbeat);
	r->pieces = (struct ipc_pieces){ .ops = &session_pieces, .member = "sessions" };
	ipc_call_reply_pieces(r->later.call, &r->pieces);
}

static void
note(struct renewal *r, uint32_t instance, const struct fault *why)
{
	const struct wanted *w = wanted_find(r->later.d, instance);

	(void)json_array_append_new(r->sessions,
	    json_pack("{s:i, s:s?, s:s?, s:s?}", "instance", (int)instance, "target_name",
		w != NULL ? w->target : NULL, "error", why->is_set ? why->message : NULL, "next",
		why->is_set ? why->next : NULL)); /* no memory: one less */
}

static void
renewed(void *user, struct wanted *w, const struct fault *why)
{
	struct renewed *x = user;
	struct renewal *r = x->r;

	(void)w; /* it is looked up by its instance */
	note(r, x->instance, why);
	r->has_failed |= why->is_set && r->is_in_turn;
	free(x);
	if (r->is_in_turn)
		go_on(r);
	one_less(r);
}

static void
ask(struct renewal *r, struct wanted *w)
{
	struct renewed *x = call_alloc(sizeof *x);

	x->r = r;
	x->instance = r->last = w->instance;
	r->pending++;
	wanted_renew(w, renewed, x);
}

/* The next one, or all that are left. */
static void
go_on(struct renewal *r)
{
	struct driver *d = r->later.d;
	struct fault left = { 0 };

	while (r->at < r->n) {
		struct wanted *w = wanted_find(d, r->todo[r->at++]);

		/* It may be gone, or have logged in by itself meanwhile. */
		if (w == NULL || !wanted_is_online(w) || (r->is_outdated && !wanted_is_outdated(w)))
			continue;
		if (r->has_failed) {
			fault_set(&left, FAULT_OFFLINE,
			    "see why, and try again: iscsiutil --relogin",
			    "it is left as it is, because session %u did not come back", r->last);
			note(r, w->instance, &left);
			continue;
		}
		ask(r, w);
		if (r->is_in_turn)
			return;
	}
}

/* What is asked for; false: the call was answered. */
static bool
take(struct renewal *r)
{
	struct driver *d = r->later.d;
	struct ipc_call *call = r->later.call;
	int64_t instance = ipc_call_arg_int(call, "instance", -1);
	const char *target = ipc_call_arg_string(call, "target", NULL);
	bool has_address = ipc_call_arg_given(call, "address");
	bool any_tag = !ipc_call_arg_given(call, "tpgt");
	struct registry_address a;

	if (has_address && !control_address(call, &a))
		return false;
	r->is_outdated = ipc_call_arg_bool(call, "outdated", false);
	r->is_in_turn = ipc_call_arg_bool(call, "in_turn", false);
	r->todo = call_alloc(LIMIT_SESSIONS * sizeof *r->todo);
	LIST_EACH(node, tmp, &d->sessions)
	{
		const struct wanted *w = LIST_ENTRY(node, struct wanted, link);

		if (has_address && any_tag)
			a.tpgt = w->a.tpgt;
		if ((r->is_outdated ? wanted_is_outdated(w) : wanted_is_online(w)) &&
		    (instance < 0 || w->instance == instance) &&
		    (target == NULL || iname_same(w->target, target)) &&
		    (!has_address || registry_address_same(&w->a, &a)))
			r->todo[r->n++] = w->instance;
	}
	return true;
}

void
op_session_renew(struct driver *d, struct ipc_call *call)
{
	struct renewal *r = call_alloc(sizeof *r);

	r->later = (struct later){ d, call };
	if (!take(r)) {
		later_free(&r->later);
		return;
	}
	r->pending = 1;
	r->sessions = json_array();
	r->heartbeat.expired = heartbeat;
	agenda_set(loop_agenda(d->loop), &r->heartbeat, loop_now_update(d->loop) + HEARTBEAT_US);
	go_on(r);
	one_less(r);
}
