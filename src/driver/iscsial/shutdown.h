/*
 * Taking a session away in order: its block devices are written out and given
 * back, then it logs out.  Whether somebody uses them was asked before.
 */
#ifndef ISCSIAL_SHUTDOWN_H
#define ISCSIAL_SHUTDOWN_H

#include "driver/iscsi/wanted.h"

typedef void shutdown_done(void *user, struct driver *d, uint32_t instance);
/* done() (may be NULL) follows, never from inside, within a bound. */
void shutdown_session(struct wanted *w, shutdown_done *done, void *user);
/* The session is gone for good: its instance, its nodes and their device files, too. */
void shutdown_forget_nodes(struct driver *d, uint32_t instance);

#endif
