/* iscsiutil: configures and displays the iSCSI initiator (the guide, chapters 4 and 5). */
#include <stdlib.h>
#include <string.h>

#include "tools/common/args.h"
#include "tools/common/call.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/tool.h"
#include "tools/common/usage.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/renew.h"
#include "tools/iscsiutil/run.h"
#include "tools/iscsiutil/show.h"

static enum status
run(const struct cmdline *line)
{
	static enum status (*const runs[])(const struct cmdline *) = {
#define FORM(id, ...) run_##id,
#include "tools/iscsiutil/forms.def"
	};
	enum call_device device;
	enum status status = ask_device(line, &device);

	return status != STATUS_OK ? status : runs[line->form - line->tool->forms](line);
}

int
main(int argc, char **argv)
{
	return tool_main(&iscsiutil_spec, run, argc, argv);
}

enum status
run_usage(const struct cmdline *line)
{
	usage_print(stdout, line->tool, 0);
	return STATUS_OK;
}

enum status
run_driver(const struct cmdline *line)
{
	json_t *result, *args = say_need(json_object());
	enum call_device device = CALL_ISCSI;
	enum status status = ask_device(line, &device);

	if (status != STATUS_OK) {
		json_decref(args);
		return status;
	}
	status = ask_driver(line, IPC_OP_driver_version, args,
	    args_put_text(args, "device", strrchr(call_device_name(device), '/') + 1), device,
	    &result);
	if (status != STATUS_OK)
		return status;
	if (!ask_wants_json(line))
		show_driver(stdout, result);
	json_decref(result);
	return STATUS_OK;
}

enum status
run_name(const struct cmdline *line)
{
	json_t *result = NULL, *args = say_need(json_object());
	bool ok =
	    args_put(args, "name", line, OPT_N) && ask_put_setting(args, "alias", line, OPT_A);
	enum status status = renew_after(line, IPC_OP_initiator_set, args, ok, &result);
	const char *kept;

	if (result == NULL)
		return status;
	kept = result_text(result, "name");
	if (!ask_wants_json(line) && kept[0] != '\0' && strcmp(kept, line->values[OPT_N].text) != 0)
		say_note("the name is kept in small letters: %s", kept);
	if (!ask_wants_json(line) && !line->values[OPT_now].given)
		ask_tell_sessions(result);
	json_decref(result);
	return status;
}

enum status
run_initiator(const struct cmdline *line)
{
	json_t *result;
	enum status status =
	    ask_driver(line, IPC_OP_initiator_get, NULL, true, CALL_ISCSI, &result);

	if (status != STATUS_OK)
		return status;
	if (!ask_wants_json(line))
		show_initiator(stdout, result, line->values[OPT_V].given);
	json_decref(result);
	return STATUS_OK;
}

enum status
run_isns(const struct cmdline *line)
{
	json_t *result;
	enum status status = ask_driver(line, IPC_OP_isns_list, NULL, true, CALL_ISCSI, &result);

	if (status != STATUS_OK)
		return status;
	if (ask_wants_json(line)) {
		json_decref(result);
		return STATUS_OK;
	}
	show_isns(stdout, result);
	if (json_array_size(json_object_get(result, "servers")) == 0)
		say_note(
		    "no iSNS server is configured; 'iscsiutil -a --isns -I <ip-address>' adds one");
	json_decref(result);
	return STATUS_OK;
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
	if (status == STATUS_OK && ask_wants_json(line))
		result_print(stdout, all);
	else if (status == STATUS_OK)
		show_all(stdout, results[0], results[1], results[2]);
	if (status == STATUS_OK && json_array_size(json_object_get(results[0], "targets")) == 0 &&
	    json_array_size(json_object_get(results[1], "targets")) == 0)
		say_note("no target is known; 'iscsiutil -a -I <ip-address>' adds one to ask");
	json_decref(all);
	return status;
}

enum status
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
	status = ask_driver(line, is_discovery ? IPC_OP_discovery_list : IPC_OP_target_list, args,
	    args_put(args, "name", line, OPT_T), CALL_ISCSI, &result);
	if (status != STATUS_OK)
		return status;
	shown = json_array_size(json_object_get(result, "targets"));
	if (!ask_wants_json(line))
		is_discovery ? show_discovery(stdout, result) : show_targets(stdout, result);
	json_decref(result);
	if (shown > 0)
		return STATUS_OK;
	if (name->given) {
		say_failure(IPC_ERR_NOTFOUND, NULL,
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

enum status
run_sessions(const struct cmdline *line)
{
	const struct cmdline_value *inst = &line->values[OPT_S];
	json_t *result, *args = say_need(json_object());
	enum status status = ask_driver(line, IPC_OP_session_list, args,
	    args_put(args, "instance", line, OPT_S), CALL_ISCSI, &result);
	size_t n;

	if (status != STATUS_OK)
		return status;
	n = json_array_size(json_object_get(result, "sessions"));
	if (!ask_wants_json(line))
		show_sessions(stdout, result, line->values[OPT_V].given);
	json_decref(result);
	if (n > 0)
		return STATUS_OK;
	if (!inst->has_arg) {
		say_note(
		    "there is no session; 'ioscan' opens one to each operational target address");
		return STATUS_OK;
	}
	return ask_no_session(inst->number);
}

enum status
run_conns(const struct cmdline *line)
{
	const struct cmdline_value *inst = &line->values[OPT_S], *cid = &line->values[OPT_C];
	long only = cid->has_arg ? cid->number : -1;
	json_t *result, *args = say_need(json_object());
	enum status status = ask_driver(line, IPC_OP_session_list, args,
	    args_put(args, "instance", line, OPT_S), CALL_ISCSI, &result);
	size_t sessions;
	unsigned n;

	if (status != STATUS_OK)
		return status;
	sessions = json_array_size(json_object_get(result, "sessions"));
	n = show_count_connections(result, only);
	if (!ask_wants_json(line))
		show_connections(stdout, result, only, line->values[OPT_V].given);
	json_decref(result);
	if (n > 0)
		return STATUS_OK;
	if (sessions == 0)
		return ask_no_session(inst->number);
	if (only < 0) {
		say_note("session %ld has no connection now", inst->number);
		return STATUS_OK;
	}
	say_failure(IPC_ERR_NOTFOUND, NULL,
	    "list its connections with 'iscsiutil -p -S <ssn_inst> -C'",
	    "session %ld has no connection %ld", inst->number, only);
	return STATUS_NOT_FOUND;
}

enum status
run_nop(const struct cmdline *line)
{
	json_t *result, *args = say_need(json_object());
	bool ok = args_put(args, "instance", line, OPT_S) && args_put(args, "cid", line, OPT_C) &&
		  args_put(args, "size", line, OPT_L);
	enum status status = ask_driver(line, IPC_OP_session_nop, args, ok, CALL_ISCSI, &result);

	if (status != STATUS_OK)
		return status;
	if (!ask_wants_json(line))
		show_nop(stdout, result);
	if (!result_is_true(result, "data_matches")) {
		say_failure(IPC_ERR_INTERNAL, NULL,
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
