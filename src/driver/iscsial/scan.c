#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/diag/diag.h"
#include "driver/iscsi/find.h"
#include "driver/iscsi/isns.h"
#include "driver/iscsi/portal.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/slp.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/scan_impl.h"
#include "sys/log.h"

/* A client hears at least so often that the scan lives. */
#define SCAN_HEARTBEAT_US (IPC_PROGRESS_MS / 4 * 1000)

/*
 * A target that nobody knew gets its number, and with it the names of its disks, in the order of
 * the addresses that are asked: for those before its own it waits so long.
 */
#define SCAN_PATIENCE_US 2000000

/* A client reads no more of them, and each is a line of the answer. */
#define SCAN_FAILURES_MAX 1000

static const char *const stage_names[SCAN_STAGES] = { "discovery", "session", "luns" };

struct asker {
	struct list link;
	struct ipc_call *call;
};

/* ---- telling ---- */

/* ok NULL: nothing has ended, `what` is waited for. */
static void
progress(struct scan *scan, enum scan_stage stage, const char *what, const bool *ok,
    const struct fault *why)
{
	LIST_EACH(node, tmp, &scan->calls)
	{
		struct asker *k = LIST_ENTRY(node, struct asker, link);
		json_t *p = json_pack("{s:s, s:i, s:i, s:s, s:o, s:s?}", "stage",
		    stage_names[stage], "done", (int)scan->stages[stage].done, "total",
		    (int)scan->stages[stage].total, "what", what, "ok",
		    ok != NULL ? json_boolean(*ok) : json_null(), "error",
		    why != NULL && why->is_set ? why->message : NULL);

		if (p != NULL)
			ipc_call_progress(k->call, p);
	}
}

/* The first of what has begun and not ended. */
static const char *
waited_for(const struct scan *scan, enum scan_stage stage)
{
	LIST_EACH(node, tmp, &scan->items)
	{
		const struct scan_item *i = LIST_ENTRY(node, struct scan_item, link);

		if (i->stage == stage)
			return i->what;
	}
	return "";
}

static void
heartbeat(struct agenda_timer *t)
{
	struct scan *scan = LIST_ENTRY(t, struct scan, heartbeat);
	enum scan_stage stage = SCAN_DISCOVERY;

	while (stage < SCAN_LUNS && scan->stages[stage].done == scan->stages[stage].total)
		stage++;
	progress(scan, stage, waited_for(scan, stage), NULL, NULL);
	agenda_set(loop_agenda(scan->d->loop), t, loop_now(scan->d->loop) + SCAN_HEARTBEAT_US);
}

void
scan_failed(struct scan *scan, enum scan_stage stage, const char *what, const struct fault *why)
{
	json_t *f = json_pack("{s:s, s:s, s:s, s:s}", "stage", stage_names[stage], "what", what,
	    "error", why->message, "next", why->next);

	if (json_array_size(scan->failures) >= SCAN_FAILURES_MAX) {
		json_decref(f);
		scan->failures_left_out++;
	} else if (f != NULL) {
		(void)json_array_append_new(scan->failures, f); /* no memory: one row less */
	}
}

static json_t *
result(struct scan *scan)
{
	uint64_t us = loop_now_update(scan->d->loop) - scan->began_us;
	char more[64];

	if (scan->failures_left_out > 0 && json_array_size(scan->failures) == SCAN_FAILURES_MAX) {
		(void)snprintf(more, sizeof more, "%zu more failed, which are not listed",
		    scan->failures_left_out); /* fits */
		(void)json_array_append_new(scan->failures,
		    json_pack("{s:s, s:s, s:s, s:s}", "stage", stage_names[SCAN_SESSION], "what",
			"others", "error", more, "next", "look at the driver's log"));
	}
	return json_pack("{s:{s:i, s:i}, s:{s:i, s:i}, s:{s:I, s:I}, s:I, s:O, s:O, s:O}",
	    "discovery", "ok",
	    (int)(scan->stages[SCAN_DISCOVERY].done - scan->stages[SCAN_DISCOVERY].failed),
	    "failed", (int)scan->stages[SCAN_DISCOVERY].failed, "sessions", "online",
	    (int)(scan->stages[SCAN_SESSION].done - scan->stages[SCAN_SESSION].failed), "failed",
	    (int)scan->stages[SCAN_SESSION].failed, "luns", "claimed", (json_int_t)scan->claimed,
	    "unclaimed", (json_int_t)scan->unclaimed, "duration_ms", (json_int_t)(us / 1000),
	    "failures", scan->failures, "left_out", scan->left_out, "empty", scan->empty.rows);
}

