/* What goes wrong in a world, and when: rows that are made before it begins, so that any of them
 * can be left out. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "sim.h"

enum plan_kind {
#define PLAN(id, ...) PLAN_##id,
#include "plan.def"
	PLAN_KINDS
};

void plan_make(struct sim *w);
/* Rows of this text ("3,7,9") are left out. */
void plan_drop(struct sim *w, const char *list);
void plan_print(const struct sim *w);
/* It begins to happen. */
void plan_start(struct sim *w);
/* A write is under way at the target: what waits for that happens. */
void plan_spring(struct target *t);
/* All is well from now on. */
void plan_heal(struct sim *w);

#endif
