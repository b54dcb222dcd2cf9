/* iscsiutil --events and --explain: what happened, and what it means. */
#include <stdlib.h>
#include <string.h>

#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"

/* One line a message: time, level, identifier, what it is about, text. */
static void
show_event(const json_t *e)
{
	const char *target = result_text(e, "target"), *address = result_text(e, "address");
	json_int_t session = result_number(e, "session"), held = result_number(e, "held_back");

	say_text(stdout, result_text(e, "time"));
	printf(" %lld ", (long long)result_number(e, "level"));
	say_text(stdout, result_text(e, "id"));
	fputs(": ", stdout);
	say_text(stdout, result_text(e, "text"));
	if (session >= 0)
		printf(" [session %lld]", (long long)session);
	if (target[0] != '\0' || address[0] != '\0') {
		fputs(" [", stdout);
		say_text(stdout, target);
		fputs(target[0] != '\0' && address[0] != '\0' ? " at " : "", stdout);
		say_text(stdout, address);
		fputc(']', stdout);
	}
	if (held > 0)
		printf(" (%lld more like it were held back)", (long long)held);
	putchar('\n');
}

static void
progress(void *user, const json_t *p)
{
	const struct cmdline *line = user;
	const json_t *e = json_object_get(p, "event");
	char *text;

	if (!json_is_object(e))
		return; /* only a sign of life */
	if (ask_wants_json(line)) {
		text = say_need(json_dumps(e, JSON_COMPACT | JSON_ENSURE_ASCII));
		puts(text);
		free(text);
	} else {
		show_event(e);
	}
	/* Whoever follows wants to see it now. */
	fflush(stdout);
}

enum status
run_events(const struct cmdline *line)
{
	json_t *result = NULL, *args = say_need(json_object());
	bool ok = args_put(args, "follow", line, OPT_follow);
	enum status status;
	struct call c;

	if (!ok) {
		json_decref(args);
		return STATUS_USAGE;
	}
	status = call_open(&c, line, CALL_ISCSI);
	if (status == STATUS_OK)
		/* The line is only read; a callback's user has no const. */
		status = call_watch(
		    &c, IPC_OP_events_get, args, progress, (void *)(uintptr_t)line, &result);
	else
		json_decref(args);
	call_close(&c);
	if (status == STATUS_OK)
		json_decref(result);
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
		printf("%s: ", parts[i].title);
		say_text(stdout, result_text(m, parts[i].key));
		putchar('\n');
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
