/* What a driver's registry has of a session, as src/driver writes and reads it. */
#ifndef SIM_KEPT_H
#define SIM_KEPT_H

#include "sim.h"

/* Other settings: the answer to whoever asked for them was that they are kept. */
void kept_settings(struct owner *o, const struct settings *s);
/* A permanent redirection; nobody waits until it is written down. */
void kept_redirect(struct owner *o, const struct settings_redirect *r);
void kept_init(struct owner *o);
/* Where nexuses may live; session_kept() follows. */
void kept_places(struct owner *o, const struct fence_place *list, size_t n);
/* What is not written yet is lost. */
void kept_crash(struct owner *o);
/* The settings of one that starts now. */
struct settings *kept_snapshot(struct owner *o);

/*
 * A scan finds disk d at this place: which disk the unit is that may begin there; NULL: none, for
 * another one is remembered, and its device is installed, or in use.
 */
struct disk *kept_unit(struct owner *o, unsigned place, const struct identity *id, struct disk *d);
/* Which disk belongs to this place, as far as anybody knows; NULL: any. */
struct disk *kept_home(const struct owner *o, unsigned place);

#endif
