/*
 * A disk's block device is made, changed and taken away by jobs on loopdev's
 * threads; while one is under way the disk may go, come back, or have its
 * session closed.  So a job knows its disk by its path, looks it up again when
 * it is done, and what it made is kept only where it is still wanted; a disk
 * has one job that attaches at a time, and whoever asks meanwhile waits for it.
 */
#include "driver/iscsial/devfile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "base/fanout.h"
#include "driver/call.h"
#include "driver/diag/diag.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/devblock.h"
#include "driver/iscsial/devfile_impl.h"
#include "driver/iscsial/devlink.h"
#include "driver/iscsial/devudev.h"
#include "driver/iscsial/tree.h"
#include "driver/iscsial/usage.h"
#include "export/loopdev.h"
#include "sys/log.h"

/* How long a closing session waits for its block devices to be written out. */
#define DEVFILE_DETACH_US 8000000

/* Who waits for a block device that is being made. */
struct asker {
	struct list link;
	devfile_done *done;
	void *user;
};

/* A session whose disks are taken away: none of them is made again before devfile_closed(). */
struct closing {
	struct list link;
	struct driver *d;
	uint32_t instance;
	bool is_forced;
	bool is_closed; /* devfile_closed() was called, */
	bool is_ended;  /* and every job is back */
	json_t *in_use; /* what could not be taken away; NULL: nothing */
	struct fanout jobs;
	devfile_detached *done;
	void *user;
};

struct work {
	struct list link; /* devfiles.works, while it attaches */
	struct loopdev_job job;
	struct driver *d;
	struct hwpath path; /* the node's: looked up again when the job is done */
	bool is_install;    /* ours to remember, not only to restore */
	bool is_exporters;  /* the block device is one that the exporter makes */
	struct list askers;
	struct devfile_result result;
	struct closing *closing; /* which waits for it */
};

/* ---- jobs ---- */

static struct work *
work_new(struct driver *d, const struct node *n)
{
	struct work *w = call_alloc(sizeof *w);

	w->d = d;
	w->job.user = w;
	w->job.number = TREE_NO_LOOP;
	list_init(&w->link);
	list_init(&w->askers);
	if (n != NULL) {
		w->path = n->path;
		w->is_exporters = devblock_is(n);
		w->job.number = n->loop;
		w->job.id = n->loop_id;
		w->job.is_read_only = tree_is_read_only(n);
		devfile_file(d, n, w->job.file);
	}
	return w;
}

static void
ask(struct work *w, devfile_done *done, void *user)
{
	struct asker *a;

	if (done == NULL)
		return;
	a = call_alloc(sizeof *a);
	a->done = done;
	a->user = user;
	list_push_back(&w->askers, &a->link);
}

/* The end of every work: whoever waits for it is told. */
static void
finish(void *arg)
{
	struct work *w = arg;
	struct list *node;

	w->result.node = tree_find(w->d->tree, &w->path);
	if (w->result.fault.is_set && list_empty(&w->askers))
		log_err("%s", w->result.fault.message);
	while ((node = list_pop(&w->askers)) != NULL) {
		struct asker *a = LIST_ENTRY(node, struct asker, link);

		a->done(a->user, &w->result);
		free(a);
	}
	if (w->closing != NULL)
		fanout_drop(&w->closing->jobs);
	tree_changed(w->d->tree);
	free(w);
}

static void
run(struct work *w, enum loopdev_what what, void (*done)(struct loopdev_job *job))
{
	w->job.what = what;
	w->job.done = done;
	w->d->loop_jobs++;
	if (w->is_exporters)
		devblock_run(w->d, &w->path, &w->job);
	else
		loopdev_run(w->d->loopdev, &w->job);
}

static struct closing *
closing_of(const struct driver *d, uint32_t instance)
{
	LIST_EACH(node, tmp, &d->devfiles->closing)
	{
		struct closing *c = LIST_ENTRY(node, struct closing, link);

		if (c->instance == instance)
			return c;
	}
	return NULL;
}

/* ---- install and restore ---- */

static void make(struct work *w, struct node *n);

/* The links, and the registry's row where it is ours to write. */
static void
write_down(struct work *w, struct node *n, const char *block)
{
	struct driver *d = w->d;
	struct fault *f = &w->result.fault;

	if (w->is_install && registry_device_add(d->reg, n->hw_path, n->name) != 0) {
		settings_fault(d->reg, f);
		return;
	}
	n->is_installed = true;
	if (!devlink_make(d, n, block, f))
		return;
	w->result.is_made = true;
	if (w->is_install)
		diag_OPENISW_LOG_DEVICE_MADE(
		    &(struct diag_ctx){ -1, NULL, NULL, d->diag, n->name }, n->name, n->hw_path);
}

