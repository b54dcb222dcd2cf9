#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/control/configured.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted_find.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/shutdown.h"
#include "driver/iscsial/usage.h"
#include "ini/isid.h"
#include "ipc/pieces.h"

#define PING_BYTES_DEFAULT 64

/* ---- session.list ---- */

static json_t *
show_negotiated(const struct wanted *w)
{
	json_t *o = json_object();
	char value[256];

	for (size_t k = 0; k < neg_param_count(); k++)
		if (neg_format(&w->view.login.params, (enum key_id)k, value, sizeof value))
			control_set(o, neg_key_info((enum key_id)k)->name, json_string(value));
	return o;
}

static json_t *
show_connections(const struct wanted *w)
{
	if (w->view.state != SESSION_ONLINE)
		return json_array();
	return json_pack("[{s:i, s:s, s:s, s:s, s:o}]", "cid", 0, "state", "LOGGED_IN", "local",
	    w->view.local, "peer", w->view.peer, "negotiated", show_negotiated(w));
}

static int
count_luns(const struct wanted *w)
{
	size_t from, to = luns_range(w->d, w->instance, &from);
	int n = 0;

	for (size_t i = from; i < to; i++)
		n += w->d->tree->nodes[i]->kind == TREE_LUN &&
		     w->d->tree->nodes[i]->state == TREE_CLAIMED;
	return n;
}

/* In so many milliseconds from now; null: nothing is due. */
static json_t *
show_due(struct driver *d, uint64_t at_us)
{
	uint64_t now = loop_now_update(d->loop);

	if (at_us == 0 || at_us == UINT64_MAX)
		return json_null();
	return json_integer(at_us > now ? (json_int_t)((at_us - now) / 1000) : 0);
}

/* Where a redirection has it, beside the address that is configured. */
static json_t *
show_elsewhere(const struct wanted *w)
{
	struct registry_address a = { .port = w->view.at.port,
		.tpgt = (uint16_t)(w->view.at.tpgt >= 0 ? w->view.at.tpgt : w->a.tpgt) };
	char text[WANTED_ADDRESS_BYTES];

	if (!w->view.is_elsewhere)
		return json_null();
	cut_copy(a.address, sizeof a.address, w->view.at.host);
	wanted_address_text(&a, text);
	return json_string(text);
}

static json_t *
show_session(struct driver *d, const struct wanted *w)
{
	struct registry_scope scope = { REGISTRY_TARGET_ADDRESS, w->target, &w->a };
	bool is_online = w->view.state == SESSION_ONLINE;
	/* A redirection may have led to another portal group than the address is of. */
	int32_t tpgt = is_online && w->view.login.tpgt >= 0 ? w->view.login.tpgt : w->a.tpgt;
	char isid[13];
	json_t *o;

	isid_print(isid, w->isid);
	o = json_pack(
	    "{s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:i, s:s, s:i, s:i, s:o, s:s?, "
	    "s:o}",
	    "instance", (int)w->instance, "type", "Normal", "state", wanted_word(w), "target_name",
	    w->target, "target_alias", w->has_login ? w->view.login.target_alias : "", "address",
	    w->a.address, "port", w->a.port, "tpgt", (int)tpgt, "isid", isid, "tsih",
	    is_online ? (int)w->view.login.tsih : 0, "initiator_name",
	    w->has_login ? w->view.login.initiator_name : "", "luns", count_luns(w), "queue_depth",
	    SESSION_SLOTS, "opened", is_online ? control_time(w->opened) : json_null(),
	    "last_error", w->view.last.is_set ? w->view.last.message : NULL, "connections",
	    show_connections(w));
	if (o == NULL)
		return NULL;
	control_set(o, "last_error_next", control_next(&w->view.last));
	control_set(o, "redirected_to", show_elsewhere(w));
	control_set(o, "next_try_ms", show_due(d, w->view.next_try_us));
	control_set(o, "next_try", control_due(d, w->view.next_try_us));
	control_set(o, "time2wait_s", json_integer(w->view.time2wait_s));
	configured_show(d, &scope, o);
	return o;
}

static void
no_session(struct ipc_call *call, int64_t instance)
{
	struct fault f;

	fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil -p -S", "there is no session %lld",
	    (long long)instance);
	control_fail(call, &f, NULL);
}

/* A session that was never online is an address of a target, not a session. */
static bool
is_shown(const struct wanted *w)
{
	return !wanted_is_closed(w) || w->has_login;
}

/* NULL: the call was answered. */
static struct wanted *
find(struct driver *d, struct ipc_call *call)
{
	int64_t instance = ipc_call_arg_int(call, "instance", -1);
	struct wanted *w =
	    instance >= 0 && instance < LIMIT_SESSIONS ? wanted_find(d, (uint32_t)instance) : NULL;

	if (w != NULL && is_shown(w))
		return w;
	no_session(call, instance);
	return NULL;
}

struct session_listing {
	struct later later; /* first: freed as one */
	struct ipc_pieces pieces;
	uint32_t next, end; /* instances: where it goes on, and before which it ends */
};

