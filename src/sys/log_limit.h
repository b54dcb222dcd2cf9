/*
 * How often one kind of message may be logged: so many lines in a period, and
 * a count of what was left out.  Embedded in what the messages are about (a
 * session, a disk, a peer), so that one of them cannot silence another; all
 * zeros is a fresh one.  Any number of threads, without a lock; each message
 * passes or is counted.
 */
#ifndef SYS_LOG_LIMIT_H
#define SYS_LOG_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Enough to see what happens, too little to fill a disk: 1 KiB a second of one kind. */
#define LOG_LIMIT_LINES     10
#define LOG_LIMIT_PERIOD_US 10000000u

struct log_limit {
	atomic_uint_least64_t since_us;
	atomic_uint passed, left_out;
};

/*
 * May another one of up to `lines` a period be logged at now_us (any clock that
 * does not go back)?  Then *ret_left_out is how many were not since the last
 * period began.
 */
static inline bool
log_limit_passes(struct log_limit *l, uint64_t now_us, unsigned lines, unsigned *ret_left_out)
{
	uint64_t since = atomic_load(&l->since_us);

	/* One thread begins a period; the others are its guests. */
	if (now_us - since >= LOG_LIMIT_PERIOD_US && now_us > since &&
	    atomic_compare_exchange_strong(&l->since_us, &since, now_us)) {
		atomic_store(&l->passed, 1);
		*ret_left_out = atomic_exchange(&l->left_out, 0);
		return true;
	}
	if (atomic_load(&l->passed) < lines && atomic_fetch_add(&l->passed, 1) < lines) {
		*ret_left_out = atomic_exchange(&l->left_out, 0);
		return true;
	}
	atomic_fetch_add(&l->left_out, 1);
	return false;
}

#endif
