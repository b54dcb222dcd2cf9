/*
 * A scan, what the guide calls an ioscan: discovery at every discovery target
 * address, a session to every address of every operational target, and a
 * probe of the LUNs behind each; all of it at once, so that a portal that does
 * not answer delays no other (what is new waits two seconds for its turn).  A
 * scan of a hardware path looks at that session only.
 *
 * A scan that is asked for while one is under way begins when that one ends,
 * so that it finds what was there when it was asked for; several that wait for
 * the same are one.
 */
#ifndef ISCSIAL_SCAN_H
#define ISCSIAL_SCAN_H

#include "driver/driver.h"
#include "driver/iscsial/hwpath.h"
#include "ipc/server.h"

/* is_kept: sessions that cannot be opened now are tried again until they can.  The call gets
 * progress and, at the end, the result of doc/control-protocol.md. */
void scan_start(struct driver *d, struct ipc_call *call, const struct hwpath *top,
    const char *target, bool is_kept);
/* Break off the one under way, and those that wait: answered with what is known. */
void scan_stop(struct driver *d);

#endif
