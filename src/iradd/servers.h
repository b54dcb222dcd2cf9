/* The RADIUS servers to ask, in order: host[:port], IPv6 with a port in brackets. */
#ifndef IRADD_SERVERS_H
#define IRADD_SERVERS_H

#include "base/limits.h"
#include "core/addr.h"

struct servers {
	unsigned n;
	struct addr list[LIMIT_RADIUS_SERVERS]; /* port: that of RADIUS where none was said */
};

/*
 * Append those of `text`, with commas or blanks between them.  0, or -EINVAL
 * with a sentence in `why`.
 */
int servers_add(struct servers *s, const char *text, char *why, size_t why_bytes);

#endif
