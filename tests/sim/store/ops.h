/* What a driver does to its registry, and all that is in one, as a number. */
#ifndef STORE_OPS_H
#define STORE_OPS_H

#include "../rng.h"
#include "registry/registry.h"

/* One call that changes something, or finds that there is nothing to change. */
void ops_one(struct registry *r, struct rng *rng);
/* Every row of every table; 0: it cannot be read. */
uint64_t ops_digest(struct registry *r);

#endif
