/* The initiator's end without a word, all sessions at once, and its next life. */
#ifndef SIM_CRASH_H
#define SIM_CRASH_H

#include "sim.h"

void crash_init(struct sim *w);
/* is_silent: nobody hears of it, for its machine is gone; else its connections are closed. */
void crash(struct sim *w, bool is_silent, uint64_t us);
/* It is there again, if it was gone. */
void crash_over(struct sim *w);

#endif
