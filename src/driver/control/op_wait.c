/*
 * device.wait: answers when a device is there and can be used, or when the time is
 * over.  It looks when something changed in the I/O tree, and does nothing itself.
 */
#include <stdio.h>
#include <string.h>

#include "base/cut.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/devlink.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/tree.h"

#define SECONDS_DEFAULT 60
#define SECONDS_MAX     86400
/* Many changes in a moment are looked at together. */
#define LOOK_US 20000
/* A client hears at least so often what is waited for. */
#define HEARTBEAT_US (IPC_PROGRESS_MS / 4 * 1000)

struct waiter {
	struct later later; /* first: freed as one */
	struct list link;   /* driver.waiters */
	struct tree_watch watch;
	struct agenda_timer look, heartbeat;
	bool is_looking; /* `look` is armed */
	uint64_t began_us, until_us;
	const char *name, *target; /* of the call; NULL: another of the three */
	struct hwpath top;
	char what[LIMIT_ISCSI_NAME_BYTES + 16]; /* as it was asked for */
};

/* ---- what is there ---- */

/* It takes I/O now, by the files that it should have. */
static bool
is_usable(const struct driver *d, const struct node *n)
{
	const struct wanted *w = wanted_find(d, n->path.part[2]);

	if (n->kind != TREE_LUN || n->state != TREE_CLAIMED || n->is_absent || n->is_replaced ||
	    w == NULL || !wanted_is_online(w))
		return false;
	if (n->info != NULL && n->info->is_disk && !n->is_shown)
		return false;
	return !n->is_installed || (n->attaching == NULL && devlink_are_there(d, n));
}

/* On its way: a scan has found it, and its files are being made. */
static bool
is_coming(const struct node *n)
{
	return n->kind == TREE_LUN && (n->is_showing || n->attaching != NULL);
}

/* Units in a range of the tree that can be used; 0 while others are on their way. */
static size_t
count_range(const struct driver *d, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		if (is_coming(d->tree->nodes[i]))
			return 0;
		n += is_usable(d, d->tree->nodes[i]);
	}
	return n;
}

static size_t
count_path(const struct waiter *w)
{
	const struct tree *t = w->later.d->tree;
	size_t from = tree_lower(t, &w->top), to = from;

	while (to < t->n && hwpath_is_below(&t->nodes[to]->path, &w->top))
		to++;
	return count_range(w->later.d, from, to);
}

static size_t
count_target(const struct waiter *w)
{
	struct driver *d = w->later.d;
	size_t n = 0;

	for (const struct wanted *s = wanted_of_target(d, w->target, NULL); s != NULL;
	     s = wanted_of_target(d, w->target, s)) {
		size_t from, to = luns_range(d, s->instance, &from);

		n += count_range(d, from, to);
	}
	return n;
}

static size_t
count(const struct waiter *w)
{
	const struct node *n;

	if (w->name == NULL)
		return w->target != NULL ? count_target(w) : count_path(w);
	n = tree_find_name(w->later.d->tree, w->name);
	return n != NULL && n->is_installed && is_usable(w->later.d, n) ? 1 : 0;
}

/* ---- why it is not ---- */

static void
why_session(const struct wanted *s, char *ret_text, size_t bytes)
{
	(void)snprintf(ret_text, bytes, "session %u is %s%s%s", s->instance, wanted_word(s),
	    s->view.last.is_set ? ": " : "",
	    s->view.last.is_set ? s->view.last.message : ""); /* a long one is cut */
}

static void
why_node(const struct driver *d, const struct node *n, char *ret_text, size_t bytes)
{
	const struct wanted *s = wanted_find(d, n->path.part[2]);
	char why[TREE_WHY_BYTES];

	tree_why_no_device(n, why);
	if (s == NULL || !wanted_is_online(s)) {
		if (s == NULL)
			cut_copy(ret_text, bytes, "its session was not opened: ioscan does that");
		else
			why_session(s, ret_text, bytes);
	} else if (why[0] != '\0') {
		cut_copy(ret_text, bytes, why);
	} else {
		cut_copy(ret_text, bytes,
		    n->is_installed ? "its device files are not there yet" : "it is not there now");
	}
}

static void
why_target(const struct waiter *w, char *ret_text, size_t bytes)
{
	const struct wanted *s = wanted_of_target(w->later.d, w->target, NULL);

	if (s == NULL)
		cut_copy(ret_text, bytes, "it has no session: ioscan opens them");
	else if (wanted_is_online(s))
		cut_copy(ret_text, bytes, "it is online, and has no unit that can be used");
	else
		why_session(s, ret_text, bytes);
}

static void
why_path(const struct waiter *w, char *ret_text, size_t bytes)
{
	const struct tree *t = w->later.d->tree;
	size_t i = tree_lower(t, &w->top);

	cut_copy(ret_text, bytes, "nothing is at this hardware path");
	for (; i < t->n && hwpath_is_below(&t->nodes[i]->path, &w->top); i++) {
		cut_copy(ret_text, bytes, "no unit is there");
		if (t->nodes[i]->kind != TREE_LUN)
			continue;
		why_node(w->later.d, t->nodes[i], ret_text, bytes);
		return;
	}
}

