/*
 * Taking a session away in order: its files take no more openers, its block
 * devices are written out and given back, then it logs out.
 */
#ifndef ISCSIAL_SHUTDOWN_H
#define ISCSIAL_SHUTDOWN_H

#include <jansson.h>

#include "driver/iscsi/session.h"

/*
 * in_use: NULL, the session is closed; or what is in use, as usage_list() (borrowed):
 * then the session goes on and its disks are as before.
 */
typedef void shutdown_done(void *user, struct driver *d, uint32_t instance, json_t *in_use);
/*
 * Unless forced, it is refused when a disk has a user: to see that and to keep
 * others from becoming one is one step.  done() follows, never from inside,
 * within a bound.
 */
void shutdown_session(struct session *s, bool is_forced, shutdown_done *done, void *user);
/* The session is gone for good: its instance, its nodes and their device files, too. */
void shutdown_forget_nodes(struct driver *d, uint32_t instance);

#endif
