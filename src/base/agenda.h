/*
 * What is to be done later, without a clock: deadlines, and work for the end of
 * a turn.  Whoever owns an agenda says what time it is and runs it: the event
 * loop (engine/loop.h) over epoll, a test or a simulator over a clock of its
 * own.  One thread at a time.
 */
#ifndef BASE_AGENDA_H
#define BASE_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* A deadline; embedded in its owner. */
struct agenda_timer {
	void (*expired)(struct agenda_timer *t);
	uint64_t at_us; /* the agenda's, as is all that follows */
	uint64_t order;
	struct agenda_timer *child, *next, *prev;
	bool armed;
};

/* Work for the end of this turn; embedded. */
struct agenda_work {
	void (*run)(struct agenda_work *w);
	struct list link; /* the agenda's; initialise with agenda_work_init() */
};

struct agenda {
	uint64_t now_us; /* microseconds, monotonic; the owner's to move forward */
	bool firing;
	uint64_t firing_us; /* while firing: deadlines up to here are due */
	uint64_t order;
	struct agenda_timer *timers; /* the root of a pairing heap: the next deadline */
	struct list works;
};

void agenda_init(struct agenda *a, uint64_t now_us);

static inline uint64_t
agenda_now(const struct agenda *a)
{
	return a->now_us;
}

/*
 * Arm (or re-arm) for an absolute time.  A deadline set by a deadline's
 * callback fires in a later turn, never in this one.
 */
void agenda_set(struct agenda *a, struct agenda_timer *t, uint64_t at_us);
/* Harmless when it is not armed; its owner may be freed afterwards. */
void agenda_clear(struct agenda *a, struct agenda_timer *t);

void agenda_work_init(struct agenda_work *w, void (*run)(struct agenda_work *w));
/* Once a turn however often it is called; from work itself: in the next turn. */
void agenda_defer(struct agenda *a, struct agenda_work *w);
void agenda_cancel(struct agenda_work *w);

/* When agenda_run() has something to do: 0: now, UINT64_MAX: nothing is due ever. */
uint64_t agenda_next_us(const struct agenda *a);
/*
 * A turn at now_us: the deadlines that have passed, earliest first, equal ones
 * in the order they were armed; then the deferred work.
 */
void agenda_run(struct agenda *a);

#endif
