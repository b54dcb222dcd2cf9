#include "driver/driver.h"

#include <sys/prctl.h>
#include <sys/random.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/call.h"
#include "driver/control/control.h"
#include "driver/cut.h"
#include "driver/iscsi/discovery.h"
#include "driver/iscsi/scan.h"
#include "driver/iscsi/session.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/shutdown.h"
#include "driver/iscsial/usage.h"
#include "sys/log.h"

/* How long an orderly stop may take before the driver ends all the same. */
#define DRIVER_STOP_US 20000000

/* What PATH_DAEMON rows call their daemons. */
static const char *const daemon_names[DRIVER_DAEMONS] = {
#define PATH_DAEMON(id, program) [DRIVER_##id] = (program),
#include "sys/paths.def"
};

/* ---- the registry ---- */

static bool
keep_isid(struct driver *d, struct fault *ret_fault)
{
	char *value, text[16];
	int err = registry_get(d->reg, NULL, REGISTRY_KEY_isid_random, &value);

	if (err == 0) {
		d->isid_random = (uint32_t)strtoul(value, NULL, 10) & 0xffffff;
		free(value);
		return true;
	}
	if (err == -ENOENT &&
	    getrandom(&d->isid_random, sizeof d->isid_random, 0) == sizeof d->isid_random) {
		d->isid_random &= 0xffffff;
		(void)snprintf(text, sizeof text, "%u", d->isid_random); /* eight digits */
		if (registry_set(d->reg, NULL, REGISTRY_KEY_isid_random, text) == 0)
			return true;
	}
	settings_fault(d->reg, ret_fault);
	return false;
}

static bool
keep_name(struct driver *d, struct fault *ret_fault)
{
	struct registry_made_name made;

	if (registry_initiator_name(d->reg, d->paths.initiatorname, &made) != 0) {
		settings_fault(d->reg, ret_fault);
		return false;
	}
	if (made.file_err != 0)
		log_warn("%s is passed over: %s", d->paths.initiatorname,
		    made.file_err == -EINVAL ? "it holds no valid initiator name"
					     : strerror(-made.file_err));
	if (made.from_file)
		log_note("initiator name %s, from %s", made.name, d->paths.initiatorname);
	else if (made.made)
		log_note("initiator name %s, made for this host", made.name);
	return true;
}

/*
 * The level that an administrator set, or the guide's; and the event log.  A
 * driver without a log of events is better than none.
 */
static void
open_events(struct driver *d, bool is_level_given)
{
	char *level = settings_value(d->reg, NULL, REGISTRY_KEY_debug_level);
	enum log_level kept;
	int err;

	if (!is_level_given && log_level_parse(level, &kept))
		log_set_level(kept);
	free(level);
	err = event_log_open(d->loop, d->paths.events, &d->events);
	if (err == 0)
		diag_init(&(struct diag_cfg){ .sink = event_log_sink, .user = d->events });
	else
		log_err("events are not kept: %s: %s", d->paths.events, strerror(-err));
}

static bool
open_registry(struct driver *d, struct fault *ret_fault)
{
	struct registry_error e = { 0 };
	char why[BENEATH_WHY_BYTES];

	if (paths_mkdirs(&d->paths, why) < 0) {
		fault_set(
		    ret_fault, FAULT_INTERNAL, "use --root for a directory of your own", "%s", why);
		return false;
	}
	if (registry_open(d->paths.registry, &d->reg, &e) != 0) {
		fault_set(ret_fault, FAULT_INTERNAL, e.next, "%s", e.message);
		return false;
	}
	return keep_isid(d, ret_fault) && keep_name(d, ret_fault) && luns_load(d, ret_fault);
}

/* ---- workers and helpers ---- */

/* The kernel may need one of this thread's answers to get memory free. */
static void
set_io_flusher(void *arg)
{
	(void)arg;
	/* A refusal (containers) is no error: it costs a rare deadlock's prevention only. */
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
}

static bool
start_workers(struct driver *d, unsigned n, struct fault *ret_fault)
{
	char name[24];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(name, sizeof name, "iscsi-io%u", i); /* fits */
		d->workers[i] = worker_new(name, -1);
		if (d->workers[i] == NULL) {
			fault_set(ret_fault, FAULT_INTERNAL, "use fewer --workers",
			    "cannot start a thread: %s", strerror(errno));
			return false;
		}
		d->n_workers++;
		worker_call(d->workers[i], set_io_flusher, NULL);
	}
	return true;
}

static void
daemon_changed(void *user, pid_t pid)
{
	const char *name = user;

	if (pid != 0)
		log_note("%s is connected (pid %d)", name, (int)pid);
	else
		log_warn("%s is gone: what needs it waits until it runs again", name);
}

