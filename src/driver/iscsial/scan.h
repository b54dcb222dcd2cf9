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
#include "ini/discovery.h"
#include "ipc/server.h"

/* is_kept: sessions that cannot be opened now are tried again until they can.  The call gets
 * progress and, at the end, the result of doc/control-protocol.md. */
void scan_start(struct driver *d, struct ipc_call *call, const struct hwpath *top,
    const char *target, bool is_kept);
/*
 * What `by` names was told without a scan: what of r is new is written down, kept() is called, and
 * sessions to it are opened, beside any scan.  Takes the list from *r.
 */
void scan_found(struct driver *d, const struct registry_address *by, const char *what,
    struct discovery_result *r, enum registry_source source, void (*kept)(struct driver *d));
/* Break off the one under way, and those that wait: answered with what is known. */
void scan_stop(struct driver *d);

#endif
