/*
 * Statistics as text for collectors.  All samples of one name stand together, so
 * the tables' rows are the outer loop and the sessions the inner one.
 *
 * The two forms of it differ in what counters are called where they are described: OpenMetrics
 * (version 1.0.0) leaves their "_total" out, Prometheus' text format (version 0.0.4) does not.
 */
#include "tools/iscsiutil/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/common/result.h"
#include "tools/common/say.h"

#define PREFIX "openisw_"

/* `escaped`: what has a backslash before it. */
static void
put_text(FILE *out, const char *text, const char *escaped)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (strchr(escaped, *text) != NULL)
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text >= 0x20 && *text != 0x7f)
			fputc(*text, out);
	}
}

/* The value of a label. */
static void
put_escaped(FILE *out, const char *text)
{
	put_text(out, text, "\"\\");
}

struct metrics {
	FILE *out;
	enum metrics_format format;
};

static void
put_head(const struct metrics *m, const char *family, const char *type, const char *help)
{
	bool is_counter = strcmp(type, "counter") == 0;
	const char *suffix = m->format == METRICS_PROMETHEUS && is_counter ? "_total" : "";

	fprintf(m->out, "# TYPE " PREFIX "%s%s %s\n# HELP " PREFIX "%s%s ", family, suffix, type,
	    family, suffix);
	put_text(m->out, help, m->format == METRICS_OPEN ? "\"\\" : "\\");
	fputc('\n', m->out);
}

static void
put_who(FILE *out, const json_t *session)
{
	if (!json_is_integer(json_object_get(session, "instance"))) {
		fputs("session=\"discovery\"", out);
		return;
	}
	fprintf(out, "session=\"%lld\",target=\"", (long long)result_number(session, "instance"));
	put_escaped(out, result_text(session, "target_name"));
	fputc('"', out);
}

/* {session="0",target="iqn…",cid="0"}; `lun` and `quantile` may be NULL. */
static void
put_labels(FILE *out, const json_t *session, const char *lun, const char *quantile)
{
	if (session == NULL)
		return;
	fputc('{', out);
	put_who(out, session);
	if (lun != NULL) {
		fputs(",lun=\"", out);
		put_escaped(out, lun);
		fputc('"', out);
	}
	if (quantile != NULL)
		fprintf(out, ",quantile=\"%s\"", quantile);
	fputc('}', out);
}

/* "2026-01-01T00:00:00Z" as seconds since 1970; 0 where it is none. */
static long long
seconds(const char *text)
{
	struct tm tm = { 0 };

	return strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) != NULL ? (long long)timegm(&tm) : 0;
}

static void
put_sample(
    FILE *out, const char *family, const json_t *values, const char *id, const json_t *session)
{
	const json_t *v = json_object_get(values, id);

	fprintf(out, PREFIX "%s%s", family, json_is_string(v) ? "" : "_total");
	put_labels(out, session, NULL, NULL);
	fprintf(out, " %lld\n",
	    json_is_string(v) ? seconds(json_string_value(v)) : (long long)json_integer_value(v));
}

/* Whose values of a section there are: the global ones (session NULL), or a session's. */
static const json_t *
values_of(const json_t *result, const json_t *session, const char *section)
{
	const json_t *global = json_object_get(result, "global");

	if (session == NULL)
		return strcmp(result_text(global, "section"), section) == 0
			   ? json_object_get(global, "values")
			   : NULL;
	if (strcmp(section, "transport_session") == 0)
		return json_object_get(session, "values");
	if (strcmp(section, "swd_connection") == 0)
		return json_object_get(
		    json_array_get(json_object_get(session, "connections"), 0), "values");
	return NULL;
}

