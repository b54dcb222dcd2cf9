/*
 * What of a session's disks outlives the driver: their mount, which is held
 * elsewhere (export/holding.h) and which the next driver goes on with.  A disk
 * of it waits until its unit was found again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "driver/iscsial/disks_impl.h"
#include "export/holding.h"
#include "sys/log.h"

static uint32_t
key(const struct disks *d)
{
	return nexus_cfg(d->x)->instance;
}

static struct agenda *
agenda_of(const struct disks *d)
{
	return loop_agenda(nexus_iothread(d->x)->thread.loop);
}

static void
failed(struct disks *d, int err)
{
	const char *why = err == -ENOTCONN     ? "their mount has ended"
			  : err == -ENOTSUP    ? "a driver of another release left them"
			  : err == -EOPNOTSUPP ? "this exporter cannot"
					       : strerror(-err);

	d->is_taken = false;
	disks_held_end(d);
	holding_drop(d->cfg->holding, key(d));
	log_err("session %u: the disks that a driver before this one showed cannot be gone on "
		"with: %s; "
		"who has them open must close them",
	    key(d), why);
}

/* As long as I/O waits for a session that is lost. */
static void
waited_long_enough(struct agenda_timer *t)
{
	struct disks *d = LIST_ENTRY(t, struct disks, overdue);

	if (d->export != NULL && !d->is_stopping)
		d->ops->overdue(d->export);
}

void
disks_held_begin(struct disks *d, const struct export_events *events)
{
	struct loop *loop = nexus_iothread(d->x)->thread.loop;
	uint64_t patience = session_path(nexus_session(d->x))->replacement_us;
	struct export_held held;
	int err;

	d->overdue.expired = waited_long_enough;
	if (d->cfg->holding == NULL || !holding_take(d->cfg->holding, key(d), &held))
		return;
	d->is_taken = true;
	/* It is a mount, whatever is configured by now. */
	if (d->ops == export_find("nbd"))
		disks_use(d, export_find("fuse"));
	if (patience != UINT64_MAX)
		agenda_set(agenda_of(d), &d->overdue, loop_now_update(loop) + patience);
	err = d->ops->take_over(loop, d->dir, &held, events, d, &d->export);
	if (err == 0)
		return;
	d->export = NULL;
	failed(d, err);
}

void
disks_held_started(struct disks *d, int err)
{
	if (d->is_taken && err < 0)
		failed(d, err);
	else if (d->is_taken)
		log_note("session %u: goes on with the disks that a driver before this one showed",
		    key(d));
	d->is_taken = false;
}

bool
disks_held_admit(struct disks *d, const struct mail_show_row *row)
{
	bool is_awaited = d->ops->awaited(d->export, row->name) >= 0;

	if (row->is_remembered || !is_awaited)
		return is_awaited;
	log_warn(
	    "disk %s: it is not known whether the unit there is the one that it was; who has it "
	    "open must close it",
	    row->name);
	d->ops->give_up(d->export, row->name);
	return false;
}

unsigned
disks_held_openers(const struct disks *d, const char *name)
{
	long n = d->export != NULL ? d->ops->awaited(d->export, name) : -1;

	return n > 0 ? (unsigned)n : 0;
}

void
disks_held_end(struct disks *d)
{
	agenda_clear(agenda_of(d), &d->overdue);
}

void
disks_hold(void *user, const struct export_held *held)
{
	const struct disks *d = user;

	if (d->cfg->holding != NULL)
		holding_put(d->cfg->holding, key(d), held);
}

void
disks_drop(void *user)
{
	const struct disks *d = user;

	if (d->cfg->holding != NULL)
		holding_drop(d->cfg->holding, key(d));
}
