/*
 * The blocks that commands of unknown fate may still write.  A write that was
 * under way when its connection ended may be executed late, until its nexus is dead; it
 * casts a shadow over its blocks, in which no other write goes out.  The write
 * itself may, over any path: it has the same data.  Bounded: when there are too many, all
 * writes wait, as when there is no memory for one more.  A nexus is a number of a path's; a path is
 * lunpath.index.  Pure.
 */
#ifndef LU_SHADOW_H
#define LU_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

#define SHADOW_MAX 64

struct shadow {
	unsigned n, n_all, room;
	/* Over all blocks, until this nexus of the path is dead; 0: none. */
	uint64_t all[LIMIT_UNIT_PATHS];
	/* Of paths that are gone: over all blocks, until this moment; 0: none. */
	uint64_t until_us;
	struct shadow_row *at; /* n of them; room for as many as there ever were; owned */
};

/* Begins as zeros, ends with this. */
void shadow_free(struct shadow *s);

static inline bool
shadow_is_any(const struct shadow *s)
{
	return s->n > 0 || s->n_all > 0;
}

/* The write `order` of len > 0 bytes was lost under this nexus of the path. */
void shadow_cast(
    struct shadow *s, uint64_t order, uint64_t first, uint64_t len, unsigned path, uint64_t nexus);
/* Unknown writes of nexuses up to this one. */
void shadow_cast_all(struct shadow *s, unsigned path, uint64_t nexus);
/* May a command of this one still be executed?  It has cast a shadow. */
bool shadow_lives(const struct shadow *s, uint64_t order);
/* Must this write wait? */
bool shadow_covers(const struct shadow *s, uint64_t order, uint64_t first, uint64_t len);
/* All nexuses of the path up to this one are dead.  True: there is less shadow than before. */
bool shadow_lift(struct shadow *s, unsigned path, uint64_t dead_nexus);
/* The path goes, and its nexuses are dead at until_us (0: they are). */
void shadow_leave(struct shadow *s, unsigned path, uint64_t until_us);
/* It is now_us.  True: there is less shadow than before. */
bool shadow_pass(struct shadow *s, uint64_t now_us);

#endif