static void scan_begin(struct scan *scan);

void
scan_one_less(struct scan *scan)
{
	struct driver *d = scan->d;
	struct list *node;
	bool is_beside;

	if (--scan->busy > 0)
		return;
	agenda_clear(loop_agenda(d->loop), &scan->heartbeat);
	agenda_clear(loop_agenda(d->loop), &scan->patience);
	agenda_cancel(&scan->go_on);
	if (scan->stages[SCAN_DISCOVERY].failed == 0 && !d->is_stopping && !scan->is_beside)
		scan_told_end(&scan->told, d, scan->failures);
	scan_empty_end(&scan->empty, scan->stages[SCAN_DISCOVERY].total +
						 scan->stages[SCAN_SESSION].total +
						 json_array_size(scan->failures) >
					     0 ||
					 scan->top.n >= HWPATH_AT_SESSION);
	list_remove(&scan->link);
	while ((node = list_pop(&scan->calls)) != NULL) {
		struct asker *k = LIST_ENTRY(node, struct asker, link);

		ipc_call_reply(k->call, result(scan));
		free(k);
	}
	json_decref(scan->failures);
	json_decref(scan->left_out);
	scan_told_fini(&scan->told);
	scan_empty_fini(&scan->empty);
	is_beside = scan->is_beside;
	free(scan);
	/* Else what its looks took in between stays with the heap. */
	(void)malloc_trim(0);
	if (is_beside)
		return;
	/* The next one begins now, unless a loop up the stack is ending them all. */
	if (!list_empty(&d->scans) && !d->is_stopping)
		scan_begin(LIST_ENTRY(d->scans.next, struct scan, link));
}

/* ---- items ---- */

struct scan_item *
scan_item_new(struct scan *scan, enum scan_stage stage)
{
	struct scan_item *i = call_alloc(sizeof *i);

	i->scan = scan;
	i->stage = stage;
	list_push_back(&scan->items, &i->link);
	scan->stages[stage].total++;
	scan->busy++;
	return i;
}

void
scan_item_end(struct scan_item *i, const struct fault *why)
{
	struct scan *scan = i->scan;
	bool ok = why == NULL || !why->is_set;

	scan->stages[i->stage].done++;
	scan->stages[i->stage].failed += !ok;
	if (!ok && !why->is_silent)
		scan_failed(scan, i->stage, i->what, why);
	else if (!ok)
		scan_empty_unreached(&scan->empty);
	progress(scan, i->stage, i->what, &ok, why);
	list_remove(&i->link);
	free(i);
	scan_one_less(scan);
}

/* ---- LUNs ---- */

/* A LUN that the target reports and that can have no device here, by the bytes of its address. */
static void
leave_out(struct scan *scan, const char *where, const struct luns_out *out)
{
	const uint8_t *w = out->wire;
	json_t *o = json_pack("{s:s, s:o, s:s}", "what", where, "lun",
	    json_sprintf(
		"%02x%02x%02x%02x%02x%02x%02x%02x", w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]),
	    "why", luns_why_text(out->why));

	if (json_array_size(scan->left_out) < SCAN_FAILURES_MAX && o != NULL)
		(void)json_array_append_new(scan->left_out, o); /* no memory: one row less */
	else
		json_decref(o);
	log_note("%s: LUN %02x%02x%02x%02x%02x%02x%02x%02x is left out: %s", where, w[0], w[1],
	    w[2], w[3], w[4], w[5], w[6], w[7], luns_why_text(out->why));
}

