/* insf: makes device files for iSCSI disks (the guide, chapter 4). */
#include "tools/common/args.h"
#include "tools/common/await.h"
#include "tools/common/call.h"
#include "tools/common/hwpath.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/tool.h"
#include "tools/insf/spec.h"
#include "tools/insf/told.h"

static enum status install(const struct cmdline *line, json_t **ret_result);

static enum status
run(const struct cmdline *line)
{
	const struct cmdline_value *v = line->values;
	json_t *result;
	enum status status;

	if (v[OPT_H].given && !hwpath_check(v[OPT_H].text))
		return STATUS_USAGE;
	status = install(line, &result);
	if (status != STATUS_OK)
		return status;
	if (cmdline_common(line, CMDLINE_COMMON_json)->given) {
		result_print(stdout, result);
	} else if (!v[OPT_q].given) {
		told_made(stdout, result, v[OPT_v].given);
		if (json_array_size(json_object_get(result, "devices")) == 0 &&
		    json_array_size(json_object_get(result, "notes")) == 0)
			say_note("no such device is known; 'ioscan' looks for devices");
		told_notes(result);
	}
	json_decref(result);
	return STATUS_OK;
}

int
main(int argc, char **argv)
{
	return tool_main(&insf_spec, run, argc, argv);
}

static enum status
wait_for(struct call *c, const struct cmdline *line)
{
	const struct cmdline_value *seconds = &line->values[OPT_wait];
	enum status status;
	json_t *result;

	if (!seconds->given)
		return STATUS_OK;
	status = await_device(c, say_need(json_pack("{s:s}", "hw_path", line->values[OPT_H].text)),
	    seconds->has_arg ? seconds->number : AWAIT_SECONDS_DEFAULT, &result);
	if (status == STATUS_OK)
		json_decref(result);
	return status;
}

static enum status
install(const struct cmdline *line, json_t **ret_result)
{
	json_t *args = say_need(json_object());
	enum status status = STATUS_USAGE;
	struct call c;

	if (!args_put(args, "hw_path", line, OPT_H) || !args_put(args, "class", line, OPT_C) ||
	    !args_put(args, "driver", line, OPT_d) || !args_put(args, "instance", line, OPT_I) ||
	    !args_put(args, "existing", line, OPT_e)) {
		json_decref(args);
		return status;
	}
	status = call_open(&c, line, CALL_ISCSI);
	if (status == STATUS_OK)
		status = wait_for(&c, line);
	if (status == STATUS_OK)
		status = call_request(&c, IPC_OP_device_install, args, ret_result);
	else
		json_decref(args);
	call_close(&c);
	return status;
}
