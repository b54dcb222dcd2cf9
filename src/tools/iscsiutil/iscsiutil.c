/* iscsiutil: configures and displays the iSCSI initiator (the guide, chapters 4 and 5). */
#include <stdlib.h>
#include <string.h>

#include "tools/common/args.h"
#include "tools/common/call.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/tool.h"
#include "tools/common/usage.h"
#include "tools/iscsiutil/show.h"
#include "tools/iscsiutil/spec.h"

static enum status find_device(const struct cmdline *line, enum call_device *ret_device);
static enum status no_session(long instance);
static bool wants_json(const struct cmdline *line);
static bool put_portal(json_t *args, const struct cmdline *line);
static enum status ask(const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok,
    enum call_device device, json_t **ret_result);

/* One function a row of forms.def: run_<id>. */
#define FORM(id, ...) static enum status run_##id(const struct cmdline *line);
#include "tools/iscsiutil/forms.def"

static enum status
run(const struct cmdline *line)
{
	static enum status (*const runs[])(const struct cmdline *) = {
#define FORM(id, ...) run_##id,
#include "tools/iscsiutil/forms.def"
	};
	enum call_device device;
	enum status status = find_device(line, &device);

	return status != STATUS_OK ? status : runs[line->form - line->tool->forms](line);
}

int
main(int argc, char **argv)
{
	return tool_main(&iscsiutil_spec, run, argc, argv);
}

static enum status
run_usage(const struct cmdline *line)
{
	usage_print(stdout, line->tool);
	return STATUS_OK;
}

static enum status
run_driver(const struct cmdline *line)
{
	json_t *result, *args = say_need(json_object());
	enum call_device device = CALL_ISCSI;
	enum status status = find_device(line, &device);

	if (status != STATUS_OK) {
		json_decref(args);
		return status;
	}
	status = ask(line, IPC_OP_driver_version, args,
	    args_put_text(args, "device", strrchr(call_device_name(device), '/') + 1), device,
	    &result);
	if (status != STATUS_OK)
		return status;
	if (!wants_json(line))
		show_driver(stdout, result);
	json_decref(result);
	return STATUS_OK;
}

static enum status
run_name(const struct cmdline *line)
{
	json_t *result, *args = say_need(json_object());
	bool ok = args_put(args, "name", line, OPT_N) && args_put(args, "alias", line, OPT_A);
	enum status status = ask(line, IPC_OP_initiator_set, args, ok, CALL_ISCSI, &result);
	json_int_t n;

	if (status != STATUS_OK)
		return status;
	n = result_number(result, "active_sessions");
	if (n > 0 && !wants_json(line))
		say_note("the new name counts from the next login: %lld session%s %s the old one",
		    (long long)n, n == 1 ? "" : "s", n == 1 ? "keeps" : "keep");
	json_decref(result);
	return STATUS_OK;
}

static enum status
run_initiator(const struct cmdline *line)
{
	json_t *result;
	enum status status = ask(line, IPC_OP_initiator_get, NULL, true, CALL_ISCSI, &result);

	if (status != STATUS_OK)
		return status;
	if (!wants_json(line))
		show_initiator(stdout, result);
	json_decref(result);
	return STATUS_OK;
}

static enum status
change_discovery(const struct cmdline *line, enum ipc_op op)
{
	json_t *result, *args = say_need(json_object());
	enum status status = ask(line, op, args, put_portal(args, line), CALL_ISCSI, &result);

	if (status == STATUS_OK)
		json_decref(result);
	return status;
}

static enum status
run_add(const struct cmdline *line)
{
	return change_discovery(line, IPC_OP_discovery_add);
}

static enum status
run_del(const struct cmdline *line)
{
	return change_discovery(line, IPC_OP_discovery_remove);
}

