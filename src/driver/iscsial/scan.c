#include "driver/iscsial/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/find.h"
#include "driver/iscsi/portal.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/slp.h"
#include "driver/iscsial/luns.h"
#include "sys/log.h"

/* A client hears at least so often that the scan lives. */
#define SCAN_HEARTBEAT_US (IPC_PROGRESS_MS / 4 * 1000)

enum stage { STAGE_DISCOVERY, STAGE_SESSION, STAGE_LUNS, STAGES };
static const char *const stage_names[STAGES] = { "discovery", "session", "luns" };

struct scan {
	struct list link; /* driver.scans */
	struct driver *d;
	struct hwpath top; /* at a session: only that */
	struct list calls; /* struct asker */
	struct list items; /* what is waited for */
	struct {
		unsigned total, done, failed;
	} stages[STAGES];
	size_t claimed, unclaimed;
	json_t *failures, *left_out;
	uint64_t began_us;
	struct agenda_timer heartbeat;
	unsigned
	    busy; /* items, and one while the scan is being started; 0: it waits for its turn */
};

struct asker {
	struct list link;
	struct ipc_call *call;
};

/* One thing that is waited for. */
struct item {
	struct list link;
	struct scan *scan;
	enum stage stage;
	struct registry_address a; /* STAGE_DISCOVERY */
	struct slp *slp;           /* the same, by SLP */
	char what[LIMIT_ISCSI_NAME_BYTES + LIMIT_ADDRESS_BYTES + 32];
};

/* ---- telling ---- */

static void
progress(struct scan *scan, enum stage stage, const char *what, bool ok, const struct fault *why)
{
	LIST_EACH(node, tmp, &scan->calls)
	{
		struct asker *k = LIST_ENTRY(node, struct asker, link);
		json_t *p = json_pack("{s:s, s:i, s:i, s:s, s:o, s:s?}", "stage",
		    stage_names[stage], "done", (int)scan->stages[stage].done, "total",
		    (int)scan->stages[stage].total, "what", what != NULL ? what : "", "ok",
		    what != NULL ? json_boolean(ok) : json_null(), "error",
		    why != NULL && why->is_set ? why->message : NULL);

		if (p != NULL)
			ipc_call_progress(k->call, p);
	}
}

static void
heartbeat(struct agenda_timer *t)
{
	struct scan *scan = LIST_ENTRY(t, struct scan, heartbeat);
	enum stage stage = STAGE_DISCOVERY;

	while (stage < STAGE_LUNS && scan->stages[stage].done == scan->stages[stage].total)
		stage++;
	progress(scan, stage, NULL, false, NULL);
	agenda_set(loop_agenda(scan->d->loop), t, loop_now(scan->d->loop) + SCAN_HEARTBEAT_US);
}

static void
add_failure(struct scan *scan, enum stage stage, const char *what, const struct fault *why)
{
	json_t *f = json_pack("{s:s, s:s, s:s, s:s}", "stage", stage_names[stage], "what", what,
	    "error", why->message, "next", why->next);

	if (f != NULL)
		(void)json_array_append_new(scan->failures, f); /* no memory: one row less */
}

static json_t *
result(const struct scan *scan)
{
	uint64_t us = loop_now_update(scan->d->loop) - scan->began_us;

	return json_pack("{s:{s:i, s:i}, s:{s:i, s:i}, s:{s:I, s:I}, s:I, s:O, s:O}", "discovery",
	    "ok", (int)(scan->stages[STAGE_DISCOVERY].done - scan->stages[STAGE_DISCOVERY].failed),
	    "failed", (int)scan->stages[STAGE_DISCOVERY].failed, "sessions", "online",
	    (int)(scan->stages[STAGE_SESSION].done - scan->stages[STAGE_SESSION].failed), "failed",
	    (int)scan->stages[STAGE_SESSION].failed, "luns", "claimed", (json_int_t)scan->claimed,
	    "unclaimed", (json_int_t)scan->unclaimed, "duration_ms", (json_int_t)(us / 1000),
	    "failures", scan->failures, "left_out", scan->left_out);
}

static void scan_begin(struct scan *scan);

static void
one_less(struct scan *scan)
{
	struct driver *d = scan->d;
	struct list *node;

	if (--scan->busy > 0)
		return;
	agenda_clear(loop_agenda(d->loop), &scan->heartbeat);
	list_remove(&scan->link);
	while ((node = list_pop(&scan->calls)) != NULL) {
		struct asker *k = LIST_ENTRY(node, struct asker, link);

		ipc_call_reply(k->call, result(scan));
		free(k);
	}
	json_decref(scan->failures);
	json_decref(scan->left_out);
	free(scan);
	/* The next one begins now, unless a loop up the stack is ending them all. */
	if (!list_empty(&d->scans) && !d->is_stopping)
		scan_begin(LIST_ENTRY(d->scans.next, struct scan, link));
}

