/* Between devfile.c (block devices of disks) and devstart.c (what earlier runs left); nobody else
 * includes it. */
#ifndef ISCSIAL_DEVFILE_IMPL_H
#define ISCSIAL_DEVFILE_IMPL_H

#include "driver/driver.h"
#include "export/loopdev.h"

struct devfiles {
	/* Why there are no loop devices; empty: there are. */
	char no_loop[512];
	struct list closing; /* struct closing */
	struct list works;   /* those that attach */
	struct loopdev_job sweep, tidy;
	struct loopdev_kept
	    kept; /* mounts that a driver before this one left, and we go on with; */
	struct loopdev_kept ublks; /* the same of ublk devices: sessions, owned */
	struct agenda_timer late;  /* armed while the start waits for the sweep */
	struct loop *loop;
};

#endif
