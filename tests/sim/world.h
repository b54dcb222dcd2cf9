/* One world, from its beginning to its end. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim.h"

/* The world of a seed; `drop`: rows of the plan that are left out, or NULL. */
void world_make(struct sim *w, uint64_t seed, const char *drop, bool is_recorded, bool is_traced);
/* All of it: at most `steps` turns until all is well; then everything must go on, and end. */
void world_run(struct sim *w, uint64_t steps);

#endif
