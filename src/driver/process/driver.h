/* The life of iscsi_driverd's main loop: everything is made, runs, and ends in order. */
#ifndef PROCESS_DRIVER_H
#define PROCESS_DRIVER_H

#include "base/fault.h"
#include "driver/driver.h"

#define EXPORT_AUTO "auto"

struct driver_cfg {
	unsigned workers; /* 1..DRIVER_WORKERS_MAX */
	unsigned spin_us; /* loop_spin() of each */
	const char
	    *export; /* of export.h, or EXPORT_AUTO: fuse where that works, else ublk, else nbd */
	bool is_level_given; /* the log's level stays as it is */
};

/*
 * Paths, registry, workers, helpers, control sockets; then known sessions are
 * opened in the background.  False with a sentence in *ret_fault, and
 * driver_fini() is still due.  `d` is zeroed, its paths initialised.
 */
bool driver_init(struct driver *d, const struct driver_cfg *cfg, struct fault *ret_fault);
/* After the loop has ended. */
void driver_fini(struct driver *d);
/*
 * Instead, where is_handing_over: what is to be remembered is, and whoever asked has his answer.
 * Workers go on serving disks until the process ends, which is to follow at once.
 */
void driver_hand_over(struct driver *d);

#endif
