/*
 * Taking a session away in order: its files take no more openers, its block
 * devices are written out and given back, then it logs out.
 */
#ifndef ISCSIAL_SHUTDOWN_H
#define ISCSIAL_SHUTDOWN_H

#include <jansson.h>

#include "driver/iscsi/wanted.h"

/*
 * in_use: NULL, the session is closed; or what is in use, as usage_list() (borrowed):
 * then the session goes on and its disks are as before.
 */
typedef void shutdown_done(void *user, struct driver *d, uint32_t instance, json_t *in_use);
/*
 * Unless forced, it is refused when a disk has a user: to see that and to keep
 * others from becoming one is one step.  done() (may be NULL) follows, never
 * from inside, within a bound.
 */
void shutdown_session(struct wanted *w, bool is_forced, shutdown_done *done, void *user);
/*
 * All sessions at once, before the driver stops: each is sealed and its block
 * devices are given back, and if none of them is in use they stay so (done()
 * with NULL).  Else everything is as before, and in_use says what is.
 */
void shutdown_hold_all(struct driver *d, void (*done)(void *user, json_t *in_use), void *user);
/* The session is gone for good: its instance, its nodes and their device files, too. */
void shutdown_forget_nodes(struct driver *d, uint32_t instance);

#endif
