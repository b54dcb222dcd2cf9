/*
 * How a SCSI command's end is taken: done, send it again (now or later), look
 * at the unit first, or give up.  Pure; the facts are those of sense.h.
 */
#ifndef ISCSIAL_RETRY_H
#define ISCSIAL_RETRY_H

#include "core/req.h"
#include "scsi/sense.h"

enum retry_step {
	RETRY_DONE,  /* it succeeded */
	RETRY_AGAIN, /* send it again after delay_us */
	RETRY_LOOK,  /* the unit may have changed: probe it, then send again */
	RETRY_GIVE_UP
};

struct retry_verdict {
	enum retry_step step;
	enum sense_action action; /* SENSE_FAIL where there was no answer */
	int error;                /* RETRY_GIVE_UP: a positive errno of blk.h */
	uint64_t delay_us;
};

/* What a command may cost.  Zeroed for each new command. */
struct retry {
	uint16_t attentions, busy, aborted, waits, looks;
};

/*
 * Judge r, which was handed back, and count.  Whether all the data came is for
 * the caller to see.  ready_waits: how often a unit that is becoming ready is
 * waited for, a second each time.
 */
struct retry_verdict retry_judge(struct retry *t, const struct req *r, unsigned ready_waits);
/*
 * A sentence for the end of r, "READ(10) of 8 blocks at 0 failed: …".  Returns
 * buf.  n must not be 0.
 */
const char *retry_describe(char *buf, size_t n, const struct req *r);

#endif
