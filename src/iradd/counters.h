/* What iradd has seen since it was started: every row of radius.def's RESULT, and what has no
 * answer. */
#ifndef IRADD_COUNTERS_H
#define IRADD_COUNTERS_H

#include <jansson.h>
#include <stdint.h>

#include "iradd/radius.h"

struct counters {
	uint64_t asked;  /* requests of the driver */
	uint64_t sent;   /* packets, again and again */
	uint64_t silent; /* servers that did not answer in time */
	uint64_t
	    unreachable; /* servers that could not be asked: no such name, no route, nobody there */
	uint64_t answers[RADIUS_RESULTS];
};

/* As an object, NULL without memory. */
json_t *counters_json(const struct counters *c);

#endif
