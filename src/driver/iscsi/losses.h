/*
 * What sessions that are gone had heard of LUNs without a unit (ini/heard.h), for those that
 * come after them to the same target in this life of the driver: one begins anew on another
 * thread beside the other paths to its unit, or its target was removed and added again, while the
 * unit has writes over another path.  Main loop.
 */
#ifndef ISCSI_LOSSES_H
#define ISCSI_LOSSES_H

#include "ini/heard.h"

struct losses;

struct losses *losses_new(void);
/* NULL is fine. */
void losses_free(struct losses *l);
/* A session to this target ends. */
void losses_keep(struct losses *l, const char *target, const struct heard *h);
/* What is known for one that begins; NULL: nothing. */
const struct heard *losses_find(const struct losses *l, const char *target);

#endif
