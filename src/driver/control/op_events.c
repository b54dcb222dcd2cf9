/* events.get and events.explain: the event log as it is, as it grows, and what it means. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cut.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/diag/event_log.h"
#include "driver/diag/event_read.h"
#include "sys/jsonmem.h"

#define EVENTS_DEFAULT 1000
/* So many are no more than a client's queue may hold (LIMIT_IPC_QUEUE_BYTES). */
#define EVENTS_MAX 4000
/* A client hears at least so often that the log is followed. */
#define EVENTS_HEARTBEAT_US (IPC_PROGRESS_MS / 4 * 1000)

/* Somebody who gets what was written, and perhaps what happens next. */
struct follower {
	struct later later; /* first: freed as one */
	struct list link;   /* driver.followers */
	struct event_reader reader;
	struct event_watch watch;
	struct agenda_timer heartbeat;
	bool is_following; /* else it has its answer when all is read */
};

static void
tell(struct ipc_call *call, const char *text, size_t len)
{
	json_t *event = jsonmem_load(text, len, 0, NULL);

	/* A line that is no JSON was not ours, or the disk's fault. */
	if (event != NULL)
		ipc_call_progress(call, json_pack("{s:o}", "event", event));
}

/* Its call has its answer, or gets an empty one. */
static void
follower_free(struct follower *f)
{
	struct driver *d = f->later.d;

	agenda_clear(loop_agenda(d->loop), &f->heartbeat);
	event_log_cancel(&f->reader);
	event_log_unwatch(d->events, &f->watch);
	list_remove(&f->link);
	later_free(&f->later);
}

static void
follower_end(struct follower *f)
{
	ipc_call_reply(f->later.call, NULL);
	follower_free(f);
}

static void
heartbeat(struct agenda_timer *t)
{
	struct follower *f = LIST_ENTRY(t, struct follower, heartbeat);
	struct loop *loop = f->later.d->loop;

	if (!ipc_call_is_wanted(f->later.call)) {
		follower_end(f);
		return;
	}
	if (f->is_following)
		ipc_call_progress(f->later.call, json_pack("{s:n}", "event"));
	agenda_set(loop_agenda(loop), t, loop_now(loop) + EVENTS_HEARTBEAT_US);
}

static void
happened(struct event_watch *w, const char *text, size_t len)
{
	struct follower *f = LIST_ENTRY(w, struct follower, watch);

	if (event_filter_passes(&f->reader.filter, text, len))
		tell(f->later.call, text, len);
}

static void
was_written(struct event_reader *r, const char *text, size_t len)
{
	tell(LIST_ENTRY(r, struct follower, reader)->later.call, text, len);
}

static void
not_read(struct driver *d, struct ipc_call *call, int err)
{
	struct fault f = { 0 };

	if (err == -EAGAIN)
		fault_set(&f, FAULT_BUSY, "look at the disk that the file is on",
		    "the event log %s takes no more: its disk does not answer", d->paths.events);
	else
		fault_set(&f, FAULT_INTERNAL, "look at the file's permissions",
		    "the event log %s cannot be read: %s", d->paths.events, strerror(-err));
	control_fail(call, &f, NULL);
}

static void
all_read(struct event_reader *r, int err)
{
	struct follower *f = LIST_ENTRY(r, struct follower, reader);

	if (err != 0) {
		not_read(f->later.d, f->later.call, err);
		follower_free(f);
	} else if (f->is_following) {
		event_log_watch(f->later.d->events, &f->watch);
	} else {
		follower_end(f);
	}
}

static void
read_and_follow(struct driver *d, struct ipc_call *call, size_t last, bool is_following,
    const struct event_filter *filter)
{
	struct follower *f = call_alloc(sizeof *f);
	int err;

	f->later.d = d;
	f->later.call = call;
	f->is_following = is_following;
	f->reader = (struct event_reader){
		.n = last, .filter = *filter, .line = was_written, .done = all_read
	};
	f->watch.line = happened;
	list_init(&f->watch.link);
	f->heartbeat.expired = heartbeat;
	list_push_back(&d->followers, &f->link);
	agenda_set(
	    loop_agenda(d->loop), &f->heartbeat, loop_now_update(d->loop) + EVENTS_HEARTBEAT_US);
	err = event_log_read(d->events, &f->reader);
	if (err == 0)
		return;
	not_read(d, call, err);
	follower_free(f);
}

void
control_end_followers(struct driver *d)
{
	while (!list_empty(&d->followers))
		follower_end(LIST_ENTRY(d->followers.next, struct follower, link));
}

