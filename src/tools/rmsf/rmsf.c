/* rmsf: removes the device files of iSCSI disks. */
#include "tools/common/args.h"
#include "tools/common/call.h"
#include "tools/common/devname.h"
#include "tools/common/hwpath.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/size.h"
#include "tools/common/tool.h"
#include "tools/rmsf/spec.h"

static enum status check(const struct cmdline *line, const struct paths *paths);
static enum status remove_one(
    struct call *c, const struct cmdline *line, const char *name, json_t *all);
static void tell(const json_t *removed);
static void tell_lost(const json_t *forgotten);

static enum status
run(const struct cmdline *line)
{
	json_t *all = say_need(json_array()), *answer;
	struct status_tally tally = { 0 };
	enum status status;
	struct call c;

	if (line->values[OPT_H].given && !hwpath_check(line->values[OPT_H].text)) {
		json_decref(all);
		return STATUS_USAGE;
	}
	status = call_open(&c, line, CALL_ISCSI);
	if (status == STATUS_OK)
		status = check(line, &c.paths);
	if (status == STATUS_OK) {
		/* Several names are several requests: one that fails keeps no other back. */
		for (int i = 0; i < line->n_operands; i++)
			status_count(
			    &tally, remove_one(&c, line,
					devname_find(line->operands[i], c.paths.root), all));
		if (line->n_operands == 0)
			status_count(&tally, remove_one(&c, line, NULL, all));
		status = status_sum(&tally);
	}
	call_close(&c);
	if (tally.done > 0 && cmdline_common(line, CMDLINE_COMMON_json)->given) {
		answer = say_need(
		    json_pack("{s:O}", line->values[OPT_x].given ? "forgotten" : "devices", all));
		result_print(stdout, answer);
		json_decref(answer);
	} else if (tally.done > 0 && !line->values[OPT_q].given) {
		line->values[OPT_x].given ? tell_lost(all) : tell(all);
	}
	json_decref(all);
	return status;
}

int
main(int argc, char **argv)
{
	return tool_main(&rmsf_spec, run, argc, argv);
}

/* Before anything is removed: a word that names no device is a mistake in the line. */
static enum status
check(const struct cmdline *line, const struct paths *paths)
{
	for (int i = 0; i < line->n_operands; i++) {
		if (devname_find(line->operands[i], paths->root) != NULL)
			continue;
		say_problem(
		    "give a name such as c1t0d0 or /dev/dsk/c1t0d0; 'ioscan -kn' lists them",
		    "%s is no device file of the iSCSI initiator", line->operands[i]);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

/* The device `name`, or what the options say; what was removed is added to `all`. */
static enum status
remove_one(struct call *c, const struct cmdline *line, const char *name, json_t *all)
{
	json_t *args = say_need(json_object()), *result;
	enum status status = STATUS_USAGE;

	if ((name != NULL && !args_put_text(args, "name", name)) ||
	    !args_put(args, "hw_path", line, OPT_H) || !args_put(args, "all", line, OPT_a) ||
	    !args_put(args, "force", line, OPT_force)) {
		json_decref(args);
		return status;
	}
	status = call_request(c,
	    line->values[OPT_x].given ? IPC_OP_device_forget : IPC_OP_device_remove, args, &result);
	if (status != STATUS_OK)
		return status;
	/* One is forgotten at a time; of files a path may have many. */
	if (line->values[OPT_x].given)
		say_need(json_array_append(all, result) == 0 ? all : NULL);
	else if (json_is_array(json_object_get(result, "devices")))
		say_need(
		    json_array_extend(all, json_object_get(result, "devices")) == 0 ? all : NULL);
	json_decref(result);
	return STATUS_OK;
}

static void
tell(const json_t *removed)
{
	const json_t *d;
	size_t i;

	json_array_foreach(removed, i, d)
	{
		if (!result_is_true(d, "removed"))
			continue;
		fputs("rmsf: Removing special files for ", stdout);
		say_text(stdout, result_text(d, "name"));
		fputs(" address ", stdout);
		say_text(stdout, result_text(d, "hw_path"));
		fputc('\n', stdout);
	}
	if (json_array_size(removed) == 0)
		say_note("there is no such device file");
}

/* What goes with a device that is forgotten. */
static void
tell_lost(const json_t *forgotten)
{
	const json_t *d;
	size_t i;

	json_array_foreach(forgotten, i, d)
	{
		const json_t *bytes = json_object_get(d, "size_bytes");
		const char *unit = result_text(d, "unit");
		char size[SIZE_TEXT_BYTES] = "";

		if (json_is_integer(bytes) && json_integer_value(bytes) >= 0)
			size_text((uint64_t)json_integer_value(bytes), size);
		fputs("rmsf: Forgetting ", stdout);
		say_text(stdout, result_text(d, "name"));
		fputs(" address ", stdout);
		say_text(stdout, result_text(d, "hw_path"));
		fputs(result_is_true(d, "was_installed") ? ": its special files, " : ": ", stdout);
		say_text(stdout, result_text(d, "class"));
		fprintf(stdout, " instance %lld", (long long)result_number(d, "instance"));
		if (unit[0] != '\0') {
			fputs(", and that it was ", stdout);
			say_text(stdout, unit);
			if (size[0] != '\0')
				printf(" of %s", size);
		}
		fputc('\n', stdout);
	}
}
