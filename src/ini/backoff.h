/*
 * When to try again after a connection was lost: at once, then after 1, 2, 4
 * … 30 seconds, each with a jitter of a quarter, so that a thousand sessions
 * of one target do not come back in the same instant.  While I/O waits it is
 * never longer than two seconds: a try costs a SYN.  Pure.
 */
#ifndef INI_BACKOFF_H
#define INI_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_MAX_MS   30000u
/* With its jitter two seconds. */
#define BACKOFF_WAITED_MAX_MS 1600u

struct backoff {
	uint32_t tries; /* since the last backoff_reset() */
};

/* Work was done: the next failure is tried again at once. */
void backoff_reset(struct backoff *b);
/* The same would be refused again: seldom from now on. */
void backoff_seldom(struct backoff *b);
/*
 * How long to wait before the next try, in microseconds.  is_waited_for: I/O
 * waits.  random is any random number; it decides the jitter only.
 */
uint64_t backoff_next_us(struct backoff *b, bool is_waited_for, uint32_t random);

#endif