static void
why_not(const struct waiter *w, char *ret_text, size_t bytes)
{
	const struct node *n;

	if (w->name == NULL) {
		w->target != NULL ? why_target(w, ret_text, bytes) : why_path(w, ret_text, bytes);
		return;
	}
	n = tree_find_name(w->later.d->tree, w->name);
	if (n == NULL)
		cut_copy(ret_text, bytes, "no device has this name");
	else if (!n->is_installed)
		cut_copy(ret_text, bytes, "it has no device files: insf makes them");
	else
		why_node(w->later.d, n, ret_text, bytes);
}

/* ---- waiting ---- */

/* What is waited for: in progress, and in the answer. */
static json_t *
show(const struct waiter *w, size_t units)
{
	uint64_t now = loop_now_update(w->later.d->loop);
	char why[FAULT_MESSAGE_BYTES + 64];

	if (units == 0)
		why_not(w, why, sizeof why);
	return json_pack("{s:s, s:b, s:I, s:I, s:s?}", "what", w->what, "is_there", units > 0,
	    "units", (json_int_t)units, "waited_ms", (json_int_t)((now - w->began_us) / 1000),
	    "why", units == 0 ? why : NULL);
}

static void
end(struct waiter *w, json_t *result)
{
	struct agenda *agenda = loop_agenda(w->later.d->loop);

	agenda_clear(agenda, &w->look);
	agenda_clear(agenda, &w->heartbeat);
	list_remove(&w->watch.link);
	list_remove(&w->link);
	ipc_call_reply(w->later.call, result);
	later_free(&w->later);
}

/* False: it goes on. */
static bool
look(struct waiter *w)
{
	size_t units = count(w);

	if (!ipc_call_is_wanted(w->later.call))
		end(w, NULL);
	else if (units > 0 || loop_now_update(w->later.d->loop) >= w->until_us)
		end(w, show(w, units));
	else
		return false;
	return true;
}

static void
look_now(struct agenda_timer *t)
{
	struct waiter *w = LIST_ENTRY(t, struct waiter, look);

	w->is_looking = false;
	(void)look(w); /* it goes on, or is over */
}

static void
changed(struct tree_watch *watch)
{
	struct waiter *w = LIST_ENTRY(watch, struct waiter, watch);
	struct loop *loop = w->later.d->loop;

	if (w->is_looking)
		return;
	w->is_looking = true;
	agenda_set(loop_agenda(loop), &w->look, loop_now_update(loop) + LOOK_US);
}

static void
set_heartbeat(struct waiter *w)
{
	struct loop *loop = w->later.d->loop;
	uint64_t next = loop_now_update(loop) + HEARTBEAT_US;

	agenda_set(loop_agenda(loop), &w->heartbeat, next < w->until_us ? next : w->until_us);
}

/* A sign of life, or the end: whether it is there is looked at when something changed. */
static void
heartbeat(struct agenda_timer *t)
{
	struct waiter *w = LIST_ENTRY(t, struct waiter, heartbeat);
	bool is_over = loop_now_update(w->later.d->loop) >= w->until_us;

	if ((is_over || !ipc_call_is_wanted(w->later.call)) && look(w))
		return;
	ipc_call_progress(w->later.call, show(w, 0));
	set_heartbeat(w);
}

void
control_end_waiters(struct driver *d)
{
	while (!list_empty(&d->waiters)) {
		struct waiter *w = LIST_ENTRY(d->waiters.next, struct waiter, link);

		end(w, show(w, count(w)));
	}
}

/* ---- what is asked for ---- */

static bool
take(struct waiter *w, struct fault *ret_fault)
{
	struct ipc_call *call = w->later.call;
	const char *path = ipc_call_arg_string(call, "hw_path", NULL);
	int64_t seconds = ipc_call_arg_int(call, "seconds", SECONDS_DEFAULT);

	w->name = ipc_call_arg_string(call, "name", NULL);
	w->target = ipc_call_arg_string(call, "target", NULL);
	if ((w->name != NULL) + (w->target != NULL) + (path != NULL) != 1)
		fault_set(ret_fault, FAULT_INVALID, "give a name, a hardware path or a target",
		    "it was not said what to wait for");
	else if (path != NULL && !hwpath_parse(path, &w->top))
		fault_set(ret_fault, FAULT_INVALID,
		    "give a path such as 255/0/1.0.0.2, or its beginning",
		    "\"%s\" is not a hardware path of iSCSI", path);
	else if (seconds < 0 || seconds > SECONDS_MAX)
		fault_set(ret_fault, FAULT_INVALID, "give a number in this range",
		    "seconds %lld is not from 0 to %d", (long long)seconds, SECONDS_MAX);
	if (ret_fault->is_set)
		return false;
	cut_copy(w->what, sizeof w->what,
	    path != NULL      ? path
	    : w->name != NULL ? w->name
			      : w->target);
	w->began_us = loop_now_update(w->later.d->loop);
	w->until_us = w->began_us + (uint64_t)seconds * 1000000;
	return true;
}

void
op_device_wait(struct driver *d, struct ipc_call *call)
{
	struct waiter *w = call_alloc(sizeof *w);
	struct fault f = { 0 };

	w->later = (struct later){ d, call };
	if (!take(w, &f)) {
		control_fail(call, &f, NULL);
		later_free(&w->later);
		return;
	}
	w->watch.changed = changed;
	w->look.expired = look_now;
	w->heartbeat.expired = heartbeat;
	list_push_back(&d->tree->watches, &w->watch.link);
	list_push_back(&d->waiters, &w->link);
	if (!look(w))
		set_heartbeat(w);
}
