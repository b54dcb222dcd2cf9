#include <string.h>
#include <unistd.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/session.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/usage.h"

static const struct {
	const char *name, *description;
} devices[] = {
	{ "iscsi", "iSCSI Transport Driver" },
	{ "isw", "iSCSI Software Interface Driver" },
};

void
op_driver_version(struct driver *d, struct ipc_call *call)
{
	const char *name = ipc_call_arg_string(call, "device", devices[0].name);

	(void)d;
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
		if (strcmp(devices[i].name, name) == 0) {
			ipc_call_reply(
			    call, json_pack("{s:s, s:s, s:s}", "name", devices[i].name, "version",
				      OPENISW_VERSION, "description", devices[i].description));
			return;
		}
	ipc_call_error(
	    call, IPC_ERR_INVALID, "there is no driver of that name", "ask for iscsi or isw", NULL);
}

static json_t *
show_daemons(const struct driver *d)
{
	static const char *const names[DRIVER_DAEMONS] = {
#define PATH_DAEMON(id, program) [DRIVER_##id] = (program),
#include "sys/paths.def"
	};
	json_t *list = json_array();

	for (int i = 0; i < DRIVER_DAEMONS; i++) {
		pid_t pid = helper_server_pid(d->daemons[i]);
		json_t *o = json_pack("{s:s, s:b, s:o}", "name", names[i], "running", pid != 0,
		    "pid", pid != 0 ? json_integer(pid) : json_null());

		(void)json_array_append_new(list, o); /* no memory: one less */
	}
	return list;
}

static json_t *
show_sessions(const struct driver *d)
{
	int online = 0, transient = 0, offline = 0;

	LIST_EACH(node, tmp, &d->sessions)
	{
		const char *word = sstate_word(LIST_ENTRY(node, struct session, link)->state);

		if (strcmp(word, "online") == 0)
			online++;
		else if (strcmp(word, "transient") == 0)
			transient++;
		else
			offline++;
	}
	return json_pack(
	    "{s:i, s:i, s:i}", "online", online, "transient", transient, "offline", offline);
}

static void
status_counted(void *user)
{
	struct later *l = user;
	struct driver *d = l->d;
	size_t in_use, total = luns_count(d, &in_use);

	ipc_call_reply(l->call,
	    json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:{s:I, s:I}}", "pid", (int)getpid(),
		"version", OPENISW_VERSION, "root", d->paths.root, "started",
		control_time(d->started), "daemons", show_daemons(d), "sessions", show_sessions(d),
		"disks", "total", (json_int_t)total, "in_use", (json_int_t)in_use));
	later_free(l);
}

void
op_driver_status(struct driver *d, struct ipc_call *call)
{
	usage_glance(d, status_counted, later_new(d, call));
}

static void
stop_counted(void *user)
{
	struct later *l = user;
	struct driver *d = l->d;
	struct hwpath top = hwpath_hba();
	json_t *in_use = usage_list(d, &top);

	if (in_use != NULL && !ipc_call_arg_bool(l->call, "force", false)) {
		control_busy(l->call, in_use, "stop");
	} else {
		json_decref(in_use);
		ipc_call_reply(l->call, NULL);
		driver_stop(d);
	}
	later_free(l);
}

void
op_driver_stop(struct driver *d, struct ipc_call *call)
{
	usage_collect(d, stop_counted, later_new(d, call));
}
