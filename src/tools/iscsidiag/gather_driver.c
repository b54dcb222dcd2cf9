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

/* {"name of the statistic": value}, in the order of the table's rows. */
static json_t *
by_name(const json_t *tables, const char *section, const json_t *values)
{
	json_t *named = say_need(json_object()), *row, *value;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(tables, section), "rows"), i, row)
	{
		value = json_object_get(values, result_text(row, "id"));
		if (value != NULL)
			step_put(named, result_text(row, "name"), json_incref(value));
	}
	return named;
}

/* The session's values by their names, in its place. */
static void
name_session(const json_t *tables, json_t *session)
{
	json_t *connection;
	size_t i;

	step_put(session, "values",
	    by_name(tables, "transport_session", json_object_get(session, "values")));
	json_array_foreach(json_object_get(session, "connections"), i, connection)
	    step_put(connection, "values",
		by_name(tables, "swd_connection", json_object_get(connection, "values")));
}

void
gather_statistics(const struct paths *paths, json_t *data, json_t *missing)
{
	static const char *const devices[] = { "iscsi", "isw" };
	struct ipc_client *client;

	if (!connect_driver(paths, &client, missing))
		return;
	for (size_t i = 0; i < 2 && json_array_size(missing) == 0; i++) {
		json_t *args = json_pack("{s:s, s:b, s:b, s:b}", "device", devices[i], "global", 1,
			   "sessions", i == 0, "connections", i == 0),
		       *result = ask(client, IPC_OP_stats_get, args, missing), *session;
		const json_t *tables = json_object_get(result, "tables"),
			     *global = json_object_get(result, "global");
		const char *section = result_text(global, "section");
		size_t j;

		if (result == NULL)
			break;
		step_put(data, result_text(json_object_get(tables, section), "title"),
		    by_name(tables, section, json_object_get(global, "values")));
		json_array_foreach(json_object_get(result, "sessions"), j, session)
		    name_session(tables, session);
		if (i == 0 && json_is_array(json_object_get(result, "sessions")))
			step_put(
			    data, "sessions", json_incref(json_object_get(result, "sessions")));
		json_decref(result);
	}
	ipc_client_free(client);
}

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