/* False with *ret_fault. */
static bool
get_filter(struct ipc_call *call, struct event_filter *ret, struct fault *ret_fault)
{
	const char *since = ipc_call_arg_string(call, "since", "");
	const char *target = ipc_call_arg_string(call, "target", "");
	const char *unit = ipc_call_arg_string(call, "unit", "");
	int64_t level = ipc_call_arg_int(call, "level", LOG_LVL_DEBUG);

	*ret = (struct event_filter){ .level = (int)level, .session = -1 };
	if (since[0] != '\0' && !event_filter_is_time(since))
		fault_set(ret_fault, FAULT_INVALID, "give one like 2026-01-01T00:00:00.000Z",
		    "\"%.40s\" is not a time", since);
	else if (level < LOG_LVL_PANIC || level > LOG_LVL_DEBUG)
		fault_set(ret_fault, FAULT_INVALID, "give 0 (panic) to 7 (debug)",
		    "there is no level %lld", (long long)level);
	else if (strlen(target) >= sizeof ret->target || strlen(unit) >= sizeof ret->unit)
		fault_set(ret_fault, FAULT_INVALID,
		    "give a target's name, and a disk's as in c1t0d0", "the name is too long");
	if (ret_fault->is_set)
		return false;
	ret->session = (long)ipc_call_arg_int(call, "session", -1);
	cut_copy(ret->since, sizeof ret->since, since);
	cut_copy(ret->target, sizeof ret->target, target);
	cut_copy(ret->unit, sizeof ret->unit, unit);
	ret->is_set = ret->session >= 0 || since[0] != '\0' || target[0] != '\0' ||
		      unit[0] != '\0' || level != LOG_LVL_DEBUG;
	return true;
}

void
op_events_get(struct driver *d, struct ipc_call *call)
{
	int64_t last = ipc_call_arg_int(call, "last", EVENTS_DEFAULT);
	struct event_filter filter;
	struct fault f = { 0 };

	if (!get_filter(call, &filter, &f))
		;
	else if (last < 0 || last > EVENTS_MAX)
		fault_set(&f, FAULT_INVALID, "give a number in this range",
		    "last is from 0 to %d, not %lld", EVENTS_MAX, (long long)last);
	else if (d->events == NULL)
		fault_set(&f, FAULT_INTERNAL, "look at the driver's log, and restart it",
		    "events are not kept: %s could not be opened", d->paths.events);
	if (f.is_set)
		control_fail(call, &f, NULL);
	else
		read_and_follow(
		    d, call, (size_t)last, ipc_call_arg_bool(call, "follow", false), &filter);
}

/* ---- events.explain ---- */

static json_t *
explain(enum diag_id id)
{
	const struct diag_info *i = diag_info(id);
	const char appendix[] = { i->appendix, '\0' };

	return json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:s}", "id", i->id, "appendix",
	    appendix, "number", (int)i->number, "level", (int)i->level, "level_name",
	    log_level_name(i->level), "text", i->text, "cause", i->cause, "action", i->action);
}

/* By identifier, or "C12" for appendix C's twelfth. */
static bool
find(const char *name, enum diag_id *ret_id)
{
	char *end;
	unsigned long number;

	if (diag_find(name, ret_id))
		return true;
	if (!isalpha((unsigned char)name[0]) || !isdigit((unsigned char)name[1]))
		return false;
	number = strtoul(name + 1, &end, 10);
	for (int i = 0; *end == '\0' && i < DIAG_COUNT; i++) {
		const struct diag_info *row = diag_info((enum diag_id)i);

		if (row->appendix == toupper((unsigned char)name[0]) && row->number == number) {
			*ret_id = (enum diag_id)i;
			return true;
		}
	}
	return false;
}

void
op_events_explain(struct driver *d, struct ipc_call *call)
{
	const char *name = ipc_call_arg_string(call, "id", NULL);
	json_t *list = json_array();
	enum diag_id id;
	struct fault f = { 0 };

	(void)d;
	if (name != NULL && !find(name, &id))
		fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil --explain all",
		    "there is no message \"%s\"", name);
	else if (name != NULL)
		(void)json_array_append_new(list, explain(id)); /* no memory: one less */
	else
		for (int i = 0; i < DIAG_COUNT; i++)
			(void)json_array_append_new(list, explain((enum diag_id)i)); /* as above */
	if (f.is_set) {
		control_fail(call, &f, NULL);
		json_decref(list);
		return;
	}
	ipc_call_reply(call, json_pack("{s:o}", "messages", list));
}
