/* iscsidiag: gathers what support needs to know into one file (the guide, chapter 6). */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc/ops.h"
#include "sys/paths.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/tool.h"
#include "tools/iscsidiag/bundle.h"
#include "tools/iscsidiag/gather.h"
#include "tools/iscsidiag/place.h"
#include "tools/iscsidiag/redact.h"
#include "tools/iscsidiag/spec.h"

/* An ASK may take as long as its operation, and this much for connecting. */
#define ASK_MORE_MS 6000

static const struct {
	const char *id, *title;
	int32_t limit_ms; /* -1: of the operation */
	enum ipc_op op;
	step_gather *gather;
	bundle_print *print;
} steps[] = {
#define STEP(id, title, limit_ms, print) { #id, title, limit_ms, 0, gather_##id, bundle_##print },
#define ASK(id, title, op, print)        { #id, title, -1, IPC_OP_##op, gather_##id, bundle_##print },
#include "tools/iscsidiag/steps.def"
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

/* {"id","title","missing","ms","data"} without secrets. */
static json_t *
gather_one(size_t i, const struct paths *paths)
{
	uint32_t limit = steps[i].limit_ms >= 0
			     ? (uint32_t)steps[i].limit_ms
			     : ipc_op_row(steps[i].op)->deadline_ms + ASK_MORE_MS;
	json_t *raw = step_run(steps[i].gather, paths, limit), *clean;
	json_t *section =
	    say_need(json_pack("{s:s, s:s}", "id", steps[i].id, "title", steps[i].title));

	clean = redact_json(raw);
	json_decref(raw);
	say_need(json_object_update(section, clean) == 0 ? section : NULL);
	json_decref(clean);
	return section;
}

/* What the file begins with. */
static json_t *
heading(const struct paths *paths)
{
	char now[32] = "";
	time_t t = time(NULL);
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &tm); /* has room */
	return say_need(json_pack("{s:s, s:s, s:s, s:i}", "version", OPENISW_VERSION, "time", now,
	    "root", paths->root, "pid", (int)getpid()));
}

static void
begin_text(FILE *out, const json_t *head)
{
	fprintf(out,
	    "iscsidiag %s, %s, root %s\n\n"
	    "What a support engineer needs to know about this iSCSI initiator.  Secrets are not in "
	    "it:\n"
	    "where there was one it says " REDACT_MARK
	    ".  Names and addresses are.  MISSING begins what could not be had.\n\n",
	    result_text(head, "version"), result_text(head, "time"), result_text(head, "root"));
	for (size_t i = 0; i < STEPS; i++)
		fprintf(out, "%2zu. %s\n", i + 1, steps[i].title);
}

/* Everything into the file; *ret_missing: the sections that lack something. */
static json_t *
write_all(FILE *out, const struct paths *paths, bool is_json)
{
	json_t *head = heading(paths), *sections = say_need(json_array()), *lack, *section;

	lack = say_need(json_array());
	if (!is_json)
		begin_text(out, head);
	for (size_t i = 0; i < STEPS; i++) {
		section = gather_one(i, paths);
		if (json_array_size(json_object_get(section, "missing")) > 0)
			say_need(json_array_append_new(lack, json_string(steps[i].title)) == 0
				     ? lack
				     : NULL);
		if (!is_json) {
			bundle_section(out, (unsigned)i + 1, section, steps[i].print);
			fflush(out); /* what is there stays there if a later step kills us */
		}
		say_need(json_array_append_new(sections, section) == 0 ? sections : NULL);
	}
	say_need(json_object_set_new(head, "sections", sections) == 0 ? head : NULL);
	if (is_json)
		result_print(out, head);
	json_decref(head);
	return lack;
}

static void
tell(const struct place *place, const json_t *lack, bool is_json)
{
	const json_t *title;
	json_t *answer;
	size_t i;

	if (is_json) {
		answer = say_need(json_pack("{s:s, s:O}", "file", place->path, "incomplete", lack));
		result_print(stdout, answer);
		json_decref(answer);
	} else {
		printf("%s\n", place->path);
	}
	json_array_foreach(lack, i, title) say_note("incomplete: \"%s\"", json_string_value(title));
}

static enum status
run(const struct cmdline *line)
{
	const struct cmdline_value *dir = &line->values[OPT_t];
	bool is_json = cmdline_common(line, CMDLINE_COMMON_json)->given;
	struct place place = { 0 };
	enum status status;
	struct paths paths;
	json_t *lack;
	char *name;
	int err;

	err = paths_init(&paths, cmdline_common(line, CMDLINE_COMMON_root)->text);
	if (err != 0) {
		say_problem("name another directory with --root", "the root cannot be used: %s",
		    strerror(-err));
		return STATUS_USAGE;
	}
	name = say_format("iscsidiag.%d.%s", (int)getpid(), is_json ? "json" : "log");
	status = place_open(&place, dir->given ? dir->text : paths.diag, name, dir->given);
	free(name);
	if (status == STATUS_OK) {
		lack = write_all(place.file, &paths, is_json);
		status = place_close(&place);
		if (status == STATUS_OK) {
			tell(&place, lack, is_json);
			if (json_array_size(lack) > 0)
				status = STATUS_PARTIAL;
		}
		json_decref(lack);
	}
	free(place.path);
	paths_fini(&paths);
	return status;
}

int
main(int argc, char **argv)
{
	return tool_main(&iscsidiag_spec, run, argc, argv);
}
