#include "tools/iscsiutil/show.h"

#include <string.h>

#include "tools/common/label.h"
#include "tools/common/result.h"

enum section {
#define SECTION(id) SECTION_##id,
#include "tools/iscsiutil/labels.def"
};

#define IN(id) (1U << SECTION_##id)

static const struct label labels[] = {
#define LABEL(sections, label, kind, key) { sections, label, LABEL_##kind, key },
#include "tools/iscsiutil/labels.def"
};

static void section(FILE *out, unsigned sections, const json_t *object);
static void gap(FILE *out, unsigned shown);
static void put_counted(FILE *out, const char *label, unsigned n);
static void put_last_scan(FILE *out, const json_t *scan);
static void put_source(FILE *out, const char *source);
static void put_keys(FILE *out, const json_t *connection);

void
show_driver(FILE *out, const json_t *result)
{
	section(out, IN(DRIVER), result);
}

void
show_initiator(FILE *out, const json_t *result, bool is_verbose)
{
	section(out, IN(INITIATOR), result);
	if (is_verbose)
		section(out, IN(OURS), result);
}

void
show_nop(FILE *out, const json_t *result)
{
	section(out, IN(NOP), result);
}

void
show_discovery(FILE *out, const json_t *result)
{
	const json_t *target;
	unsigned shown = 0;
	size_t i;

	json_array_foreach(json_object_get(result, "targets"), i, target)
	{
		gap(out, shown);
		put_counted(out, "Discovery Target", ++shown);
		section(out, IN(PORTAL), target);
		section(out, IN(KEYS), target);
		put_last_scan(out, json_object_get(target, "last_scan"));
	}
}

void
show_isns(FILE *out, const json_t *result)
{
	const json_t *server;
	unsigned shown = 0;
	size_t i;

	json_array_foreach(json_object_get(result, "servers"), i, server)
	{
		gap(out, shown);
		put_counted(out, "iSNS Server", ++shown);
		section(out, IN(ISNS), server);
	}
}

void
show_targets(FILE *out, const json_t *result)
{
	const json_t *target, *address;
	unsigned shown = 0;
	size_t i, j;

	json_array_foreach(json_object_get(result, "targets"), i, target)
	{
		gap(out, shown);
		put_counted(out, "Operational Target", ++shown);
		section(out, IN(TARGET), target);
		put_source(out, result_text(target, "source"));
		section(out, IN(KEYS), target);
		json_array_foreach(json_object_get(target, "addresses"), j, address)
		{
			gap(out, shown);
			section(out, IN(ADDRESS), address);
		}
	}
}

void
show_sessions(FILE *out, const json_t *result, bool keys)
{
	const json_t *session, *connection;
	unsigned shown = 0;
	size_t i, j;

	json_array_foreach(json_object_get(result, "sessions"), i, session)
	{
		gap(out, shown++);
		section(out, IN(SESSION), session);
		section(out, IN(PORTAL), session);
		section(out, IN(NEXUS), session);
		section(out, IN(KEYS), session);
		if (!keys)
			continue;
		json_array_foreach(json_object_get(session, "connections"), j, connection)
		{
			gap(out, shown);
			section(out, IN(CONNECTION), connection);
			put_keys(out, connection);
		}
	}
}

void
show_connections(FILE *out, const json_t *result, long cid, bool keys)
{
	const json_t *session, *connection;
	unsigned shown = 0;
	size_t i, j;

	json_array_foreach(json_object_get(result, "sessions"), i, session)
	{
		json_array_foreach(json_object_get(session, "connections"), j, connection)
		{
			if (cid >= 0 && result_number(connection, "cid") != cid)
				continue;
			gap(out, shown++);
			section(out, IN(SESSION), session);
			section(out, IN(CONNECTION), connection);
			if (keys)
				put_keys(out, connection);
		}
	}
}

unsigned
show_count_connections(const json_t *result, long cid)
{
	const json_t *session, *connection;
	unsigned n = 0;
	size_t i, j;

	json_array_foreach(json_object_get(result, "sessions"), i, session)
	    json_array_foreach(json_object_get(session, "connections"), j, connection) n +=
	    cid < 0 || result_number(connection, "cid") == cid;
	return n;
}

void
show_all(FILE *out, const json_t *discovery, const json_t *targets, const json_t *sessions)
{
	size_t before = json_array_size(json_object_get(discovery, "targets"));

	show_discovery(out, discovery);
	gap(out, before > 0 && json_array_size(json_object_get(targets, "targets")) > 0);
	show_targets(out, targets);
	before += json_array_size(json_object_get(targets, "targets"));
	gap(out, before > 0 && json_array_size(json_object_get(sessions, "sessions")) > 0);
	show_sessions(out, sessions, false);
}

static void
section(FILE *out, unsigned sections, const json_t *object)
{
	label_print(out, labels, sizeof(labels) / sizeof(labels[0]), sections, object);
}

static void
gap(FILE *out, unsigned shown)
{
	if (shown > 0)
		fputc('\n', out);
}

static void
put_counted(FILE *out, const char *label, unsigned n)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", n);
	label_put(out, label, number);
}

static void
put_last_scan(FILE *out, const json_t *scan)
{
	bool is_ok = result_is_true(scan, "ok");
	char number[24] = "";

	if (is_ok)
		snprintf(number, sizeof(number), "%lld", (long long)result_number(scan, "targets"));
	label_put(out, "Last Scan", json_is_object(scan) ? result_text(scan, "time") : "never");
	label_put(out, "Targets Found", number);
	label_put(out, "Last Error", is_ok ? "" : result_text(scan, "error"));
}

/* The word of the answer, as the guide and the RFC write the thing. */
static void
put_source(FILE *out, const char *source)
{
	static const struct {
		const char *word, *shown;
	} rows[] = {
		{ "sendtargets", "SendTargets" },
		{ "slp", "SLP" },
		{ "isns", "iSNS" },
		{ "static", "Static" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(source, rows[i].word) == 0)
			source = rows[i].shown;
	label_put(out, "Discovered By", source);
}

static void
put_keys(FILE *out, const json_t *connection)
{
	json_t *keys = json_object_get(connection, "negotiated"), *value;
	const char *key;

	json_object_foreach(keys, key, value)
	{
		if (json_is_string(value))
			label_put(out, key, json_string_value(value));
	}
}
