/*
 * The requests of all units of one path, allocated a few at a time.  A slot is a command
 * at the target, charged to its unit.  Each unit has a fair share of the
 * window; while its neighbours do not use theirs it borrows, but a quarter of
 * the window stays free for shares that are not used, and a slot for the first
 * command of each idle unit.  So a stalled unit costs its neighbours little.
 * One slot of the window is left for questions.  Whoever finds none waits, those
 * that have nothing first; a slot that comes back goes to the next.  Nothing is
 * searched for a request.  On the path's thread.
 */
#ifndef LU_POOL_H
#define LU_POOL_H

#include "core/req.h"
#include "lu/blk.h"
#include "scsi/cdb.h"

struct lunpath;

/* A command of a request on its way to the target. */
struct io {
	struct req req;
	struct list link; /* free ones */
	struct lunpath *lp;
	struct blk_req *blk; /* NULL: the slot is free */
	uint32_t chunk;      /* bytes of the request that it stands for */
	uint16_t number;     /* of the slot */
	bool is_trial;       /* a suspect's */
	bool is_withdrawn;   /* it comes back because it was asked for */
	uint8_t unmap_list[CDB_UNMAP_LIST_BYTES(1)];
};

/* What a unit has of the pool; embedded in it. */
struct pool_share {
	struct list link;    /* among the pool's units */
	struct list waiting; /* in one of its lines, or not */
	unsigned busy;       /* slots in use */
	unsigned line;       /* which */
};

struct pool;

/* slots > 0.  NULL when memory is short. */
struct pool *pool_new(unsigned slots);
/* All slots are back and no unit is left.  NULL is fine. */
void pool_free(struct pool *p);
/*
 * So many commands the session takes at once: the smaller of its task slots and the
 * target's command window; all of the pool's until it is said.
 */
void pool_window(struct pool *p, unsigned n);

/* A unit begins and ends to use it; it has no slot then. */
void pool_join(struct pool *p, struct pool_share *s);
void pool_leave(struct pool *p, struct pool_share *s);

/* A slot, or NULL: it is in a line, and lunpath_go_on() follows. */
struct io *pool_get(struct pool *p, struct pool_share *s);
/* Give it back.  pool_wake() is due when all is in order. */
void pool_put(struct pool *p, struct pool_share *s, struct io *io);
/* Wait for pool_wake() without having been refused. */
void pool_wait(struct pool *p, struct pool_share *s);
/* It has nothing to wait for any more. */
void pool_forget(struct pool *p, struct pool_share *s);
/* lunpath_go_on() for those that wait, as far as there are slots. */
void pool_wake(struct pool *p);

/* The next slot of this one (NULL: of any) behind `io` (NULL: the first) that is in use, or NULL.
 */
struct io *pool_next(struct pool *p, const struct lunpath *lp, struct io *io);
/* Slots in use; for displays and tests. */
unsigned pool_used(const struct pool *p);

#endif
