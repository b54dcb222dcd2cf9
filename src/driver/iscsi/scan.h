/*
 * A scan, what the guide calls an ioscan: discovery at every discovery target
 * address, a session to every address of every operational target, and a
 * probe of the LUNs behind each; all of it at once, so that a portal that does
 * not answer delays no other.  A scan that is asked for while one is under way
 * joins it.
 */
#ifndef ISCSI_SCAN_H
#define ISCSI_SCAN_H

#include "driver/driver.h"

/* The call gets progress and, at the end, the result of doc/control-protocol.md. */
void scan_start(struct driver *d, struct ipc_call *call);
/* Break a running scan off: what it waits for is answered with what is known. */
void scan_stop(struct driver *d);

#endif
