#include "tools/iscsiutil/units.h"

#include <stdlib.h>
#include <string.h>

#include "sys/usedby.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/size.h"
#include "tools/common/table.h"
#include "tools/common/when.h"

/* Looking for the users of a disk costs a walk through all processes. */
#define LOOKED_AT_MAX 32
/* What is left of a user's name where a terminal is narrow. */
#define USER_WIDTH_MIN 8
/* More than that is nothing that a disk did. */
#define BYTES_MAX 1e19

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The name of its device files, c1t0d0; "" where it has none. */
static const char *
device_of(const json_t *node)
{
	const char *nbd = result_text(node, "nbd");

	return base_name(nbd[0] != '\0' ? nbd : result_text(node, "rdsk"));
}

/* c1t0d0, also where it has no device files; "" where it is not shown. */
static const char *
name_of(const json_t *node)
{
	const char *device = device_of(node);

	return device[0] != '\0' ? device : base_name(result_text(node, "file"));
}

static bool
is_unit(const json_t *node)
{
	return json_is_integer(json_object_get(node, "lun"));
}

/* ---- gathering ---- */

static void
set(json_t *object, const char *key, json_t *value)
{
	say_need(json_object_set_new(object, key, say_need(value)) == 0 ? object : NULL);
}

/* "3.17": a unit by its session and its number. */
static char *
key_of(json_int_t session, json_int_t lun)
{
	return say_format("%lld.%lld", (long long)session, (long long)lun);
}

/* The rows of stats.get by their units. */
static json_t *
index_io(const json_t *stats)
{
	json_t *index = say_need(json_object());
	const json_t *session, *lun;
	size_t i, j;

	json_array_foreach(json_object_get(stats, "sessions"), i, session)
	{
		json_array_foreach(json_object_get(session, "luns"), j, lun)
		{
			char *key =
			    key_of(result_number(session, "instance"), result_number(lun, "lun"));

			set(index, key, json_incref((json_t *)(uintptr_t)lun));
			free(key);
		}
	}
	return index;
}

/* The last event of each unit, by its name. */
static json_t *
index_trouble(const json_t *events)
{
	json_t *index = say_need(json_object());
	const json_t *e;
	size_t i;

	json_array_foreach(events, i, e)
	{
		if (result_text(e, "unit")[0] != '\0')
			set(index, result_text(e, "unit"),
			    json_pack("{s:s, s:s, s:i, s:s}", "time", result_text(e, "time"), "id",
				result_text(e, "id"), "level", (int)result_number(e, "level"),
				"text", result_text(e, "text")));
	}
	return index;
}

static void
add_user(void *list, const char *by)
{
	say_need(json_array_append_new(list, say_need(json_string(by))) == 0 ? list : NULL);
}

static char *
append(char *text, const char *between, const char *more)
{
	char *whole = say_format("%s%s%s", text, between, more);

	free(text);
	return whole;
}

/* As the driver names a disk in use: "c1t0d0 (/dev/loop4)", "c1t0d0 (process 17, process 18)". */
static char *
disk_of(const json_t *node)
{
	const char *block = result_text(node, "block"), *between = " (";
	char *disk = say_format("%s", name_of(node)), client[32];
	const json_t *pid;
	size_t i;

	if (block[0] != '\0') {
		disk = append(disk, between, block);
		between = ", ";
	}
	/* Those of a socket only the driver knows. */
	json_array_foreach(json_object_get(node, "users"), i, pid)
	{
		(void)snprintf(client, sizeof client, "process %lld",
		    (long long)json_integer_value(pid)); /* fits */
		disk = append(disk, between, client);
		between = ", ";
	}
	return between[0] == ',' ? append(disk, "", ")") : disk;
}

static json_t *
users_of(const struct paths *paths, const json_t *node)
{
	json_t *users = say_need(json_array());
	char *disk = disk_of(node);

	usedby_find(paths, disk, add_user, users);
	free(disk);
	return users;
}

static json_t *
or_null(const json_t *index, const char *key)
{
	json_t *value = json_object_get(index, key);

	return value != NULL ? json_incref(value) : json_null();
}

