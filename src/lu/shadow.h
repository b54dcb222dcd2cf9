/*
 * The blocks that commands of unknown fate may still write.  A write that was
 * under way when its connection ended may be executed late, until its nexus is dead; it
 * casts a shadow over its blocks, in which no other write goes out.  The write
 * itself may: it has the same data.  Bounded: when there are too many, all
 * writes wait.  Pure.
 */
#ifndef LU_SHADOW_H
#define LU_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#define SHADOW_MAX 64

struct shadow {
	unsigned n;
	bool is_all;        /* too many: over all blocks … */
	uint64_t all_nexus; /* … until this nexus is dead */
	struct {
		uint64_t first, end; /* bytes; end is behind the last */
		uint64_t nexus;      /* of the last command */
		uint64_t order;      /* whose */
	} at[SHADOW_MAX];
};

static inline bool
shadow_is_any(const struct shadow *s)
{
	return s->n > 0 || s->is_all;
}

/* The write `order` of len > 0 bytes was lost under this nexus. */
void shadow_cast(struct shadow *s, uint64_t order, uint64_t first, uint64_t len, uint64_t nexus);
/* Unknown writes of nexuses up to this one. */
void shadow_cast_all(struct shadow *s, uint64_t nexus);
/* Must this write wait? */
bool shadow_covers(const struct shadow *s, uint64_t order, uint64_t first, uint64_t len);
/* All nexus up to this one are dead.  True: there is less shadow than before. */
bool shadow_lift(struct shadow *s, uint64_t dead_nexus);

#endif
