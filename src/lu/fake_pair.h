/* For tests: two units of one target, and a request of the first one's user. */
#ifndef LU_FAKE_PAIR_H
#define LU_FAKE_PAIR_H

#include "lu/fake_unit.h"

/* Names of the first unit, and of another in its place. */
#define NAA  0x5000000000000001
#define ELSE 0x5000000000000002

#define SECOND 1000000ull

/* Units 1 and 2; 0 has no disk. */
struct pair {
	struct fake_path f;
	struct fake_unit units[3];
	struct fake_target t;
	struct lu *u, *v;
	unsigned moved;
	enum lu_state last;
	struct fake_req q;
};

/* The first unit has this name, and this serial number or none; both units are the same ones. */
void pair_start_as(struct pair *w, uint64_t naa, const char *serial);
void pair_start(struct pair *w);
void pair_end(struct pair *w);
void pair_write_block(struct pair *w);
/* How many writes are out. */
unsigned pair_writes_out(const struct pair *w);
/* All that is written succeeds. */
void pair_write_out(struct pair *w);
void pair_relogin(struct pair *w);
/* Time passes, and questions are answered. */
void pair_pass(struct pair *w, uint64_t us);
/* The first unit is the same, and its write succeeds. */
void pair_expect_flows(struct pair *w);

#endif
