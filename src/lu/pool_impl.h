/* The pool of commands (pool.c); fake_pool.c, which adds it up, is the only other that includes it.
 */
#ifndef LU_POOL_IMPL_H
#define LU_POOL_IMPL_H

#include "lu/lu_impl.h"

/* Lines of those that wait, in the order in which they are served. */
enum { LINE_IDLE, LINE_WITHIN, LINE_BORROWER, LINES };

/* A session that is idle has one, and as many more as it ever needed at once. */
#define POOL_CHUNK 4

struct pool {
	struct list free;
	struct list units; /* pool_share.link */
	struct list lines[LINES];
	unsigned slots, window;
	unsigned made; /* slots that there is memory for: chunks of POOL_CHUNK */
	unsigned units_n;
	/* Kept up to date by each get and put. */
	unsigned usable; /* slots that requests may have together */
	unsigned share;  /* of each unit, at least 1 */
	unsigned used;
	unsigned idle;      /* units without a slot */
	unsigned waiting;   /* units in the lines */
	unsigned owed;      /* slots that units do not use of their shares, all together */
	struct io *chunk[]; /* enough for all slots */
};

#endif
