#include "tools/iscsiutil/watch.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/result.h"
#include "tools/common/say.h"

#define SECONDS_DEFAULT 2

static bool
pause_for(long seconds)
{
	struct timespec left = { .tv_sec = seconds };

	/* no-sleep-ok: the time between two displays is what was asked for. */
	while (nanosleep(&left, &left) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

enum status
watch(const struct cmdline *line, enum status (*show)(void *user, bool is_again), void *user)
{
	const struct cmdline_value *v = &line->values[OPT_watch];
	bool is_terminal = isatty(STDOUT_FILENO);
	enum status status = show(user, false);

	while (v->given && status == STATUS_OK && fflush(stdout) == 0 &&
	       pause_for(v->has_arg ? v->number : SECONDS_DEFAULT)) {
		fputs(is_terminal ? "\033[H\033[2J" : "\n", stdout);
		status = show(user, true);
	}
	return status;
}

/* ---- rates ---- */

/* Each counter of `now`: how much a second it grew. */
static void
make_rates(json_t *now, const json_t *before, double seconds)
{
	const char *id;
	json_t *value;

	json_object_foreach(now, id, value)
	{
		json_int_t grown =
		    json_integer_value(value) - json_integer_value(json_object_get(before, id));

		/* One that was cleared meanwhile counts from there. */
		if (grown < 0)
			grown = json_integer_value(value);
		/* The member is there: it takes no memory but the number's. */
		if (json_is_integer(value))
			(void)json_object_set_new(now, id, json_real((double)grown / seconds));
	}
}

/* The element with the same number. */
static const json_t *
same(const json_t *list, const json_t *element, const char *number)
{
	const json_t *other;
	size_t i;

	json_array_foreach(list, i, other)
	{
		if (json_equal((json_t *)(uintptr_t)json_object_get(other, number),
			json_object_get(element, number)))
			return other;
	}
	return NULL;
}

/* The same of what is counted of a unit: `rows` tells which of its members those are. */
static void
make_lun(json_t *lun, const json_t *before, const json_t *rows, double seconds)
{
	json_t *counts = say_need(json_object());
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *id = result_text(row, "id");

		(void)json_object_set(counts, id, json_object_get(lun, id)); /* one less */
	}
	make_rates(counts, before, seconds);
	say_need(json_object_update(lun, counts) == 0 ? lun : NULL);
	json_decref(counts);
}

static void
make_session(json_t *session, const json_t *before, const json_t *rows, double seconds)
{
	const json_t *connections = json_object_get(before, "connections");
	json_t *connection, *lun;
	size_t i;

	make_rates(json_object_get(session, "values"), json_object_get(before, "values"), seconds);
	json_array_foreach(json_object_get(session, "luns"), i, lun)
	    make_lun(lun, same(json_object_get(before, "luns"), lun, "lun"), rows, seconds);
	json_array_foreach(json_object_get(session, "connections"), i, connection)
	    make_rates(json_object_get(connection, "values"),
		json_object_get(same(connections, connection, "cid"), "values"), seconds);
}

json_t *
watch_rates(const json_t *before, const json_t *now, double seconds)
{
	json_t *rates = say_need(json_deep_copy(now)), *session;
	const json_t *sessions = json_object_get(before, "sessions");
	const json_t *rows =
	    json_object_get(json_object_get(json_object_get(now, "tables"), "lun"), "rows");
	size_t i;

	make_rates(json_object_get(json_object_get(rates, "global"), "values"),
	    json_object_get(json_object_get(before, "global"), "values"), seconds);
	json_array_foreach(json_object_get(rates, "sessions"), i, session)
	    make_session(session, same(sessions, session, "instance"), rows, seconds);
	return rates;
}