/* ---- items ---- */

static struct item *
item_new(struct scan *scan, enum stage stage)
{
	struct item *i = call_alloc(sizeof *i);

	i->scan = scan;
	i->stage = stage;
	list_push_back(&scan->items, &i->link);
	scan->stages[stage].total++;
	scan->busy++;
	return i;
}

static void
item_end(struct item *i, const struct fault *why)
{
	struct scan *scan = i->scan;
	bool ok = why == NULL || !why->is_set;

	scan->stages[i->stage].done++;
	scan->stages[i->stage].failed += !ok;
	if (!ok && !why->is_silent)
		add_failure(scan, i->stage, i->what, why);
	progress(scan, i->stage, i->what, ok, why);
	list_remove(&i->link);
	free(i);
	one_less(scan);
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

	if (o != NULL)
		(void)json_array_append_new(scan->left_out, o); /* no memory: one row less */
	log_note("%s: LUN %02x%02x%02x%02x%02x%02x%02x%02x is left out: %s", where, w[0], w[1],
	    w[2], w[3], w[4], w[5], w[6], w[7], luns_why_text(out->why));
}

static void
probed(void *user, const struct luns_result *r)
{
	struct item *i = user;
	struct scan *scan = i->scan;

	scan->claimed += r->claimed;
	scan->unclaimed += r->unclaimed;
	for (size_t k = 0; k < r->n_failures; k++)
		add_failure(scan, STAGE_LUNS, r->failures[k].what, &r->failures[k].fault);
	for (size_t k = 0; r->probe != NULL && k < r->probe->n_out; k++)
		leave_out(scan, i->what, &r->probe->out[k]);
	item_end(i, &r->fault);
}

static void
visit_luns(struct scan *scan, struct wanted *w, const char *what)
{
	struct item *i = item_new(scan, STAGE_LUNS);

	cut_copy(i->what, sizeof i->what, what);
	luns_probe(w, probed, i);
}

/* ---- sessions ---- */

static void
opened(void *user, struct wanted *w, const struct fault *why)
{
	struct item *i = user;
	struct fault f = *why;

	if (w == NULL && !f.is_set)
		fault_set(&f, FAULT_OFFLINE, "scan again", "the session was closed");
	if (!f.is_set)
		visit_luns(i->scan, w, i->what);
	item_end(i, &f);
}

static void
open_session(struct scan *scan, struct wanted *w)
{
	struct item *i;

	if (w->scan == scan)
		return;
	w->scan = scan;
	i = item_new(scan, STAGE_SESSION);
	(void)snprintf(i->what, sizeof i->what, "%s at %s", w->target, w->about);
	wanted_open(w, false, opened, i);
}

static void
visit_session(struct scan *scan, const char *target, const struct registry_address *a)
{
	struct fault why = { 0 };
	struct wanted *w = wanted_get(scan->d, target, a, &why);
	char address[WANTED_ADDRESS_BYTES];
	struct item *i;

	if (w != NULL) {
		open_session(scan, w);
		return;
	}
	i = item_new(scan, STAGE_SESSION);
	wanted_address_text(a, address);
	(void)snprintf(i->what, sizeof i->what, "%s at %s", target, address);
	item_end(i, &why);
}

/* ---- discovery ---- */

static void
keep(struct scan *scan, const char *name, const struct registry_address *a,
    enum registry_source source)
{
	bool is_new = false;

	if (registry_target_seen(
		scan->d->reg, name, NULL, source, a, (int64_t)time(NULL), &is_new) != 0)
		log_err("target %s is not kept: %s", name, registry_error(scan->d->reg)->message);
	else if (is_new)
		log_note(
		    "found target %s at %s port %u, tag %u", name, a->address, a->port, a->tpgt);
}

static struct registry_address
address_of(const struct discovered *f)
{
	struct registry_address a = { .port = f->port, .tpgt = f->tpgt };

	cut_copy(a.address, sizeof a.address, f->host);
	return a;
}

static void
take_found(struct item *i, const struct discovery_result *r, enum registry_source source)
{
	struct scan *scan = i->scan;
	bool in_one = registry_begin(scan->d->reg) == 0;
	struct registry_address a;

	for (size_t k = 0; k < r->n; k++) {
		a = address_of(&r->found[k]);
		keep(scan, r->found[k].name, &a, source);
	}
	if (in_one && registry_commit(scan->d->reg) != 0)
		log_err(
		    "what discovery found is not kept: %s", registry_error(scan->d->reg)->message);
	for (size_t k = 0; k < r->n; k++) {
		a = address_of(&r->found[k]);
		visit_session(scan, r->found[k].name, &a);
	}
	if (r->fault.is_set && !r->fault.is_silent)
		log_warn("discovery at %s: %s", i->what, r->fault.message);
	item_end(i, &r->fault);
}

