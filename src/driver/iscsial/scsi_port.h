/*
 * Where SCSI commands of one session go: the nexus in the driver, a fake in
 * tests.  On one loop's thread.
 */
#ifndef ISCSIAL_SCSI_PORT_H
#define ISCSIAL_SCSI_PORT_H

#include "core/req.h"
#include "driver/diag/account.h"
#include "engine/loop.h"

struct scsi_port {
	struct loop *loop;
	struct account account; /* where events are counted; zeros: nowhere */
	/* Never hands r back from inside the call. */
	void (*submit)(struct scsi_port *p, struct req *r);
	/*
	 * Requests to this LUN that are not on their way to the target come back
	 * REQ_OFFLINE: the unit is not the one they are meant for.
	 */
	void (*fail_unsent)(struct scsi_port *p, const uint8_t lun[8]);
};

#endif
