/*
 * The units of one session that are shown as disks, and the exporter that shows
 * them, on the session's worker (iscsi/nexus.h).  The exporter starts with the
 * first disk.  Who a unit is, and whether it gets I/O, is the unit's own affair
 * (lu/lu.h); each change of that is a note to the main loop (luns.h).
 */
#ifndef ISCSIAL_DISKS_H
#define ISCSIAL_DISKS_H

#include "driver/driver.h"
#include "driver/iscsi/nexus.h"
#include "export/export.h"

/* With a struct disks_cfg. */
extern const struct nexus_ops disks_ops;

#endif
