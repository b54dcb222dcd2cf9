#include "driver/iscsi/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/call.h"
#include "base/cut.h"
#include "driver/iscsi/discovery.h"
#include "driver/iscsi/session.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/slp.h"
#include "driver/iscsial/luns.h"
#include "sys/log.h"

/* A client hears at least so often that the scan lives. */
#define SCAN_HEARTBEAT_US (IPC_PROGRESS_MS / 4 * 1000)

enum stage { STAGE_DISCOVERY, STAGE_SESSION, STAGE_LUNS, STAGES };
static const char *const stage_names[STAGES] = { "discovery", "session", "luns" };

struct scan {
	struct driver *d;
	struct list calls; /* struct asker */
	struct list items; /* what is waited for */
	struct {
		unsigned total, done, failed;
	} stages[STAGES];
	size_t claimed, unclaimed;
	json_t *failures;
	uint64_t began_us;
	struct agenda_timer heartbeat;
	unsigned busy; /* items, and one while the scan is being started */
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
	struct registry_address a;   /* STAGE_DISCOVERY */
	struct discovery *discovery; /* the same, unless it is SLP's */
	struct slp *slp;             /* the same */
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

	return json_pack("{s:{s:i, s:i}, s:{s:i, s:i}, s:{s:I, s:I}, s:I, s:O}", "discovery", "ok",
	    (int)(scan->stages[STAGE_DISCOVERY].done - scan->stages[STAGE_DISCOVERY].failed),
	    "failed", (int)scan->stages[STAGE_DISCOVERY].failed, "sessions", "online",
	    (int)(scan->stages[STAGE_SESSION].done - scan->stages[STAGE_SESSION].failed), "failed",
	    (int)scan->stages[STAGE_SESSION].failed, "luns", "claimed", (json_int_t)scan->claimed,
	    "unclaimed", (json_int_t)scan->unclaimed, "duration_ms", (json_int_t)(us / 1000),
	    "failures", scan->failures);
}

static void
one_less(struct scan *scan)
{
	struct list *node;

	if (--scan->busy > 0)
		return;
	agenda_clear(loop_agenda(scan->d->loop), &scan->heartbeat);
	scan->d->scan = NULL;
	while ((node = list_pop(&scan->calls)) != NULL) {
		struct asker *k = LIST_ENTRY(node, struct asker, link);

		ipc_call_reply(k->call, result(scan));
		free(k);
	}
	json_decref(scan->failures);
	free(scan);
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

static void
probed(void *user, const struct luns_result *r)
{
	struct item *i = user;
	struct scan *scan = i->scan;

	scan->claimed += r->claimed;
	scan->unclaimed += r->unclaimed;
	for (size_t k = 0; k < r->n_failures; k++)
		add_failure(scan, STAGE_LUNS, r->failures[k].what, &r->failures[k].fault);
	item_end(i, &r->fault);
}

static void
visit_luns(struct scan *scan, struct session *s, const char *what)
{
	struct item *i = item_new(scan, STAGE_LUNS);

	cut_copy(i->what, sizeof i->what, what);
	luns_probe(s, probed, i);
}

/* ---- sessions ---- */

static void
opened(void *user, struct session *s)
{
	struct item *i = user;
	struct fault why = { 0 };

	if (s->state == SSTATE_ONLINE) {
		visit_luns(i->scan, s, i->what);
	} else {
		why = s->last;
		if (!why.is_set)
			fault_set(&why, FAULT_OFFLINE, "scan again", "the session is not online");
	}
	item_end(i, &why);
}

static void
visit_session(struct scan *scan, const char *target, const struct registry_address *a)
{
	struct fault why = { 0 };
	struct session *s = session_get(scan->d, target, a, &why);
	char address[LIMIT_ADDRESS_BYTES + 16];
	struct item *i;

	if (s != NULL && s->scan == scan)
		return;
	i = item_new(scan, STAGE_SESSION);
	session_address_text(a, address);
	(void)snprintf(i->what, sizeof i->what, "%s at %s", target, address);
	if (s == NULL) {
		item_end(i, &why);
		return;
	}
	s->scan = scan;
	switch (session_open(s, opened, i)) {
	case SESSION_WILL_TELL:
		break;
	case SESSION_IS_ONLINE:
	case SESSION_CLOSING:
		opened(i, s);
		break;
	}
}

/* ---- discovery ---- */

static void
keep(struct scan *scan, const struct discovered *f, enum registry_source source)
{
	bool is_new = false;

	if (registry_target_seen(
		scan->d->reg, f->name, NULL, source, &f->a, (int64_t)time(NULL), &is_new) != 0)
		log_err(
		    "target %s is not kept: %s", f->name, registry_error(scan->d->reg)->message);
	else if (is_new)
		log_note("found target %s at %s port %u, tag %u", f->name, f->a.address, f->a.port,
		    f->a.tpgt);
}

static void
take_found(struct item *i, const struct discovery_result *r, enum registry_source source)
{
	struct scan *scan = i->scan;
	bool in_one = registry_begin(scan->d->reg) == 0;

	for (size_t k = 0; k < r->n; k++)
		keep(scan, &r->found[k], source);
	if (in_one && registry_commit(scan->d->reg) != 0)
		log_err(
		    "what discovery found is not kept: %s", registry_error(scan->d->reg)->message);
	for (size_t k = 0; k < r->n; k++)
		visit_session(scan, r->found[k].name, &r->found[k].a);
	if (r->fault.is_set && !r->fault.is_silent)
		log_warn("discovery at %s: %s", i->what, r->fault.message);
	item_end(i, &r->fault);
}

static void
discovered(void *user, const struct discovery_result *r)
{
	struct item *i = user;
	struct portal *p = discovery_portal(i->scan->d, &i->a);

	i->discovery = NULL;
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
		session_address_text(&i->a, i->what);
		i->discovery = discovery_start(scan->d, &i->a, discovered, i);
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

void
scan_start(struct driver *d, struct ipc_call *call)
{
	struct asker *k = call_alloc(sizeof *k);
	struct scan *scan = d->scan;

	k->call = call;
	if (scan != NULL) {
		list_push_back(&scan->calls, &k->link);
		return;
	}
	stat_add(&d->stats, STAT_TRANSPORT_GLOBAL_ioscans);
	d->scan = scan = call_alloc(sizeof *scan);
	scan->d = d;
	list_init(&scan->calls);
	list_init(&scan->items);
	list_push_back(&scan->calls, &k->link);
	scan->failures = json_array();
	scan->began_us = loop_now_update(d->loop);
	scan->heartbeat.expired = heartbeat;
	agenda_set(loop_agenda(d->loop), &scan->heartbeat, scan->began_us + SCAN_HEARTBEAT_US);
	scan->busy = 1;
	LIST_EACH(node, tmp, &d->sessions)
	LIST_ENTRY(node, struct session, link)->scan = NULL;
	visit_portals(scan);
	visit_slp(scan);
	visit_targets(scan);
	one_less(scan);
}

void
scan_stop(struct driver *d)
{
	struct scan *scan = d->scan;
	struct fault why = { 0 };

	if (scan == NULL)
		return;
	fault_set(&why, FAULT_OFFLINE, "", "the driver is being stopped");
	/* Sessions and probes end by themselves when their sessions are closed. */
	scan->busy++;
	LIST_EACH(node, tmp, &scan->items)
	{
		struct item *i = LIST_ENTRY(node, struct item, link);

		if (i->stage != STAGE_DISCOVERY)
			continue;
		discovery_cancel(i->discovery);
		slp_cancel(i->slp);
		item_end(i, &why);
	}
	one_less(scan);
}
