/*
 * A way to show block devices to the system.  An exporter serves all devices
 * of one session, on that session's thread (loop.h): what arrives becomes a
 * blk_req there, and its answer leaves from there.
 */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include "engine/loop.h"
#include "export/blk.h"

struct export;

/* One row per kind of exporter; export_find() looks them up by name. */
struct export_ops {
	const char *name; /* "fuse", "null" */
	/*
	 * Serve a directory at `dir` (made when missing; it may be a stale mount
	 * of a dead process, which is cleaned up).  On the loop's thread.
	 */
	int (*start)(struct loop *loop, const char *dir, struct export **ret_ex);
	/* Show the device as `dir`/`dev->name`.  dev stays borrowed until remove() returned. -EEXIST. */
	int (*add)(struct export *ex, struct blk_dev *dev);
	/* Its size or flags changed (dev already has the new ones). */
	void (*changed)(struct export *ex, struct blk_dev *dev);
	/* -EBUSY while somebody has it open, unless forced: then later access gives ENXIO. */
	int (*remove)(struct export *ex, struct blk_dev *dev, bool force);
	/* How many openers the device has (the loop device counts as one). */
	unsigned (*openers)(const struct export *ex, const struct blk_dev *dev);
	/* Removes everything, forced, and unmounts. */
	void (*stop)(struct export *ex);
};

const struct export_ops *export_find(const char *name);

#endif