json_t *
units_gather(
    const struct paths *paths, const json_t *tree, const json_t *stats, const json_t *events)
{
	json_t *units = say_need(json_array()), *io = index_io(stats);
	json_t *trouble = index_trouble(events);
	const json_t *node;
	size_t i, looked_at = 0;

	json_array_foreach(json_object_get(tree, "nodes"), i, node)
	{
		json_t *unit;
		char *key;

		if (!is_unit(node))
			continue;
		unit = say_need(json_object());
		key = key_of(result_number(node, "session_instance"), result_number(node, "lun"));
		set(unit, "hw_path", json_string(result_text(node, "hw_path")));
		set(unit, "used_by",
		    result_is_true(node, "in_use") && looked_at++ < LOOKED_AT_MAX
			? users_of(paths, node)
			: json_array());
		set(unit, "io", or_null(io, key));
		set(unit, "last_trouble", or_null(trouble, name_of(node)));
		free(key);
		say_need(json_array_append_new(units, unit) == 0 ? units : NULL);
	}
	json_decref(io);
	json_decref(trouble);
	return units;
}

/* ---- what was read and written ---- */

struct flow {
	bool is_known;
	double requests, bytes, sum_us, max_us, errors;
};

/* A driver of another kind may tell anything: what is no count is none. */
static double
counted(const json_t *object, const char *key)
{
	json_int_t n = result_number(object, key);

	return n > 0 ? (double)n : 0;
}

static void
add_flow(struct flow *f, const json_t *latency)
{
	double max_us = counted(latency, "max_us");

	f->requests += counted(latency, "count");
	f->bytes += counted(latency, "bytes");
	f->sum_us += counted(latency, "sum_us");
	f->max_us = max_us > f->max_us ? max_us : f->max_us;
}

static struct flow
flow_of(const json_t *unit)
{
	const json_t *io = json_object_get(unit, "io");
	struct flow f = { .is_known = json_is_object(io) };

	if (!f.is_known)
		return f;
	add_flow(&f, json_object_get(io, "reads"));
	add_flow(&f, json_object_get(io, "writes"));
	f.errors = counted(io, "errors");
	return f;
}

/* Of the last time, by the hardware path: units come and go. */
static const json_t *
find(const json_t *units, const json_t *unit)
{
	const json_t *other;
	size_t i;

	json_array_foreach(units, i, other)
	{
		if (strcmp(result_text(other, "hw_path"), result_text(unit, "hw_path")) == 0)
			return other;
	}
	return NULL;
}

/* What came since `before`; what was cleared meanwhile counts from there. */
static struct flow
flow_since(struct flow now, const struct flow *before)
{
	if (before->is_known && before->requests <= now.requests && before->sum_us <= now.sum_us) {
		now.requests -= before->requests;
		now.bytes -= before->bytes;
		now.sum_us -= before->sum_us;
		now.errors -= before->errors <= now.errors ? before->errors : 0;
	}
	return now;
}

/* ---- showing ---- */

enum column {
	COLUMN_PATH,
	COLUMN_DEVICE,
	COLUMN_STATE,
	COLUMN_SIZE,
	COLUMN_BLOCK, /* wide only, as are */
	COLUMN_IO,
	COLUMN_BYTES,
	COLUMN_MEAN,
	COLUMN_WORST,
	COLUMN_ERRORS,
	COLUMN_USER,
	COLUMNS
};

static const struct {
	bool is_wide;
	struct table_column all, rate; /* since the counters were cleared; a second */
} columns[COLUMNS] = {
	[COLUMN_PATH] = { false, { "H/W Path", 13, 2, false }, { "H/W Path", 13, 2, false } },
	[COLUMN_DEVICE] = { false, { "Device", 7, 2, false }, { "Device", 7, 2, false } },
	[COLUMN_STATE] = { false, { "S/W State", 9, 2, false }, { "S/W State", 9, 2, false } },
	[COLUMN_SIZE] = { false, { "Size", 8, 2, true }, { "Size", 8, 2, true } },
	[COLUMN_BLOCK] = { true, { "Block", 5, 2, false }, { "Block", 5, 2, false } },
	[COLUMN_IO] = { false, { "I/O", 5, 2, true }, { "I/O/s", 5, 2, true } },
	[COLUMN_BYTES] = { true, { "Bytes", 8, 2, true }, { "Bytes/s", 8, 2, true } },
	[COLUMN_MEAN] = { false, { "Mean", 7, 2, true }, { "Mean", 7, 2, true } },
	[COLUMN_WORST] = { true, { "Worst", 7, 2, true }, { "Worst", 7, 2, true } },
	[COLUMN_ERRORS] = { true, { "Errors", 6, 2, true }, { "Errors", 6, 2, true } },
	[COLUMN_USER] = { false, { "Used By", 7, 0, false }, { "Used By", 7, 0, false } },
};

struct shown {
	const struct units_view *view;
	bool is_wide;
	struct table *table;
};

