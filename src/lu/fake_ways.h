/* For tests: one unit behind several paths, each to a target of its own on one clock. */
#ifndef LU_FAKE_WAYS_H
#define LU_FAKE_WAYS_H

#include "lu/fake_unit.h"

#define WAYS_NAA 0x5000000000000001
#define WAYS_MAX 3
#define SECOND   1000000ull

struct ways {
	struct fake_path f[WAYS_MAX];
	struct fake_unit units[WAYS_MAX]; /* as the unit is over this path */
	struct fake_target t[WAYS_MAX];
	struct lunpath *lp[WAYS_MAX];
	struct lu *u;
	size_t n;
	struct fake_req q[24];
};

/* n paths, all up, all known to lead to the unit; tpgs: as of struct fake_unit. */
void ways_start(struct ways *w, size_t n, uint8_t tpgs);
void ways_end(struct ways *w);
/* Questions are answered, as long as there are any; time passes, and the same. */
void ways_run(struct ways *w);
void ways_pass(struct ways *w, uint64_t us);
/* Request i is for this block; a turn of its own, or in the turn of the last one. */
void ways_submit(struct ways *w, size_t i, enum blk_op op, uint64_t block);
void ways_submit_too(struct ways *w, size_t i, enum blk_op op, uint64_t block);
/* It has ended once, like this. */
void ways_expect(struct ways *w, size_t i, int result);
/* The block of the i-th command that is out over this path. */
uint32_t ways_lba(struct ways *w, size_t path, size_t i);
/* How many are out over it that are no questions. */
size_t ways_moving(struct ways *w, size_t path);
/* The port is this to the unit, and the target says so. */
void ways_set_access(struct ways *w, size_t path, enum alua_state access);

#endif