static void
detached_stray(struct loopdev_job *job)
{
	struct work *w = job->user;

	w->d->loop_jobs--;
	finish(w);
}

/* The disk went away while its block device was made. */
static void
undo_attach(struct work *w)
{
	fault_set(&w->result.fault, FAULT_OFFLINE, "scan, then try again",
	    "the disk went away while its block device was made");
	if (w->job.result != 0) {
		finish(w);
		return;
	}
	w->job.is_forced = true;
	run(w, LOOPDEV_DETACH, detached_stray);
}

/* Its block device is gone, and perhaps another disk's by now. */
static void
lose(struct driver *d, struct node *n, const char *why)
{
	char block[32];

	loopuse_path(n->loop, block);
	tree_set_loop(d->tree, n, TREE_NO_LOOP);
	if (n->removals > 0)
		return; /* by us: removed() is on its way */
	log_warn("disk %s: %s %s; another block device is made for it", n->name, block, why);
	devlink_drop(d, n);
	devfile_restore(d, n, NULL, NULL);
}

/* The kernel gave us this number: whoever else had it does not have it any more. */
static void
take_number(struct driver *d, struct node *n, const struct loopdev_job *job)
{
	struct node *other = tree_other_of_loop(d->tree, n, job->number);

	if (other != NULL)
		lose(d, other, "was taken away by somebody");
	tree_set_loop(d->tree, n, job->number);
	n->loop_id = job->id;
}

static void
attached(struct loopdev_job *job)
{
	struct work *w = job->user;
	struct node *n = tree_find(w->d->tree, &w->path);

	w->d->loop_jobs--;
	list_remove(&w->link);
	if (n != NULL && n->attaching != w)
		n = NULL; /* another disk stands there */
	if (n != NULL)
		n->attaching = NULL;
	if (n == NULL || !n->is_shown || (!w->is_install && !n->is_installed) ||
	    closing_of(w->d, w->path.part[2]) != NULL) {
		undo_attach(w);
		return;
	}
	if (job->result == 0) {
		take_number(w->d, n, job);
		write_down(w, n, job->path);
	} else if (w->is_exporters) {
		fault_set(&w->result.fault, FAULT_INTERNAL, "look at the driver's log",
		    "disk %s has no block device: %s", n->name, job->why);
	} else {
		/* The disk itself works: it is used as a file. */
		cut_copy(w->result.note, sizeof w->result.note, job->why);
		log_warn("disk %s has no block device: %s", n->name, job->why);
		write_down(w, n, NULL);
	}
	finish(w);
}

static void
make(struct work *w, struct node *n)
{
	bool has_loops = w->d->devfiles->no_loop[0] == '\0';

	assert(n->attaching == NULL && n->loop == TREE_NO_LOOP);
	devfile_why(w->d, n, w->result.note);
	if (devfile_is_socket(n) || (!devblock_is(n) && !has_loops)) {
		write_down(w, n, NULL);
		call_post(w->d->loop, finish, w);
		return;
	}
	w->job.block_bytes = n->info->capacity.block_bytes;
	w->job.may_adopt = devfile_goes_on(w->d, n);
	n->attaching = w;
	list_push_back(&w->d->devfiles->works, &w->link);
	devudev_tell(w->d, n);
	run(w, LOOPDEV_ATTACH, attached);
}

/* What is there already, or is being made, is not made again. */
static void
provide(
    struct driver *d, struct node *n, bool is_install, bool anew, devfile_done *done, void *user)
{
	struct work *w = n->attaching;
	char block[32];

	if (w != NULL) {
		w->is_install |= is_install;
		ask(w, done, user);
		return;
	}
	w = work_new(d, n);
	w->is_install = is_install;
	ask(w, done, user);
	if (!n->is_shown || closing_of(d, n->path.part[2]) != NULL) {
		fault_set(&w->result.fault, FAULT_OFFLINE, "scan, then try again",
		    "%s is not there now, so it can have no device files", n->hw_path);
	} else if (is_install && (n->doomed > 0 || n->removals > 0)) {
		fault_set(&w->result.fault, FAULT_BUSY, "try again when that is over",
		    "the device files of %s are being taken away", n->name);
	} else if (n->is_installed && devlink_are_there(d, n) && !anew) {
		;
	} else if (n->loop != TREE_NO_LOOP) {
		/* The block device stays what it is; only its links are made anew. */
		loopuse_path(n->loop, block);
		write_down(w, n, block);
	} else {
		make(w, n);
		return;
	}
	call_post(d->loop, finish, w);
}

