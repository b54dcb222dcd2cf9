/* What luns.c (which there are), luns_probe.c (looks) and luns_told.c share; nobody else includes
 * it. */
#ifndef ISCSIAL_LUNS_IMPL_H
#define ISCSIAL_LUNS_IMPL_H

#include "driver/iscsial/luns.h"

/* The registry or a probe knows LUNs of the session. */
bool luns_is_known(const struct driver *d, uint32_t instance);
/* What is told as an event where the same unit is described anew. */
void luns_tell_changed(struct wanted *w, const struct node *n, const struct lu_info *info);
/* The target asks for a look. */
void luns_look(struct wanted *w);

#endif
