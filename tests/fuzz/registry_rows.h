/* All of a registry through its public calls, for the harness of its rows. */
#ifndef FUZZ_REGISTRY_ROWS_H
#define FUZZ_REGISTRY_ROWS_H

#include "fuzz.h"
#include "registry/copy.h"
#include "registry/registry.h"

/* A hash of everything that can be read, each value checked. */
uint64_t registry_rows(struct registry *r);
/* Calls that change, on what is there. */
void registry_rows_change(struct registry *r);

#endif
