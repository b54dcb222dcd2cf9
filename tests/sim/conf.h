/* What an administrator configures for a session. */
#ifndef SIM_CONF_H
#define SIM_CONF_H

#include "sim.h"

/* Other settings than before, owned. */
struct settings *conf_choose(struct owner *o);

/* Their CHAP, as o->kept.auth has it; s must not move afterwards. */
void conf_auth(const struct owner *o, struct settings *s);

#endif
