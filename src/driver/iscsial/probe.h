/*
 * Probing the LUNs of a session: REPORT LUNS, then for each LUN INQUIRY, its
 * names (VPD 80h, 83h), readiness, capacity, mode and limits; several LUNs at
 * a time.  The commands are probes (req.h): they go out while ordinary ones
 * are held.  On the port's loop.
 */
#ifndef ISCSIAL_PROBE_H
#define ISCSIAL_PROBE_H

#include "driver/iscsial/lun_info.h"
#include "driver/iscsial/scsi_port.h"

struct probe_result {
	/* Set: it was cut short, and nothing is to be made of the rest. */
	struct fault fault;
	struct lun_info *luns; /* n of them, by number; taken by setting it to NULL */
	size_t n;
	uint32_t unclaimed; /* the guide's count: LUNs that the map cannot show */
	enum luns_mode primary;
	/* For statistics. */
	uint32_t report_luns, report_luns_failed, inquiries, inquiries_failed;
};

struct probe;
/* Called once, never from inside a start; the probe is gone afterwards. */
typedef void probe_done(void *user, struct probe_result *r);

/* A LUN to visit. */
struct probe_lun {
	uint32_t number;
	uint8_t wire[LUNS_WIRE_BYTES];
};

/* All LUNs that the target reports. */
struct probe *probe_start(struct scsi_port *port, probe_done *done, void *user);
/* Only these (copied). */
struct probe *probe_start_luns(
    struct scsi_port *port, const struct probe_lun *luns, size_t n, probe_done *done, void *user);
/*
 * done() will not be called.  Memory that commands on their way still use
 * lives until they are handed back.  NULL is fine.
 */
void probe_abandon(struct probe *p);

#endif
