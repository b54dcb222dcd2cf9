/*
 * One request of any length to a block device, in pieces that the device
 * takes.  Several pieces are under way at once; the first error is the result,
 * and no piece is sent after it.
 */
#ifndef EXPORT_SPLIT_H
#define EXPORT_SPLIT_H

#include "lu/blk.h"

/* Enough to keep a device busy when it takes little at a time. */
#define SPLIT_PIECES 8

struct split {
	/* Set by the caller. */
	struct blk_dev *const
	    *dev; /* looked at again for each piece; NULL there: the device is gone */
	enum blk_op op;
	bool fua;
	uint64_t offset; /* as in blk_req: whole blocks */
	uint64_t len;    /* any; flush, discard and zeroes are never cut */
	uint8_t *buf;
	/* Called once, never from inside split_submit(). */
	void (*done)(struct split *s);
	int result; /* 0 or a negative errno; -ENXIO when the device went away meanwhile */

	/* Its own. */
	uint64_t sent;
	uint32_t piece_bytes;
	unsigned running;
	struct blk_req pieces[SPLIT_PIECES];
};

/* The device must be there now. */
void split_submit(struct split *s);

#endif
