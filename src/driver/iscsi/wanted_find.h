/* Where the wanted sessions (wanted.h) are found.  On the main loop. */
#ifndef ISCSI_WANTED_FIND_H
#define ISCSI_WANTED_FIND_H

#include "driver/iscsi/wanted.h"

struct wanted_index *wanted_index_new(void);
/* NULL is fine. */
void wanted_index_free(struct wanted_index *p);

/* The first one whose instance is not below this one; NULL: there is none.  For walks that pause.
 */
struct wanted *wanted_from(const struct driver *d, uint32_t instance);

/* wanted.c's. */
void wanted_insert(struct wanted *w);
void wanted_remove(struct wanted *w);

#endif
