#include "tools/common/call.h"

#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>

#include "sys/usedby.h"
#include "tools/common/result.h"
#include "tools/common/say.h"

static enum status fail(const struct call *c, const struct ipc_error *e);
static void tell_in_use(const struct call *c, const json_t *in_use);
static void add_users(const struct call *c, json_t *extra, const json_t *in_use);

const char *
call_device_name(enum call_device device)
{
	return device == CALL_ISW ? "/dev/isw" : "/dev/iscsi";
}

enum status
call_root(struct call *ret, const struct cmdline *line)
{
	const char *root = cmdline_common(line, CMDLINE_COMMON_root)->text;
	int err;

	*ret = (struct call){ 0 };
	err = paths_init(&ret->paths, root);
	if (err == 0)
		return STATUS_OK;
	say_problem("name another directory with --root", "the root %s cannot be used: %s",
	    root != NULL ? root : "from $" PATHS_ENV, strerror(-err));
	return STATUS_USAGE;
}

enum status
call_open(struct call *ret, const struct cmdline *line, enum call_device device)
{
	enum status status = call_root(ret, line);
	struct ipc_error e = { 0 };
	const char *path;
	struct stat st;

	if (status != STATUS_OK)
		return status;
	path = device == CALL_ISW ? ret->paths.dev_isw : ret->paths.dev_iscsi;
	/* The guide, chapter 6, step 7: the words that its readers look for. */
	if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
		say_failure(IPC_ERR_INTERNAL, NULL,
		    "move that file away, then start the driver with 'iscsi start'",
		    "(%s) Wrong device file: %s is not the driver's socket",
		    call_device_name(device), path);
		return STATUS_FAILED;
	}
	if (ipc_connect(path, &ret->client, &e) == 0)
		return STATUS_OK;
	if (e.code == IPC_ERR_NOTRUNNING) {
		say_failure(IPC_ERR_NOTRUNNING, NULL,
		    "start the driver with 'iscsi start', or name the root it runs in with "
		    "--root or $" PATHS_ENV,
		    "iSCSI stack is not loaded: no driver answers at %s", path);
		status = STATUS_NOT_RUNNING;
	} else {
		status = fail(ret, &e);
	}
	ipc_error_fini(&e);
	return status;
}

void
call_close(struct call *c)
{
	ipc_client_free(c->client);
	c->client = NULL;
	paths_fini(&c->paths);
}

enum status
call_request(struct call *c, enum ipc_op op, json_t *args, json_t **ret_result)
{
	return call_watch(c, op, args, NULL, NULL, ret_result);
}

enum status
call_watch(struct call *c, enum ipc_op op, json_t *args, ipc_progress *progress, void *user,
    json_t **ret_result)
{
	struct ipc_error e = { 0 };
	enum status status;

	if (ipc_request(c->client, op, args, progress, user, ret_result, &e) == 0)
		return STATUS_OK;
	status = fail(c, &e);
	ipc_error_fini(&e);
	return status;
}

void
call_request_many(struct call *c, struct ipc_many *q, size_t n)
{
	ipc_request_many(c->client, q, n);
}

enum status
call_told(const struct call *c, struct ipc_many *q)
{
	enum status status;

	if (q->result != NULL)
		return STATUS_OK;
	status = fail(c, &q->error);
	ipc_error_fini(&q->error);
	return status;
}

static enum status
fail(const struct call *c, const struct ipc_error *e)
{
	const json_t *in_use = json_object_get(e->extra, "in_use");

	if (in_use != NULL && say_is_json())
		add_users(c, e->extra, in_use);
	say_failure(e->code, e->extra, e->next, "%s",
	    e->message[0] != '\0' ? e->message : ipc_error_name(e->code));
	if (!say_is_json())
		tell_in_use(c, in_use);
	return status_of_error(e->code);
}

/* BUSY names what is in use (doc/control-protocol.md); by whom is seen from here. */
static void
tell_in_use(const struct call *c, const json_t *in_use)
{
	const json_t *disk;
	size_t i;

	json_array_foreach(in_use, i, disk)
	{
		char *by;

		if (!json_is_string(disk))
			continue;
		by = say_need(usedby_text(&c->paths, json_string_value(disk)));
		say_note("in use: %s%s%s", json_string_value(disk), by[0] != '\0' ? ": " : "", by);
		free(by);
	}
}

static void
add_user(void *list, const char *by)
{
	(void)json_array_append_new(list, json_string(by)); /* no memory: one less */
}

static void
add_users(const struct call *c, json_t *extra, const json_t *in_use)
{
	json_t *users = say_need(json_object());
	const json_t *disk;
	size_t i;

	json_array_foreach(in_use, i, disk)
	{
		json_t *list = say_need(json_array());

		if (json_is_string(disk))
			usedby_find(&c->paths, json_string_value(disk), add_user, list);
		say_need(json_object_set_new(
			     users, json_is_string(disk) ? json_string_value(disk) : "", list) == 0
			     ? list
			     : NULL);
	}
	say_need(json_object_set_new(extra, "used_by", users) == 0 ? users : NULL);
}
