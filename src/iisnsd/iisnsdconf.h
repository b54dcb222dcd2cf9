/* How iisnsd asks: its configuration file and its options. */
#ifndef IISNSD_IISNSDCONF_H
#define IISNSD_IISNSDCONF_H

#include <stddef.h>

enum iisnsdconf_id {
#define IISNSDCONF(id, ...) IISNSDCONF_##id,
#include "iisnsd/iisnsdconf.def"
#undef IISNSDCONF
	IISNSDCONF_IDS
};

struct iisnsdconf {
	long value[IISNSDCONF_IDS];
};

/* The defaults. */
void iisnsdconf_init(struct iisnsdconf *c);
/* Read a file over what is there; as conf_read() (sys/conf.h). */
int iisnsdconf_read(struct iisnsdconf *c, const char *path, char *why, size_t why_bytes);

#endif