static enum status
run_show_all(const struct cmdline *line)
{
	static const struct {
		enum ipc_op op;
		const char *name;
	} parts[] = {
		{ IPC_OP_discovery_list, "discovery" },
		{ IPC_OP_target_list, "operational" },
		{ IPC_OP_session_list, "session" },
	};
	json_t *all = say_need(json_object()), *results[3] = { NULL };
	struct call c;
	enum status status = call_open(&c, line, CALL_ISCSI);

	for (size_t i = 0; status == STATUS_OK && i < 3; i++) {
		status = call_request(&c, parts[i].op, NULL, &results[i]);
		if (status == STATUS_OK)
			say_need(
			    json_object_set_new(all, parts[i].name, results[i]) == 0 ? all : NULL);
	}
	call_close(&c);
	if (status == STATUS_OK && wants_json(line))
		result_print(stdout, all);
	else if (status == STATUS_OK)
		show_all(stdout, results[0], results[1], results[2]);
	json_decref(all);
	return status;
}

static enum status
run_show(const struct cmdline *line)
{
	const struct cmdline_value *name = &line->values[OPT_T];
	bool is_discovery = line->values[OPT_D].given;
	json_t *result, *args;
	enum status status;
	size_t shown;

	if (!is_discovery && !line->values[OPT_O].given && !name->given)
		return run_show_all(line);
	args = say_need(json_object());
	status = ask(line, is_discovery ? IPC_OP_discovery_list : IPC_OP_target_list, args,
	    args_put(args, "name", line, OPT_T), CALL_ISCSI, &result);
	if (status != STATUS_OK)
		return status;
	shown = json_array_size(json_object_get(result, "targets"));
	if (!wants_json(line))
		is_discovery ? show_discovery(stdout, result) : show_targets(stdout, result);
	json_decref(result);
	if (shown > 0)
		return STATUS_OK;
	if (name->given) {
		say_problem(
		    "list the known ones with 'iscsiutil -p -O', or find new ones with 'ioscan'",
		    "%s is unknown: no operational target has this name", name->text);
		return STATUS_NOT_FOUND;
	}
	if (is_discovery)
		say_note(
		    "no discovery target is configured; 'iscsiutil -a -I <ip-address>' adds one");
	else
		say_note(
		    "no operational target is known; 'ioscan' asks the discovery targets for them");
	return STATUS_OK;
}

static enum status
run_sessions(const struct cmdline *line)
{
	const struct cmdline_value *inst = &line->values[OPT_S];
	json_t *result, *args = say_need(json_object());
	enum status status = ask(line, IPC_OP_session_list, args,
	    args_put(args, "instance", line, OPT_S), CALL_ISCSI, &result);
	size_t n;

	if (status != STATUS_OK)
		return status;
	n = json_array_size(json_object_get(result, "sessions"));
	if (!wants_json(line))
		show_sessions(stdout, result, line->values[OPT_V].given);
	json_decref(result);
	if (n > 0)
		return STATUS_OK;
	if (!inst->has_arg) {
		say_note(
		    "there is no session; 'ioscan' opens one to each operational target address");
		return STATUS_OK;
	}
	return no_session(inst->number);
}

static enum status
run_conns(const struct cmdline *line)
{
	const struct cmdline_value *inst = &line->values[OPT_S], *cid = &line->values[OPT_C];
	long only = cid->has_arg ? cid->number : -1;
	json_t *result, *args = say_need(json_object());
	enum status status = ask(line, IPC_OP_session_list, args,
	    args_put(args, "instance", line, OPT_S), CALL_ISCSI, &result);
	size_t sessions;
	unsigned n;

	if (status != STATUS_OK)
		return status;
	sessions = json_array_size(json_object_get(result, "sessions"));
	n = show_count_connections(result, only);
	if (!wants_json(line))
		show_connections(stdout, result, only, line->values[OPT_V].given);
	json_decref(result);
	if (n > 0)
		return STATUS_OK;
	if (sessions == 0)
		return no_session(inst->number);
	if (only < 0) {
		say_note("session %ld has no connection now", inst->number);
		return STATUS_OK;
	}
	say_problem("list its connections with 'iscsiutil -p -S <ssn_inst> -C'",
	    "session %ld has no connection %ld", inst->number, only);
	return STATUS_NOT_FOUND;
}

