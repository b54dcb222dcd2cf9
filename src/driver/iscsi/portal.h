/* What is known of discovery target addresses since the driver started.  On the main loop. */
#ifndef ISCSI_PORTAL_H
#define ISCSI_PORTAL_H

#include "base/fault.h"
#include "driver/driver.h"
#include "sys/log.h"

struct portal {
	struct list link;          /* driver.portals */
	struct registry_address a; /* its host as addr.h writes it */
	bool is_scanned;
	time_t when;
	size_t targets;
	struct fault fault;    /* not set: the last discovery went well */
	struct log_limit said; /* what is logged of what it named */
};

/* The record of an address, made where there is none. */
struct portal *portal_get(struct driver *d, const struct registry_address *a);
void portal_forget(struct driver *d, const struct registry_address *a);
void portal_forget_all(struct driver *d);

#endif
