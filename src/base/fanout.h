/*
 * Many questions at once, and one end: "all have answered", or "the patience is
 * over".  Embedded in its owner, who adds one for each question and drops one
 * for each answer; the owner stays until the last answer, also of those that
 * came too late, and is told so.
 */
#ifndef BASE_FANOUT_H
#define BASE_FANOUT_H

#include "base/agenda.h"

struct fanout {
	struct agenda *agenda;
	struct agenda_timer patience;
	unsigned left; /* answers that are due, and one until fanout_seal() */
	bool is_told;
	/* Once: all have answered, or (is_late) the time was up before. */
	void (*told)(struct fanout *f, bool is_late);
	/* Once, behind told(): nothing is due any more; the owner may be freed. */
	void (*ended)(struct fanout *f);
};

/*
 * Begin, with the patience at an absolute time of the agenda (UINT64_MAX: none).
 * Nothing is told before fanout_seal(), but that the time is up.
 */
void fanout_init(struct fanout *f, struct agenda *agenda, uint64_t until_us,
    void (*told)(struct fanout *f, bool is_late), void (*ended)(struct fanout *f));
/* One more answer is due.  As long as one is due, or before fanout_seal(). */
void fanout_add(struct fanout *f);
/* One of them came.  May call told() and ended() from inside. */
void fanout_drop(struct fanout *f);
/* All questions are asked.  May call told() and ended() from inside. */
void fanout_seal(struct fanout *f);

#endif
