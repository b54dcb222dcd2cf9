/*
 * A disk's device: one function, play(), looks at all there is and begins the one job that comes
 * next; whatever happens only says what is so now.  There is one job at a time.
 *
 *   NONE    is_wanted: a tag is written down, ADD            -> ADDED
 *   LEFT    the disk is there: RECOVER -> ADDED; it does not come: DELETE
 *   ADDED   every slot is offered: START                      -> LIVE; not is_wanted: STOP ->
 * STOPPED LIVE    is_changed: CHANGE; not is_wanted: STOP           -> STOPPED STOPPED every slot
 * is back: the descriptor is closed      -> DOOMED DOOMED  DELETE, the file goes -> NONE
 */
#include <sys/mman.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "export/loopuse.h"
#include "export/ublkint.h"
#include "sys/log.h"

static void play(struct agenda_work *w);

void
ublkdisk_init(struct ublk_disk *k, struct export *ex, const char *name)
{
	*k = (struct ublk_disk){ .ex = ex, .fd = -1, .known = { .number = UBLK_ANY } };
	cut_copy(k->name, sizeof k->name, name);
	list_init(&k->running);
	list_init(&k->askers);
	agenda_work_init(&k->go_on, play);
	list_push_back(&ex->disks, &k->link);
}

void
ublkdisk_go_on(struct ublk_disk *k)
{
	agenda_defer(loop_agenda(k->ex->loop), &k->go_on);
}

/* ---- who asked ---- */

static void
tell(struct ublk_disk *k, enum export_block_what what, int result, const char *why)
{
	LIST_EACH(node, tmp, &k->askers)
	{
		struct export_block *b = LIST_ENTRY(node, struct export_block, link);

		if (b->what != what)
			continue;
		list_remove(&b->link);
		b->result = result;
		b->number = LOOPUSE_UBLK | k->known.number;
		cut_copy(b->why, sizeof b->why, why);
		b->done(b);
	}
}

/* What a job said, for whoever asked for it. */
static void
failed(struct ublk_disk *k, enum export_block_what what)
{
	if (list_empty(&k->askers))
		log_warn("disk %s: %s", k->name, k->job.why);
	tell(k, what, k->job.result, k->job.why);
}

/* ---- slots ---- */

static void
slot_ready(struct ublkring_slot *r, int res)
{
	struct ublk_slot *s = LIST_ENTRY(r, struct ublk_slot, ring);

	if (res == UBLK_IO_RES_OK)
		ublkio_begin(s);
	else
		ublkdisk_slot_gone(s->disk);
}

/* The descriptor is there: its requests are described in memory of the kernel's.  0 or a negative
 * errno. */
static int
open_slots(struct ublk_disk *k)
{
	k->slots = calloc(UBLK_DEPTH, sizeof *k->slots);
	if (k->slots == NULL)
		return -ENOMEM;
	k->desc = mmap(NULL, UBLK_DEPTH * sizeof *k->desc, PROT_READ, MAP_SHARED, k->fd,
	    UBLKSRV_CMD_BUF_OFFSET);
	if (k->desc == MAP_FAILED) {
		k->desc = NULL;
		return -errno;
	}
	for (unsigned i = 0; i < UBLK_DEPTH; i++) {
		struct ublk_slot *s = &k->slots[i];

		s->disk = k;
		s->ring =
		    (struct ublkring_slot){ .ready = slot_ready, .fd = k->fd, .tag = (uint16_t)i };
		ublkring_offer(k->ex->ring, &s->ring);
	}
	k->n_slots = UBLK_DEPTH;
	return 0;
}

