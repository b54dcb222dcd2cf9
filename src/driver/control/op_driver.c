#include <string.h>
#include <unistd.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/isns.h"
#include "driver/iscsi/keeper.h"
#include "driver/iscsi/wanted.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/shutdown.h"
#include "driver/iscsial/stop.h"
#include "driver/iscsial/usage.h"
#include "export/export.h"
#include "export/holding.h"
#include "ipc/helper.h"
#include "sys/log.h"

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

static void
add_daemon(json_t *list, const char *name, pid_t pid)
{
	json_t *o = json_pack("{s:s, s:b, s:o}", "name", name, "running", pid != 0, "pid",
	    pid != 0 ? json_integer(pid) : json_null());

	(void)json_array_append_new(list, o); /* no memory: one less */
}

static json_t *
show_daemons(const struct driver *d, const struct isw_status *s)
{
	json_t *list = json_array();

	add_daemon(list, "iswd", s->pid[ISW_ISWD]);
	add_daemon(list, "iscsi_resolvd", s->pid[ISW_RESOLVD]);
	add_daemon(list, "islpd", helper_server_pid(d->islpd));
	add_daemon(list, "iisnsd", isns_pid(d));
	add_daemon(list, "iradd", s->pid[ISW_IRADD]);
	add_daemon(list, "iscsi_holderd",
	    d->disks_cfg.holding != NULL ? holding_pid(d->disks_cfg.holding) : 0);
	return list;
}

static json_t *
show_sessions(const struct driver *d)
{
	int online = 0, transient = 0, offline = 0;

	LIST_EACH(node, tmp, &d->sessions)
	{
		const char *word = wanted_word(LIST_ENTRY(node, struct wanted, link));

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

static json_t *
show_registry(const struct driver *d)
{
	struct keeper_state k;

	keeper_state(d->keeper, &k);
	return json_pack("{s:b, s:o, s:I, s:I}", "kept", k.is_kept, "error",
	    k.is_failing ? json_string(k.last.message) : json_null(), "writes",
	    (json_int_t)k.writes, "failures", (json_int_t)k.failures);
}

struct looking {
	struct isw_status question; /* first: freed as one */
	struct driver *d;
	struct ipc_call *call;
};

static void
daemons_told(struct question *q)
{
	struct looking *l = LIST_ENTRY(q, struct looking, question.base);
	struct driver *d = l->d;
	size_t in_use, total = luns_count(d, &in_use);

	ipc_call_reply(l->call,
	    json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:{s:I, s:I, s:s, s:s}}", "pid",
		(int)getpid(), "version", OPENISW_VERSION, "root", d->paths.root, "started",
		control_time(d->started), "daemons", show_daemons(d, &l->question), "sessions",
		show_sessions(d), "registry", show_registry(d), "disks", "total", (json_int_t)total,
		"in_use", (json_int_t)in_use, "exporter", d->disks_cfg.export->name, "exporter_why",
		d->disks_cfg.why));
	free(l);
}

static void
status_counted(void *user)
{
	struct looking *l = user;

	mail_ask(&l->question.base.mail, &mail_status, isw_address(l->d->isw), &l->d->slot.at);
}

void
op_driver_status(struct driver *d, struct ipc_call *call)
{
	struct looking *l = question_new(sizeof *l, daemons_told, NULL);

	l->d = d;
	l->call = call;
	usage_glance(d, status_counted, l);
}

/* in_use: borrowed; NULL: nothing that matters. */
static void
stop_or_refuse(void *user, json_t *in_use)
{
	struct later *l = user;

	if (in_use != NULL) {
		control_busy(l->call, json_incref(in_use), "stop");
	} else {
		ipc_call_reply(l->call, NULL);
		stop_begin(l->d);
	}
	later_free(l);
}

static void
stop_counted(void *user)
{
	struct later *l = user;
	struct hwpath top = hwpath_hba();
	json_t *in_use = usage_list(l->d, &top);

	if (ipc_call_arg_bool(l->call, "force", false) || l->d->is_stopping)
		stop_or_refuse(l, NULL);
	else if (in_use != NULL)
		stop_or_refuse(l, in_use);
	else
		shutdown_hold_all(l->d, stop_or_refuse, l);
	json_decref(in_use);
}

/* Their clients would be cut off: who they are, or NULL. */
static json_t *
sockets_in_use(const struct driver *d)
{
	json_t *list = NULL;

	for (size_t i = 0; i < d->tree->n; i++) {
		const struct node *n = d->tree->nodes[i];
		json_t *one;

		if (n->kind != TREE_LUN || !n->is_in_use || !devfile_is_socket(n))
			continue;
		one = usage_list(d, &n->path);
		if (list == NULL)
			list = json_array();
		(void)json_array_extend(list, one); /* no memory: shorter */
		json_decref(one);
	}
	return list;
}

/* NULL: a successor can go on with all that is here. */
static const char *
why_not_handed_over(const struct driver *d)
{
	if (d->is_stopping)
		return "the driver is being stopped";
	if (!export_find("fuse")->can_hand_over())
		return "this kernel does not send again what was not answered; Linux 6.9 does";
	if (d->disks_cfg.holding == NULL || holding_pid(d->disks_cfg.holding) == 0)
		return "iscsi_holderd does not run, so nobody would keep the disks meanwhile";
	return NULL;
}

static void
hand_over_counted(void *user)
{
	struct later *l = user;
	struct driver *d = l->d;
	json_t *in_use = sockets_in_use(d);
	const char *why = in_use != NULL ? "disks that are sockets (NBD) end with their driver"
					 : why_not_handed_over(d);

	if (why != NULL) {
		ipc_call_error(l->call, IPC_ERR_BUSY, why,
		    "stop it when its disks are not in use, and start it again",
		    in_use != NULL ? json_pack("{s:o}", "in_use", in_use) : NULL);
	} else {
		log_note("ends, and leaves its disks to the next driver");
		ipc_call_reply(l->call, NULL);
		d->is_handing_over = true;
		loop_stop(d->loop);
	}
	later_free(l);
}

void
op_driver_hand_over(struct driver *d, struct ipc_call *call)
{
	usage_collect(d, hand_over_counted, later_new(d, call));
}

void
op_driver_stop(struct driver *d, struct ipc_call *call)
{
	usage_collect(d, stop_counted, later_new(d, call));
}

/* ---- connection.narrow ---- */

void
op_connection_narrow(struct driver *d, struct ipc_call *call)
{
	const char *name = ipc_call_arg_string(call, "op", "");
	struct fault f;
	enum ipc_op op;

	(void)d; /* it is the connection's alone */
	if (ipc_op_find(name, &op) < 0) {
		fault_set(&f, FAULT_INVALID, "name one of messages.def",
		    "there is no operation %.64s", name);
		control_fail(call, &f, NULL);
		return;
	}
	ipc_call_narrow(call, op);
	ipc_call_reply(call, NULL);
}