void
devfile_install(struct driver *d, struct node *n, bool anew, devfile_done *done, void *user)
{
	provide(d, n, true, anew, done, user);
}

void
devfile_restore(struct driver *d, struct node *n, devfile_done *done, void *user)
{
	provide(d, n, false, n->loop == TREE_NO_LOOP, done, user);
}

/* ---- what happened to a block device ---- */

static void
checked(struct loopdev_job *job)
{
	struct work *w = job->user;
	struct node *n = tree_find(w->d->tree, &w->path);

	w->d->loop_jobs--;
	if (n != NULL && n->loop == job->number && job->result == -ENXIO && n->is_shown &&
	    n->is_installed)
		lose(w->d, n, "was taken away by somebody");
	finish(w);
}

void
devfile_check(struct driver *d, struct node *n)
{
	if (n->loop != TREE_NO_LOOP)
		run(work_new(d, n), LOOPDEV_CHECK, checked);
}

static void
changed(struct loopdev_job *job)
{
	struct work *w = job->user;

	if (job->result == -ENXIO) {
		checked(job);
		return;
	}
	w->d->loop_jobs--;
	if (job->result != 0)
		log_warn("%s", job->why);
	finish(w);
}

void
devfile_change(struct driver *d, struct node *n)
{
	if (n->loop != TREE_NO_LOOP)
		run(work_new(d, n), LOOPDEV_CHANGE, changed);
}

static void
renewed(struct loopdev_job *job)
{
	struct work *w = job->user;
	struct node *n = tree_find(w->d->tree, &w->path);

	w->d->loop_jobs--;
	if (n != NULL && n->is_shown && n->is_installed && n->loop == TREE_NO_LOOP)
		devfile_restore(w->d, n, NULL, NULL);
	finish(w);
}

void
devfile_renew(struct driver *d, struct node *n)
{
	struct work *w;

	if (n->loop == TREE_NO_LOOP)
		return;
	w = work_new(d, n);
	w->job.is_forced = true;
	tree_set_loop(d->tree, n, TREE_NO_LOOP);
	devlink_drop(d, n);
	run(w, LOOPDEV_DETACH, renewed);
}

/* ---- remove and detach ---- */

static void
forget(struct work *w, struct node *n)
{
	int err;

	tree_set_loop(w->d->tree, n, TREE_NO_LOOP);
	n->is_in_use = false;
	devlink_drop(w->d, n);
	err = registry_device_remove(w->d->reg, n->name);
	if (err != 0 && err != -ENOENT) {
		settings_fault(w->d->reg, &w->result.fault);
		return;
	}
	n->is_installed = false;
	/* What stands at this path next may be another unit. */
	if (n->is_replaced && registry_identity_remove(w->d->reg, n->hw_path) != 0)
		settings_fault(w->d->reg, &w->result.fault);
	w->result.is_made = true;
	diag_OPENISW_LOG_DEVICE_REMOVED(
	    &(struct diag_ctx){ -1, NULL, NULL, w->d->diag, n->name }, n->name, n->hw_path);
}

static void
removed(struct loopdev_job *job)
{
	struct work *w = job->user;
	struct node *n = tree_find(w->d->tree, &w->path);

	w->d->loop_jobs--;
	if (n != NULL && n->removals > 0)
		n->removals--;
	if (job->result == -EBUSY)
		fault_set(&w->result.fault, FAULT_BUSY,
		    "unmount it or end what uses it, or force the removal", "%s", job->why);
	else if (job->result != 0 && job->result != -ENXIO)
		fault_set(&w->result.fault, FAULT_BUSY,
		    "try again when the disk is back; or give that data up: rmsf --force", "%s",
		    job->why);
	else if (n != NULL && (n->loop == TREE_NO_LOOP || n->loop == job->number))
		forget(w, n);
	finish(w);
}

