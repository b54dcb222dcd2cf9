#include "export/ublk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/ublkint.h"
#include "sys/log.h"

/* ---- the end ---- */

static void
end(struct agenda_work *w)
{
	struct export *ex = LIST_ENTRY(w, struct export, end);
	const struct export_events *events = ex->events;
	void *user = ex->user;

	if (!ex->is_stopping || ex->is_starting || !list_empty(&ex->disks))
		return;
	ublkring_put(ex->ring);
	ublkpool_free(ex);
	exportdir_close(&ex->dir);
	free(ex);
	events->stopped(user);
}

void
ublk_disk_gone(struct ublk_disk *k)
{
	struct export *ex = k->ex;

	list_remove(&k->link);
	agenda_cancel(&k->go_on);
	/* One of the same name may wait for that. */
	LIST_EACH(node, tmp, &ex->disks)
	ublkdisk_go_on(LIST_ENTRY(node, struct ublk_disk, link));
	free(k);
	agenda_defer(loop_agenda(ex->loop), &ex->end);
}

static void
stop(struct export *ex)
{
	ex->is_stopping = true;
	LIST_EACH(node, tmp, &ex->disks)
	ublkdisk_drop(LIST_ENTRY(node, struct ublk_disk, link));
	agenda_defer(loop_agenda(ex->loop), &ex->end);
}

/* ---- the start ---- */

/* Disks that were shown before it was known that none can be. */
static void
forget_all(struct export *ex)
{
	struct list *node;

	while ((node = list_pop(&ex->disks)) != NULL) {
		struct ublk_disk *k = LIST_ENTRY(node, struct ublk_disk, link);

		agenda_cancel(&k->go_on);
		free(k);
	}
}

static void
checked(struct ublkjob *job)
{
	struct export *ex = job->user;
	const struct export_events *events = ex->events;
	void *user = ex->user;
	int err = job->result;

	ex->is_starting = false;
	if (ex->is_stopping) {
		agenda_defer(loop_agenda(ex->loop), &ex->end);
		return;
	}
	if (err < 0) {
		log_warn("disks cannot be ublk devices: %s", job->why);
		forget_all(ex);
		ublkring_put(ex->ring);
		exportdir_close(&ex->dir);
		free(ex);
	}
	events->started(user, err);
}

/* 0 or a negative errno. */
static int
make(struct loop *loop, const char *dir, const struct export_events *events, void *user,
    struct export **ret)
{
	struct export *ex = calloc(1, sizeof *ex);
	int err;

	if (ex == NULL)
		return -ENOMEM;
	*ex = (struct export){ .loop = loop, .events = events, .user = user };
	list_init(&ex->disks);
	list_init(&ex->idle);
	list_init(&ex->waiting);
	agenda_work_init(&ex->end, end);
	err = exportdir_open(&ex->dir, dir);
	if (err == 0) {
		err = ublkring_get(loop, &ex->ring);
		if (err < 0)
			exportdir_close(&ex->dir);
	}
	if (err < 0)
		free(ex);
	else
		*ret = ex;
	return err;
}

static void
await(void *user, int dir, const char *name, const struct ublkstate *s)
{
	struct export *ex = user;
	struct ublk_disk *k = calloc(1, sizeof *k);

	(void)dir;
	if (k == NULL)
		return; /* its users wait until the next process; its file is there */
	ublkdisk_init(k, ex, name);
	k->known = *s;
	k->state = UBLK_LEFT;
	k->is_awaited = true;
}

static int
take_over(struct loop *loop, const char *dir, const struct export_held *held,
    const struct export_events *events, void *user, struct export **ret_ex)
{
	int err = make(loop, dir, events, user, ret_ex);

	assert(held == NULL);
	if (err < 0)
		return err;
	(void)ublkstate_each(dir, await, *ret_ex); /* how many does not matter */
	events->started(user, 0);
	return 0;
}

static int
start(struct loop *loop, const char *dir, const struct export_events *events, void *user,
    struct export **ret_ex)
{
	struct export *ex;
	int err = make(loop, dir, events, user, &ex);

	/* Why there was no ring. */
	if (err == -ENOSYS && access("/dev/ublk-control", F_OK) < 0)
		err = -ENOENT;
	if (err < 0)
		return err;
	*ret_ex = ex;
	ex->is_starting = true;
	ex->job = (struct ublkjob){ .what = UBLKJOB_CHECK, .done = checked, .user = ex };
	ublkrun(loop, &ex->job);
	return 0;
}

/* ---- devices ---- */

static struct ublk_disk *
find(const struct export *ex, const struct blk_dev *dev)
{
	LIST_EACH(node, tmp, &ex->disks)
	{
		struct ublk_disk *k = LIST_ENTRY(node, struct ublk_disk, link);

		if (k->dev == dev)
			return k;
	}
	return NULL;
}

