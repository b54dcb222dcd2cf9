/* What a row of the plan does when its time has come. */
#ifndef SIM_ACT_H
#define SIM_ACT_H

#include "sim.h"

/* One row, to whom it happens, and how. */
struct act {
	struct sim *w;
	struct owner *o;
	struct target *t;
	struct place *p;
	struct tconn *c; /* the target's end of the connection, or NULL */
	struct net *net; /* the connection, or NULL */
	unsigned place, arg;
	uint64_t us;
};

void act_do(unsigned kind, const struct act *a);
/* "NET_RESET", "the network resets the connection"; static text. */
const char *act_name(unsigned kind);
const char *act_text(unsigned kind);
/* Another disk, or none, stands at a place; whoever is logged in is told by this unit attention. */
void act_change(struct target *t, unsigned place, struct disk *d, unsigned code);

#endif