static json_t *
next_session(struct ipc_pieces *p)
{
	struct session_listing *l = LIST_ENTRY(p, struct session_listing, pieces);
	const struct wanted *w;

	while ((w = wanted_from(l->later.d, l->next)) != NULL && w->instance < l->end) {
		l->next = w->instance + 1;
		if (is_shown(w))
			return show_session(l->later.d, w);
	}
	return NULL;
}

static void
sessions_shown(struct ipc_pieces *p)
{
	later_free(&LIST_ENTRY(p, struct session_listing, pieces)->later);
}

static const struct ipc_pieces_ops session_pieces = { next_session, sessions_shown };

void
op_session_list(struct driver *d, struct ipc_call *call)
{
	const struct wanted *only = NULL;
	struct session_listing *l;

	if (ipc_call_arg_given(call, "instance")) {
		only = find(d, call);
		if (only == NULL)
			return;
	}
	l = call_alloc(sizeof *l);
	l->later = (struct later){ d, call };
	l->pieces = (struct ipc_pieces){ .ops = &session_pieces, .member = "sessions" };
	l->next = only != NULL ? only->instance : 0;
	l->end = only != NULL ? only->instance + 1 : UINT32_MAX;
	ipc_call_reply_pieces(call, &l->pieces);
}

/* ---- session.logout ---- */

static void
logged_out(void *user, struct driver *d, uint32_t instance, json_t *in_use)
{
	struct later *l = user;
	const struct wanted *w = wanted_find(d, instance);
	bool is_lost = w != NULL && w->view.is_logout_lost;

	if (in_use != NULL)
		control_busy(l->call, json_incref(in_use), "logout");
	else
		ipc_call_reply(
		    l->call, json_pack("{s:i, s:b, s:s?}", "instance", (int)instance, "answered",
				 !is_lost, "last_error", is_lost ? w->view.last.message : NULL));
	later_free(l);
}

static void
logout_counted(void *user)
{
	struct later *l = user;
	struct wanted *w = find(l->d, l->call);
	struct hwpath top = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, 0 } };
	json_t *in_use;
	bool is_forced;

	if (w == NULL) { /* and so the call is answered */
		later_free(l);
		return;
	}
	is_forced = ipc_call_arg_bool(l->call, "force", false);
	top.part[2] = w->instance;
	in_use = usage_list(l->d, &top);
	if (in_use != NULL && !is_forced) {
		control_busy(l->call, in_use, "logout");
		later_free(l);
		return;
	}
	json_decref(in_use);
	shutdown_session(w, is_forced, logged_out, l);
}

void
op_session_logout(struct driver *d, struct ipc_call *call)
{
	struct wanted *w = find(d, call);

	if (w != NULL)
		usage_collect(d, logout_counted, later_new(d, call));
}

/* ---- session.nop ---- */

struct pinging {
	struct mail_ping question; /* first: freed as one */
	struct ipc_call *call;
};

static void
pinged(struct question *q)
{
	struct pinging *p = LIST_ENTRY(q, struct pinging, question.base);
	const struct session_ping *ping = &p->question.result;
	uint32_t bytes = p->question.bytes;

	if (ping->fault.is_set)
		control_fail(p->call, &ping->fault, NULL);
	else
		ipc_call_reply(
		    p->call, json_pack("{s:I, s:i, s:I, s:I, s:b, s:I}", "instance",
				 (json_int_t)ipc_call_arg_int(p->call, "instance", 0), "cid", 0,
				 "bytes", (json_int_t)bytes, "bytes_returned",
				 (json_int_t)ping->bytes, "data_matches", ping->bytes_same == bytes,
				 "rtt_us", (json_int_t)ping->rtt_us));
	free(p);
}

void
op_session_nop(struct driver *d, struct ipc_call *call)
{
	/* Before the call may be answered, and gone. */
	int64_t cid = ipc_call_arg_int(call, "cid", 0);
	int64_t bytes = ipc_call_arg_int(call, "size", PING_BYTES_DEFAULT);
	struct wanted *w = find(d, call);
	struct pinging *p;
	struct fault f = { 0 };

	if (w == NULL)
		return;
	if (bytes < 0 || bytes > LIMIT_PING_BYTES)
		fault_set(&f, FAULT_INVALID, "give a number in this range",
		    "size %lld is not from 0 to %d", (long long)bytes, LIMIT_PING_BYTES);
	else if (cid != 0)
		fault_set(&f, FAULT_NOTFOUND, "a session has one connection, 0",
		    "session %u has no connection %lld", w->instance, (long long)cid);
	else if (!wanted_is_online(w))
		fault_set(&f, FAULT_OFFLINE, "wait until it is online, or scan",
		    "session %u is not online%s%s", w->instance, w->view.last.is_set ? ": " : "",
		    w->view.last.is_set ? w->view.last.message : "");
	if (f.is_set) {
		control_fail(call, &f, NULL);
		return;
	}
	p = question_new(sizeof *p, pinged, NULL);
	p->call = call;
	p->question.bytes = (uint32_t)bytes;
	(void)wanted_ask(w, &p->question.base, &mail_ping); /* online: it has a nexus */
}
