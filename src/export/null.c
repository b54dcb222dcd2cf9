#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/null_impl.h"

static struct null_entry *
find_dev(const struct export *ex, const struct blk_dev *dev)
{
	LIST_EACH(n, tmp, &ex->entries)
	{
		struct null_entry *e = LIST_ENTRY(n, struct null_entry, link);

		if (e->dev == dev)
			return e;
	}
	return NULL;
}

static bool
has_name(const struct export *ex, const char *name)
{
	LIST_EACH(n, tmp, &ex->entries)
	if (strcmp(LIST_ENTRY(n, struct null_entry, link)->dev->name, name) == 0)
		return true;
	return false;
}

static int
start(struct loop *loop, const char *dir, const struct export_events *events, void *user,
    struct export **ret_ex)
{
	struct export *ex = malloc(sizeof *ex);

	(void)loop; /* nothing happens here */
	(void)dir;
	if (ex == NULL)
		return -ENOMEM;
	list_init(&ex->entries);
	ex->events = events;
	ex->user = user;
	*ret_ex = ex;
	events->started(user, 0);
	return 0;
}

static int
add(struct export *ex, struct blk_dev *dev)
{
	struct null_entry *e;
	int err = export_check_dev(dev);

	if (err < 0)
		return err;
	if (has_name(ex, dev->name))
		return -EEXIST;
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return -ENOMEM;
	e->dev = dev;
	list_push_back(&ex->entries, &e->link);
	return 0;
}

static void
changed(struct export *ex, struct blk_dev *dev)
{
	struct null_entry *e = find_dev(ex, dev);

	assert(e != NULL);
	e->changes++;
}

static void
drop(struct null_entry *e)
{
	list_remove(&e->link);
	free(e);
}

static int
remove_dev(struct export *ex, struct blk_dev *dev, bool force)
{
	struct null_entry *e = find_dev(ex, dev);

	assert(e != NULL);
	if (e->openers > 0 && !force)
		return -EBUSY;
	drop(e);
	return 0;
}

/* Nobody opens anything here. */
static void
seal(struct export *ex, struct blk_dev *dev, bool is_sealed)
{
	(void)is_sealed;
	assert(find_dev(ex, dev) != NULL);
}

static unsigned
openers(const struct export *ex, const struct blk_dev *dev)
{
	const struct null_entry *e = find_dev(ex, dev);

	return e != NULL ? e->openers : 0;
}

static void
stop(struct export *ex)
{
	const struct export_events *events = ex->events;
	void *user = ex->user;

	LIST_EACH(n, tmp, &ex->entries)
	drop(LIST_ENTRY(n, struct null_entry, link));
	events->stopped(user);
	free(ex);
}

const struct export_ops null_export = {
	.name = "null",
	.start = start,
	.stop = stop,
	.add = add,
	.remove = remove_dev,
	.changed = changed,
	.openers = openers,
	.seal = seal,
	.take_over = export_mortal_take_over,
	.can_hand_over = export_mortal_can_hand_over,
	.awaited = export_mortal_awaited,
	.had_loss = export_mortal_had_loss,
	.loss = export_mortal_loss,
	.overdue = export_mortal_overdue,
	.give_up = export_mortal_give_up,
};
