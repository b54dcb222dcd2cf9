/* A request of the control protocol: from its line to its answer. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/codec.h"
#include "ipc/server_impl.h"

json_t *
ipc_call_error_object(const json_int_t *id, enum ipc_error_code code, const char *message,
    const char *next, json_t *extra)
{
	json_t *error = json_pack("{s:s, s:o, s:o}", "code", ipc_error_name(code), "message",
	    ipc_text(message), "next", ipc_text(next));

	if (error != NULL && extra != NULL && json_object_update_missing(error, extra) < 0) {
		json_decref(error);
		error = NULL;
	}
	json_decref(extra);
	if (error == NULL)
		return NULL;
	return json_pack("{s:o, s:b, s:o}", "id", id != NULL ? json_integer(*id) : json_null(),
	    "ok", 0, "error", error);
}

static void
conn_refuse(struct ipc_conn *c, const json_int_t *id, enum ipc_error_code code, const char *message,
    const char *next)
{
	ipc_server_send(c, ipc_call_error_object(id, code, message, next, NULL));
}

/* What must hold before the table is asked.  False: it was answered. */
static bool
check_request(struct ipc_conn *c, const json_t *request, json_int_t *ret_id, enum ipc_op *ret_op)
{
	const json_t *id = json_object_get(request, "id"), *op = json_object_get(request, "op");
	char message[256];

	if (!json_is_integer(id)) {
		conn_refuse(c, NULL, IPC_ERR_INVALID, "The request has no number \"id\".",
		    "Give each request an id; its answers carry it.");
		return false;
	}
	*ret_id = json_integer_value(id);
	if (!json_is_string(op)) {
		conn_refuse(c, ret_id, IPC_ERR_INVALID, "The request has no string \"op\".",
		    "Name the operation in \"op\".");
		return false;
	}
	if (ipc_op_find(json_string_value(op), ret_op) < 0) {
		(void)snprintf(message, sizeof message, "There is no operation \"%.64s\".",
		    json_string_value(op));
		conn_refuse(c, ret_id, IPC_ERR_UNKNOWN_OP, message,
		    "Use a command and a driver of the same version.");
		return false;
	}
	if (c->is_narrow && *ret_op != c->only) {
		conn_refuse(c, ret_id, IPC_ERR_DENIED,
		    "This connection was narrowed to another operation.", "Open another one.");
		return false;
	}
	if (ipc_op_row(*ret_op)->access == IPC_WRITE && !ipc_server_is_privileged(&c->peer)) {
		(void)snprintf(message, sizeof message,
		    "User %ld may look, but not change anything (%s).", (long)c->peer.uid,
		    ipc_op_row(*ret_op)->name);
		conn_refuse(c, ret_id, IPC_ERR_DENIED, message,
		    "Run the command as root, or as the user that the driver runs as.");
		return false;
	}
	if (ipc_op_row(*ret_op)->access == IPC_INSPECT && !c->may_inspect) {
		(void)snprintf(message, sizeof message,
		    "User %ld may not see this (%s): it names initiators, targets or users.",
		    (long)c->peer.uid, ipc_op_row(*ret_op)->name);
		conn_refuse(c, ret_id, IPC_ERR_DENIED, message,
		    "Run the command as root, or as a member of the group openisw.");
		return false;
	}
	if (c->n_calls >= LIMIT_IPC_CALLS) {
		conn_refuse(c, ret_id, IPC_ERR_BUSY,
		    "This client has too many requests that are not answered yet.",
		    "Wait for an answer before the next request.");
		return false;
	}
	return true;
}

void
ipc_call_begin(struct ipc_conn *c, const char *line, size_t len)
{
	char why[512] = "there is no memory", message[600];
	json_t *request = NULL, *args;
	struct ipc_call *call;
	json_int_t id;
	enum ipc_op op;

	if (ipc_parse(line, len, &request, why, sizeof why) < 0) {
		(void)snprintf(message, sizeof message, "The request cannot be read: %s.", why);
		conn_refuse(c, NULL, IPC_ERR_INVALID, message, "Send one JSON object a line.");
		return;
	}
	if (!check_request(c, request, &id, &op)) {
		json_decref(request);
		return;
	}
	args = json_object_get(request, "args");
	if (json_is_null(args))
		args = NULL;
	if (ipc_args_check(op, args, why, sizeof why) < 0) {
		(void)snprintf(message, sizeof message, "The request is refused: %s.", why);
		conn_refuse(c, &id, IPC_ERR_INVALID, message,
		    "Correct the argument; if a command of ours sent it, use one of the driver's "
		    "version.");
		json_decref(request);
		return;
	}
	call = calloc(1, sizeof *call);
	if (call == NULL) {
		conn_refuse(c, &id, IPC_ERR_INTERNAL, "There is no memory for the request.",
		    "Try again in a moment.");
		json_decref(request);
		return;
	}
	*call = (struct ipc_call){ .client = c,
		.may_inspect = c->may_inspect,
		.uid = c->peer.uid,
		.pid = c->peer.pid,
		.op = op,
		.id = id,
		.args = json_incref(args),
		.lacks = jsonmem_lacks() };
	list_push_back(&c->calls, &call->link);
	c->n_calls++;
	json_decref(request);
	c->server->handle(c->server->user, call);
}

