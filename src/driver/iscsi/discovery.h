/*
 * Discovery: a session with a portal that asks SendTargets=All and is closed
 * again.  Bounded in time, whatever the portal does.  On the main loop.
 */
#ifndef ISCSI_DISCOVERY_H
#define ISCSI_DISCOVERY_H

#include "driver/driver.h"

/* Connecting, logging in, and the answer to SendTargets, each at most. */
#define DISCOVERY_CONNECT_MS 10000
#define DISCOVERY_TEXT_US    15000000

/* What is known of a discovery target address since the driver started. */
struct portal {
	struct list link; /* driver.portals */
	struct registry_address a;
	bool is_scanned;
	time_t when;
	size_t targets;
	struct fault fault; /* not set: the last discovery went well */
};

struct discovered {
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	struct registry_address a;
};

struct discovery_result {
	struct fault fault;       /* set: found nothing, or not all */
	struct discovered *found; /* n of them, valid during the call */
	size_t n, n_targets;
};
/* Called once, never from inside. */
typedef void discovery_done(void *user, const struct discovery_result *r);

struct discovery;
struct discovery *discovery_start(
    struct driver *d, const struct registry_address *a, discovery_done *done, void *user);
/* done() will not be called.  NULL is fine. */
void discovery_cancel(struct discovery *x);

/* The record of an address, made where there is none. */
struct portal *discovery_portal(struct driver *d, const struct registry_address *a);
void discovery_forget_portal(struct driver *d, const struct registry_address *a);

#endif
