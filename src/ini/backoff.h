/*
 * When to try again after a connection was lost: at once, then after 1, 2, 4
 * … 30 seconds, each with a jitter of a quarter, so that a thousand sessions
 * of one target do not come back in the same instant.  Pure.
 */
#ifndef INI_BACKOFF_H
#define INI_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_MAX_MS   30000u

struct backoff {
	uint32_t tries; /* since the last backoff_reset() */
};

/* Things went well: the next failure is tried again at once. */
void backoff_reset(struct backoff *b);
/*
 * How long to wait before the next try, in microseconds.  random is any
 * random number; it decides the jitter only.
 */
uint64_t backoff_next_us(struct backoff *b, uint32_t random);

#endif
