/*
 * Targets that agents named, each address once, however many agents and URLs
 * name it.  Owned strings; at most LIMIT_SLP_TARGETS.
 */
#ifndef ISLPD_FOUND_H
#define ISLPD_FOUND_H

#include "base/limits.h"
#include "islpd/attrs.h"
#include "islpd/surl.h"

enum found_state {
	FOUND_NEW,     /* its attributes are not asked for yet */
	FOUND_ASKED,   /* they are */
	FOUND_DONE,    /* they came, or will not */
	FOUND_REFUSED, /* they contradict the URL: no target */
};

struct found_target {
	enum found_state state;
	size_t agent; /* the index of the first that named it */
	char *name, *host, *url;
	uint16_t port, tpgt;
	bool has_tpgt;
	char *alias, *mgmt_entity; /* NULL: none */
};

struct found {
	struct found_target *list;
	size_t n;
	size_t cap;
	unsigned *slots; /* hash table: index in the list + 1, or 0 */
};

void found_init(struct found *f);
void found_fini(struct found *f);
/* 1: it is new; 0: it was there; -ENOSPC: there are too many; -ENOMEM. */
int found_add(struct found *f, const struct surl *s, struct slp_text url, size_t agent);
/*
 * What the agent says of a target, which is then DONE, or REFUSED with the
 * reason (static text).  NULL: it is fine.
 */
const char *found_attrs(struct found_target *t, const struct attrs *a);

#endif
