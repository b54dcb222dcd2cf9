#include "tools/iscsiutil/stats.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/common/args.h"
#include "tools/common/label.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/table.h"
#include "tools/common/wrap.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"
#include "tools/iscsiutil/scrape.h"
#include "tools/iscsiutil/watch.h"

/* Where the colon stands: behind the guide's longest name, or as far to the right as a terminal
 * allows. */
#define NAME_WIDTH  95
#define VALUE_WIDTH 22
#define INDENT      2
/* Columns that fit a terminal; the driver's table has fewer. */
#define LUN_COUNTS_MAX 6

struct view {
	FILE *out;
	size_t width; /* of the terminal; 0: none */
	bool is_nonzero, is_explained;
};

/* The name, over several lines perhaps, up to the colon. */
static void
put_name(const struct view *v, const char *name)
{
	size_t room = NAME_WIDTH, n, indent = 0;

	if (v->width > 0 && v->width < NAME_WIDTH + VALUE_WIDTH)
		room = v->width > 2 * VALUE_WIDTH ? v->width - VALUE_WIDTH : VALUE_WIDTH;
	while (indent + strlen(name) > room) {
		for (n = room - indent; n > 0 && name[n] != ' '; n--)
			;
		if (n == 0)
			break;
		fprintf(v->out, "%*s%.*s\n", (int)indent, "", (int)n, name);
		name += n + 1;
		indent = INDENT;
	}
	fprintf(v->out, "%*s%-*s: ", (int)indent, "", (int)(room - indent), name);
}

/* What a statistic counts, where that was asked for. */
static void
put_explanation(const struct view *v, const json_t *row, bool with_name)
{
	char *text;

	if (!v->is_explained)
		return;
	text = say_format("%s%s%s: %s", with_name ? result_text(row, "name") : "",
	    with_name ? ", " : "", result_text(row, "class"), result_text(row, "description"));
	fprintf(v->out, "%*s", 2 * INDENT, "");
	wrap_put(v->out, text, 2 * INDENT, 2 * INDENT, v->width);
	free(text);
}

static void
put_value(const struct view *v, const json_t *row, const json_t *value)
{
	put_name(v, result_text(row, "name"));
	if (json_is_integer(value))
		fprintf(v->out, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		fprintf(v->out, "%.1f a second", json_real_value(value));
	else
		say_text(v->out, json_is_string(value) ? json_string_value(value) : "");
	fputc('\n', v->out);
	put_explanation(v, row, false);
}

/* One block of statistics, in the order of its table. */
static void
show_values(
    const struct view *view, const json_t *tables, const char *section, const json_t *values)
{
	const json_t *table = json_object_get(tables, section), *row;
	size_t i;

	say_text(view->out, result_text(table, "title"));
	fputc('\n', view->out);
	json_array_foreach(json_object_get(table, "rows"), i, row)
	{
		const json_t *v = json_object_get(values, result_text(row, "id"));

		if (!view->is_nonzero || !json_is_number(v) || json_number_value(v) != 0)
			put_value(view, row, v);
	}
}

static void
add_latency(struct table *t, const char *lun, const char *op, const json_t *l)
{
	static const char *const columns[] = { "count", "bytes", "mean_us", "p50_us", "p99_us",
		"p999_us", "max_us" };
	char text[7][24];
	const char *cells[9] = { lun, op };

	for (size_t i = 0; i < 7; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%lld",
		    (long long)result_number(l, columns[i])); /* fits */
		cells[i + 2] = text[i];
	}
	table_row(t, cells);
}

static void
show_luns(FILE *out, const json_t *session)
{
	static const struct table_column columns[] = {
		{ "LUN", 4, 2, false },
		{ "I/O", 6, 2, false },
		{ "Count", 5, 2, true },
		{ "Bytes", 5, 2, true },
		{ "Mean(us)", 8, 2, true },
		{ "p50", 5, 2, true },
		{ "p99", 5, 2, true },
		{ "p99.9", 5, 2, true },
		{ "Max", 5, 2, true },
	};
	const json_t *luns = json_object_get(session, "luns"), *lun;
	struct table *t;
	size_t i;

	if (json_array_size(luns) == 0)
		return;
	t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach(luns, i, lun)
	{
		add_latency(t, result_text(lun, "name"), "reads", json_object_get(lun, "reads"));
		add_latency(t, "", "writes", json_object_get(lun, "writes"));
	}
	if (json_array_size(luns) > 1) {
		const json_t *all = json_object_get(session, "total");

		add_latency(t, "all", "reads", json_object_get(all, "reads"));
		add_latency(t, "", "writes", json_object_get(all, "writes"));
	}
	fputc('\n', out);
	table_print(t, out);
	table_free(t);
}