void
ipc_call_narrow(const struct ipc_call *call, enum ipc_op only)
{
	if (call->client == NULL)
		return;
	call->client->is_narrow = true;
	call->client->only = only;
}

bool
ipc_call_may_inspect(const struct ipc_call *call)
{
	return call->may_inspect;
}

enum ipc_op
ipc_call_op(const struct ipc_call *call)
{
	return call->op;
}

void
ipc_call_describe(
    const struct ipc_call *call, char who[static IPC_WHO_BYTES], char *what, size_t bytes)
{
	(void)snprintf(who, IPC_WHO_BYTES, "user %ld (process %ld)", (long)call->uid,
	    (long)call->pid); /* fits */
	ipc_op_describe(call->op, call->args, what, bytes);
}

bool
ipc_call_is_wanted(const struct ipc_call *call)
{
	return call->client != NULL;
}

bool
ipc_call_arg_given(const struct ipc_call *call, const char *name)
{
	const json_t *value = json_object_get(call->args, name);

	return value != NULL && !json_is_null(value);
}

const char *
ipc_call_arg_string(const struct ipc_call *call, const char *name, const char *dflt)
{
	const json_t *value = json_object_get(call->args, name);

	return json_is_string(value) ? json_string_value(value) : dflt;
}

int64_t
ipc_call_arg_int(const struct ipc_call *call, const char *name, int64_t dflt)
{
	const json_t *value = json_object_get(call->args, name);

	return json_is_integer(value) ? json_integer_value(value) : dflt;
}

bool
ipc_call_arg_bool(const struct ipc_call *call, const char *name, bool dflt)
{
	const json_t *value = json_object_get(call->args, name);

	return json_is_boolean(value) ? json_is_true(value) : dflt;
}

void
ipc_call_progress(struct ipc_call *call, json_t *progress)
{
	ipc_call_progress_fd(call, progress, -1);
}

void
ipc_call_progress_fd(struct ipc_call *call, json_t *progress, int fd)
{
	if (call->client == NULL) {
		json_decref(progress);
		if (fd >= 0)
			(void)close(fd); /* nobody is there to have it */
		return;
	}
	if (!call->may_inspect)
		ipc_op_hide(progress);
	ipc_server_send_fd(
	    call->client, json_pack("{s:I, s:o}", "id", call->id, "progress", progress), fd);
}

/* The answer, the end of the call.  Takes the object. */
static void
finish(struct ipc_call *call, json_t *object)
{
	struct ipc_conn *c = call->client;

	if (c != NULL) {
		list_remove(&call->link);
		c->n_calls--;
		ipc_server_send(c, object);
	} else {
		json_decref(object);
	}
	json_decref(call->held);
	json_decref(call->args);
	free(call);
}

void
ipc_call_hold(struct ipc_call *call, ipc_hold *hold, void *user)
{
	call->hold = hold;
	call->hold_user = user;
}

void
ipc_call_go(struct ipc_call *call)
{
	json_t *result = call->held;

	call->held = NULL;
	if (call->lacks != jsonmem_lacks()) {
		json_decref(result);
		ipc_call_error(call, IPC_ERR_INTERNAL,
		    "There was no memory for the whole answer. If something was to be changed, "
		    "that is done.",
		    "Ask again in a moment.", NULL);
		return;
	}
	if (!call->may_inspect)
		ipc_op_hide(result);
	finish(call, json_pack("{s:I, s:b, s:o}", "id", call->id, "ok", 1, "result", result));
}

void
ipc_call_reply(struct ipc_call *call, json_t *result)
{
	if (result == NULL)
		result = json_object();
	call->held = result;
	if (call->hold == NULL || !call->hold(call->hold_user, call))
		ipc_call_go(call);
}

void
ipc_call_error(struct ipc_call *call, enum ipc_error_code code, const char *message,
    const char *next, json_t *extra)
{
	finish(call, ipc_call_error_object(&call->id, code, message, next, extra));
}