static void
put_row(const struct metrics *m, const json_t *result, const char *section, const json_t *row)
{
	const char *id = result_text(row, "id");
	bool is_time = strcmp(result_text(row, "kind"), "time") == 0, has_head = false;
	const json_t *sessions = json_object_get(result, "sessions");
	char *family = say_format("%s_%s%s", section, id, is_time ? "_timestamp_seconds" : "");

	for (size_t i = 0; i <= json_array_size(sessions); i++) {
		const json_t *session = i > 0 ? json_array_get(sessions, i - 1) : NULL;
		const json_t *values = values_of(result, session, section);

		if (json_object_get(values, id) == NULL)
			continue;
		if (!has_head)
			put_head(
			    m, family, is_time ? "gauge" : "counter", result_text(row, "name"));
		has_head = true;
		put_sample(m->out, family, values, id, session);
	}
	free(family);
}

/* What is counted of each unit. */
static void
put_lun_row(const struct metrics *m, const json_t *sessions, const json_t *row)
{
	const char *id = result_text(row, "id");
	char *family = say_format("lun_%s", id);
	const json_t *session, *lun;
	size_t i, k;

	put_head(m, family, "counter", result_text(row, "description"));
	json_array_foreach(sessions, i, session)
	    json_array_foreach(json_object_get(session, "luns"), k, lun)
	{
		fprintf(m->out, PREFIX "%s_total", family);
		put_labels(m->out, session, result_text(lun, "name"), NULL);
		fprintf(m->out, " %lld\n", (long long)result_number(lun, id));
	}
	free(family);
}

static void
put_latency(const struct metrics *m, const json_t *sessions, const char *op, const char *word)
{
	static const struct {
		const char *quantile, *key;
	} quantiles[] = { { "0.5", "p50_us" }, { "0.99", "p99_us" }, { "0.999", "p999_us" } };
	FILE *out = m->out;
	char *family = say_format("lun_%s_latency_seconds", word);
	const json_t *session, *lun;
	size_t i, k;

	put_head(m, family, "summary", "How long commands of a LUN took.");
	json_array_foreach(sessions, i, session)
	    json_array_foreach(json_object_get(session, "luns"), k, lun)
	{
		const json_t *l = json_object_get(lun, op);
		const char *name = result_text(lun, "name");

		for (size_t q = 0; q < 3; q++) {
			fprintf(out, PREFIX "%s", family);
			put_labels(out, session, name, quantiles[q].quantile);
			fprintf(out, " %.6f\n", (double)result_number(l, quantiles[q].key) / 1e6);
		}
		fprintf(out, PREFIX "%s_count", family);
		put_labels(out, session, name, NULL);
		fprintf(
		    out, " %lld\n" PREFIX "%s_sum", (long long)result_number(l, "count"), family);
		put_labels(out, session, name, NULL);
		fprintf(out, " %.6f\n", (double)result_number(l, "sum_us") / 1e6);
	}
	free(family);
	family = say_format("lun_%s_bytes", word);
	put_head(m, family, "counter", "Bytes that commands of a LUN moved.");
	json_array_foreach(sessions, i, session)
	    json_array_foreach(json_object_get(session, "luns"), k, lun)
	{
		fprintf(out, PREFIX "%s_total", family);
		put_labels(out, session, result_text(lun, "name"), NULL);
		fprintf(
		    out, " %lld\n", (long long)result_number(json_object_get(lun, op), "bytes"));
	}
	free(family);
}

/* ---- what to raise an alarm on ---- */

static void
put_states(const struct metrics *m, const json_t *sessions)
{
	static const char *const states[] = { "online", "transient", "offline" };
	const json_t *session;
	size_t i;

	put_head(m, "session_state", "gauge",
	    "Whether the session is online, is being opened again while its I/O waits, or has been "
	    "given up.");
	json_array_foreach(sessions, i, session)
	{
		for (size_t k = 0; k < sizeof(states) / sizeof(states[0]); k++) {
			fputs(PREFIX "session_state{", m->out);
			put_who(m->out, session);
			fprintf(m->out, ",state=\"%s\"} %d\n", states[k],
			    strcmp(result_text(session, "state"), states[k]) == 0);
		}
	}
}

static long long
is_claimed(const json_t *disk)
{
	return strcmp(result_text(disk, "sw_state"), "CLAIMED") == 0;
}

static long long
is_in_use(const json_t *disk)
{
	return json_is_true(json_object_get(disk, "in_use"));
}

