/* How iradd asks: its configuration file and its options. */
#ifndef IRADD_RADDCONF_H
#define IRADD_RADDCONF_H

#include <stddef.h>
#include <stdint.h>

enum raddconf_id {
#define RADDCONF(id, ...) RADDCONF_##id,
#include "iradd/raddconf.def"
#undef RADDCONF
	RADDCONF_IDS
};

struct raddconf {
	long value[RADDCONF_IDS];
};

/* The defaults. */
void raddconf_init(struct raddconf *c);
/* Read a file over what is there; as conf_read() (sys/conf.h). */
int raddconf_read(struct raddconf *c, const char *path, char *why, size_t why_bytes);

#endif
