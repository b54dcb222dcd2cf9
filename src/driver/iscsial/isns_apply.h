/*
 * What iSNS servers name becomes known: sessions to what is new are opened, and what none names any
 * more is logged out and forgotten, unless a disk of it is in use.  One thing at a time, and
 * always what was told last.  On the main loop.
 */
#ifndef ISCSIAL_ISNS_APPLY_H
#define ISCSIAL_ISNS_APPLY_H

#include "driver/driver.h"

void isns_apply_open(struct driver *d);
/* The driver ends. */
void isns_apply_close(struct driver *d);
/* There is something new (driver/iscsi/isns.h), or what is the same may have another effect now. */
void isns_apply(struct driver *d);

#endif