static void
probed(void *user, const struct luns_result *r)
{
	struct scan_item *i = user;
	struct scan *scan = i->scan;

	scan->claimed += r->claimed;
	scan->unclaimed += r->unclaimed;
	for (size_t k = 0; k < r->n_failures; k++)
		scan_failed(scan, SCAN_LUNS, r->failures[k].what, &r->failures[k].fault);
	for (size_t k = 0; r->probe != NULL && k < r->probe->n_out; k++)
		leave_out(scan, i->what, &r->probe->out[k]);
	if (!r->fault.is_set && r->probe != NULL && r->probe->n == 0 && r->probe->unclaimed == 0)
		scan_empty_target(&scan->empty, i->what);
	scan_item_end(i, &r->fault);
}

static void
visit_luns(struct scan *scan, struct wanted *w, const char *what)
{
	struct scan_item *i = scan_item_new(scan, SCAN_LUNS);

	cut_copy(i->what, sizeof i->what, what);
	luns_probe(w, probed, i);
}

/* ---- sessions ---- */

static void
opened(void *user, struct wanted *w, const struct fault *why)
{
	struct scan_item *i = user;
	struct fault f = *why;

	if (w == NULL && !f.is_set)
		fault_set(&f, FAULT_OFFLINE, "scan again", "the session was closed");
	if (!f.is_set)
		visit_luns(i->scan, w, i->what);
	else if (w != NULL && !f.is_silent)
		scan_told_lost(&i->scan->told, w->target, w->instance, i->scan->failures);
	scan_queue_opened(i->scan);
	scan_item_end(i, &f);
}

void
scan_open(struct scan_item *i, struct wanted *w)
{
	(void)snprintf(i->what, sizeof i->what, "%s at %s", w->target, w->about); /* fits */
	wanted_open(w, false, opened, i);
}

/* ---- discovery ---- */

/* What came of it is news where it is something else than before. */
static void
tell_discovered(struct scan_item *i, struct portal *p, const struct fault *why)
{
	const struct diag_ctx about = { -1, NULL, i->what, i->scan->d->diag, NULL };

	if (why->is_silent)
		return;
	if (!why->is_set && p->fault.is_set)
		diag_OPENISW_LOG_DISCOVERY_BACK(&about, i->what);
	else if (why->is_set && (!p->fault.is_set || strcmp(p->fault.message, why->message) != 0))
		diag_OPENISW_LOG_DISCOVERY_FAILED(&about, i->what, why->message);
	p->fault = *why;
}

static void
discovered(void *user, struct discovery_result *r)
{
	struct scan_item *i = user;
	struct portal *p = portal_get(i->scan->d, &i->a);

	p->is_scanned = true;
	p->when = time(NULL);
	p->targets = r->n_targets;
	tell_discovered(i, p, &r->fault);
	p->fault = r->fault;
	scan_told_answer(&i->scan->told, i->what, r, i->scan->failures);
	if (!r->fault.is_set && r->n_targets == 0 && r->n_bad == 0)
		scan_empty_portal(&i->scan->empty, i->what);
	scan_queue_found(i, r, REGISTRY_SENDTARGETS);
}

static void
slp_discovered(void *user, struct discovery_result *r)
{
	struct scan_item *i = user;

	i->slp = NULL;
	/* Its item has no address, so neither has its record. */
	tell_discovered(i, portal_get(i->scan->d, &i->a), &r->fault);
	scan_told_answer(&i->scan->told, i->what, r, i->scan->failures);
	if (!r->fault.is_set && r->n == 0)
		scan_empty_slp(&i->scan->empty, i->what);
	scan_queue_found(i, r, REGISTRY_SLP);
}

