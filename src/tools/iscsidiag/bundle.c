#include "tools/iscsidiag/bundle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/table.h"

#define NAME_WIDTH 32
/* Deeper than anything we gather; an answer may be of any shape. */
#define DEPTH_MAX 16

static void put_value(FILE *out, const json_t *value, unsigned indent);

static void
put_scalar(FILE *out, const json_t *v)
{
	char *text;

	if (json_is_string(v)) {
		say_text(out, json_string_value(v));
	} else if (json_is_boolean(v)) {
		fputs(json_is_true(v) ? "yes" : "no", out);
	} else if (json_is_null(v)) {
		fputs("-", out);
	} else {
		text = say_need(json_dumps(v, JSON_ENCODE_ANY));
		fputs(text, out);
		free(text);
	}
}

static bool
is_nested(const json_t *v)
{
	return json_is_object(v) || json_is_array(v);
}

/* Few short words: they fit on a line. */
static bool
is_short_list(const json_t *v)
{
	size_t total = 0, i;
	const json_t *item;

	if (!json_is_array(v))
		return false;
	json_array_foreach(v, i, item)
	{
		if (is_nested(item))
			return false;
		total += json_is_string(item) ? json_string_length(item) + 2 : 8;
	}
	return total < 60;
}

static void
put_short_list(FILE *out, const json_t *v)
{
	const char *comma = "";
	const json_t *item;
	size_t i;

	if (json_array_size(v) == 0)
		fputc('-', out);
	json_array_foreach(v, i, item)
	{
		fputs(comma, out);
		put_scalar(out, item);
		comma = ", ";
	}
}

static void
put_member(FILE *out, const char *key, const json_t *v, unsigned indent)
{
	char *name = say_clean(key);

	if (is_nested(v) && !is_short_list(v)) {
		fprintf(out, "%*s%s:%s\n", (int)indent, "", name,
		    json_is_object(v) && json_object_size(v) == 0 ? " -" : "");
		put_value(out, v, indent + 2);
	} else {
		fprintf(out, "%*s%-*s : ", (int)indent, "",
		    indent < NAME_WIDTH ? (int)(NAME_WIDTH - indent) : 0, name);
		if (is_nested(v))
			put_short_list(out, v);
		else
			put_scalar(out, v);
		fputc('\n', out);
	}
	free(name);
}

static void
put_list(FILE *out, const json_t *list, unsigned indent)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (is_nested(item)) {
			fprintf(out, "%*s[%zu]\n", (int)indent, "", i);
			put_value(out, item, indent + 2);
			continue;
		}
		fprintf(out, "%*s", (int)indent, "");
		put_scalar(out, item);
		fputc('\n', out);
	}
}

static void
put_value(FILE *out, const json_t *value, unsigned indent)
{
	const char *key;
	json_t *v;

	if (indent > 2 * DEPTH_MAX) {
		fprintf(out, "%*s…\n", (int)indent, "");
	} else if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, v) put_member(out, key, v, indent);
	} else if (json_is_array(value)) {
		put_list(out, value, indent);
	} else {
		fprintf(out, "%*s", (int)indent, "");
		put_scalar(out, value);
		fputc('\n', out);
	}
}

void
bundle_tree(FILE *out, const json_t *data)
{
	put_value(out, data, 0);
}

void
bundle_nodes(FILE *out, const json_t *data)
{
	static const struct table_column columns[] = { { "Class", 8, 2, false },
		{ "I", 2, 2, true }, { "H/W Path", 8, 2, false }, { "Driver", 7, 2, false },
		{ "S/W State", 10, 2, false }, { "H/W Type", 10, 2, false },
		{ "Description", 11, 0, false } };
	struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *node;
	size_t i;

	json_array_foreach(json_object_get(data, "nodes"), i, node)
	{
		char instance[24] = "";
		const char *cells[] = { result_text(node, "class"), instance,
			result_text(node, "hw_path"), result_text(node, "driver"),
			result_text(node, "sw_state"), result_text(node, "hw_type"),
			result_text(node, "description") };

		if (result_number(node, "instance") >= 0)
			snprintf(instance, sizeof instance, "%lld",
			    (long long)result_number(node, "instance"));
		table_row(t, cells);
	}
	table_print(t, out);
	table_free(t);
	fputc('\n', out);
	put_value(out, data, 0);
}

/* Behind a blank, where there is one. */
static void
put_word(FILE *out, const char *word)
{
	if (word[0] == '\0')
		return;
	fputc(' ', out);
	say_text(out, word);
}

void
bundle_events(FILE *out, const json_t *data)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(data, "events"), i, e)
	{
		if (!json_is_object(e)) {
			put_value(out, e, 0);
			continue;
		}
		say_text(out, result_text(e, "time"));
		fprintf(out, " level %lld ", (long long)result_number(e, "level"));
		say_text(out, result_text(e, "id"));
		if (result_number(e, "session") >= 0)
			fprintf(out, " session %lld", (long long)result_number(e, "session"));
		put_word(out, result_text(e, "target"));
		put_word(out, result_text(e, "address"));
		fputs("\n    ", out);
		say_text(out, result_text(e, "text"));
		if (result_number(e, "held_back") > 0)
			fprintf(out, " (%lld like it before)",
			    (long long)result_number(e, "held_back"));
		fputc('\n', out);
	}
}

/* Fields that are tags: people compare them in hexadecimal, as other tools show them. */
static bool
is_tag(const char *name)
{
	static const char *const tags[] = { "itt", "ttt", "referenced_task_tag", "snack_tag" };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (strcmp(name, tags[i]) == 0)
			return true;
	return false;
}

/* Flags by name where they are set, other fields as name=value. */
static void
put_field(FILE *out, const char *name, const json_t *value)
{
	if (json_is_false(value))
		return;
	fputc(' ', out);
	say_text(out, name);
	if (json_is_true(value))
		return;
	fputc('=', out);
	if (json_is_integer(value) && is_tag(name))
		fprintf(out, "0x%08llx", (unsigned long long)json_integer_value(value));
	else
		put_scalar(out, value);
}

void
bundle_trace(FILE *out, const json_t *data)
{
	const json_t *trace, *e;
	const char *key;
	json_t *value;
	size_t i, j;

	json_array_foreach(json_object_get(data, "traces"), i, trace)
	{
		fprintf(out, "session %lld, ", (long long)result_number(trace, "instance"));
		say_text(out, result_text(trace, "target"));
		fputs(":\n", out);
		json_array_foreach(json_object_get(trace, "entries"), j, e)
		{
			fputs("  ", out);
			say_text(out, result_text(e, "time"));
			fprintf(out, " %lld %s ", (long long)result_number(e, "connection"),
			    strcmp(result_text(e, "way"), "in") == 0 ? "<" : ">");
			say_text(out, result_text(e, "name"));
			json_object_foreach(json_object_get(e, "fields"), key, value)
			    put_field(out, key, value);
			if (json_object_size(json_object_get(e, "fields")) == 0) {
				fputc(' ', out);
				say_text(out, result_text(e, "header"));
			}
			fputc('\n', out);
		}
	}
}

void
bundle_section(FILE *out, unsigned number, const json_t *section, bundle_print *print)
{
	const json_t *missing;
	size_t i;

	fprintf(out, "\n%s\n%2u. %s\n%s\n",
	    "================================================================================",
	    number, result_text(section, "title"),
	    "================================================================================");
	json_array_foreach(json_object_get(section, "missing"), i, missing)
	{
		fputs("MISSING: ", out);
		put_scalar(out, missing);
		fputc('\n', out);
	}
	print(out, json_object_get(section, "data"));
}
