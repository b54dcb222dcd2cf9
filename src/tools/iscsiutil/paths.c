/* iscsiutil -m: which paths each disk has, and one that is taken out of use. */
#include "tools/iscsiutil/paths.h"

#include <stdlib.h>
#include <string.h>

#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/table.h"
#include "tools/common/wrap.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"

/* What is left of an address where a terminal is narrow. */
#define ADDRESS_WIDTH_MIN 15

/* ---- showing ---- */

static char *
count_text(const json_t *object, const char *key)
{
	return say_format("%lld", (long long)result_number(object, key));
}

static char *
group_text(const json_t *path)
{
	return json_is_integer(json_object_get(path, "group"))
		   ? say_format("%lld%s", (long long)result_number(path, "group"),
			 json_is_true(json_object_get(path, "group_preferred")) ? "*" : "")
		   : say_format("-");
}

static char *
latency_text(const json_t *path)
{
	double us = (double)result_number(path, "latency_us");

	return us > 0 ? say_format("%.2f ms", us / 1000) : say_format("-");
}

/* Why it gets no I/O, where that is not plain. */
static void
put_notes(struct table *t, const json_t *path)
{
	const json_t *aside = json_object_get(path, "aside_s");
	char *text = NULL;

	if (result_text(path, "why")[0] != '\0')
		table_note(t, 1, result_text(path, "why"));
	if (json_is_string(aside))
		text = say_format("it was lost, and waits for 'iscsiutil -m -S %lld restore'",
		    (long long)result_number(path, "session_instance"));
	else if (json_number_value(aside) > 0)
		text = say_format(
		    "it was lost, and proves itself for %.0f s more", json_number_value(aside));
	if (text != NULL)
		table_note(t, 1, text);
	free(text);
}

static void
put_path(struct table *t, const json_t *path)
{
	char *session = count_text(path, "session_instance"), *lun = count_text(path, "lun");
	char *group = group_text(path), *commands = count_text(path, "commands");
	char *errors = count_text(path, "errors"), *latency = latency_text(path);
	const char *cells[] = { json_is_true(json_object_get(path, "used")) ? ">" : "", session,
		lun, result_text(path, "state"), group, commands, errors, latency,
		result_text(path, "address") };

	table_row(t, cells);
	put_notes(t, path);
	free(session);
	free(lun);
	free(group);
	free(commands);
	free(errors);
	free(latency);
}

static void
put_unit(FILE *out, const json_t *unit, size_t width)
{
	static const struct table_column columns[] = {
		{ "", 1, 1, false },
		{ "Session", 7, 2, true },
		{ "LUN", 3, 2, true },
		{ "State", 6, 2, false },
		{ "Group", 5, 2, true },
		{ "I/O", 3, 2, true },
		{ "Errors", 6, 2, true },
		{ "Latency", 7, 2, true },
		{ "Address", 7, 0, false },
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *path, *last = json_object_get(unit, "last_failover_s");
	size_t i;

	fprintf(out, "%s: %s%s", result_text(unit, "name"), result_text(unit, "policy"),
	    result_is_true(unit, "policy_is_own") ? ", its own" : "");
	if (result_number(unit, "failovers") > 0)
		fprintf(out, ", %lld failovers, the last %.0f s ago",
		    (long long)result_number(unit, "failovers"), json_number_value(last));
	fputc('\n', out);
	json_array_foreach(json_object_get(unit, "paths"), i, path) put_path(t, path);
	table_fit(t, width, ADDRESS_WIDTH_MIN);
	table_print(t, out);
	table_free(t);
}

void
paths_show(FILE *out, const json_t *result, size_t width)
{
	const json_t *unit;
	size_t i;

	json_array_foreach(json_object_get(result, "units"), i, unit)
	{
		if (i > 0)
			fputc('\n', out);
		put_unit(out, unit, width);
	}
}

/* ---- asking ---- */

enum status
run_paths(const struct cmdline *line)
{
	json_t *result, *args = say_need(json_object());
	enum status status;

	if (line->values[OPT_unit].given)
		say_need(
		    json_object_set_new(args, "name", json_string(line->values[OPT_unit].text)) == 0
			? args
			: NULL);
	status = ask_driver(line, IPC_OP_path_list, args, true, CALL_ISCSI, &result);
	if (status != STATUS_OK)
		return status;
	if (json_array_size(json_object_get(result, "units")) == 0) {
		say_failure(IPC_ERR_NOTFOUND, NULL, "look for them: ioscan",
		    line->values[OPT_unit].given ? "there is no disk of this name now"
						 : "there are no disks now");
		status = STATUS_NOT_FOUND;
	} else if (!ask_wants_json(line)) {
		paths_show(stdout, result, line->values[OPT_wide].given ? 0 : wrap_width(stdout));
	}
	json_decref(result);
	return status;
}

enum status
run_path_set(const struct cmdline *line)
{
	const char *word = line->operands[line->n_operands - 1]; /* behind the device */
	long instance = line->values[OPT_S].number;
	json_t *result = NULL;
	enum status status;
	struct call c;

	if (strcmp(word, "fail") != 0 && strcmp(word, "restore") != 0) {
		say_failure(IPC_ERR_INVALID, NULL, "give fail or restore",
		    "a path cannot be told to \"%s\"", word);
		return STATUS_USAGE;
	}
	status = call_open(&c, line, CALL_ISCSI);
	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_path_set,
		    say_need(json_pack("{s:I, s:s, s:b}", "instance", (json_int_t)instance, "state",
			word, "force", line->values[OPT_force].given)),
		    &result);
	call_close(&c);
	if (status != STATUS_OK)
		return status;
	if (say_is_json())
		result_print(stdout, result);
	else
		say_note("session %ld: it is %s for %lld disks", instance,
		    strcmp(word, "fail") == 0 ? "no path any more" : "a path again",
		    (long long)result_number(result, "units"));
	json_decref(result);
	return STATUS_OK;
}
