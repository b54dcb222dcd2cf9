#include "driver/process/driver.h"

#include <sys/prctl.h>
#include <sys/random.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "driver/control/control.h"
#include "driver/diag/event_log.h"
#include "driver/iscsi/iothread.h"
#include "driver/iscsi/isns.h"
#include "driver/iscsi/keeper.h"
#include "driver/iscsi/losses.h"
#include "driver/iscsi/portal.h"
#include "driver/iscsi/radius.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted_find.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/disks.h"
#include "driver/iscsial/isns_apply.h"
#include "driver/iscsial/luns.h"
#include "driver/iscsial/registrants.h"
#include "driver/iscsial/stop.h"
#include "driver/iscsial/usage.h"
#include "driver/process/known.h"
#include "export/fuseprobe.h"
#include "export/holding.h"
#include "export/loopdev.h"
#include "export/porter.h"
#include "export/ublkring.h"
#include "export/ublkrun.h"
#include "ipc/helper.h"
#include "sys/log.h"

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
		log_err("%s is passed over: %s", d->paths.initiatorname,
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
		diag_listen(d->diag, event_log_sink, d->events);
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
	return true;
}

/* Who we are is in the file before anybody hears of it; what comes later goes through a copy. */
static bool
open_keeper(struct driver *d, struct fault *ret_fault)
{
	const struct keeper_cfg cfg = {
		.loop = d->loop, .asker = d->slot.at, .undone = control_undone, .user = d
	};
	struct registry *file = d->reg;

	if (!keep_isid(d, ret_fault) || !keep_name(d, ret_fault))
		return false;
	d->reg = NULL;
	d->keeper = keeper_new(file, &cfg, ret_fault);
	if (d->keeper == NULL)
		return false;
	d->reg = keeper_copy(d->keeper);
	return luns_load(d, ret_fault);
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

struct spin {
	struct loop *loop;
	unsigned limit_us;
};

static void
set_spin(void *arg)
{
	const struct spin *s = arg;

	loop_spin(s->loop, s->limit_us);
}

static bool
start_workers(struct driver *d, unsigned n, unsigned spin_us, struct fault *ret_fault)
{
	char name[24];

	for (unsigned i = 0; i < n; i++) {
		struct iothread_cfg cfg = { .isw = *isw_address(d->isw),
			.stats = &d->stats,
			.diag = d->diag,
			.ops = &disks_ops,
			.ops_cfg = &d->disks_cfg };

		(void)snprintf(name, sizeof name, "iscsi-io%u", i); /* fits */
		cfg.worker = worker_new(name, -1);
		if (cfg.worker == NULL || (d->iothreads[i] = iothread_new(&cfg)) == NULL) {
			fault_set(ret_fault, FAULT_INTERNAL, "use fewer --workers",
			    "cannot start a thread: %s", strerror(errno));
			worker_free(cfg.worker);
			return false;
		}
		d->n_iothreads++;
		worker_call(cfg.worker, set_io_flusher, NULL);
		worker_call(
		    cfg.worker, set_spin, &(struct spin){ worker_loop(cfg.worker), spin_us });
	}
	return true;
}

static void
islpd_changed(void *user, pid_t pid)
{
	const struct driver *d = user;
	const struct diag_ctx about = { -1, NULL, NULL, d->diag, NULL };

	if (pid != 0)
		diag_OPENISW_LOG_DAEMON_BACK(&about, "islpd", (int)pid);
	else
		diag_OPENISW_LOG_DAEMON_GONE(&about, "islpd");
}

static struct isw_daemon_cfg
daemon_cfg(const struct driver *d, const char *name)
{
	return (struct isw_daemon_cfg){ name, paths_daemon_sock(&d->paths, name),
		paths_daemon_pid(&d->paths, name), { -1, NULL, NULL, d->diag, NULL } };
}

static bool
start_daemons(struct driver *d, struct fault *ret_fault)
{
	const struct isw_cfg cfg = {
		.daemon = { [ISW_ISWD] = daemon_cfg(d, "iswd"),
		    [ISW_RESOLVD] = daemon_cfg(d, "iscsi_resolvd"),
		    [ISW_IRADD] = daemon_cfg(d, "iradd") },
		.stats = &d->stats,
	};
	const char *path = paths_daemon_sock(&d->paths, "islpd");
	int err;

	if (gethostname(d->host_name, sizeof d->host_name - 1) != 0)
		cut_copy(d->host_name, sizeof d->host_name, "localhost");
	d->isw = isw_new(&cfg, ret_fault);
	if (d->isw == NULL)
		return false;
	radius_push(d);
	err = helper_server_new(d->loop, path, paths_daemon_pid(&d->paths, "islpd"), "islpd",
	    islpd_changed, d, &d->islpd);
	if (err == 0)
		return isns_open(d, isns_apply, ret_fault);
	fault_set(ret_fault, FAULT_INTERNAL, "check the directory and its permissions",
	    "cannot listen at %s: %s", path, strerror(-err));
	return false;
}

static bool
watch_holder(struct driver *d, struct fault *ret_fault)
{
	struct holding *h = d->disks_cfg.holding;
	int err = h != NULL ? holding_watch(h, d->loop) : 0;

	if (err < 0)
		fault_set(ret_fault, FAULT_INTERNAL, "raise the limit of open files",
		    "cannot watch iscsi_holderd: %s", strerror(-err));
	return err == 0;
}

/* ---- the start ---- */

/* Where there is no FUSE: one is made, read and deleted again. */
static bool
try_ublk(struct driver *d)
{
	struct ublkjob probe = { .what = UBLKJOB_PROBE };

	if (!ublkring_is_there())
		return false; /* nobody could serve it */
	ublkrun_now(&probe);
	if (probe.result < 0) {
		log_info("disks are no ublk devices: %s", probe.why);
		return false;
	}
	d->disks_cfg.export = export_find("ublk");
	log_note("disks are ublk devices: %s", d->disks_cfg.why);
	return true;
}

/*
 * By what the place offers; before there are threads that mount.  Where a driver before this one
 * left mounts there is FUSE.
 */
static void
choose_export(struct driver *d, const char *export)
{
	size_t n_left = 0;

	static_assert(sizeof d->disks_cfg.why >= FUSEPROBE_WHY_BYTES, "it fits");

	if (strcmp(export, EXPORT_AUTO) != 0)
		return;
	d->disks_cfg.why[0] = '\0';
	if (d->disks_cfg.holding != NULL)
		(void)holding_left(d->disks_cfg.holding, &n_left); /* how many is all */
	if (n_left > 0 || fuseprobe(d->paths.disks, d->disks_cfg.why))
		return;
	if (try_ublk(d))
		return;
	d->disks_cfg.export = export_find("nbd");
	log_note("disks are sockets that speak NBD: %s", d->disks_cfg.why);
}

static bool
start_loop(struct driver *d, const char *export, struct fault *ret_fault)
{
	int err;

	d->disks_cfg.export = export_find(strcmp(export, EXPORT_AUTO) == 0 ? "fuse" : export);
	cut_copy(d->disks_cfg.why, sizeof d->disks_cfg.why, "the driver was started so");
	d->disks_cfg.dir = d->paths.disks;
	d->disks_cfg.sockets = d->paths.sockets;
	d->disks_cfg.ublks = d->paths.ublks;
	if (d->disks_cfg.export == NULL) {
		fault_set(ret_fault, FAULT_INVALID, "use auto, fuse, ublk, nbd or null",
		    "there is no exporter \"%s\"", export);
		return false;
	}
	d->loop = loop_new();
	if (d->loop != NULL)
		d->loopdev = loopdev_new(d->loop);
	if (d->loopdev != NULL)
		d->diag = diag_new(&(struct diag_cfg){ 0 });
	if (d->diag != NULL)
		d->box = mailbox_new(d->loop);
	if (d->box == NULL) {
		fault_set(ret_fault, FAULT_INTERNAL, "raise the limit of open files",
		    "cannot start: %s", strerror(errno));
		return false;
	}
	mailbox_open(d->box, &d->slot, MAIL_ID_IOTHREAD, 1, d);
	err = porter_watch(d->loop);
	if (err < 0)
		log_warn(
		    "it will not be told when the process for mounts ends: %s", strerror(-err));
	return true;
}

bool
driver_init(struct driver *d, const struct driver_cfg *cfg, struct fault *ret_fault)
{
	list_init(&d->sessions);
	list_init(&d->portals);
	list_init(&d->followers);
	list_init(&d->waiters);
	list_init(&d->captures);
	list_init(&d->scans);
	list_init(&d->scans_beside);
	list_init(&d->visits);
	isns_apply_open(d);
	d->tree = tree_new();
	d->index = wanted_index_new();
	d->losses = losses_new();
	d->wanted_ops = &luns_ops;
	d->started = d->stats_base.cleared = d->swd_base.cleared = d->discovery_base.cleared =
	    time(NULL);
	if (!start_loop(d, cfg->export, ret_fault))
		return false;
	choose_export(d, cfg->export);
	d->usage = usage_new(d);
	d->registrants = registrants_new(d);
	/* Nothing is served before what an earlier run left is out of the way. */
	if (!open_registry(d, ret_fault) || !open_keeper(d, ret_fault) ||
	    !devfile_start(d, ret_fault))
		return false;
	/* Before anybody may have something to tell: a daemon is back at once. */
	open_events(d, cfg->is_level_given);
	if (!start_daemons(d, ret_fault) ||
	    !start_workers(d, cfg->workers, cfg->spin_us, ret_fault) || !control_open(d, ret_fault))
		return false;
	d->known = known_open(d);
	return watch_holder(d, ret_fault);
}

/* ---- the end ---- */

/* False: one still has a session, and uses its thread. */
static bool
stop_iothreads(struct driver *d)
{
	bool is_clean = true;

	for (unsigned i = 0; i < d->n_iothreads; i++)
		is_clean &= iothread_stop(d->iothreads[i]);
	return is_clean;
}

void
driver_hand_over(struct driver *d)
{
	keeper_flush(d->keeper);
	control_close(d);
	(void)event_log_close(d->events);
}

void
driver_fini(struct driver *d)
{
	bool is_clean = stop_end(d) && d->loop_jobs == 0;

	keeper_flush(d->keeper); /* who waits for it is answered */
	control_close(d);
	helper_server_free(d->islpd);
	isns_close(d);
	isns_apply_close(d);
	portal_forget_all(d);
	known_free(d->known);
	d->known = NULL;
	losses_free(d->losses);
	d->losses = NULL;
	if (d->keeper == NULL)
		registry_close(d->reg);
	keeper_free(d->keeper);
	/* What hangs still uses its thread; the process ends, and all with it. */
	if (!is_clean || !stop_iothreads(d))
		return;
	isw_free(d->isw); /* it may be about to wake one of them */
	for (unsigned i = 0; i < d->n_iothreads; i++)
		iothread_free(d->iothreads[i]);
	tree_free(d->tree);
	wanted_index_free(d->index);
	usage_free(d->usage);
	registrants_free(d->registrants);
	devfile_end(d);
	mailbox_close(&d->slot);
	mailbox_free(d->box);
	diag_free(d->diag);
	if (!event_log_close(d->events))
		return;
	loopdev_free(d->loopdev);
	holding_unwatch(d->disks_cfg.holding);
	holding_free(d->disks_cfg.holding);
	porter_end();
	loop_free(d->loop);
}