/* One that is not being taken away. */
static struct ublk_disk *
find_name(const struct export *ex, const char *name)
{
	LIST_EACH(node, tmp, &ex->disks)
	{
		struct ublk_disk *k = LIST_ENTRY(node, struct ublk_disk, link);

		if ((k->dev != NULL || k->is_awaited) && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

static struct ublk_disk *
find_awaited(const struct export *ex, const char *name)
{
	struct ublk_disk *k = find_name(ex, name);

	return k != NULL && k->is_awaited ? k : NULL;
}

static int
add(struct export *ex, struct blk_dev *dev)
{
	struct ublk_disk *k;
	int err = export_check_dev(dev);

	/* The kernel's own limits of a block device. */
	if (err == 0 && dev->block_bytes > (uint32_t)sysconf(_SC_PAGESIZE))
		err = -EINVAL;
	if (err < 0)
		return err;
	k = find_name(ex, dev->name);
	if (k != NULL && !k->is_awaited)
		return -EEXIST;
	if (k == NULL) {
		k = calloc(1, sizeof *k);
		if (k == NULL)
			return -ENOMEM;
		ublkdisk_init(k, ex, dev->name);
	}
	k->dev = dev;
	k->is_awaited = false;
	ublkdisk_go_on(k);
	return 0;
}

static void
changed(struct export *ex, struct blk_dev *dev)
{
	struct ublk_disk *k = find(ex, dev);

	assert(k != NULL);
	k->is_changed = true;
	ublkdisk_go_on(k);
}

static void
loss(struct export *ex, struct blk_dev *dev, bool is_due)
{
	struct ublk_disk *k = find(ex, dev);
	int err = 0;

	assert(k != NULL);
	if (k->known.had_loss == is_due)
		return;
	k->known.had_loss = is_due;
	if (k->state != UBLK_NONE)
		err = ublkstate_write(ex->dir.fd, k->name, &k->known);
	if (err < 0)
		log_warn("a loss of disk %s is not written down for a next driver: %s", k->name,
		    strerror(-err));
}

static unsigned
openers(const struct export *ex, const struct blk_dev *dev)
{
	const struct ublk_disk *k = find(ex, dev);

	/* Its block device; who has that open others find out (loopuse.h). */
	return k != NULL && (k->state != UBLK_NONE || k->is_wanted) &&
	       !(k->is_forced && !k->is_wanted);
}

static int
remove_dev(struct export *ex, struct blk_dev *dev, bool force)
{
	assert(find(ex, dev) != NULL);
	if (openers(ex, dev) > 0 && !force)
		return -EBUSY;
	ublkdisk_drop(find(ex, dev));
	return 0;
}

/* The kernel lets nobody refuse an opener; END sees in its own way that there is none. */
static void
seal(struct export *ex, struct blk_dev *dev, bool is_sealed)
{
	(void)is_sealed;
	assert(find(ex, dev) != NULL);
}

static void
block(struct export *ex, struct blk_dev *dev, struct export_block *b)
{
	struct ublk_disk *k = find(ex, dev);

	assert(k != NULL);
	k->is_wanted = b->what == EXPORT_BLOCK_MAKE;
	k->is_forced = b->is_forced;
	k->is_lost = b->is_lost;
	list_push_back(&k->askers, &b->link);
	ublkdisk_go_on(k);
}

/* ---- what was left ---- */

static bool
can_hand_over(void)
{
	return true;
}

static long
awaited(const struct export *ex, const char *name)
{
	return find_awaited(ex, name) != NULL ? 1 : -1;
}

static bool
had_loss(const struct export *ex, const char *name)
{
	const struct ublk_disk *k = find_awaited(ex, name);

	return k != NULL && k->known.had_loss;
}

static void
give_up(struct export *ex, const char *name)
{
	LIST_EACH(node, tmp, &ex->disks)
	{
		struct ublk_disk *k = LIST_ENTRY(node, struct ublk_disk, link);

		if (k->is_awaited && (name == NULL || strcmp(k->name, name) == 0))
			ublkdisk_drop(k);
	}
}

static void
overdue(struct export *ex)
{
	LIST_EACH(node, tmp, &ex->disks)
	{
		const struct ublk_disk *k = LIST_ENTRY(node, struct ublk_disk, link);

		if (k->is_awaited)
			log_warn("disk %s did not come back in time: its ublk device is deleted",
			    k->name);
	}
	give_up(ex, NULL);
}

const struct export_ops ublk_export = {
	.name = "ublk",
	.start = start,
	.stop = stop,
	.add = add,
	.remove = remove_dev,
	.changed = changed,
	.openers = openers,
	.seal = seal,
	.block = block,
	.take_over = take_over,
	.can_hand_over = can_hand_over,
	.awaited = awaited,
	.had_loss = had_loss,
	.loss = loss,
	.overdue = overdue,
	.give_up = give_up,
};