static void
discovered(void *user, const struct discovery_result *r)
{
	struct item *i = user;
	struct portal *p = portal_get(i->scan->d, &i->a);

	p->is_scanned = true;
	p->when = time(NULL);
	p->targets = r->n_targets;
	p->fault = r->fault;
	take_found(i, r, REGISTRY_SENDTARGETS);
}

static void
slp_discovered(void *user, const struct discovery_result *r)
{
	struct item *i = user;

	i->slp = NULL;
	take_found(i, r, REGISTRY_SLP);
}

static void
visit_slp(struct scan *scan)
{
	struct item *i;

	if (!slp_is_there(scan->d))
		return;
	i = item_new(scan, STAGE_DISCOVERY);
	cut_copy(i->what, sizeof i->what, "SLP");
	i->slp = slp_start(scan->d, slp_discovered, i);
}

static void
visit_portals(struct scan *scan)
{
	struct registry_address *list = NULL;
	struct fault why = { 0 };
	size_t n = 0;

	if (registry_discovery_list(scan->d->reg, &list, &n) != 0) {
		settings_fault(scan->d->reg, &why);
		add_failure(scan, STAGE_DISCOVERY, "the registry", &why);
	}
	for (size_t k = 0; k < n; k++) {
		struct item *i = item_new(scan, STAGE_DISCOVERY);

		i->a = list[k];
		wanted_address_text(&i->a, i->what);
		find_start(scan->d, &i->a, discovered, i);
	}
	free(list);
}

static void
visit_targets(struct scan *scan)
{
	struct registry_target *list = NULL;
	struct fault why = { 0 };
	size_t n = 0;

	if (registry_target_list(scan->d->reg, NULL, &list, &n) != 0) {
		settings_fault(scan->d->reg, &why);
		add_failure(scan, STAGE_SESSION, "the registry", &why);
	}
	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j < list[k].n_addresses; j++)
			visit_session(scan, list[k].name, &list[k].addresses[j].a);
	registry_targets_free(list, n);
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
		visit_session(scan, list[k].target, &list[k].a);
	else if (!why.is_set)
		fault_set(&why, FAULT_NOTFOUND, "list them: ioscan -kf",
		    "there is no session of this hardware path");
	if (why.is_set)
		add_failure(scan, STAGE_SESSION, text, &why);
	free(list);
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
	if (scan->top.n >= HWPATH_AT_SESSION) {
		visit_path(scan);
	} else {
		visit_portals(scan);
		visit_slp(scan);
		visit_targets(scan);
	}
	one_less(scan);
}

/* One that waits and will look at all that is asked for. */
static struct scan *
find_waiting(struct driver *d, const struct hwpath *top)
{
	LIST_EACH(node, tmp, &d->scans)
	{
		struct scan *scan = LIST_ENTRY(node, struct scan, link);

		if (scan->busy == 0 && hwpath_is_below(top, &scan->top))
			return scan;
	}
	return NULL;
}

void
scan_start(struct driver *d, struct ipc_call *call, const struct hwpath *top)
{
	struct asker *k = call_alloc(sizeof *k);
	struct scan *scan = find_waiting(d, top);

	k->call = call;
	if (scan != NULL) {
		list_push_back(&scan->calls, &k->link);
		return;
	}
	scan = call_alloc(sizeof *scan);
	scan->d = d;
	scan->top = *top;
	list_init(&scan->calls);
	list_init(&scan->items);
	list_push_back(&scan->calls, &k->link);
	scan->failures = json_array();
	scan->left_out = json_array();
	scan->heartbeat.expired = heartbeat;
	agenda_set(
	    loop_agenda(d->loop), &scan->heartbeat, loop_now_update(d->loop) + SCAN_HEARTBEAT_US);
	list_push_back(&d->scans, &scan->link);
	if (d->scans.next == &scan->link)
		scan_begin(scan);
}

void
scan_stop(struct driver *d)
{
	struct fault why = { 0 };
	struct scan *scan;

	/* Sessions, probes and discoveries end by themselves when they are closed. */
	find_stop(d);
	fault_set(&why, FAULT_OFFLINE, "", "the driver is being stopped");
	LIST_EACH(node, tmp, &d->scans)
	{
		scan = LIST_ENTRY(node, struct scan, link);
		scan->busy++;
		LIST_EACH(at, next, &scan->items)
		{
			struct item *i = LIST_ENTRY(at, struct item, link);

			if (i->slp == NULL)
				continue;
			slp_cancel(i->slp);
			item_end(i, &why);
		}
		one_less(scan);
	}
}
