#include <stdlib.h>
#include <string.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/cut.h"
#include "driver/iscsi/isid.h"
#include "driver/iscsi/session.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/shutdown.h"
#include "driver/iscsial/usage.h"

#define PING_BYTES_DEFAULT 64

/* ---- session.list ---- */

static json_t *
show_negotiated(const struct session *s)
{
	json_t *o = json_object();
	char value[256];

	for (size_t k = 0; k < neg_param_count(); k++)
		if (neg_format(&s->login.params, (enum key_id)k, value, sizeof value))
			control_set(o, neg_key_info((enum key_id)k)->name, json_string(value));
	return o;
}

static json_t *
show_connections(const struct session *s)
{
	if (s->state != SSTATE_ONLINE)
		return json_array();
	return json_pack("[{s:i, s:s, s:s, s:s, s:o}]", "cid", 0, "state", "LOGGED_IN", "local",
	    s->local, "peer", s->peer, "negotiated", show_negotiated(s));
}

static int
count_luns(const struct session *s)
{
	size_t from, to = luns_range(s->d, s->instance, &from);
	int n = 0;

	for (size_t i = from; i < to; i++)
		n += s->d->tree.nodes[i]->kind == TREE_LUN &&
		     s->d->tree.nodes[i]->state == TREE_CLAIMED;
	return n;
}

static json_t *
show_session(struct driver *d, const struct session *s)
{
	struct registry_scope scope = { REGISTRY_TARGET_ADDRESS, s->target, &s->a };
	bool is_online = s->state == SSTATE_ONLINE;
	char isid[13];
	json_t *o;

	isid_print(isid, s->isid);
	o = json_pack(
	    "{s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:i, s:s, s:i, s:i, s:o, s:s?, "
	    "s:o}",
	    "instance", (int)s->instance, "type", "Normal", "state", sstate_word(s->state),
	    "target_name", s->target, "target_alias", s->has_login ? s->login.target_alias : "",
	    "address", s->a.address, "port", s->a.port, "tpgt", s->a.tpgt, "isid", isid, "tsih",
	    is_online ? (int)s->login.tsih : 0, "initiator_name",
	    s->has_login ? s->initiator_name : "", "luns", count_luns(s), "queue_depth",
	    SESSION_SLOTS, "opened", is_online ? control_time(s->opened) : json_null(),
	    "last_error", s->last.is_set ? s->last.message : NULL, "connections",
	    show_connections(s));
	if (o != NULL)
		settings_show(d->reg, &scope, o);
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
is_shown(const struct session *s)
{
	return s->state != SSTATE_CLOSED || s->has_login;
}

/* NULL: the call was answered. */
static struct session *
find(struct driver *d, struct ipc_call *call)
{
	int64_t instance = ipc_call_arg_int(call, "instance", -1);
	struct session *s =
	    instance >= 0 && instance < LIMIT_SESSIONS ? session_find(d, (uint32_t)instance) : NULL;

	if (s != NULL && is_shown(s))
		return s;
	no_session(call, instance);
	return NULL;
}

void
op_session_list(struct driver *d, struct ipc_call *call)
{
	const struct session *only = NULL;
	json_t *list;

	if (ipc_call_arg_given(call, "instance")) {
		only = find(d, call);
		if (only == NULL)
			return;
	}
	list = json_array();
	LIST_EACH(node, tmp, &d->sessions)
	{
		const struct session *s = LIST_ENTRY(node, struct session, link);

		if (is_shown(s) && (only == NULL || only == s))
			(void)json_array_append_new(
			    list, show_session(d, s)); /* no memory: one less */
	}
	ipc_call_reply(call, json_pack("{s:o}", "sessions", list));
}

/* ---- session.logout ---- */

static void
logged_out(void *user, struct driver *d, uint32_t instance, json_t *in_use)
{
	struct later *l = user;

	(void)d;
	if (in_use != NULL)
		control_busy(l->call, json_incref(in_use), "logout");
	else
		ipc_call_reply(l->call, json_pack("{s:i}", "instance", (int)instance));
	later_free(l);
}

static void
logout_counted(void *user)
{
	struct later *l = user;
	struct session *s = find(l->d, l->call);
	struct hwpath top = { HWPATH_AT_SESSION, { HWPATH_ROOT, 0, 0 } };
	json_t *in_use;
	bool is_forced;

	if (s == NULL) { /* and so the call is answered */
		later_free(l);
		return;
	}
	is_forced = ipc_call_arg_bool(l->call, "force", false);
	top.part[2] = s->instance;
	in_use = usage_list(l->d, &top);
	if (in_use != NULL && !is_forced) {
		control_busy(l->call, in_use, "logout");
		later_free(l);
		return;
	}
	json_decref(in_use);
	shutdown_session(s, is_forced, logged_out, l);
}

void
op_session_logout(struct driver *d, struct ipc_call *call)
{
	struct session *s = find(d, call);

	if (s != NULL)
		usage_collect(d, logout_counted, later_new(d, call));
}

/* ---- session.nop ---- */

static void
pinged(void *user, const struct seat_ping *ping)
{
	struct later *l = user;

	if (ping->fault.is_set)
		control_fail(l->call, &ping->fault, NULL);
	else
		ipc_call_reply(l->call,
		    json_pack("{s:I, s:i, s:I, s:I, s:b, s:I}", "instance",
			(json_int_t)ipc_call_arg_int(l->call, "instance", 0), "cid", 0, "bytes",
			(json_int_t)ipc_call_arg_int(l->call, "size", PING_BYTES_DEFAULT),
			"bytes_returned", (json_int_t)ping->bytes, "data_matches",
			ping->bytes_same == ipc_call_arg_int(l->call, "size", PING_BYTES_DEFAULT),
			"rtt_us", (json_int_t)ping->rtt_us));
	later_free(l);
}

void
op_session_nop(struct driver *d, struct ipc_call *call)
{
	/* Before the call may be answered, and gone. */
	int64_t cid = ipc_call_arg_int(call, "cid", 0);
	int64_t bytes = ipc_call_arg_int(call, "size", PING_BYTES_DEFAULT);
	struct session *s = find(d, call);
	struct fault f = { 0 };

	if (s == NULL)
		return;
	if (bytes < 0 || bytes > LIMIT_PING_BYTES)
		fault_set(&f, FAULT_INVALID, "give a number in this range",
		    "size %lld is not from 0 to %d", (long long)bytes, LIMIT_PING_BYTES);
	else if (cid != 0)
		fault_set(&f, FAULT_NOTFOUND, "a session has one connection, 0",
		    "session %u has no connection %lld", s->instance, (long long)cid);
	else if (s->state != SSTATE_ONLINE || s->seat == NULL)
		fault_set(&f, FAULT_OFFLINE, "wait until it is online, or scan",
		    "session %u is not online%s%s", s->instance, s->last.is_set ? ": " : "",
		    s->last.is_set ? s->last.message : "");
	if (f.is_set)
		control_fail(call, &f, NULL);
	else
		seat_ping(s->seat, (uint32_t)bytes, pinged, later_new(d, call));
}
