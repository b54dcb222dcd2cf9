/* For tests: a few units on one path, and requests of their users. */
#ifndef LU_FAKE_WORLD_H
#define LU_FAKE_WORLD_H

#include "lu/fake_unit.h"

/* Slots for requests; one more is left for questions. */
#define SLOTS   16
#define UNITS   4
#define REQS    64
#define SECOND  1000000ull
#define PROMISE (120 * SECOND)

struct world {
	struct fake_path f;
	struct fake_unit units[UNITS];
	struct fake_target t;
	struct lu *u[UNITS];
	struct fake_req q[REQS];
	unsigned changed; /* times that a block device became another one */
};

/* n units, all of them the same. */
void start(struct world *w, size_t n);
/* Close and free them; no event may have been without a row. */
void end(struct world *w);
/* The i-th request: one block, at block i. */
void submit(struct world *w, size_t unit, size_t i, enum blk_op op);
/* It ended so, once. */
void expect_end(struct world *w, size_t i, int result);
/* Of the i-th command that is out. */
uint32_t lba(struct world *w, size_t i);
/* The connection ends, the next login ends the nexus, and all questions are answered. */
void relogin(struct world *w, bool is_silent);

#endif
