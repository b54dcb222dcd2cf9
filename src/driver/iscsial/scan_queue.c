/*
 * What a scan has to visit, a few milliseconds a turn of the loop, and so many
 * sessions at once: a portal may name thousands of targets, and others want
 * answers meanwhile.  What discovery found is written down first, then visited.
 * Each turn is one transaction of the registry.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/portal.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/scan_impl.h"
#include "sys/log.h"

/* A turn's work. */
#define TURN_US 5000
/* Sessions that are opened at once for one scan: each that does not come about costs 100 KiB until
 * then. */
#define OPENING_MAX 256
/* Targets that are read from the registry at once. */
#define TARGETS_AT_ONCE 16

/* What one discovery found. */
struct batch {
	struct list link;
	struct scan_item *item;   /* the discovery; NULL: it has ended, all is written down */
	unsigned order;           /* its, among those of the scan */
	struct discovered *found; /* n of them, owned */
	size_t n, kept, visited;
	size_t n_new;   /* of them nobody knew */
	size_t refused; /* beyond the share; the first one's sentence is in fault */
	uint32_t share; /* SendTargets: how many addresses may come from there */
	enum registry_source source;
	struct fault fault;
};

static struct registry_address
address_of(const struct driver *d, const struct discovered *f)
{
	struct registry_address a = { .port = f->port, .tpgt = f->tpgt };

	cut_copy(a.address, sizeof a.address, f->host);
	if (f->is_tag_open)
		wanted_choose_tag(d, f->name, &a);
	return a;
}

static void
defer(struct scan *scan)
{
	agenda_defer(loop_agenda(scan->d->loop), &scan->go_on);
}

/* ---- what discovery found ---- */

/* 0, or why it is not kept: -EDQUOT, the share is used up. */
static int
see(const struct driver *d, const struct batch *b, const struct discovered *f, bool *ret_new)
{
	const struct registry_address a = address_of(d, f);
	int64_t now = (int64_t)time(NULL);

	if (b->source == REGISTRY_SENDTARGETS || b->source == REGISTRY_ISNS)
		return registry_target_found(
		    d->reg, f->name, b->source, &a, &b->item->a, b->share, now, ret_new);
	return registry_target_seen(d->reg, f->name, NULL, b->source, &a, now, ret_new);
}

/* The row's place is overwritten where it must not be visited. */
static void
keep(struct scan *scan, struct batch *b)
{
	struct portal *p = portal_get(scan->d, &b->item->a);
	struct discovered *f = &b->found[b->kept++];
	bool is_new = false;
	int err = see(scan->d, b, f, &is_new);

	b->n_new += err == 0 && is_new;
	b->refused += err == -EDQUOT;
	if (err == -EDQUOT && !b->fault.is_set) {
		settings_fault(scan->d->reg, &b->fault);
		log_warn("%s %s", b->fault.message, b->fault.next);
	} else if (err != 0 && err != -EDQUOT) {
		log_limited(&p->said, loop_now(scan->d->loop), LOG_LVL_ERR,
		    "target %s is not kept: %s", f->name, registry_error(scan->d->reg)->message);
	} else if (err == 0 && is_new) {
		log_limited(&p->said, loop_now(scan->d->loop), LOG_LVL_NOTE,
		    "found target %s at %s port %u, tag %u", f->name, f->host, f->port, f->tpgt);
	}
	if (err == -EDQUOT || (scan->is_beside && !is_new))
		f->name[0] = '\0';
}

static void
batch_free(struct batch *b)
{
	list_remove(&b->link);
	free(b->found);
	free(b);
}

/* One step of a batch. */
static void
step_batch(struct scan *scan, struct batch *b)
{
	const struct discovered *f;
	struct registry_address a;

	if (b->kept < b->n) {
		keep(scan, b);
		return;
	}
	if (b->item != NULL) {
		scan_item_end(b->item, &b->fault);
		b->item = NULL;
		if (scan->kept != NULL)
			scan->kept(scan->d);
		return;
	}
	if (b->visited < b->n) {
		f = &b->found[b->visited++];
		a = address_of(scan->d, f);
		if (f->name[0] == '\0')
			return;
		if (f->is_tag_open)
			wanted_open_tag(scan->d, f->name, &a);
		scan_queue_session(scan, f->name, &a);
		return;
	}
	batch_free(b);
	scan_one_less(scan); /* there is the one of whoever calls us */
}

/* By name and address: two hosts that are set up alike number sessions alike. */
static int
compare(const void *a, const void *b)
{
	const struct discovered *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	c = c != 0 ? c : strcmp(x->host, y->host);
	c = c != 0 ? c : x->port - y->port;
	return c != 0 ? c : x->tpgt - y->tpgt;
}

void
scan_queue_found(struct scan_item *i, struct discovery_result *r, enum registry_source source)
{
	struct batch *b = call_alloc(sizeof *b);

	struct list *behind = &i->scan->batches;

	*b = (struct batch){ .item = i,
		.order = i->order,
		.found = r->found,
		.n = r->n,
		.source = source,
		.fault = r->fault };
	r->found = NULL;
	if (b->n > 1)
		qsort(b->found, b->n, sizeof *b->found, compare);
	b->share = settings_share(i->scan->d->reg, &i->a);
	i->scan->busy++;
	LIST_EACH(node, tmp, &i->scan->batches)
	if (LIST_ENTRY(node, struct batch, link)->order > b->order && behind == &i->scan->batches)
		behind = node;
	list_push_back(behind, &b->link); /* before that one, or at the end */
	defer(i->scan);
}

/* ---- what the registry knows ---- */

