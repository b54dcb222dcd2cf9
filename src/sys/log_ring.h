/*
 * Lines on their way from any thread to the one that writes them.  Its memory
 * is fixed; a writer never waits, neither for the reader nor for another
 * writer: where there is no room the line is dropped and counted.  Lines of one
 * thread stay in their order.
 */
#ifndef SYS_LOG_RING_H
#define SYS_LOG_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "sys/log.h"

/* The longest text of one message; what is longer is cut, with a sign that it was. */
#define LOG_TEXT_BYTES 1024
/*
 * Lines that wait at most, a power of two: half a MiB.  A driver says no more
 * at once than a line for some of its 4096 sessions, as call sites and peers
 * are limited; and who reads "N lines were dropped" has 512 that say why.
 */
#define LOG_RING_LINES 512

struct log_line {
	enum log_level level;
	struct timespec when; /* CLOCK_REALTIME */
	unsigned dropped;     /* lines there was no room for just before this one; the ring's */
	size_t len;
	char text[LOG_TEXT_BYTES]; /* as it was formatted; no NUL */
};

struct log_ring;

/* As long as the process lives.  NULL: no memory. */
struct log_ring *log_ring_new(void);

/* Any thread.  False: dropped and counted. */
bool log_ring_put(struct log_ring *r, const struct log_line *line);
/* Where it will be read up to when all that is in it now has been. */
uint64_t log_ring_tail(const struct log_ring *r);
/* It has been read up to there.  Any thread, and signal handlers, as the one above. */
bool log_ring_is_past(const struct log_ring *r, uint64_t tail);

/* The reader's thread only: wait until something was put. */
void log_ring_wait(struct log_ring *r);
/* The oldest line, which stays there until log_ring_pop(); NULL: none. */
const struct log_line *log_ring_peek(struct log_ring *r);
void log_ring_pop(struct log_ring *r);
/* Lines that were dropped and are in no log_line.dropped; they count as told. */
unsigned log_ring_take_dropped(struct log_ring *r);

#endif
