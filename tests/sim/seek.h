/* Discoveries: two of a target at most, beside the session. */
#ifndef SIM_SEEK_H
#define SIM_SEEK_H

#include "sim.h"

/* Whose connection it is, if it has one. */
struct seek *seek_of(const struct tconn *c);
void seek_init(struct seek *s, struct sim *w, unsigned i);
void seek_fini(struct seek *s);
/* Asks the target's portal what there is. */
void seek_start(struct seek *s);
/* The initiator ends without a word. */
void seek_vanish(struct seek *s, bool is_silent);
/* After each turn. */
void seek_check(struct seek *s);

#endif
