/* Between filters.c, the device that is shown, and filters_chain.c, what requests meet on their way
 * through it; nobody else includes it. */
#ifndef EXPORT_FILTERS_IMPL_H
#define EXPORT_FILTERS_IMPL_H

#include "export/filters.h"

/* An answer that "stats" waits for. */
struct slot {
	struct list link; /* stage.idle */
	struct stage *stage;
	void (*done)(struct blk_req *r);
	void *user;
	uint64_t since_us;
};

struct stage {
	struct filter filter;
	struct filters_chain *chain;
	uint32_t matched; /* since the last one of `every` */
	uint64_t requests;
	/* delay: requests, as they came and are due */
	struct list delayed;
	struct agenda_timer timer;
	/* stats */
	struct list full; /* requests that wait for a slot */
	struct list idle; /* slots */
	struct slot *slots;
	struct filters_kind *kind; /* by kind of request */
};

struct filters_chain {
	struct list link; /* filters.retired */
	struct filters *owner;
	struct list answered; /* requests whose results are known */
	struct agenda_work answer;
	unsigned timed;  /* slots that are taken */
	unsigned inside; /* calls of its functions: it is not freed under them */
	bool is_retired; /* nothing waits */
	unsigned n;
	struct stage stage[];
};

/* NULL: memory is short. */
struct filters_chain *filters_chain_new(struct filters *f, const struct filterspec *spec);
/* What waits in it goes on; it ends when all that it times is answered. */
void filters_chain_retire(struct filters_chain *c);
/* A request of the device's user. */
void filters_chain_submit(struct filters_chain *c, struct blk_req *r);

#endif
