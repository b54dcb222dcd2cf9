#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/devfile_impl.h"
#include "driver/iscsial/devlink.h"
#include "driver/iscsial/devudev.h"
#include "driver/iscsial/tree.h"
#include "export/holding.h"
#include "export/loopadopt.h"
#include "export/ublk.h"
#include "sys/log.h"

/* How long a start waits until what an earlier run left is given back. */
#define DEVFILE_SWEEP_US 20000000

/* Free numbers of earlier runs are taken out of the system, a few at a time. */
static void
tidied(struct loopdev_job *job)
{
	struct driver *d = job->user;

	d->loop_jobs--;
	if (job->n_numbers > 0 && !d->is_stopping) {
		d->loop_jobs++;
		loopdev_run(d->loopdev, job);
		return;
	}
	if (job->count > 0)
		log_info("free loop devices of earlier runs were taken out of the system");
	free(job->numbers);
	job->numbers = NULL;
}

static void
swept(struct loopdev_job *job)
{
	struct driver *d = job->user;
	struct devfiles *f = d->devfiles;

	d->loop_jobs--;
	f->no_loop[0] = '\0';
	if (job->result != 0)
		log_warn("%s", job->why);
	else if (job->count > 0)
		log_note("%u loop devices of an earlier run were given back", job->count);
	f->tidy = (struct loopdev_job){ .what = LOOPDEV_TIDY,
		.numbers = job->numbers,
		.n_numbers = job->n_numbers,
		.done = tidied,
		.user = d };
	d->loop_jobs++;
	loopdev_run(d->loopdev, &f->tidy);
	if (!f->late.armed)
		return;
	agenda_clear(loop_agenda(d->loop), &f->late);
	loop_stop(d->loop);
}

/* Some device hangs: without loop devices, then, until it is over. */
static void
sweep_is_late(struct agenda_timer *t)
{
	struct devfiles *f = LIST_ENTRY(t, struct devfiles, late);

	cut_copy(f->no_loop, sizeof f->no_loop,
	    "no loop devices now: one of an earlier run does not answer; look at losetup -l");
	log_warn("%s", f->no_loop);
	loop_stop(f->loop);
}

/*
 * The loop is run here, with nothing on it but this: no request may come before
 * the sweep is over, or it would take away what that request makes.
 */
static void
sweep(struct driver *d)
{
	struct devfiles *f = d->devfiles;

	f->sweep = (struct loopdev_job){ .what = LOOPDEV_SWEEP, .done = swept, .user = d };
	f->sweep.kept = f->kept;
	(void)snprintf(f->sweep.file, sizeof f->sweep.file, "%s/",
	    d->paths.disks); /* paths_init() sees to it that this fits */
	f->loop = d->loop;
	f->late.expired = sweep_is_late;
	agenda_set(loop_agenda(d->loop), &f->late, loop_now_update(d->loop) + DEVFILE_SWEEP_US);
	d->loop_jobs++;
	loopdev_run(d->loopdev, &f->sweep);
	(void)loop_run(d->loop); /* what is wrong with epoll shows again, when the driver runs */
}

bool
devfile_goes_on(const struct driver *d, const struct node *n)
{
	uint32_t session = n->path.part[HWPATH_AT_SESSION - 1];

	return loopadopt_has(&d->devfiles->kept, session) ||
	       loopadopt_has(&d->devfiles->ublks, session);
}

static bool
is_link_of_one(const char *name, void *user)
{
	const struct driver *d = user;
	const struct node *n = tree_find_name(d->tree, name);

	return n != NULL && n->is_installed && devfile_goes_on(d, n);
}

/* Whoever connects waits at it for the disk. */
static bool
is_kept_socket(const char *name, void *user)
{
	const struct driver *d = user;
	const struct node *n = tree_find_name(d->tree, name);

	return d->disks_cfg.holding != NULL && n != NULL && n->is_installed &&
	       holding_has_socket(d->disks_cfg.holding, n->path.part[HWPATH_AT_SESSION - 1], name);
}

bool
devfile_start(struct driver *d, struct fault *ret_fault)
{
	struct devfiles *f = d->devfiles = call_alloc(sizeof *f);

	list_init(&f->closing);
	list_init(&f->works);
	if (d->disks_cfg.holding != NULL)
		f->kept.names = holding_left(d->disks_cfg.holding, &f->kept.n);
	f->ublks.names = ublk_left_sessions(d->paths.ublks, &f->ublks.n);
	if (!devlink_drop_all(d->paths.dsk, is_link_of_one, d, ret_fault) ||
	    !devlink_drop_all(d->paths.rdsk, is_link_of_one, d, ret_fault) ||
	    !devlink_drop_all(d->paths.nbd, is_kept_socket, d, ret_fault))
		return false;
	devudev_start(d, is_link_of_one, d);
	if (loopdev_check(f->no_loop, sizeof f->no_loop) != 0)
		log_info("disks have no block devices: %s", f->no_loop);
	else
		sweep(d);
	return true;
}

void
devfile_end(struct driver *d)
{
	if (d->devfiles == NULL)
		return;
	assert(list_empty(&d->devfiles->works) && list_empty(&d->devfiles->closing));
	devudev_end(d);
	free((void *)d->devfiles->ublks.names);
	free(d->devfiles);
	d->devfiles = NULL;
}
