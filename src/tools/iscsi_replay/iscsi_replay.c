/*
 * iscsi-replay: a capture of 'iscsiutil --capture FILE', its conversations in words, and the
 * target's side of each played to the protocol's core.  It needs no driver.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/tool.h"
#include "tools/iscsi_replay/show.h"
#include "tools/iscsi_replay/spec.h"

static enum status
status_of(enum play_result r)
{
	switch (r) {
	case PLAY_EQUAL:
	case PLAY_RESULTS:
		break;
	case PLAY_PART:
	case PLAY_NOT:
		return STATUS_PARTIAL;
	case PLAY_DIFFERENT:
	case PLAY_VIOLATION:
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

/* The worst of it counts. */
static enum status
replay(const struct talks *t, const struct cmdline *line, json_t *connections)
{
	const struct cmdline_value *only = &line->values[OPT_connection];
	bool with_pdus = !line->values[OPT_quiet].given;
	enum play_result worst = PLAY_EQUAL;
	struct play *p = say_need(malloc(sizeof *p));

	for (size_t i = 0; i < t->n; i++) {
		if (only->given && i + 1 != (size_t)only->number)
			continue;
		play_run(&t->list[i], p);
		if (p->result > worst)
			worst = p->result;
		if (connections == NULL)
			show_text(stdout, &t->list[i], p, i + 1, with_pdus);
		else if (json_array_append_new(
			     connections, show_json(&t->list[i], p, i + 1, with_pdus)) != 0)
			say_need(NULL);
	}
	free(p);
	return status_of(worst);
}

static enum status
no_capture(const char *path, const char *why, bool is_any)
{
	say_failure(IPC_ERR_INTERNAL, NULL,
	    is_any ? "what was before is replayed; see that the file was copied whole"
		   : "give a file that 'iscsiutil --capture FILE' has written",
	    "%s: %s", path, why);
	return is_any ? STATUS_PARTIAL : STATUS_FAILED;
}

static enum status
read_and_replay(const struct cmdline *line, FILE *in)
{
	const struct cmdline_value *only = &line->values[OPT_connection];
	bool is_json = cmdline_common(line, CMDLINE_COMMON_json)->given;
	struct talks *t = say_need(calloc(1, sizeof *t));
	json_t *list = is_json ? say_need(json_array()) : NULL, *o;
	char why[PACKETS_WHY_BYTES] = "";
	enum status status, read = STATUS_OK;

	if (!talks_read(t, in, why))
		read = no_capture(line->operands[0], why, t->n > 0);
	else if (t->is_too_large)
		read = no_capture(line->operands[0], "it is larger than is read", true);
	status = replay(t, line, list);
	if (is_json) {
		o = say_need(
		    json_pack("{s:s, s:o}", "file", line->operands[0], "connections", list));
		result_print(stdout, o);
		json_decref(o);
	}
	if (read == STATUS_OK && only->given && (size_t)only->number > t->n) {
		say_failure(IPC_ERR_NOTFOUND, NULL, "leave --connection out to see them",
		    "the capture has %zu connection%s", t->n, t->n == 1 ? "" : "s");
		status = STATUS_NOT_FOUND;
	}
	talks_free(t);
	free(t);
	return read == STATUS_FAILED || status == STATUS_OK ? (read != STATUS_OK ? read : status)
							    : status;
}

static enum status
run(const struct cmdline *line)
{
	const char *path = line->operands[0];
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");

	if (in != NULL)
		return read_and_replay(line, in);
	say_failure(errno == ENOENT ? IPC_ERR_NOTFOUND : IPC_ERR_INTERNAL, NULL,
	    "give a file that can be read", "%s: %s", path, strerror(errno));
	return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED;
}

int
main(int argc, char **argv)
{
	return tool_main(&iscsi_replay_spec, run, argc, argv);
}