static void
step_known(struct scan *scan)
{
	struct registry_target *list = NULL;
	struct fault why = { 0 };
	size_t n = 0;

	if (registry_target_page(scan->d->reg, &scan->targets_after, TARGETS_AT_ONCE, &list, &n) !=
	    0) {
		settings_fault(scan->d->reg, &why);
		scan_failed(scan, SCAN_SESSION, "the registry", &why);
	}
	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j < list[k].n_addresses; j++)
			scan_queue_session(scan, list[k].name, &list[k].addresses[j].a);
	registry_targets_free(list, n);
	if (n == TARGETS_AT_ONCE)
		return;
	scan->has_targets = false;
	scan_one_less(scan); /* as above */
}

void
scan_queue_known(struct scan *scan)
{
	scan->has_targets = true;
	scan->targets_after = 0;
	scan->busy++;
	defer(scan);
}

/* ---- sessions ---- */

void
scan_queue_session(struct scan *scan, const char *target, const struct registry_address *a)
{
	struct scan_item *i;

	i = scan_item_new(scan, SCAN_SESSION);
	i->a = *a;
	cut_copy(i->target, sizeof i->target, target);
	list_remove(&i->link);
	list_push_back(&scan->waiting, &i->link);
	scan->n_waiting++;
	defer(scan);
}

static struct scan_item *
pop_waiting(struct scan *scan)
{
	struct scan_item *i = LIST_ENTRY(list_pop(&scan->waiting), struct scan_item, link);

	scan->n_waiting--;
	list_push_back(&scan->items, &i->link);
	return i;
}

/* It was visited by this scan already: then it was never there. */
static void
take_back(struct scan_item *i)
{
	struct scan *scan = i->scan;

	scan->stages[i->stage].total--;
	list_remove(&i->link);
	free(i);
	scan_one_less(scan); /* as above */
}

static void
step_session(struct scan *scan)
{
	struct scan_item *i = pop_waiting(scan);
	struct fault why = { 0 };
	struct wanted *w = wanted_get(scan->d, i->target, &i->a, &why);
	char address[WANTED_ADDRESS_BYTES];

	if (w == NULL) {
		wanted_address_text(&i->a, address);
		(void)snprintf(i->what, sizeof i->what, "%s at %s", i->target, address); /* fits */
		scan_item_end(i, &why);
	} else if (w->scan == scan) {
		take_back(i);
	} else {
		if (!scan->is_beside)
			w->scan = scan;
		w->keep |= scan->is_kept;
		scan->opening++;
		scan_open(i, w);
	}
}

void
scan_queue_opened(struct scan *scan)
{
	scan->opening--;
	if (scan->n_waiting > 0 || !list_empty(&scan->batches) || scan->has_targets)
		defer(scan);
}

/* ---- turns ---- */

/* What is new is numbered in the order of the addresses, whoever answers first. */
static bool
is_its_turn(const struct scan *scan, const struct batch *b)
{
	if (b->n_new == 0 || scan->is_impatient ||
	    scan->stages[SCAN_DISCOVERY].done == scan->stages[SCAN_DISCOVERY].total)
		return true;
	LIST_EACH(node, tmp, &scan->items)
	{
		const struct scan_item *i = LIST_ENTRY(node, struct scan_item, link);

		if (i->stage == SCAN_DISCOVERY && i->order < b->order)
			return false;
	}
	return true;
}

/* The first batch that is to be written down; or that may be visited.  NULL: there is none. */
static struct batch *
find_batch(const struct scan *scan, bool is_kept)
{
	LIST_EACH(node, tmp, &scan->batches)
	{
		struct batch *b = LIST_ENTRY(node, struct batch, link);

		if (is_kept ? b->item == NULL && is_its_turn(scan, b) : b->item != NULL)
			return b;
	}
	return NULL;
}

void
scan_queue_hurry(struct scan *scan)
{
	scan->is_impatient = true;
	defer(scan);
}

/* False: nothing can be done now. */
static bool
step(struct scan *scan)
{
	struct batch *b = find_batch(scan, false);

	if (b != NULL)
		step_batch(scan, b);
	else if (scan->n_waiting > 0 && scan->opening < OPENING_MAX)
		step_session(scan);
	else if (scan->n_waiting >= OPENING_MAX)
		return false;
	else if ((b = find_batch(scan, true)) != NULL)
		step_batch(scan, b);
	else if (scan->has_targets)
		step_known(scan);
	else
		return false;
	return true;
}

static void
go_on(struct agenda_work *w)
{
	struct scan *scan = LIST_ENTRY(w, struct scan, go_on);
	struct driver *d = scan->d;
	uint64_t until = loop_now_update(d->loop) + TURN_US;
	bool in_one, is_more;

	scan->busy++; /* it must not end under us */
	in_one = registry_begin(d->reg) == 0;
	do
		is_more = step(scan);
	while (is_more && loop_now_update(d->loop) < until);
	if (in_one && registry_commit(d->reg) != 0)
		log_err("what the scan found is not kept: %s", registry_error(d->reg)->message);
	if (is_more)
		defer(scan);
	scan_one_less(scan);
}

void
scan_queue_init(struct scan *scan)
{
	list_init(&scan->batches);
	list_init(&scan->waiting);
	agenda_work_init(&scan->go_on, go_on);
}

void
scan_queue_drop(struct scan *scan, const struct fault *why)
{
	agenda_cancel(&scan->go_on);
	while (scan->n_waiting > 0)
		take_back(pop_waiting(scan));
	while (!list_empty(&scan->batches)) {
		struct batch *b = LIST_ENTRY(scan->batches.next, struct batch, link);

		if (b->item != NULL)
			scan_item_end(b->item, why);
		batch_free(b);
		scan_one_less(scan);
	}
	if (!scan->has_targets)
		return;
	scan->has_targets = false;
	scan_one_less(scan);
}
