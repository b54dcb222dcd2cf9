/* Where islpd looks for agents: its configuration file and its options. */
#ifndef ISLPD_CONFIG_H
#define ISLPD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"

#define CONFIG_AGENTS_MAX 32

struct config_agent {
	char host[LIMIT_HOST_BYTES + 1]; /* a literal without brackets, or a name */
	bool is_literal;
	uint16_t port; /* 0: the port of SLP */
};

struct config {
	uint16_t port; /* of SLP */
	bool multicast;
	size_t n_agents;
	struct config_agent agents[CONFIG_AGENTS_MAX];
};

void config_init(struct config *c);
/*
 * An agent as a user names it: HOST[:PORT], IPv6 in brackets where a port
 * follows.  One that is there already is not added again.  -EINVAL, -ENOSPC,
 * with a sentence's end in `why`.
 */
int config_add_agent(struct config *c, const char *text, char *why, size_t why_bytes);
/*
 * Read a file over what is there.  0, also when there is none; a negative errno
 * with a sentence in `why`: it cannot be read, or a line (its number is said) is
 * wrong.
 */
int config_read(struct config *c, const char *path, char *why, size_t why_bytes);

#endif
