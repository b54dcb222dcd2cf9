/*
 * How often a diagnostic message may be said: DIAG_BURST times a window for
 * each message and peer, then it is counted.  The table is bounded: where more
 * peers than it has room for speak at once, those that find no place share a
 * budget.  So nobody can fill a disk, also not with thousands of sessions.
 */
#ifndef DRIVER_DIAG_DIAG_LIMIT_H
#define DRIVER_DIAG_DIAG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* 4,096 pairs of a message and a peer, as many as there may be sessions. */
#define DIAG_LIMIT_SETS 1024
#define DIAG_LIMIT_WAYS 4
/* What all may say in a window that find no place in the table. */
#define DIAG_LIMIT_OTHERS 200

struct diag_place {
	uint32_t id, peer;
	uint64_t since_ms; /* its window began; 0: not used */
	uint32_t passed, held_back;
};

/* All zeros is a fresh one.  Its owner has a lock around it. */
struct diag_limit {
	struct diag_place place[DIAG_LIMIT_SETS][DIAG_LIMIT_WAYS];
	struct diag_place others;
};

/*
 * May message `id` of `peer` (a number for whoever caused it) be said now?  Then
 * *ret_held_back were not since it was last said.  now_ms is never 0.
 */
bool diag_limit_passes(
    struct diag_limit *l, uint64_t now_ms, uint32_t id, uint32_t peer, uint32_t *ret_held_back);

#endif