static void
visit_slp(struct scan *scan)
{
	struct scan_item *i;

	if (!slp_is_there(scan->d))
		return;
	i = scan_item_new(scan, SCAN_DISCOVERY);
	cut_copy(i->what, sizeof i->what, "SLP");
	i->order = scan->discoveries++;
	i->slp = slp_start(scan->d, slp_discovered, i);
}

static void
impatient(struct agenda_timer *t)
{
	scan_queue_hurry(LIST_ENTRY(t, struct scan, patience));
}

static int
compare(const void *a, const void *b)
{
	const struct registry_address *x = a, *y = b;
	int c = strcmp(x->address, y->address);

	c = c != 0 ? c : x->port - y->port;
	return c != 0 ? c : x->tpgt - y->tpgt;
}

static void
visit_portals(struct scan *scan)
{
	struct registry_address *list = NULL;
	struct fault why = { 0 };
	size_t n = 0;

	if (registry_discovery_list(scan->d->reg, &list, &n) != 0) {
		settings_fault(scan->d->reg, &why);
		scan_failed(scan, SCAN_DISCOVERY, "the registry", &why);
	}
	if (n > 1)
		qsort(list, n, sizeof *list, compare);
	for (size_t k = 0; k < n; k++) {
		struct scan_item *i = scan_item_new(scan, SCAN_DISCOVERY);

		i->a = list[k];
		i->order = scan->discoveries++;
		wanted_address_text(&i->a, i->what);
		find_start(scan->d, &i->a, discovered, i);
	}
	free(list);
}

/* The session of a hardware path, also one that nobody opened since the driver started. */
static void
visit_path(struct scan *scan)
{
	uint32_t instance = scan->top.part[HWPATH_AT_SESSION - 1];
	struct registry_session *list = NULL;
	struct fault why = { 0 };
	char text[HWPATH_TEXT_BYTES];
	size_t n = 0, k = 0;

	hwpath_print(text, &scan->top);
	if (registry_session_list(scan->d->reg, &list, &n) != 0)
		settings_fault(scan->d->reg, &why);
	while (k < n && list[k].instance != instance)
		k++;
	if (k < n)
		scan_queue_session(scan, list[k].target, &list[k].a);
	else if (!why.is_set)
		fault_set(&why, FAULT_NOTFOUND, "list them: ioscan -kf",
		    "there is no session of this hardware path");
	if (why.is_set)
		scan_failed(scan, SCAN_SESSION, text, &why);
	free(list);
}

/* The sessions of a target, at the addresses that are known. */
static void
visit_target(struct scan *scan)
{
	struct registry_target *list = NULL;
	struct fault why = { 0 };
	size_t n = 0;

	if (registry_target_list(scan->d->reg, scan->target, &list, &n) != 0)
		settings_fault(scan->d->reg, &why);
	else if (n == 0)
		fault_set(&why, FAULT_NOTFOUND, "list them: iscsiutil -p -O",
		    "it is not an operational target");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i].n_addresses; k++)
			scan_queue_session(scan, list[i].name, &list[i].addresses[k].a);
	if (why.is_set)
		scan_failed(scan, SCAN_SESSION, scan->target, &why);
	registry_targets_free(list, n);
}

/* ---- begin and end ---- */

static void
scan_begin(struct scan *scan)
{
	struct driver *d = scan->d;

	stat_add(&d->stats, STAT_TRANSPORT_GLOBAL_ioscans);
	scan->began_us = loop_now_update(d->loop);
	scan->busy = 1;
	LIST_EACH(node, tmp, &d->sessions)
	LIST_ENTRY(node, struct wanted, link)->scan = NULL;
	if (scan->target[0] != '\0') {
		visit_target(scan);
	} else if (scan->top.n >= HWPATH_AT_SESSION) {
		visit_path(scan);
	} else {
		agenda_set(
		    loop_agenda(d->loop), &scan->patience, scan->began_us + SCAN_PATIENCE_US);
		visit_portals(scan);
		visit_slp(scan);
		scan_isns_visit(scan);
		scan_queue_known(scan);
	}
	scan_one_less(scan);
}

