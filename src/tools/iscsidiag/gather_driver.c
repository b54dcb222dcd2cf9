/* What the driver is asked. */
#include "ipc/client.h"
#include "tools/common/say.h"
#include "tools/iscsidiag/gather.h"

/* Takes `args`. */
static json_t *
ask(const struct paths *paths, enum ipc_op op, json_t *args, json_t *missing)
{
	struct ipc_client *client = NULL;
	struct ipc_error e = { 0 };
	json_t *result = NULL;

	if (ipc_connect(paths->dev_iscsi, &client, &e) != 0)
		json_decref(args);
	else if (ipc_request(client, op, args, NULL, NULL, &result, &e) != 0)
		result = NULL;
	if (result == NULL)
		step_missing(missing, "%s %s", e.message, e.next);
	ipc_error_fini(&e);
	ipc_client_free(client);
	return result;
}

static void
ask_all(const struct paths *paths, enum ipc_op op, json_t *data, json_t *missing)
{
	json_t *result = ask(paths, op, NULL, missing);

	if (result != NULL)
		say_need(json_object_update(data, result) == 0 ? data : NULL);
	json_decref(result);
}

#define ASK(id, title, op, ...)                                                    \
	void gather_##id(const struct paths *paths, json_t *data, json_t *missing) \
	{                                                                          \
		ask_all(paths, IPC_OP_##op, data, missing);                        \
	}
#include "tools/iscsidiag/steps.def"