static bool
start_helpers(struct driver *d, struct fault *ret_fault)
{
	for (int i = 0; i < DRIVER_DAEMONS; i++) {
		const char *path = paths_daemon_sock(&d->paths, daemon_names[i]);
		/* The name is only read; the callback's type has no const. */
		int err = helper_server_new(d->loop, path,
		    paths_daemon_pid(&d->paths, daemon_names[i]), daemon_names[i], daemon_changed,
		    (void *)(uintptr_t)daemon_names[i], &d->daemons[i]);

		if (err != 0) {
			fault_set(ret_fault, FAULT_INTERNAL,
			    "check the directory and its permissions", "cannot listen at %s: %s",
			    path, strerror(-err));
			return false;
		}
	}
	d->isw = (struct isw){ .loop = d->loop,
		.iswd = d->daemons[DRIVER_iswd],
		.resolvd = d->daemons[DRIVER_resolvd],
		.stats = &d->stats };
	if (gethostname(d->host_name, sizeof d->host_name - 1) != 0)
		cut_copy(d->host_name, sizeof d->host_name, "localhost");
	d->verify = (struct verify_cfg){ .loop = d->loop,
		.iradd = d->daemons[DRIVER_iradd],
		.reg = d->reg,
		.default_nas = d->host_name };
	return true;
}

/* ---- known sessions come back ---- */

static void
open_known(struct driver *d)
{
	struct registry_target *list = NULL;
	struct fault why = { 0 };
	size_t n = 0;

	if (registry_target_list(d->reg, NULL, &list, &n) != 0) {
		log_err("known targets are not opened: %s", registry_error(d->reg)->message);
		return;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i].n_addresses; k++) {
			struct session *s =
			    session_get(d, list[i].name, &list[i].addresses[k].a, &why);

			if (s == NULL)
				log_err("%s: %s", list[i].name, why.message);
			else
				(void)session_open(s, NULL, NULL); /* it logs how that goes */
		}
	registry_targets_free(list, n);
}

bool
driver_init(struct driver *d, const struct driver_cfg *cfg, struct fault *ret_fault)
{
	list_init(&d->sessions);
	list_init(&d->portals);
	list_init(&d->followers);
	tree_init(&d->tree);
	d->started = d->stats_base.cleared = d->swd_base.cleared = d->discovery_base.cleared =
	    time(NULL);
	d->export = export_find(cfg->export);
	if (d->export == NULL) {
		fault_set(ret_fault, FAULT_INVALID, "use fuse or null",
		    "there is no exporter \"%s\"", cfg->export);
		return false;
	}
	d->loop = loop_new();
	if (d->loop == NULL || (d->loopdev = loopdev_new(d->loop)) == NULL) {
		fault_set(ret_fault, FAULT_INTERNAL, "raise the limit of open files",
		    "cannot start: %s", strerror(errno));
		return false;
	}
	d->usage = usage_new(d);
	/* Nothing is served before what an earlier run left is out of the way. */
	if (!open_registry(d, ret_fault) || !devfile_start(d, ret_fault) ||
	    !start_workers(d, cfg->workers, ret_fault) || !start_helpers(d, ret_fault) ||
	    !control_open(d, ret_fault))
		return false;
	open_events(d, cfg->is_level_given);
	open_known(d);
	return true;
}

/* ---- the end ---- */

/* An orderly stop: all sessions at once, and no longer than so long. */
struct stopping {
	struct driver *d;
	struct agenda_timer patience;
	unsigned left;
};

static struct stopping stopping; /* a driver stops once */

static void
stop_loop(struct agenda_timer *t)
{
	(void)t;
	log_warn("some sessions could not be closed in order");
	loop_stop(stopping.d->loop);
}

static void
one_closed(void *user, struct driver *d, uint32_t instance, json_t *in_use)
{
	(void)user;
	(void)instance;
	(void)in_use; /* it is forced */
	if (--stopping.left == 0)
		loop_stop(d->loop);
}

static void
none_open(void *user)
{
	one_closed(NULL, user, 0, NULL);
}

void
driver_stop(struct driver *d)
{
	if (d->is_stopping)
		return;
	d->is_stopping = true;
	log_note("logging out of everything");
	scan_stop(d);
	stopping.d = d;
	stopping.left = 1;
	stopping.patience.expired = stop_loop;
	agenda_set(
	    loop_agenda(d->loop), &stopping.patience, loop_now_update(d->loop) + DRIVER_STOP_US);
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct session *s = LIST_ENTRY(node, struct session, link);

		if (s->state == SSTATE_CLOSED)
			continue;
		stopping.left++;
		shutdown_session(s, true, one_closed, NULL);
	}
	call_post(d->loop, none_open, d);
}

static void
free_sessions(struct driver *d)
{
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct session *s = LIST_ENTRY(node, struct session, link);

		if (s->state == SSTATE_CLOSED && s->seat == NULL)
			session_free(s);
	}
}

void
driver_fini(struct driver *d)
{
	bool is_clean;

	if (stopping.d != NULL)
		agenda_clear(loop_agenda(d->loop), &stopping.patience);
	control_close(d);
	for (int i = 0; i < DRIVER_DAEMONS; i++)
		helper_server_free(d->daemons[i]);
	free_sessions(d);
	is_clean = list_empty(&d->sessions) && d->loop_jobs == 0;
	LIST_EACH(node, tmp, &d->portals)
	free(LIST_ENTRY(node, struct portal, link));
	tree_fini(&d->tree);
	registry_close(d->reg);
	/* What hangs still uses its thread; the process ends, and all with it. */
	if (!is_clean)
		return;
	usage_free(d->usage);
	devfile_end(d);
	for (unsigned i = 0; i < d->n_workers; i++)
		worker_free(d->workers[i]);
	diag_init(NULL);
	if (!event_log_close(d->events))
		return;
	loopdev_free(d->loopdev);
	loop_free(d->loop);
}