/* One that waits and will look at all that is asked for. */
static struct scan *
find_waiting(struct driver *d, const struct hwpath *top, const char *target)
{
	LIST_EACH(node, tmp, &d->scans)
	{
		struct scan *scan = LIST_ENTRY(node, struct scan, link);

		if (scan->busy == 0 && hwpath_is_below(top, &scan->top) &&
		    strcmp(scan->target, target) == 0)
			return scan;
	}
	return NULL;
}

static struct scan *
scan_new(struct driver *d, const struct hwpath *top, const char *target, bool is_kept)
{
	struct scan *scan = call_alloc(sizeof *scan);

	scan->d = d;
	scan->top = *top;
	scan->is_kept = is_kept;
	cut_copy(scan->target, sizeof scan->target, target);
	list_init(&scan->calls);
	list_init(&scan->items);
	scan_queue_init(scan);
	scan->failures = json_array();
	scan->left_out = json_array();
	scan_told_init(&scan->told);
	scan_empty_init(&scan->empty);
	scan->heartbeat.expired = heartbeat;
	scan->patience.expired = impatient;
	return scan;
}

void
scan_start(struct driver *d, struct ipc_call *call, const struct hwpath *top, const char *target,
    bool is_kept)
{
	struct asker *k = call_alloc(sizeof *k);
	struct scan *scan = find_waiting(d, top, target);

	k->call = call;
	if (scan != NULL) {
		scan->is_kept |= is_kept;
		list_push_back(&scan->calls, &k->link);
		return;
	}
	scan = scan_new(d, top, target, is_kept);
	list_push_back(&scan->calls, &k->link);
	agenda_set(
	    loop_agenda(d->loop), &scan->heartbeat, loop_now_update(d->loop) + SCAN_HEARTBEAT_US);
	list_push_back(&d->scans, &scan->link);
	if (d->scans.next == &scan->link)
		scan_begin(scan);
}

void
scan_found(struct driver *d, const struct registry_address *by, const char *what,
    struct discovery_result *r, enum registry_source source, void (*kept)(struct driver *d))
{
	static const struct hwpath all;
	struct scan *scan = scan_new(d, &all, "", r->n <= LIMIT_ISNS_KEPT);
	struct scan_item *i;

	scan->is_beside = true;
	scan->kept = kept;
	scan->began_us = loop_now_update(d->loop);
	list_push_back(&d->scans_beside, &scan->link);
	i = scan_item_new(scan, SCAN_DISCOVERY);
	i->a = *by;
	cut_copy(i->what, sizeof i->what, what);
	scan_queue_found(i, r, source);
}

static void
break_off(struct scan *scan, const struct fault *why)
{
	scan->busy++;
	scan_queue_drop(scan, why);
	LIST_EACH(at, next, &scan->items)
	{
		struct scan_item *i = LIST_ENTRY(at, struct scan_item, link);

		if (i->slp == NULL && i->isns == NULL)
			continue;
		if (i->slp != NULL)
			slp_cancel(i->slp);
		else
			isns_ask_cancel(i->isns);
		scan_item_end(i, why);
	}
	scan_one_less(scan);
}

void
scan_stop(struct driver *d)
{
	struct fault why = { 0 };

	/* Sessions, probes and discoveries end by themselves when they are closed. */
	find_stop(d);
	fault_set(&why, FAULT_OFFLINE, "", "the driver is being stopped");
	LIST_EACH(node, tmp, &d->scans)
	break_off(LIST_ENTRY(node, struct scan, link), &why);
	LIST_EACH(node, tmp, &d->scans_beside)
	break_off(LIST_ENTRY(node, struct scan, link), &why);
}