static enum status
run_nop(const struct cmdline *line)
{
	json_t *result, *args = say_need(json_object());
	bool ok = args_put(args, "instance", line, OPT_S) && args_put(args, "cid", line, OPT_C) &&
		  args_put(args, "size", line, OPT_L);
	enum status status = ask(line, IPC_OP_session_nop, args, ok, CALL_ISCSI, &result);

	if (status != STATUS_OK)
		return status;
	if (!wants_json(line))
		show_nop(stdout, result);
	if (!result_is_true(result, "data_matches")) {
		say_problem(
		    "have the network path and the target checked, and switch the data digest on",
		    "the answer of session %ld carries other data than was sent: something on the "
		    "way "
		    "changes it",
		    line->values[OPT_S].number);
		status = STATUS_FAILED;
	}
	json_decref(result);
	return status;
}

static enum status
run_del_name(const struct cmdline *line)
{
	json_t *result, *one, *args = say_need(json_object());
	bool ok = args_put(args, "name", line, OPT_T) && put_portal(args, line) &&
		  args_put(args, "force", line, OPT_force);
	enum status status = ask(line, IPC_OP_target_remove, args, ok, CALL_ISCSI, &result);
	size_t i;

	if (status != STATUS_OK)
		return status;
	json_array_foreach(json_object_get(result, "removed"), i, one)
	{
		char *portal = result_portal(one);

		if (!wants_json(line))
			say_note("%s at %s is deleted", result_text(one, "name"), portal);
		free(portal);
	}
	json_decref(result);
	return STATUS_OK;
}

static enum status
run_del_addr(const struct cmdline *line)
{
	return run_del_name(line);
}

static enum status
run_logout(const struct cmdline *line)
{
	json_t *result, *args = say_need(json_object());
	bool ok =
	    args_put(args, "instance", line, OPT_S) && args_put(args, "force", line, OPT_force);
	enum status status = ask(line, IPC_OP_session_logout, args, ok, CALL_ISCSI, &result);

	if (status != STATUS_OK)
		return status;
	if (!wants_json(line))
		say_note("session %ld is logged out", line->values[OPT_S].number);
	json_decref(result);
	return STATUS_OK;
}

/* Connect, ask, and print the answer where JSON is wanted.  Takes the reference of `args`. */
static enum status
ask(const struct cmdline *line, enum ipc_op op, json_t *args, bool args_ok, enum call_device device,
    json_t **ret_result)
{
	enum status status = STATUS_USAGE;
	struct call c;

	if (!args_ok) {
		json_decref(args);
		return status;
	}
	status = call_open(&c, line, device);
	if (status == STATUS_OK)
		status = call_request(&c, op, args, ret_result);
	else
		json_decref(args);
	call_close(&c);
	if (status == STATUS_OK && wants_json(line))
		result_print(stdout, *ret_result);
	return status;
}

static bool
put_portal(json_t *args, const struct cmdline *line)
{
	return args_put(args, "address", line, OPT_I) && args_put(args, "port", line, OPT_P) &&
	       args_put(args, "tpgt", line, OPT_M);
}

static enum status
no_session(long instance)
{
	say_problem("list the sessions with 'iscsiutil -p -S'",
	    "there is no session %ld: no session has this instance", instance);
	return STATUS_NOT_FOUND;
}

static bool
wants_json(const struct cmdline *line)
{
	return cmdline_common(line, CMDLINE_COMMON_json)->given;
}

/* Which driver the line is for; the guide's /dev/isw answers the first form only. */
static enum status
find_device(const struct cmdline *line, enum call_device *ret_device)
{
	const char *word = line->n_operands > 0 ? line->operands[0] : call_device_name(CALL_ISCSI);

	if (strcmp(word, call_device_name(CALL_ISCSI)) == 0) {
		*ret_device = CALL_ISCSI;
		return STATUS_OK;
	}
	if (strcmp(word, call_device_name(CALL_ISW)) != 0) {
		say_problem("give /dev/iscsi (transport driver) or /dev/isw (interface driver); "
			    "--root says under which directory they are",
		    "(%s) Wrong device file: it is none of the iSCSI drivers'", word);
		return STATUS_USAGE;
	}
	if (line->form != &line->tool->forms[FORM_driver]) {
		say_problem("leave the device file out, or give /dev/iscsi",
		    "(%s) Wrong device file: this is a matter of the transport driver", word);
		return STATUS_USAGE;
	}
	*ret_device = CALL_ISW;
	return STATUS_OK;
}
