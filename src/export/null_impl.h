/* What the null exporter (null.c) knows of a device; tests look at it, and set openers. */
#ifndef EXPORT_NULL_IMPL_H
#define EXPORT_NULL_IMPL_H

#include "base/list.h"
#include "export/null.h"

struct null_entry {
	struct list link;
	struct blk_dev *dev;
	unsigned openers, changes; /* changes: calls of changed() */
};

struct export
{
	struct list entries;
	const struct export_events *events;
	void *user;
};

#endif
