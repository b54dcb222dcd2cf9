#include "export/null.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct list link;
	struct blk_dev *dev;
	unsigned openers, changes;
};

struct export
{
	struct list entries;
	const struct export_events *events;
	void *user;
};

static struct entry *
find_dev(const struct export *ex, const struct blk_dev *dev)
{
	LIST_EACH(n, tmp, &ex->entries)
	{
		struct entry *e = LIST_ENTRY(n, struct entry, link);

		if (e->dev == dev)
			return e;
	}
	return NULL;
}

struct blk_dev *
null_dev(const struct export *ex, const char *name)
{
	LIST_EACH(n, tmp, &ex->entries)
	{
		struct entry *e = LIST_ENTRY(n, struct entry, link);

		if (strcmp(e->dev->name, name) == 0)
			return e->dev;
	}
	return NULL;
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
	struct entry *e;
	int err = export_check_dev(dev);

	if (err < 0)
		return err;
	if (null_dev(ex, dev->name) != NULL)
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
	struct entry *e = find_dev(ex, dev);

	assert(e != NULL);
	e->changes++;
}

static void
drop(struct entry *e)
{
	list_remove(&e->link);
	free(e);
}

static int
remove_dev(struct export *ex, struct blk_dev *dev, bool force)
{
	struct entry *e = find_dev(ex, dev);

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
	const struct entry *e = find_dev(ex, dev);

	return e != NULL ? e->openers : 0;
}

static void
stop(struct export *ex)
{
	const struct export_events *events = ex->events;
	void *user = ex->user;

	LIST_EACH(n, tmp, &ex->entries)
	drop(LIST_ENTRY(n, struct entry, link));
	events->stopped(user);
	free(ex);
}

unsigned
null_count(const struct export *ex)
{
	unsigned count = 0;

	LIST_EACH(n, tmp, &ex->entries)
	count++;
	return count;
}

unsigned
null_changes(const struct export *ex, const struct blk_dev *dev)
{
	const struct entry *e = find_dev(ex, dev);

	return e != NULL ? e->changes : 0;
}

void
null_set_openers(struct export *ex, const struct blk_dev *dev, unsigned count)
{
	struct entry *e = find_dev(ex, dev);

	assert(e != NULL);
	e->openers = count;
}

const struct export_ops null_export = {
	.name = "null",
	.start = start,
	.add = add,
	.changed = changed,
	.remove = remove_dev,
	.seal = seal,
	.openers = openers,
	.stop = stop,
};
