/* iscsiutil --events and --explain: what happened, and what it means. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sys/log.h"
#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/when.h"
#include "tools/common/wrap.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"

/* What is shown of the log goes on below its own text. */
#define INDENT 4

/* One line a message, several on a terminal that is narrower: time, level, identifier, text, what
 * it is about. */
static void
show_event(const json_t *e)
{
	const char *target = result_text(e, "target"), *address = result_text(e, "address");
	const char *unit = result_text(e, "unit");
	json_int_t session = result_number(e, "session"), held = result_number(e, "held_back");
	char when[WHEN_LOCAL_BYTES], *text = NULL, *clean;
	size_t len;
	FILE *f = say_need(open_memstream(&text, &len));

	when_local(result_text(e, "time"), when);
	fprintf(f, "%s %s %s: %s", when, log_level_name((enum log_level)result_number(e, "level")),
	    result_text(e, "id"), result_text(e, "text"));
	if (session >= 0)
		fprintf(f, " [session %lld]", (long long)session);
	if (unit[0] != '\0')
		fprintf(f, " [%s]", unit);
	if (target[0] != '\0' || address[0] != '\0')
		fprintf(f, " [%s%s%s]", target,
		    target[0] != '\0' && address[0] != '\0' ? " at " : "", address);
	if (held > 0)
		fprintf(f, " (%lld more like it were held back)", (long long)held);
	say_need(fclose(f) == 0 ? text : NULL);
	clean = say_clean(text);
	wrap_put(stdout, clean, 0, INDENT, wrap_width(stdout));
	free(clean);
	free(text);
}

struct shown {
	const struct cmdline *line;
	bool is_any;
};

static void
progress(void *user, const json_t *p)
{
	struct shown *s = user;
	const json_t *e = json_object_get(p, "event");
	char *text;

	if (!json_is_object(e))
		return; /* only a sign of life */
	s->is_any = true;
	if (ask_wants_json(s->line)) {
		text = say_need(json_dumps(e, JSON_COMPACT | JSON_ENSURE_ASCII));
		puts(text);
		free(text);
	} else {
		show_event(e);
	}
	/* Whoever follows wants to see it now. */
	fflush(stdout);
}

/* --since and --level, in the driver's words. */
static bool
put_filters(json_t *args, const struct cmdline *line)
{
	const char *since = line->values[OPT_since].text;
	char utc[WHEN_UTC_BYTES];

	if (since != NULL && !when_parse(since, time(NULL), utc)) {
		say_problem("give 30m, 2h, 1d, 17:30, 2026-01-31 or 2026-01-31T17:30",
		    "--since %s: not a valid <time>", since);
		return false;
	}
	return ask_put_level(args, line) && (since == NULL || args_put_text(args, "since", utc)) &&
	       args_put(args, "session", line, OPT_S) && args_put(args, "target", line, OPT_T) &&
	       args_put(args, "unit", line, OPT_unit) && args_put(args, "follow", line, OPT_follow);
}

enum status
run_events(const struct cmdline *line)
{
	json_t *result = NULL, *args = say_need(json_object());
	struct shown shown = { .line = line };
	enum status status;
	struct call c;

	if (!put_filters(args, line)) {
		json_decref(args);
		return STATUS_USAGE;
	}
	status = call_open(&c, line, CALL_ISCSI);
	if (status == STATUS_OK)
		status = call_watch(&c, IPC_OP_events_get, args, progress, &shown, &result);
	else
		json_decref(args);
	call_close(&c);
	if (status == STATUS_OK)
		json_decref(result);
	if (status == STATUS_OK && !shown.is_any)
		say_note("there is no such event");
	return status;
}

static void
show_message(const json_t *m)
{
	static const struct {
		const char *title, *key;
	} parts[] = { { "Message", "text" }, { "Cause", "cause" }, { "Action", "action" } };

	say_text(stdout, result_text(m, "id"));
	printf(" (appendix %s, %lld; level %lld, %s)\n", result_text(m, "appendix"),
	    (long long)result_number(m, "number"), (long long)result_number(m, "level"),
	    result_text(m, "level_name"));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		/* The driver's own words, of its table. */
		printf("%s: ", parts[i].title);
		wrap_put(stdout, result_text(m, parts[i].key), strlen(parts[i].title) + 2, INDENT,
		    wrap_width(stdout));
	}
}

enum status
run_explain(const struct cmdline *line)
{
	const char *id = line->values[OPT_explain].text;
	json_t *result, *m, *args = say_need(json_object());
	bool ok = strcmp(id, "all") == 0 || args_put_text(args, "id", id);
	enum status status = ask_driver(line, IPC_OP_events_explain, args, ok, CALL_ISCSI, &result);
	size_t i;

	if (status != STATUS_OK)
		return status;
	if (!ask_wants_json(line))
		json_array_foreach(json_object_get(result, "messages"), i, m)
		{
			if (i > 0)
				putchar('\n');
			show_message(m);
		}
	json_decref(result);
	return STATUS_OK;
}
