/* What the driver is asked. */
#include <stdbool.h>

#include "ipc/client.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsidiag/gather.h"

static bool
connect_driver(const struct paths *paths, struct ipc_client **ret, json_t *missing)
{
	struct ipc_error e = { 0 };
	bool is_there = ipc_connect(paths->dev_iscsi, ret, &e) == 0;

	if (!is_there)
		step_missing(missing, "%s %s", e.message, e.next);
	ipc_error_fini(&e);
	return is_there;
}

/* Takes `args`. */
static json_t *
ask(struct ipc_client *client, enum ipc_op op, json_t *args, json_t *missing)
{
	struct ipc_error e = { 0 };
	json_t *result = NULL;

	if (ipc_request(client, op, args, NULL, NULL, &result, &e) != 0) {
		step_missing(missing, "%s %s", e.message, e.next);
		result = NULL;
	}
	ipc_error_fini(&e);
	return result;
}

static void
ask_all(const struct paths *paths, enum ipc_op op, json_t *data, json_t *missing)
{
	struct ipc_client *client;
	json_t *result;

	if (!connect_driver(paths, &client, missing))
		return;
	result = ask(client, op, NULL, missing);
	if (result != NULL)
		say_need(json_object_update(data, result) == 0 ? data : NULL);
	json_decref(result);
	ipc_client_free(client);
}

#define ASK(id, title, op, ...)                                                    \
	void gather_##id(const struct paths *paths, json_t *data, json_t *missing) \
	{                                                                          \
		ask_all(paths, IPC_OP_##op, data, missing);                        \
	}
#include "tools/iscsidiag/steps.def"

/* Every session, also one that was never online: all addresses of all targets. */
void
gather_trace(const struct paths *paths, json_t *data, json_t *missing)
{
	json_t *traces = say_need(json_array()), *targets = NULL, *target, *address, *trace;
	struct ipc_client *client;
	size_t i, j;

	step_put(data, "traces", traces);
	if (!connect_driver(paths, &client, missing))
		return;
	targets = ask(client, IPC_OP_target_list, NULL, missing);
	json_array_foreach(json_object_get(targets, "targets"), i, target)
	{
		json_array_foreach(json_object_get(target, "addresses"), j, address)
		{
			json_int_t instance = result_number(address, "session_instance");

			if (instance < 0 || json_array_size(missing) > 0)
				continue;
			trace = ask(client, IPC_OP_session_trace,
			    json_pack("{s:I}", "instance", instance), missing);
			if (trace == NULL)
				continue;
			step_put_text(trace, "target", result_text(target, "name"));
			say_need(json_array_append_new(traces, trace) == 0 ? traces : NULL);
		}
	}
	json_decref(targets);
	ipc_client_free(client);
}