static void
put_flow(const struct flow *f, double seconds, char text[COLUMNS][SIZE_TEXT_BYTES])
{
	double bytes = f->bytes / seconds;

	if (!f->is_known)
		return;
	size_count(f->requests / seconds, text[COLUMN_IO]);
	size_text(bytes < BYTES_MAX ? (uint64_t)bytes : (uint64_t)BYTES_MAX, text[COLUMN_BYTES]);
	size_count(f->errors, text[COLUMN_ERRORS]);
	if (f->requests > 0) {
		size_time(f->sum_us / f->requests, text[COLUMN_MEAN]);
		size_time(f->max_us, text[COLUMN_WORST]);
	}
}

/* Where it is mounted, or else who uses it, as short as that can be said. */
static char *
user_text(const json_t *node, const json_t *unit)
{
	static const char mounted[] = "mounted at ";
	const json_t *users = json_object_get(unit, "used_by"), *u;
	const char *by = result_is_true(node, "in_use") ? "somebody" : "-", *first = NULL;
	size_t i;

	json_array_foreach(users, i, u)
	{
		const char *text = json_is_string(u) ? json_string_value(u) : "";

		if (strncmp(text, mounted, strlen(mounted)) == 0)
			return say_format("%s", text + strlen(mounted));
		if (first == NULL)
			first = text;
	}
	return say_format("%s", first != NULL ? first : by);
}

static void
put_trouble(struct table *t, const json_t *trouble)
{
	char when[WHEN_LOCAL_BYTES], *text;

	when_local(result_text(trouble, "time"), when);
	/* To the second, and without the zone. */
	when[strcspn(when, ".")] = '\0';
	text = say_format("%s: %s", when, result_text(trouble, "text"));
	table_note(t, 1, text);
	free(text);
}

static void
put_unit(const struct shown *s, const json_t *node, const json_t *unit)
{
	const json_t *bytes = json_object_get(node, "size_bytes");
	const json_t *trouble = json_object_get(unit, "last_trouble");
	const char *device = device_of(node), *block = result_text(node, "block");
	struct flow now = flow_of(unit), before = { 0 };
	double seconds = s->view->before != NULL ? s->view->seconds : 1;
	char text[COLUMNS][SIZE_TEXT_BYTES], *user = user_text(node, unit);
	const char *cells[COLUMNS] = { result_text(node, "hw_path"),
		device[0] != '\0' ? device : "-", result_text(node, "sw_state") };
	const char *row[COLUMNS];
	size_t n = 0;

	for (int i = 0; i < COLUMNS; i++)
		memcpy(text[i], "-", sizeof("-"));
	if (json_is_integer(bytes) && json_integer_value(bytes) >= 0)
		size_text((uint64_t)json_integer_value(bytes), text[COLUMN_SIZE]);
	if (s->view->before != NULL) {
		before = flow_of(find(s->view->before, unit));
		now = flow_since(now, &before);
	}
	put_flow(&now, seconds, text);
	for (int i = COLUMN_SIZE; i < COLUMN_USER; i++)
		cells[i] = text[i];
	if (result_text(node, "nbd")[0] != '\0')
		block = "NBD";
	if (block[0] != '\0')
		cells[COLUMN_BLOCK] = block;
	cells[COLUMN_USER] = user;
	for (int i = 0; i < COLUMNS; i++)
		if (s->is_wide || !columns[i].is_wide)
			row[n++] = cells[i];
	table_row(s->table, row);
	if (result_text(node, "note")[0] != '\0')
		table_note(s->table, 1, result_text(node, "note"));
	if (json_is_object(trouble))
		put_trouble(s->table, trouble);
	free(user);
}

void
units_show(FILE *out, const json_t *tree, const json_t *units, const struct units_view *view)
{
	struct shown s = { view, view->is_wide || view->width == 0 || view->width >= UNITS_WIDE };
	struct table_column chosen[COLUMNS];
	const json_t *node;
	size_t i, n = 0, at = 0;

	for (int c = 0; c < COLUMNS; c++)
		if (s.is_wide || !columns[c].is_wide)
			chosen[n++] = view->before != NULL ? columns[c].rate : columns[c].all;
	s.table = table_new(chosen, n);
	json_array_foreach(json_object_get(tree, "nodes"), i, node)
	{
		if (is_unit(node))
			put_unit(&s, node, json_array_get(units, at++));
	}
	table_fit(s.table, view->is_wide ? 0 : view->width, USER_WIDTH_MIN);
	table_print(s.table, out);
	table_free(s.table);
}
