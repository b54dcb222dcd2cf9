#include "driver/iscsial/probe_cmd.h"

#include <string.h>

#include "scsi/cdb.h"

#define PROBE_TIMEOUT_MS  10000
#define PROBE_READY_WAITS 15

static void
send(struct probe_cmd *c)
{
	c->port->submit(c->port, &c->req);
}

static void
again(struct agenda_timer *t)
{
	struct probe_cmd *c = LIST_ENTRY(t, struct probe_cmd, again);

	c->is_waiting = false;
	send(c);
}

/* The unit wants to be started: do that once, then send the command again. */
static bool
start_unit(struct probe_cmd *c)
{
	if (c->is_started || c->verdict.action != SENSE_START_UNIT)
		return false;
	c->is_started = true;
	memcpy(c->saved_cdb, c->req.cdb, sizeof c->saved_cdb);
	c->saved_dir = c->req.dir;
	c->req.dir = REQ_NONE;
	cdb_start_stop(c->req.cdb, true, false, false);
	send(c);
	return true;
}

static void
handed_back(struct req *r)
{
	struct probe_cmd *c = LIST_ENTRY(r, struct probe_cmd, req);

	if (c->is_cancelled) {
		c->done(c, false);
		return;
	}
	c->verdict = retry_judge(&c->retry, r, PROBE_READY_WAITS);
	if (r->cdb[0] == CDB_START_STOP_UNIT && c->is_started && c->verdict.step != RETRY_AGAIN) {
		memcpy(c->req.cdb, c->saved_cdb, sizeof c->saved_cdb);
		c->req.dir = c->saved_dir;
		send(c);
		return;
	}
	switch (c->verdict.step) {
	case RETRY_DONE:
		c->done(c, true);
		break;
	case RETRY_AGAIN:
		if (c->verdict.delay_us == 0) {
			send(c);
			break;
		}
		c->is_waiting = true;
		agenda_set(loop_agenda(c->port->loop), &c->again,
		    loop_now(c->port->loop) + c->verdict.delay_us);
		break;
	case RETRY_LOOK: /* we are looking */
		if (!start_unit(c))
			send(c);
		break;
	case RETRY_GIVE_UP:
		c->done(c, false);
		break;
	}
}

void
probe_cmd_init(
    struct probe_cmd *c, struct scsi_port *port, void (*done)(struct probe_cmd *c, bool is_ok))
{
	memset(c, 0, sizeof *c);
	c->port = port;
	c->done = done;
	c->again.expired = again;
}

void
probe_cmd_start(struct probe_cmd *c)
{
	c->retry = (struct retry){ 0 };
	c->is_started = false;
	c->req.attr = REQ_SIMPLE;
	c->req.timeout_ms = PROBE_TIMEOUT_MS;
	c->req.is_probe = true;
	c->req.is_once = true; /* a probe of the next connection asks anew */
	c->req.done = handed_back;
	send(c);
}

bool
probe_cmd_cancel(struct probe_cmd *c)
{
	bool was_waiting = c->is_waiting;

	c->is_cancelled = true;
	c->is_waiting = false;
	agenda_clear(loop_agenda(c->port->loop), &c->again);
	return was_waiting;
}