void
devfile_remove(struct driver *d, struct node *n, bool is_forced, devfile_done *done, void *user)
{
	struct work *w = work_new(d, n);

	ask(w, done, user);
	if (n->loop != TREE_NO_LOOP) {
		w->job.is_forced = is_forced;
		w->job.is_lost = n->is_replaced || n->state == TREE_NO_HW;
		n->removals++;
		run(w, LOOPDEV_DETACH, removed);
		return;
	}
	forget(w, n);
	call_post(d->loop, finish, w);
}

/* It has a user: it stays what it was, unless it has another one by now. */
static void
keep(struct work *w)
{
	struct node *n = tree_find(w->d->tree, &w->path);
	char text[USAGE_TEXT_BYTES];

	if (n == NULL || n->loop != TREE_NO_LOOP)
		return;
	tree_set_loop(w->d->tree, n, w->job.number);
	n->loop_id = w->job.id;
	n->is_in_use = true;
	usage_text(n, text);
	if (w->closing->in_use == NULL)
		w->closing->in_use = json_array();
	(void)json_array_append_new(
	    w->closing->in_use, json_string(text)); /* no memory: one less */
}

static void
detached(struct loopdev_job *job)
{
	struct work *w = job->user;

	w->d->loop_jobs--;
	if (job->result == -EBUSY && w->closing != NULL && !w->closing->is_forced)
		keep(w);
	else if (job->result != 0 && job->result != -ENXIO)
		log_warn("%s", job->why);
	finish(w);
}

static void
detach(struct driver *d, struct node *n, struct closing *c)
{
	struct work *w;

	if (n->is_installed)
		devlink_drop(d, n);
	if (n->loop == TREE_NO_LOOP)
		return;
	w = work_new(d, n);
	w->job.is_forced = c == NULL || c->is_forced;
	w->closing = c;
	if (c != NULL)
		fanout_add(&c->jobs);
	tree_set_loop(d->tree, n, TREE_NO_LOOP);
	run(w, LOOPDEV_DETACH, detached);
}

void
devfile_detach(struct driver *d, struct node *n)
{
	detach(d, n, NULL);
}

static void
closing_free(struct closing *c)
{
	if (!c->is_closed || !c->is_ended)
		return;
	json_decref(c->in_use);
	free(c);
}

static void
all_detached(struct fanout *f, bool is_late)
{
	struct closing *c = LIST_ENTRY(f, struct closing, jobs);

	if (is_late)
		log_warn(
		    "a block device takes long to be written out: its disk is closed all the same");
	c->done(c->user, c->in_use);
}

static void
all_ended(struct fanout *f)
{
	struct closing *c = LIST_ENTRY(f, struct closing, jobs);

	c->is_ended = true;
	closing_free(c);
}

static void
none_to_detach(void *arg)
{
	fanout_seal(arg);
}

void
devfile_detach_session(
    struct driver *d, uint32_t instance, bool is_forced, devfile_detached *done, void *user)
{
	struct closing *c = call_alloc(sizeof *c);

	c->d = d;
	c->instance = instance;
	c->is_forced = is_forced;
	c->done = done;
	c->user = user;
	list_push_back(&d->devfiles->closing, &c->link);
	fanout_init(&c->jobs, loop_agenda(d->loop), loop_now_update(d->loop) + DEVFILE_DETACH_US,
	    all_detached, all_ended);
	for (size_t i = 0; i < d->tree->n; i++) {
		struct node *n = d->tree->nodes[i];

		if (n->kind == TREE_LUN && n->path.part[2] == instance)
			detach(d, n, c);
	}
	/* One that is being made is given back as soon as it is there. */
	LIST_EACH(node, tmp, &d->devfiles->works)
	{
		struct work *w = LIST_ENTRY(node, struct work, link);

		if (w->path.part[2] == instance && w->closing == NULL) {
			w->closing = c;
			fanout_add(&c->jobs);
		}
	}
	call_post(d->loop, none_to_detach, &c->jobs);
}

void
devfile_closed(struct driver *d, uint32_t instance, bool is_open)
{
	struct closing *c;

	/* More than one may have asked for it. */
	while ((c = closing_of(d, instance)) != NULL) {
		list_remove(&c->link);
		c->is_closed = true;
		closing_free(c);
	}
	for (size_t i = 0; i < d->tree->n && is_open; i++) {
		struct node *n = d->tree->nodes[i];

		if (n->kind == TREE_LUN && n->path.part[2] == instance && n->is_shown &&
		    n->is_installed)
			devfile_restore(d, n, NULL, NULL);
	}
}
