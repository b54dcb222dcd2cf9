/*
 * Discovery at one address, asked of a worker; what it counted and what it had
 * to complain of is kept and told here.  On the main loop.
 */
#ifndef ISCSI_FIND_H
#define ISCSI_FIND_H

#include "driver/driver.h"
#include "ini/discovery.h"

/* Called once, never from inside; *r is valid during the call. */
typedef void find_done(void *user, const struct discovery_result *r);
void find_start(struct driver *d, const struct registry_address *a, find_done *done, void *user);
/* The driver is being stopped: what is under way is answered with that. */
void find_stop(struct driver *d);

#endif
