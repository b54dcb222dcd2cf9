/*
 * One command of a probe, sent again as the sense policy says until it is
 * done, has failed, or was cancelled.
 */
#ifndef ISCSIAL_PROBE_CMD_H
#define ISCSIAL_PROBE_CMD_H

#include "driver/iscsial/retry.h"
#include "driver/iscsial/scsi_port.h"

struct probe_cmd {
	struct req req; /* cdb, lun, dir, data and data_len are the caller's */
	struct scsi_port *port;
	/* is_ok: the command succeeded; else verdict says how it ended. */
	void (*done)(struct probe_cmd *c, bool is_ok);
	struct retry_verdict verdict;
	struct retry retry;
	struct agenda_timer again;
	bool is_waiting;   /* `again` is armed */
	bool is_cancelled; /* done() is called as soon as it is back, with is_ok false */
	bool is_started;   /* START STOP UNIT was tried */
	uint8_t saved_cdb[16];
	enum req_dir saved_dir;
};

void probe_cmd_init(
    struct probe_cmd *c, struct scsi_port *port, void (*done)(struct probe_cmd *c, bool is_ok));
void probe_cmd_start(struct probe_cmd *c);
/*
 * Have a started command end as soon as it can: true, it was only waiting, is
 * idle now, and done() will not be called; false, done() follows when the
 * session hands it back (or was called already).
 */
bool probe_cmd_cancel(struct probe_cmd *c);

#endif
