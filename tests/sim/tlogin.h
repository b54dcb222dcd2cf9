/* What the files of a target's login share: its text. */
#ifndef SIM_TLOGIN_H
#define SIM_TLOGIN_H

#include "target.h"

/* A key of the request that is complete, or NULL. */
const char *tlogin_value(const struct tconn *c, const char *key);
/* One of the answer. */
void tlogin_add(struct tconn *c, const char *key, const char *value);
void tlogin_add_number(struct tconn *c, const char *key, uint32_t v);

#endif
