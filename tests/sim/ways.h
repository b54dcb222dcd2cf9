/*
 * Paths of an array's units: the units are the first session's, the other sessions are one more
 * path each, as driver/iscsial/disks_ways.c and luns_join.c have it.  What is asked of a unit
 * here is so for one with a single path, too.
 */
#ifndef SIM_WAYS_H
#define SIM_WAYS_H

#include "sim.h"

void ways_init(struct owner *o);
/* The path at this place, or NULL. */
struct lunpath *ways_path(const struct unit *n);
/* A scan of the session finds this disk there: one more path to its unit, where that is. */
void ways_found(struct unit *n, const struct lu_info *info, struct disk *d);
/* The unit has just begun: what is known from before to lead to it joins. */
void ways_known(struct unit *u);
/* Nothing goes over the path of this place any more; it leaves when it is idle. */
void ways_stop(struct unit *n);
/* Those leave that may; true: some cannot yet. */
bool ways_sweep(struct owner *o);
/* The unit is gone, and its paths with it. */
void ways_forget(struct unit *u);

/* Each place that leads to this unit: its own, and where it is joined; NULL behind the last. */
struct unit *ways_next(const struct unit *u, const struct unit *at);
#define EACH_WAY(u, n) for (struct unit *n = ways_next(u, NULL); n != NULL; n = ways_next(u, n))

/* What was lost over all of them; the longest promise, UINT64_MAX: for ever. */
uint64_t ways_losses(const struct unit *u);
uint64_t ways_promise_us(const struct unit *u);
/* What its requests may count on at the most, before one joins or leaves. */
void ways_note_promise(struct unit *u);
void ways_note_promises(struct sim *w); /* of all units */
/* None of them is what I/O waits for, or none was at some moment since then. */
bool ways_gave_up(const struct unit *u, uint64_t since_us);
/* A write is answered only when nothing of it can be executed late. */
bool ways_are_strict(const struct unit *u);
/* A flush says over all of them that data was lost. */
bool ways_fail_loss(const struct unit *u);

#endif