static long long
is_read_only(const json_t *disk)
{
	return json_is_true(json_object_get(disk, "read_only"));
}

static long long
size_bytes(const json_t *disk)
{
	return (long long)result_number(disk, "size_bytes");
}

/* One that has no device files has no name of that kind: it is known by its target and number. */
static void
put_disks(const struct metrics *m, const json_t *nodes)
{
	static const struct {
		const char *family, *help;
		long long (*value)(const json_t *disk);
	} gauges[] = {
		{ "disk_available", "Whether the disk is there and may be used.", is_claimed },
		{ "disk_in_use", "Whether somebody has the disk open.", is_in_use },
		{ "disk_read_only", "Whether the disk is write protected.", is_read_only },
		{ "disk_size_bytes", "The size of the disk.", size_bytes },
	};
	const json_t *disk;
	size_t i;

	for (size_t g = 0; g < sizeof gauges / sizeof gauges[0]; g++) {
		put_head(m, gauges[g].family, "gauge", gauges[g].help);
		json_array_foreach(nodes, i, disk)
		{
			const char *dsk = strrchr(result_text(disk, "dsk"), '/');

			if (strcmp(result_text(disk, "class"), "disk") != 0)
				continue;
			fprintf(m->out, PREFIX "%s{target=\"", gauges[g].family);
			put_escaped(m->out, result_text(disk, "target_name"));
			fprintf(m->out, "\",lun=\"%lld\",device=\"",
			    (long long)result_number(disk, "lun"));
			put_escaped(m->out, dsk != NULL ? dsk + 1 : "");
			fputs("\",path=\"", m->out);
			put_escaped(m->out, result_text(disk, "hw_path"));
			fprintf(m->out, "\"} %lld\n", gauges[g].value(disk));
		}
	}
}

/* ---- paths ---- */

static void
put_path_value(FILE *out, const json_t *v, const char *key)
{
	if (strcmp(key, "state") == 0)
		fprintf(out, "%d\n", strncmp(json_string_value(v), "active/", 7) == 0);
	else
		fprintf(out, "%lld\n", json_is_true(v) ? 1 : (long long)json_integer_value(v));
}

/* Of each path of a disk that has several. */
static void
put_path_row(const struct metrics *m, const json_t *units, const char *family, const char *type,
    const char *help, const char *key)
{
	const char *suffix = strcmp(type, "counter") == 0 ? "_total" : "";
	const json_t *unit, *path;
	size_t i, k;

	put_head(m, family, type, help);
	json_array_foreach(units, i, unit)
	{
		const json_t *paths = json_object_get(unit, "paths");

		if (json_array_size(paths) < 2)
			continue;
		json_array_foreach(paths, k, path)
		{
			fprintf(m->out, PREFIX "%s%s{device=\"", family, suffix);
			put_escaped(m->out, result_text(unit, "name"));
			fprintf(m->out, "\",session=\"%lld\",target=\"",
			    (long long)result_number(path, "session_instance"));
			put_escaped(m->out, result_text(path, "target_name"));
			fputs("\",address=\"", m->out);
			put_escaped(m->out, result_text(path, "address"));
			fputs("\"} ", m->out);
			put_path_value(m->out, json_object_get(path, key), key);
		}
	}
}

static void
put_paths(const struct metrics *m, const json_t *units)
{
	static const struct {
		const char *family, *type, *help, *key;
	} rows[] = {
		{ "path_serves", "gauge", "Whether the path's state is active.", "state" },
		{ "path_used", "gauge", "Whether I/O goes over the path now.", "used" },
		{ "path_commands", "counter", "Commands that were answered over the path.",
		    "commands" },
		{ "path_errors", "counter", "Commands that failed or were lost on the path.",
		    "errors" },
		{ "path_losses", "counter", "How often the path was lost.", "losses" },
	};
	const json_t *unit;
	size_t i;

	for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
		put_path_row(m, units, rows[k].family, rows[k].type, rows[k].help, rows[k].key);
	put_head(
	    m, "disk_failovers", "counter", "How often I/O of the disk went over to another path.");
	json_array_foreach(units, i, unit)
	{
		if (json_array_size(json_object_get(unit, "paths")) < 2)
			continue;
		fputs(PREFIX "disk_failovers_total{device=\"", m->out);
		put_escaped(m->out, result_text(unit, "name"));
		fprintf(m->out, "\"} %lld\n", (long long)result_number(unit, "failovers"));
	}
}

