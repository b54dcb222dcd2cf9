/*
 * What LUNs that have no unit yet said of their write caches.  A target tells a nexus once
 * that a cache was lost, and whoever asks first hears it: a scan, before the scan makes the unit,
 * or before the nexus is a path to one.  Writes that were answered before, over another path or
 * in a life of the program before, may be among the lost ones, so what was said is kept for it:
 * by the session, and by whoever makes it anew.  Plain data.
 */
#ifndef INI_HEARD_H
#define INI_HEARD_H

#include "base/limits.h"
#include "lu/lunpath.h"

struct heard {
	struct heard_loss {
		uint8_t lun[LUNS_WIRE_BYTES];
		struct sense sense;
		uint64_t at_us; /* when it was heard last; agenda_now() */
	} list[LIMIT_HEARD];
	size_t n;
	bool is_of_all; /* there were more: the last one counts for each LUN */
};

/* Nothing where it does not speak of a cache. */
void heard_add(
    struct heard *h, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *sense, uint64_t at_us);
/* What another one knows, too. */
void heard_merge(struct heard *h, const struct heard *more);
/* A path to a unit that comes is told what was heard of its LUN. */
void heard_tell(const struct heard *h, struct lunpath *lp);

#endif
