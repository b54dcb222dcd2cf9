/* ioscan: finds iSCSI disks and lists the I/O tree (the guide, chapters 3 to 5). */
#include <string.h>

#include "tools/common/args.h"
#include "tools/common/await.h"
#include "tools/common/call.h"
#include "tools/common/hwpath.h"
#include "tools/common/progress.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/tool.h"
#include "tools/ioscan/list.h"
#include "tools/ioscan/spec.h"

static enum status scan(struct call *c, const struct cmdline *line, json_t **ret_result);
static enum status wait_for(struct call *c, const struct cmdline *line);
static enum status tell_failures(const json_t *result);
static void tell_left_out(const json_t *result);
static void tell_empty(const json_t *result);
static enum status list(const struct cmdline *line, const json_t *tree, json_t *scan_result);
static enum status tell_none(const struct cmdline *line, const json_t *tree);

static enum status
run(const struct cmdline *line)
{
	const struct cmdline_value *v = line->values;
	enum status status, scan_status = STATUS_OK;
	json_t *tree = NULL, *found = NULL;
	struct call c;

	if (v[OPT_H].given && !hwpath_check(v[OPT_H].text))
		return STATUS_USAGE;
	if (v[OPT_progress].given && !say_is_json()) {
		say_problem("add --json", "--progress is for programs, which read JSON");
		return STATUS_USAGE;
	}
	status = call_open(&c, line, CALL_ISCSI);
	if (status == STATUS_OK && !v[OPT_k].given && !v[OPT_u].given) {
		status = scan(&c, line, &found);
		if (status == STATUS_OK) {
			scan_status = tell_failures(found);
			if (!say_is_json()) {
				tell_left_out(found);
				tell_empty(found);
			}
		}
	}
	if (status == STATUS_OK && v[OPT_wait].given) {
		/* What else a scan found missing is told, but is not what is waited for. */
		status = wait_for(&c, line);
		scan_status = STATUS_OK;
	}
	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_io_tree, NULL, &tree);
	call_close(&c);
	if (status == STATUS_OK) {
		/* Everything found is listed, also where something failed. */
		status = list(line, tree, found);
		if (status == STATUS_OK)
			status = scan_status;
	}
	json_decref(tree);
	json_decref(found);
	return status;
}

int
main(int argc, char **argv)
{
	return tool_main(&ioscan_spec, run, argc, argv);
}

static enum status
scan(struct call *c, const struct cmdline *line, json_t **ret_result)
{
	json_t *args = say_need(json_object());
	struct progress p;
	enum status status;

	if (!args_put(args, "hw_path", line, OPT_H) ||
	    !args_put(args, "target", line, OPT_target)) {
		json_decref(args);
		return STATUS_USAGE;
	}
	if (line->values[OPT_wait].given)
		say_need(json_object_set_new(args, "keep", json_true()) == 0 ? args : NULL);
	if (line->values[OPT_progress].given)
		progress_init_told(&p);
	else
		progress_init_stderr(&p);
	status = call_watch(c, IPC_OP_scan, args, progress_report, &p, ret_result);
	progress_end(&p);
	return status;
}

static enum status
wait_for(struct call *c, const struct cmdline *line)
{
	const struct cmdline_value *seconds = &line->values[OPT_wait];
	json_t *result, *args = say_need(json_object());
	enum status status = STATUS_USAGE;

	if (args_put(args, "hw_path", line, OPT_H) && args_put(args, "target", line, OPT_target))
		status = await_device(c, json_incref(args),
		    seconds->has_arg ? seconds->number : AWAIT_SECONDS_DEFAULT, &result);
	if (status == STATUS_OK)
		json_decref(result);
	json_decref(args);
	return status;
}

static enum status
tell_failures(const json_t *result)
{
	static const struct {
		const char *stage, *words;
	} stages[] = {
		{ "discovery", "discovery at" },
		{ "session", "session to" },
		{ "luns", "disks of" },
	};
	const json_t *failure;
	struct status_tally tally = { 0 };
	size_t i;

	json_array_foreach(json_object_get(result, "failures"), i, failure)
	{
		const char *stage = result_text(failure, "stage");

		for (size_t j = 0; j < sizeof(stages) / sizeof(stages[0]); j++)
			if (strcmp(stages[j].stage, stage) == 0)
				stage = stages[j].words;
		if (strcmp(result_text(failure, "what"), "SLP") == 0 ||
		    strncmp(result_text(failure, "what"), "iSNS ", 5) == 0)
			stage = "discovery by";
		/* A program has them in the answer. */
		if (!say_is_json())
			say_failure(IPC_ERR_INTERNAL, NULL, result_text(failure, "next"),
			    "%s %s: %s", stage, result_text(failure, "what"),
			    result_text(failure, "error"));
		status_count(&tally, STATUS_FAILED);
	}
	if (result_number(json_object_get(result, "discovery"), "ok") > 0 ||
	    result_number(json_object_get(result, "sessions"), "online") > 0)
		status_count(&tally, STATUS_OK);
	return status_sum(&tally);
}

/* LUNs that the target has and that get no hardware path: no failure, but told. */
static void
tell_left_out(const json_t *result)
{
	const json_t *out;
	size_t i;

	json_array_foreach(json_object_get(result, "left_out"), i, out)
	    say_note("%s: LUN %s is left out: %s", result_text(out, "what"),
		result_text(out, "lun"), result_text(out, "why"));
}

/* Who was asked and had nothing: no failure, but whoever looks for a disk wants to know. */
static void
tell_empty(const json_t *result)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(result, "empty"), i, one) say_note("%s: %s. Next: %s",
	    result_text(one, "what"), result_text(one, "why"), result_text(one, "next"));
}

static enum status
list(const struct cmdline *line, const json_t *tree, json_t *scan_result)
{
	const struct cmdline_value *v = line->values;
	const struct list_filter filter = {
		.class = v[OPT_C].text,
		.driver = v[OPT_d].text,
		.hw_path = v[OPT_H].text,
		.instance = v[OPT_I].given ? v[OPT_I].number : -1,
		.usable = v[OPT_u].given,
	};

	if (cmdline_common(line, CMDLINE_COMMON_json)->given) {
		json_t *answer = list_select(tree, &filter);

		if (scan_result != NULL)
			say_need(json_object_set(answer, "scan", scan_result) == 0 ? answer : NULL);
		result_print(stdout, answer);
		json_decref(answer);
	} else if (v[OPT_F].given) {
		list_fields(stdout, tree, &filter, v[OPT_n].given);
	} else {
		list_table(stdout, tree, &filter, v[OPT_f].given, v[OPT_n].given);
	}
	return list_count(tree, &filter) == 0 ? tell_none(line, tree) : STATUS_OK;
}

/* A thing that was named and is not there is an error; a kind of which there are none is not. */
static enum status
tell_none(const struct cmdline *line, const json_t *tree)
{
	const struct cmdline_value *v = line->values;
	const struct list_filter at = { .hw_path = v[OPT_H].text, .instance = -1 };

	if (v[OPT_I].given || list_count(tree, &at) == 0) {
		say_failure(IPC_ERR_NOTFOUND, NULL, "look at what there is: ioscan -k",
		    "there is no such device in the system");
		return STATUS_NOT_FOUND;
	}
	say_note("there is no such device in the system");
	return STATUS_OK;
}
