/* The initiator's end without a word, all sessions at once, and its next life. */
#ifndef SIM_CRASH_H
#define SIM_CRASH_H

#include "sim.h"

enum crash_kind {
	CRASH_KILLED,   /* its connections are closed, and its users are told that I/O failed */
	CRASH_DEAD,     /* nobody hears of it: its machine is gone, and its users with it */
	CRASH_REPLACED, /* as killed, but its users wait: the next life is asked again for all that
			   was not answered */
};

void crash_init(struct sim *w);
/* It is there again after so long; and then that often killed again, soon. */
void crash(struct sim *w, enum crash_kind kind, uint64_t us, unsigned relapses);
/* It is there again, if it was gone, and stays. */
void crash_over(struct sim *w);

#endif