/* Is there any disk that has several? */
static bool
has_paths(const json_t *units)
{
	const json_t *unit;
	size_t i;

	json_array_foreach(
	    units, i, unit) if (json_array_size(json_object_get(unit, "paths")) > 1) return true;
	return false;
}

/* ---- iSNS servers ---- */

/* Of each server, except where it has none: iisnsd does not know it yet. */
static void
put_isns_row(const struct metrics *m, const json_t *servers, const char *family, const char *type,
    const char *help, const char *key)
{
	const char *suffix = strcmp(type, "counter") == 0 ? "_total" : "";
	const json_t *server, *v;
	size_t i;

	put_head(m, family, type, help);
	json_array_foreach(servers, i, server)
	{
		v = json_object_get(server, key);
		if (v == NULL)
			continue;
		fprintf(m->out, PREFIX "%s%s{server=\"", family, suffix);
		put_escaped(m->out, result_text(server, "address"));
		fprintf(m->out, "\",port=\"%lld\"} ", (long long)result_number(server, "port"));
		if (json_is_string(v))
			fprintf(m->out, "%d\n", strcmp(json_string_value(v), "online") == 0);
		else
			fprintf(m->out, "%lld\n",
			    json_is_true(v) ? 1 : (long long)json_integer_value(v));
	}
}

static void
put_isns(const struct metrics *m, const json_t *servers)
{
	static const struct {
		const char *family, *type, *help, *key;
	} rows[] = {
		{ "isns_server_online", "gauge", "Whether the iSNS server answers.", "state" },
		{ "isns_server_notifies", "gauge",
		    "Whether the iSNS server has accepted the registration for notifications.",
		    "is_notifying" },
		{ "isns_server_targets", "gauge",
		    "Addresses of targets that the iSNS server named last.", "targets" },
		{ "isns_server_left_out", "gauge",
		    "What the iSNS server named last and nobody can use.", "left_out" },
		{ "isns_server_cut", "gauge", "Whether the iSNS server names more than are kept.",
		    "is_cut" },
#define ISNS_COUNT(id, name, text) { "isns_server_" name, "counter", "iSNS: " text ".", name },
#include "ipc/isns_count.def"
#undef ISNS_COUNT
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		put_isns_row(m, servers, rows[i].family, rows[i].type, rows[i].help, rows[i].key);
}

void
metrics_show(FILE *out, enum metrics_format format, const struct metrics_answers *a)
{
	const struct metrics m = { out, format };
	json_t *tables = json_object_get(a->stats, "tables"), *table, *row;
	const json_t *sessions = json_object_get(a->stats, "sessions");
	const char *section;
	size_t i;

	json_object_foreach(tables, section, table)
	{
		json_array_foreach(json_object_get(table, "rows"), i, row)
		    put_row(&m, a->stats, section, row);
	}
	if (json_array_size(sessions) > 0) {
		put_latency(&m, sessions, "reads", "read");
		put_latency(&m, sessions, "writes", "write");
		json_array_foreach(json_object_get(json_object_get(tables, "lun"), "rows"), i, row)
		    put_lun_row(&m, sessions, row);
	}
	if (json_array_size(json_object_get(a->sessions, "sessions")) > 0)
		put_states(&m, json_object_get(a->sessions, "sessions"));
	if (json_array_size(json_object_get(a->tree, "nodes")) > 0)
		put_disks(&m, json_object_get(a->tree, "nodes"));
	if (json_array_size(json_object_get(a->isns, "servers")) > 0)
		put_isns(&m, json_object_get(a->isns, "servers"));
	if (has_paths(json_object_get(a->paths, "units")))
		put_paths(&m, json_object_get(a->paths, "units"));
	if (format == METRICS_OPEN)
		fputs("# EOF\n", out);
}
