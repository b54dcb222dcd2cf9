/* iscsiutil -o: all of it in a few lines, one a session and one a disk. */
#include "tools/iscsiutil/overview.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sys/log.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/table.h"
#include "tools/common/when.h"
#include "tools/common/wrap.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"
#include "tools/iscsiutil/watch.h"

/* What is left of a target's name where a terminal is narrow. */
#define TARGET_WIDTH_MIN 24
/* Trouble of so many events back is looked at, if it is not older than this. */
#define EVENTS_MAX   1000
#define TROUBLE_TIME "1d"

/* ---- showing ---- */

static char *
number_text(const json_t *object, const char *key)
{
	return json_is_integer(json_object_get(object, key))
		   ? say_format("%lld", (long long)result_number(object, key))
		   : say_format("-");
}

/* A line an address of a target; under it why it is not online. */
static void
put_address(struct table *t, const json_t *target, const json_t *address)
{
	const char *state = result_text(address, "state");
	char *instance = number_text(address, "session_instance"), *portal = result_portal(address);
	const char *cells[] = { instance, state[0] != '\0' ? state : "none", portal,
		result_text(target, "name") };

	table_row(t, cells);
	if (strcmp(state, "online") != 0 && result_text(address, "last_error")[0] != '\0')
		table_note(t, 1, result_text(address, "last_error"));
	free(portal);
	free(instance);
}

static void
put_addresses(FILE *out, const json_t *targets, size_t width)
{
	static const struct table_column columns[] = {
		{ "Session", 7, 2, true },
		{ "State", 9, 2, false },
		{ "Address", 7, 2, false },
		{ "Target", 6, 0, false },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *target, *address;
	size_t i, j;

	json_array_foreach(json_object_get(targets, "targets"), i, target) json_array_foreach(
	    json_object_get(target, "addresses"), j, address) put_address(t, target, address);
	table_fit(t, width, TARGET_WIDTH_MIN);
	table_print(t, out);
	table_free(t);
}

void
overview_show(FILE *out, const json_t *targets, const json_t *tree, const json_t *units,
    const struct units_view *view)
{
	put_addresses(out, targets, view->is_wide ? 0 : view->width);
	fputc('\n', out);
	units_show(out, tree, units, view);
}

/* ---- asking ---- */

struct asked {
	const struct cmdline *line;
	json_t *before; /* units of the last time */
	struct timespec when;
};

/* What the driver answered, and what is made of it. */
struct answers {
	json_t *targets, *tree, *stats, *events, *units;
};

static void
take_event(void *events, const json_t *progress)
{
	json_t *e = json_object_get(progress, "event");

	if (json_is_object(e))
		say_need(json_array_append(events, e) == 0 ? events : NULL);
}

/* Warnings and worse of the last day.  Not everybody may read them, and nobody must. */
static json_t *
ask_events(struct call *c)
{
	json_t *events = say_need(json_array()), *result = NULL;
	struct ipc_error e = { 0 };
	char since[WHEN_UTC_BYTES];

	(void)when_parse(TROUBLE_TIME, time(NULL), since); /* it is a time */
	if (ipc_request(c->client, IPC_OP_events_get,
		say_need(json_pack(
		    "{s:i, s:i, s:s}", "last", EVENTS_MAX, "level", LOG_LVL_WARN, "since", since)),
		take_event, events, &result, &e) != 0)
		ipc_error_fini(&e);
	json_decref(result);
	return events;
}

static enum status
ask(const struct cmdline *line, struct answers *ret)
{
	struct call c;
	enum status status = call_open(&c, line, CALL_ISCSI);

	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_target_list, NULL, &ret->targets);
	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_io_tree, NULL, &ret->tree);
	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_stats_get,
		    say_need(json_pack("{s:b}", "sessions", true)), &ret->stats);
	if (status == STATUS_OK) {
		ret->events = ask_events(&c);
		ret->units = units_gather(&c.paths, ret->tree, ret->stats, ret->events);
	}
	call_close(&c);
	return status;
}

static void
let_go(struct answers *a)
{
	json_decref(a->targets);
	json_decref(a->tree);
	json_decref(a->stats);
	json_decref(a->events);
	json_decref(a->units);
}

static void
show(struct asked *a, const struct answers *all)
{
	struct units_view view = { .width = wrap_width(stdout),
		.is_wide = a->line->values[OPT_wide].given,
		.before = a->before };
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* it cannot fail */
	view.seconds =
	    (double)(t.tv_sec - a->when.tv_sec) + (double)(t.tv_nsec - a->when.tv_nsec) / 1e9;
	overview_show(stdout, all->targets, all->tree, all->units, &view);
	json_decref(a->before);
	a->before = json_incref(all->units);
	a->when = t;
}

static void
show_json(const struct answers *all)
{
	json_t *whole = say_need(
	    json_pack("{s:O, s:O, s:O}", "targets", json_object_get(all->targets, "targets"),
		"nodes", json_object_get(all->tree, "nodes"), "units", all->units));

	result_print(stdout, whole);
	json_decref(whole);
}

static enum status
show_once(void *user, bool is_again)
{
	struct asked *a = user;
	struct answers all = { NULL };
	enum status status = ask(a->line, &all);

	(void)is_again; /* a->before tells */
	if (status != STATUS_OK)
		;
	else if (ask_wants_json(a->line))
		show_json(&all);
	else if (json_array_size(json_object_get(all.targets, "targets")) == 0)
		say_note(
		    "no operational target is known; 'iscsiutil -a -I <ip-address>' and 'ioscan' "
		    "find some");
	else
		show(a, &all);
	let_go(&all);
	return status;
}

enum status
run_overview(const struct cmdline *line)
{
	struct asked a = { .line = line };
	enum status status = watch(line, show_once, &a);

	json_decref(a.before);
	return status;
}