static void
close_slots(struct ublk_disk *k)
{
	assert(k->n_slots == 0);
	if (k->desc != NULL)
		(void)munmap((void *)k->desc, UBLK_DEPTH * sizeof *k->desc); /* it is ours */
	k->desc = NULL;
	free(k->slots);
	k->slots = NULL;
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

void
ublkdisk_slot_gone(struct ublk_disk *k)
{
	assert(k->n_slots > 0);
	k->n_slots--;
	if (k->n_slots == 0)
		ublkdisk_go_on(k);
}

/* ---- jobs ---- */

static void
begin(struct ublk_disk *k, enum ublkjob_what what, void (*done)(struct ublkjob *job))
{
	const struct blk_dev *d = k->dev;

	k->job = (struct ublkjob){ .what = what,
		.number = k->known.number,
		.tag = k->known.tag,
		.is_recovery = k->is_recovery,
		.is_forced = k->is_forced,
		.is_lost = k->is_lost,
		.session = (uint32_t)strtoul(k->ex->dir.name, NULL, 10),
		.done = done,
		.user = k };
	cut_copy(k->job.name, sizeof k->job.name, k->name);
	if (d != NULL) {
		k->job.size_bytes = d->size_bytes - d->size_bytes % d->block_bytes;
		k->job.block_bytes = d->block_bytes;
		k->job.physical_bytes = d->physical_bytes;
		k->job.discard_bytes = d->discard_bytes;
		k->job.optimal_bytes = d->optimal_bytes;
		k->job.is_read_only = d->read_only;
		k->job.can_discard = d->can_discard;
		k->job.can_write_zeroes = d->can_write_zeroes;
	}
	k->is_busy = true;
	ublkrun(k->ex->loop, &k->job);
}

static struct ublk_disk *
ended(struct ublkjob *job)
{
	struct ublk_disk *k = job->user;

	k->is_busy = false;
	ublkdisk_go_on(k);
	return k;
}

static void
deleted(struct ublkjob *job)
{
	struct ublk_disk *k = ended(job);

	k->state = UBLK_NONE;
	k->known.number = UBLK_ANY;
	/* What stays behind has its file, for the next process. */
	if (job->result == 0 || job->result == -ENXIO || job->result == -ENOENT)
		ublkstate_remove(k->ex->dir.fd, k->name);
	else
		log_err("disk %s: %s", k->name, job->why);
}

static void
stopped(struct ublkjob *job)
{
	struct ublk_disk *k = ended(job);

	if (job->result == 0 || job->result == -ENXIO) {
		k->state = UBLK_STOPPED;
		return;
	}
	/* Whoever uses it goes on; a unit that is gone is tried no more, its users get errors. */
	k->is_wanted = true;
	failed(k, EXPORT_BLOCK_END);
}

static void
changed(struct ublkjob *job)
{
	struct ublk_disk *k = ended(job);

	if (job->result < 0)
		log_warn("disk %s: %s", k->name, job->why);
}

static void
started(struct ublkjob *job)
{
	struct ublk_disk *k = ended(job);

	if (job->result < 0) {
		/* It is as if it had been seen: only a stop takes the slots back. */
		k->is_wanted = false;
		k->is_forced = true;
		failed(k, EXPORT_BLOCK_MAKE);
	} else if (k->is_recovery) {
		log_note("disk %s: /dev/ublkb%d goes on", k->name, k->known.number);
		k->is_changed = true; /* perhaps while nobody was there */
	}
	k->is_recovery = false;
	k->state = UBLK_LIVE;
}

static void
added(struct ublkjob *job)
{
	struct ublk_disk *k = ended(job);
	int err = job->result;

	if (err == 0) {
		k->known.number = job->number;
		k->fd = job->fd;
		err = ublkstate_write(k->ex->dir.fd, k->name, &k->known);
		if (err == 0)
			err = open_slots(k);
		if (err < 0) {
			job->result = err;
			(void)snprintf(job->why, sizeof job->why,
			    "the ublk device cannot be served: %s", strerror(-err)); /* fits */
			close_slots(k);
		}
	}
	k->state = err == 0 ? UBLK_ADDED : UBLK_DOOMED;
	if (err == 0)
		return;
	if (k->is_recovery)
		log_err("disk %s: %s; who has it open must close it", k->name, job->why);
	k->is_recovery = false;
	k->is_wanted = false;
	failed(k, EXPORT_BLOCK_MAKE);
}

/* Known before it is there. */
static void
begin_add(struct ublk_disk *k)
{
	int err = 0;

	k->known = (struct ublkstate){ .tag = ublkjob_tag(), .number = UBLK_ANY };
	if (k->known.tag == 0)
		err = -EIO;
	if (err == 0)
		err = ublkstate_write(k->ex->dir.fd, k->name, &k->known);
	if (err == 0) {
		begin(k, UBLKJOB_ADD, added);
		return;
	}
	k->is_wanted = false;
	k->job.result = err;
	(void)snprintf(k->job.why, sizeof k->job.why,
	    "it cannot be written down that disk %s has a ublk device: %s", k->name,
	    strerror(-err)); /* fits */
	failed(k, EXPORT_BLOCK_MAKE);
}

/* ---- what comes next ---- */

/* All slots came back and nobody asked for that: somebody stopped it by hand. */
static void
taken_away(struct ublk_disk *k)
{
	const struct export_events *events = k->ex->events;

	k->state = UBLK_STOPPED;
	k->is_wanted = false;
	if (k->dev == NULL || k->ex->is_stopping)
		return;
	events->gone(k->ex->user, k->dev, "its ublk device was taken away by somebody");
	events->back(k->ex->user, k->dev, true);
}

static void
begin_stop(struct ublk_disk *k)
{
	/* Nobody has seen it yet. */
	if (k->state == UBLK_ADDED && !k->is_recovery)
		k->is_forced = true;
	begin(k, UBLKJOB_STOP, stopped);
}

static void
play_live(struct ublk_disk *k)
{
	if (k->n_slots == 0) {
		taken_away(k);
		ublkdisk_go_on(k);
	} else if (!k->is_wanted) {
		begin_stop(k);
	} else if (k->is_changed) {
		k->is_changed = false;
		begin(k, UBLKJOB_CHANGE, changed);
	} else {
		tell(k, EXPORT_BLOCK_MAKE, 0, "");
	}
}

/* Of this name there is one whose device is not gone yet, and both would have one file. */
static bool
must_wait(const struct ublk_disk *k)
{
	LIST_EACH(node, tmp, &k->ex->disks)
	{
		const struct ublk_disk *o = LIST_ENTRY(node, struct ublk_disk, link);

		if (o != k && strcmp(o->name, k->name) == 0)
			return true;
	}
	return false;
}

static void
play_none(struct ublk_disk *k)
{
	if (k->is_wanted) {
		if (!must_wait(k))
			begin_add(k);
		return;
	}
	tell(k, EXPORT_BLOCK_END, 0, "");
	tell(k, EXPORT_BLOCK_MAKE, -ECANCELED, "the block device was taken away again");
	if (k->dev == NULL && !k->is_awaited && list_empty(&k->running))
		ublk_disk_gone(k);
}

static void
play(struct agenda_work *w)
{
	struct ublk_disk *k = LIST_ENTRY(w, struct ublk_disk, go_on);

	if (k->is_busy)
		return;
	switch (k->state) {
	case UBLK_NONE:
		play_none(k);
		break;
	case UBLK_LEFT:
		if (k->is_awaited)
			break;
		k->is_recovery = k->is_wanted = k->dev != NULL;
		if (k->is_recovery)
			begin(k, UBLKJOB_RECOVER, added);
		else
			begin(k, UBLKJOB_DELETE, deleted);
		break;
	case UBLK_ADDED:
		if (k->is_wanted)
			begin(k, UBLKJOB_START, started);
		else
			begin_stop(k);
		break;
	case UBLK_LIVE:
		play_live(k);
		break;
	case UBLK_STOPPED:
		if (k->n_slots > 0)
			break;
		close_slots(k);
		k->state = UBLK_DOOMED;
		ublkdisk_go_on(k);
		break;
	case UBLK_DOOMED:
		begin(k, UBLKJOB_DELETE, deleted);
	}
}

void
ublkdisk_drop(struct ublk_disk *k)
{
	k->dev = NULL;
	k->is_awaited = k->is_wanted = false;
	k->is_forced = k->is_lost = true;
	ublkio_fail_all(k);
	tell(k, EXPORT_BLOCK_MAKE, -ENXIO, "the disk is gone");
	tell(k, EXPORT_BLOCK_END, 0, "");
	ublkdisk_go_on(k);
}
