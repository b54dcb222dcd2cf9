/* For tests of sessions: units that count what they are told, and send one kind of command. */
#ifndef INI_FAKE_LU_H
#define INI_FAKE_LU_H

#include "lu/lu.h"
#include "lu/pool.h"
#include "lu/probe.h"

struct lunpath {
	struct list link;
};
struct lu {
	struct lunpath first; /* its only one */
	struct path *path;
	struct lu_kept info;
	unsigned ups, downs, silences, given_ups, fenceds, doubts, learned, overheard, take_overs,
	    losses, limits, told;
	uint64_t told_us;
	bool asks, is_learning; /* a scan's answer does not do; it asks now */
	uint64_t dead_seen;     /* path.dead_nexus when told last */
	/* Requests: one at a time is at the target, the rest waits. */
	struct req req;
	bool is_busy;
	unsigned waiting, done, failed;
};

void fake_lu_init(struct lu *u, struct path *path, uint32_t number);
/* n more requests. */
void fake_lu_io(struct lu *u, unsigned n);
/* It has asked. */
void fake_lu_asked(struct lu *u);

/* The last that was told of the window. */
unsigned fake_pool_window(const struct pool *p);
/* How many LUNs a probe finds, and how long it takes. */
extern size_t fake_probe_luns;
extern uint64_t fake_probe_us;

#endif
