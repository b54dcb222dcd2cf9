/*
 * A block device in memory, for tests and benchmarks: it can wait, answer in
 * another order, fail and keep its requests.  Everything on the loop's thread.
 * Data moves when a request is answered, not when it is submitted.
 */
#ifndef EXPORT_MEMDEV_H
#define EXPORT_MEMDEV_H

#include "engine/loop.h"
#include "lu/blk.h"

#define MEMDEV_OPS (BLK_WRITE_ZEROES + 1)

struct memdev {
	struct blk_dev dev;
	uint8_t *mem;
	/* How it behaves; may be changed at any time. */
	uint64_t delay_us;     /* answers nothing sooner */
	uint64_t reorder_seed; /* not 0: answers in an order that follows from it, some later than
				  others */
	bool hold;             /* answers nothing until memdev_release() */
	int fail[MEMDEV_OPS];  /* not 0: what requests of this kind end with, without effect */
	uint64_t bad_from, bad_to; /* reads and writes that touch these bytes end with -EIO */
	/* What it saw. */
	unsigned long submitted[MEMDEV_OPS], answered[MEMDEV_OPS], fua_count;
	uint64_t largest_bytes; /* of reads and writes */
	unsigned queued;
	unsigned long turns; /* in which it answered */
	/* If set, called after each submit. */
	void (*on_submit)(struct memdev *m, const struct blk_req *r);
	void *user;

	/* Its own. */
	struct loop *loop;
	struct list queue;
	struct agenda_work work;
	struct agenda_timer timer;
};

/* NULL when memory is short.  512 or 4096 and so on; max_io_bytes is 1 MiB until changed. */
struct memdev *memdev_new(
    struct loop *loop, const char *name, uint64_t size_bytes, uint32_t block_bytes);
/* Nothing may be queued. */
void memdev_free(struct memdev *m);
/* Stop holding, and answer everything. */
void memdev_release(struct memdev *m);
/* Answer everything that is queued with this error, now. */
void memdev_fail_all(struct memdev *m, int result);

#endif
