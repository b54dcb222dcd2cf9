/* Where a target is reached. */
#ifndef INI_PORTAL_H
#define INI_PORTAL_H

#include <stdint.h>

#include "base/limits.h"

/* A network portal and its group. */
struct portal_address {
	char host[LIMIT_ADDRESS_BYTES + 1]; /* literal, or a name */
	uint16_t port;
	int32_t tpgt; /* -1: any */
};

#endif
