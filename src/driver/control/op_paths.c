/* path.list and path.set: the paths of each disk, and one that is taken out of use. */
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "base/fanout.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/wanted_find.h"
#include "driver/iscsial/disks.h"
#include "driver/iscsial/luns.h"
#include "ipc/pieces.h"

/* A worker that does not answer in time is left out. */
#define PATIENCE_US 3000000

/* ---- path.list ---- */

struct listing {
	struct later later; /* first: freed as one */
	struct fanout sessions;
	char name[32]; /* only this disk; "": all */
	json_t *units;
	size_t told;
	bool is_over, is_read; /* nobody answers any more; the caller has it all */
	struct ipc_pieces pieces;
};

static void
one_less(struct listing *l)
{
	if (!l->is_over || !l->is_read)
		return;
	json_decref(l->units);
	later_free(&l->later);
}

/* Seconds of microseconds; null: it is not known. */
static json_t *
seconds(uint64_t us, bool is_known)
{
	return is_known ? json_real((double)us / 1e6) : json_null();
}

static json_t *
show_aside(const struct lunpath_view *v)
{
	return v->aside_us == UINT64_MAX ? json_string("manual") : seconds(v->aside_us, true);
}

/* Who decides, and what it says of the port. */
static void
show_group(const struct alua *a, json_t *to)
{
	control_set(to, "group", a->has_group ? json_integer(a->group) : json_null());
	control_set(
	    to, "group_state", a->is_reported ? json_string(alua_word(a->state)) : json_null());
	control_set(to, "group_preferred", json_boolean(a->is_preferred));
}

static json_t *
show_path(const struct driver *d, const struct mail_paths_row *r)
{
	const struct lunpath_view *v = &r->view;
	const struct wanted *w = wanted_find(d, r->instance);
	const struct node *n = luns_find(d, r->instance, v->number);
	json_t *o = json_pack("{s:i, s:i, s:s?, s:s?, s:s?, s:s, s:b, s:b, s:o}",
	    "session_instance", (int)r->instance, "lun", (int)v->number, "hw_path",
	    n != NULL ? n->hw_path : NULL, "target_name", w != NULL ? w->target : NULL, "address",
	    w != NULL ? w->about : NULL, "state", path_state_word(v->state), "used", v->is_used,
	    "preferred", v->is_preferred, "aside_s", show_aside(v));

	if (o == NULL)
		return NULL;
	show_group(&v->alua, o);
	control_set(o, "commands", json_integer((json_int_t)v->commands));
	control_set(o, "errors", json_integer((json_int_t)v->errors));
	control_set(o, "busy", json_integer(v->busy));
	control_set(o, "losses", json_integer(v->losses));
	control_set(o, "latency_us", json_integer((json_int_t)v->average_us));
	control_set(o, "why", v->why.is_set ? json_string(v->why.message) : json_null());
	return o;
}

/* The rows of a disk stand together, its first path first. */
static void
take(struct listing *l, const struct mail_paths *q)
{
	json_t *unit = NULL, *paths = NULL;

	for (size_t i = 0; i < q->n; i++) {
		const struct mail_paths_row *r = &q->rows[i];

		if (l->name[0] != '\0' && strcmp(l->name, r->name) != 0)
			continue;
		if (i == 0 || unit == NULL || strcmp(r->name, q->rows[i - 1].name) != 0) {
			paths = json_array();
			unit = json_pack("{s:s, s:s, s:b, s:i, s:o, s:o}", "name", r->name,
			    "policy", path_policy_word(r->unit.policy), "policy_is_own",
			    r->unit.is_policy_own, "failovers", (int)r->unit.failovers,
			    "last_failover_s",
			    seconds(r->unit.failover_us, r->unit.failover_us != 0), "paths", paths);
			(void)json_array_append_new(l->units, unit); /* no memory: one less */
		}
		(void)json_array_append_new(paths, show_path(l->later.d, r)); /* the same */
	}
}

static json_t *
next_unit(struct ipc_pieces *p)
{
	struct listing *l = LIST_ENTRY(p, struct listing, pieces);

	return json_incref(json_array_get(l->units, l->told++));
}

static void
units_told(struct ipc_pieces *p)
{
	struct listing *l = LIST_ENTRY(p, struct listing, pieces);

	l->is_read = true;
	one_less(l);
}

static const struct ipc_pieces_ops unit_pieces = { next_unit, units_told };

static void
told(struct fanout *f, bool is_late)
{
	struct listing *l = LIST_ENTRY(f, struct listing, sessions);

	(void)is_late; /* what came is shown */
	l->pieces = (struct ipc_pieces){ .ops = &unit_pieces, .member = "units" };
	ipc_call_reply_pieces(l->later.call, &l->pieces);
}

static void
ended(struct fanout *f)
{
	struct listing *l = LIST_ENTRY(f, struct listing, sessions);

	l->is_over = true;
	one_less(l);
}

static void
listed(struct question *a)
{
	struct mail_paths *q = LIST_ENTRY(a, struct mail_paths, base);
	struct listing *l = a->user;

	if (!l->sessions.is_told)
		take(l, q);
	disks_drop_paths(&a->mail);
	fanout_drop(&l->sessions);
}

void
op_path_list(struct driver *d, struct ipc_call *call)
{
	struct listing *l = call_alloc(sizeof *l);

	l->later.d = d;
	l->later.call = call;
	l->units = json_array();
	cut_copy(l->name, sizeof l->name, ipc_call_arg_string(call, "name", ""));
	fanout_init(&l->sessions, loop_agenda(d->loop), loop_now_update(d->loop) + PATIENCE_US,
	    told, ended);
	for (struct wanted *w = wanted_next(d, NULL, NULL); w != NULL;
	     w = wanted_next(d, NULL, w)) {
		struct mail_paths *q = question_new(sizeof *q, listed, l);

		fanout_add(&l->sessions);
		if (wanted_ask(w, &q->base, &mail_paths))
			continue;
		disks_drop_paths(&q->base.mail);
		fanout_drop(&l->sessions);
	}
	fanout_seal(&l->sessions);
}

/* ---- path.set ---- */

static void
set(struct question *a)
{
	struct mail_path *q = LIST_ENTRY(a, struct mail_path, base);
	struct later *l = a->user;

	if (q->fault.is_set)
		control_fail(l->call, &q->fault, NULL);
	else
		ipc_call_reply(l->call, json_pack("{s:i}", "units", (int)q->n));
	free(q);
	later_free(l);
}

void
op_path_set(struct driver *d, struct ipc_call *call)
{
	const char *state = ipc_call_arg_string(call, "state", "");
	int64_t instance = ipc_call_arg_int(call, "instance", -1);
	struct wanted *w =
	    instance >= 0 && instance < LIMIT_SESSIONS ? wanted_find(d, (uint32_t)instance) : NULL;
	struct mail_path *q;
	struct fault f = { 0 };

	if (w == NULL)
		fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil -p -S",
		    "there is no session %lld", (long long)instance);
	else if (strcmp(state, "fail") != 0 && strcmp(state, "restore") != 0)
		fault_set(&f, FAULT_INVALID, "give fail or restore",
		    "a path cannot be told to \"%.40s\"", state);
	if (f.is_set) {
		control_fail(call, &f, NULL);
		return;
	}
	q = question_new(sizeof *q, set, later_new(d, call));
	q->is_out = strcmp(state, "fail") == 0;
	q->is_forced = ipc_call_arg_bool(call, "force", false);
	if (wanted_ask(w, &q->base, &mail_path))
		return;
	disks_refuse_path(&q->base.mail);
	set(&q->base);
}