/* What a filter did, and where it measures, by kind of request. */
static void
add_filter(struct table *t, const char *lun, const json_t *filter)
{
	static const char *const columns[] = { "count", "bytes", "errors", "mean_us", "p50_us",
		"p99_us", "p999_us", "max_us" };
	const char *cells[11] = { lun, result_text(filter, "filter"), "all" }, *word;
	char text[8][24] = { "" };
	json_t *kinds = json_object_get(filter, "kinds"), *kind;

	for (size_t i = 0; i < 8; i++)
		cells[i + 3] = text[i];
	(void)snprintf(text[0], sizeof(text[0]), "%lld",
	    (long long)result_number(filter, "requests")); /* fits, as below */
	table_row(t, cells);
	json_object_foreach(kinds, word, kind)
	{
		if (result_number(kind, "count") == 0)
			continue;
		cells[0] = cells[1] = "";
		cells[2] = word;
		for (size_t i = 0; i < 8; i++)
			(void)snprintf(text[i], sizeof(text[i]), "%lld",
			    (long long)result_number(kind, columns[i]));
		table_row(t, cells);
	}
}

/* What stands in front of units now; nothing, where nothing does. */
static void
show_filters(FILE *out, const json_t *luns)
{
	static const struct table_column columns[] = {
		{ "LUN", 4, 2, false },
		{ "Filter", 6, 2, false },
		{ "I/O", 3, 2, false },
		{ "Count", 5, 2, true },
		{ "Bytes", 5, 2, true },
		{ "Errors", 6, 2, true },
		{ "Mean(us)", 8, 2, true },
		{ "p50", 3, 2, true },
		{ "p99", 3, 2, true },
		{ "p99.9", 5, 2, true },
		{ "Max", 3, 2, true },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *lun, *filter;
	bool is_empty = true;
	size_t i, j;

	json_array_foreach(luns, i, lun)
	{
		json_array_foreach(json_object_get(lun, "filters"), j, filter)
		{
			add_filter(t, j == 0 ? result_text(lun, "name") : "", filter);
			is_empty = false;
		}
	}
	if (!is_empty) {
		fputc('\n', out);
		table_print(t, out);
	}
	table_free(t);
}

/* One line of them; false: all of them are zero. */
static bool
add_counts(struct table *t, const json_t *rows, const json_t *lun, bool is_nonzero)
{
	const char *cells[1 + LUN_COUNTS_MAX] = { result_text(lun, "name") };
	char text[LUN_COUNTS_MAX][24];
	bool is_zero = true;

	for (size_t i = 0; i < json_array_size(rows) && i < LUN_COUNTS_MAX; i++) {
		const json_t *v = json_object_get(lun, result_text(json_array_get(rows, i), "id"));

		(void)snprintf(text[i], sizeof(text[i]), json_is_real(v) ? "%.1f/s" : "%.0f",
		    json_number_value(v)); /* fits */
		is_zero = is_zero && json_number_value(v) == 0;
		cells[i + 1] = text[i];
	}
	if (is_zero && is_nonzero)
		return false;
	table_row(t, cells);
	return true;
}

/* What is counted of each unit besides; `rows` are the columns. */
static void
show_lun_counts(const struct view *view, const json_t *rows, const json_t *luns)
{
	struct table_column columns[1 + LUN_COUNTS_MAX] = { { "LUN", 4, 2, false } };
	char titles[LUN_COUNTS_MAX][24];
	const json_t *lun, *row;
	bool is_empty = true;
	struct table *t;
	size_t i, n = 1;

	json_array_foreach(rows, i, row)
	{
		if (i == LUN_COUNTS_MAX)
			break;
		(void)snprintf(titles[i], sizeof(titles[i]), "%s", result_text(row, "id"));
		titles[i][0] = (char)toupper((unsigned char)titles[i][0]);
		columns[n++] = (struct table_column){ titles[i], 5, 2, true };
	}
	t = table_new(columns, n);
	json_array_foreach(luns, i, lun)
	{
		if (add_counts(t, rows, lun, view->is_nonzero))
			is_empty = false;
	}
	if (!is_empty)
		fputc('\n', view->out);
	table_print(t, view->out);
	table_free(t);
	json_array_foreach(is_empty ? NULL : rows, i, row) put_explanation(view, row, true);
}

static void
show_session(const struct view *view, const json_t *tables, const json_t *session)
{
	FILE *out = view->out;
	const json_t *connection;
	char text[24] = "";
	size_t i;

	if (json_is_integer(json_object_get(session, "instance")))
		(void)snprintf(text, sizeof(text), "%lld",
		    (long long)result_number(session, "instance")); /* fits */
	label_put(out, "Session Instance", text);
	label_put(out, "Session Type", result_text(session, "type"));
	label_put(out, "Target iSCSI Name", result_text(session, "target_name"));
	show_values(view, tables, "transport_session", json_object_get(session, "values"));
	show_luns(out, session);
	show_lun_counts(view, json_object_get(json_object_get(tables, "lun"), "rows"),
	    json_object_get(session, "luns"));
	show_filters(out, json_object_get(session, "luns"));
	json_array_foreach(json_object_get(session, "connections"), i, connection)
	{
		(void)snprintf(text, sizeof(text), "%lld",
		    (long long)result_number(connection, "cid")); /* fits */
		fputc('\n', out);
		label_put(out, "Connection ID", text);
		show_values(view, tables, "swd_connection", json_object_get(connection, "values"));
	}
}

void
stats_show(FILE *out, const json_t *result, bool is_nonzero, bool is_explained)
{
	const struct view view = { out, wrap_width(out), is_nonzero, is_explained };
	const json_t *tables = json_object_get(result, "tables");
	const json_t *global = json_object_get(result, "global"), *session;
	bool is_first = !json_is_object(global);
	size_t i;

	if (!is_first)
		show_values(&view, tables, result_text(global, "section"),
		    json_object_get(global, "values"));
	json_array_foreach(json_object_get(result, "sessions"), i, session)
	{
		if (!is_first)
			fputc('\n', out);
		is_first = false;
		show_session(&view, tables, session);
	}
}

/* ---- asking ---- */

static bool
put_true(json_t *args, const char *key)
{
	say_need(json_object_set_new(args, key, json_true()) == 0 ? args : NULL);
	return true;
}

/* -G, -S and the device; without either -G or -S, all that the device has. */
static bool
put_choice(json_t *args, const struct cmdline *line, enum call_device device)
{
	bool is_isw = device == CALL_ISW, has_g = line->values[OPT_G].given;
	bool has_s = line->values[OPT_S].given;

	return args_put_text(args, "device", is_isw ? "isw" : "iscsi") &&
	       (!(has_g || !has_s) || put_true(args, "global")) &&
	       (!(has_s || (!has_g && !is_isw)) || put_true(args, "sessions")) &&
	       args_put(args, "instance", line, OPT_S);
}

struct asked {
	const struct cmdline *line;
	bool with_connections;
	json_t *before; /* the answer of the last time */
	struct timespec when;
};

/* What was counted since the last time, and what is zero only where nothing else is. */
static void
show_rates(struct asked *a, const json_t *now)
{
	struct timespec t;
	json_t *rates;
	double seconds;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* it cannot fail */
	seconds = (double)(t.tv_sec - a->when.tv_sec) + (double)(t.tv_nsec - a->when.tv_nsec) / 1e9;
	if (a->before != NULL) {
		rates = watch_rates(a->before, now, seconds);
		stats_show(stdout, rates, true, a->line->values[OPT_V].given);
		json_decref(rates);
	}
	json_decref(a->before);
	a->before = json_incref((json_t *)(uintptr_t)now);
	a->when = t;
}

static enum status
show_once(void *user, bool is_again)
{
	struct asked *a = user;
	const struct cmdline *line = a->line;
	const struct cmdline_value *cid = &line->values[OPT_C];
	json_t *result, *args = say_need(json_object());
	enum call_device device = CALL_ISCSI;
	enum status status = ask_device(line, &device);
	bool ok = status == STATUS_OK && put_choice(args, line, device);

	if (a->with_connections)
		put_true(args, "connections");
	status = ask_driver(line, IPC_OP_stats_get, args, ok, device, &result);
	if (status != STATUS_OK)
		return status;
	if (cid->has_arg && cid->number != 0) {
		say_failure(IPC_ERR_NOTFOUND, NULL, "give 0, or leave the number out",
		    "session %ld has no connection %ld: a session has one connection, 0",
		    line->values[OPT_S].number, cid->number);
		status = STATUS_NOT_FOUND;
	} else if (line->values[OPT_metrics].given) {
		status = scrape_states(line, stdout, METRICS_OPEN, result);
	} else if (line->values[OPT_watch].given) {
		show_rates(a, result);
		if (!is_again)
			say_note("what is counted from now on is shown, a second");
	} else if (!ask_wants_json(line)) {
		stats_show(stdout, result, line->values[OPT_z].given, line->values[OPT_V].given);
	}
	json_decref(result);
	return status;
}

static enum status
run_stats_of(const struct cmdline *line, bool with_connections)
{
	struct asked a = { .line = line, .with_connections = with_connections };
	enum status status = watch(line, show_once, &a);

	json_decref(a.before);
	return status;
}

enum status
run_stats(const struct cmdline *line)
{
	/* A collector wants all of it. */
	return run_stats_of(line, line->values[OPT_metrics].given && !line->values[OPT_G].given);
}

enum status
run_stats_ssn(const struct cmdline *line)
{
	return run_stats_of(line, false);
}

enum status
run_stats_con(const struct cmdline *line)
{
	return run_stats_of(line, true);
}

enum status
run_clear(const struct cmdline *line)
{
	json_t *result, *args = say_need(json_object());
	enum call_device device = CALL_ISCSI;
	enum status status = ask_device(line, &device);
	bool ok = status == STATUS_OK && put_choice(args, line, device);

	status = ask_driver(line, IPC_OP_stats_clear, args, ok, device, &result);
	if (status == STATUS_OK)
		json_decref(result);
	return status;
}

enum status
run_clear_ssn(const struct cmdline *line)
{
	return run_clear(line);
}
