/*
 * iscsiutil --events --notify: programs are told what happens.  They are this process's children,
 * not the driver's, and while the driver is gone it waits for the next one, and asks it for what
 * happened since.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sys/log.h"
#include "tools/common/args.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/when.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/hooks.h"
#include "tools/iscsiutil/run.h"

/* So often a driver that is gone is looked for. */
#define AGAIN_NS 500000000

struct notifier {
	struct hooks hooks;
	char last[WHEN_UTC_BYTES]; /* the time of the last event, or of our beginning */
	unsigned at_last, to_skip; /* events of that time; those that a later driver tells again */
	json_t *held;              /* the last event that nobody was told of, to keep the pace */
	json_int_t not_told;       /* so many before it */
	bool is_gone;              /* the driver; that was said */
};

static long long
clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* it cannot fail */
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static char *
variable(const char *name, const char *value)
{
	char *whole = say_format("OPENISW_%s=%s", name, value), *clean = say_clean(whole);

	free(whole);
	return clean;
}

static char *
number(const char *name, json_int_t value)
{
	char text[32] = "";

	if (value >= 0)
		(void)snprintf(text, sizeof text, "%lld", (long long)value); /* fits */
	return variable(name, text);
}

/* What a program of a few lines wants to know; the whole of it is JSON. */
static void
run_hooks(struct notifier *n, json_t *event)
{
	char host[256] = "";
	char *text, *environment[16];
	size_t k = 0;

	(void)gethostname(host, sizeof host - 1); /* else none */
	environment[k++] = say_format("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	environment[k++] = say_format("LC_ALL=C.UTF-8");
	environment[k++] = variable("EVENT", result_text(event, "id"));
	environment[k++] = variable("TIME", result_text(event, "time"));
	environment[k++] = number("LEVEL", result_number(event, "level"));
	environment[k++] =
	    variable("LEVEL_NAME", log_level_name((enum log_level)result_number(event, "level")));
	environment[k++] = variable("TEXT", result_text(event, "text"));
	environment[k++] = variable("TARGET", result_text(event, "target"));
	environment[k++] = variable("ADDRESS", result_text(event, "address"));
	environment[k++] = number("SESSION", result_number(event, "session"));
	environment[k++] = variable("UNIT", result_text(event, "unit"));
	environment[k++] = variable("HOST", host);
	environment[k++] = number("NOT_TOLD", n->not_told);
	environment[k] = NULL;
	say_need(
	    json_object_set_new(event, "not_told", json_integer(n->not_told)) == 0 ? event : NULL);
	text = say_need(json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII));
	(void)hooks_run(&n->hooks, text, environment); /* what is wrong was said */
	free(text);
	while (k > 0)
		free(environment[--k]);
	n->not_told = 0;
}

static void
hold_back(struct notifier *n, const json_t *event)
{
	if (n->held != NULL)
		n->not_told++;
	json_decref(n->held);
	n->held = say_need(json_deep_copy(event));
}

/* What was held back is told as soon as the pace allows, so that the last word is known. */
static void
tell_held(struct notifier *n, bool may)
{
	json_t *event = n->held;

	if (event == NULL || !may)
		return;
	n->held = NULL;
	run_hooks(n, event);
	json_decref(event);
}

/* A later driver is asked for all from the last one's time on. */
static bool
is_known(struct notifier *n, const char *time)
{
	if (strcmp(time, n->last) != 0) {
		(void)snprintf(
		    n->last, sizeof n->last, "%s", time); /* what the driver sends fits */
		n->at_last = 1;
		n->to_skip = 0;
		return false;
	}
	if (n->to_skip > 0) {
		n->to_skip--;
		return true;
	}
	n->at_last++;
	return false;
}

static void
happened(void *user, const json_t *p)
{
	struct notifier *n = user;
	const json_t *e = json_object_get(p, "event");
	bool may = (json_is_object(e) || n->held != NULL) && hooks_may(&n->hooks, clock_ms());
	json_t *copy;

	hooks_reap(&n->hooks);
	if (!json_is_object(e)) {
		tell_held(n, may);
		return;
	}
	if (is_known(n, result_text(e, "time")))
		return;
	if (!may || n->held != NULL) {
		hold_back(n, e);
		tell_held(n, may);
		return;
	}
	copy = say_need(json_deep_copy(e));
	run_hooks(n, copy);
	json_decref(copy);
}

/* From the last one that is known on. */
static bool
put_args(json_t *args, const struct cmdline *line, const struct notifier *n)
{
	say_need(json_object_set_new(args, "follow", json_true()) == 0 ? args : NULL);
	return ask_put_level(args, line) && args_put_text(args, "since", n->last) &&
	       args_put(args, "session", line, OPT_S) && args_put(args, "target", line, OPT_T) &&
	       args_put(args, "unit", line, OPT_unit);
}

/* Until the driver is gone; each time it is that is said once. */
static enum status
follow(struct notifier *n, const struct cmdline *line, const struct paths *paths)
{
	json_t *result = NULL, *args = say_need(json_object());
	struct ipc_client *client = NULL;
	struct ipc_error e = { 0 };
	enum status status = STATUS_OK;
	int err;

	if (!put_args(args, line, n)) {
		json_decref(args);
		return STATUS_USAGE;
	}
	n->to_skip = n->at_last;
	err = ipc_connect(paths->dev_iscsi, &client, &e);
	if (err == 0) {
		n->is_gone = false;
		err = ipc_request(client, IPC_OP_events_get, args, happened, n, &result, &e);
	} else {
		json_decref(args);
	}
	if (err < 0)
		status = status_of_error(e.code);
	if (status == STATUS_NOT_RUNNING || status == STATUS_TIMEOUT || status == STATUS_OK) {
		if (!n->is_gone)
			say_note("the driver does not answer: waiting for it");
		n->is_gone = true;
		status = STATUS_OK;
	} else {
		say_failure(e.code, NULL, e.next, "%s", e.message);
	}
	ipc_error_fini(&e);
	ipc_client_free(client);
	json_decref(result);
	return status;
}

enum status
run_notify(const struct cmdline *line)
{
	struct notifier n = { .to_skip = 0 };
	enum status status;
	struct call c;

	status = call_root(&c, line);
	when_now(n.last);
	hooks_init(&n.hooks, line->values[OPT_notify].text, clock_ms());
	while (status == STATUS_OK && (status = follow(&n, line, &c.paths)) == STATUS_OK) {
		/* no-sleep-ok: nobody tells when a driver is there again. */
		nanosleep(&(struct timespec){ .tv_nsec = AGAIN_NS }, NULL);
		hooks_reap(&n.hooks);
	}
	json_decref(n.held);
	call_close(&c);
	return status;
}
