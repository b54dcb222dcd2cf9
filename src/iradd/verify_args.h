/* The arguments of `verify`, with their checks. */
#ifndef IRADD_VERIFY_ARGS_H
#define IRADD_VERIFY_ARGS_H

#include <jansson.h>

#include "iradd/radius.h"
#include "iradd/servers.h"

/* Secrets are in it: wipe it. */
struct verify_args {
	struct servers servers;
	struct radius_query query; /* points into this struct and into the JSON */
	uint8_t challenge[RADIUS_VALUE_MAX];
	uint64_t timeout_us;
};

/*
 * servers: a list of strings, or server: a string; each host[:port], several
 * with commas.  nas: a literal address, or a name.  challenge, response: hex.
 * Borrows args.  0, or -EINVAL with a sentence, which quotes no secret, in `why`.
 */
int verify_args_parse(struct verify_args *ret, const json_t *args, char *why, size_t why_bytes);

#endif
