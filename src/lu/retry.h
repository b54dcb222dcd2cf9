/*
 * How a SCSI command's end is taken: it was executed, it is sent again, the unit
 * is asked first, or it fails.  Pure; the facts are those of sense.h.  Waiting
 * is not failing: how long something is sent again is not decided here.
 */
#ifndef LU_RETRY_H
#define LU_RETRY_H

#include "core/req.h"
#include "scsi/sense.h"

enum retry_step {
	RETRY_DONE,  /* executed; whether all its data moved is for the caller to see */
	RETRY_AGAIN, /* not executed, or harmlessly so: after delay_us */
	RETRY_ASK,   /* the same, and the unit may be another one now, or away */
	RETRY_HELD,  /* the connection is gone: when there is one again */
	RETRY_TRY,   /* the target broke the protocol over it: one of a few tries */
	RETRY_FAIL   /* permanent */
};

struct retry_verdict {
	enum retry_step step;
	enum sense_action action; /* SENSE_FAIL where there was no answer */
	int error;                /* RETRY_FAIL: a positive errno of blk.h, or EOPNOTSUPP */
	uint64_t delay_us;
	bool has_sense;
	struct sense sense;
};

/* So often in all a command is tried that ends connections, or is answered against the protocol. */
#define RETRY_TRIES 5
/* So often one is tried that probably does not, since others were under way that probably did. */
#define RETRY_EXCUSED (4 * RETRY_TRIES)

/* Judge r, which was handed back.  bounces: how often it was not executed before. */
struct retry_verdict retry_judge(const struct req *r, unsigned bounces);
/* The pause after so many: 50 ms, then twice as long each time up to 2 s. */
uint64_t retry_pause_us(unsigned bounces);
/*
 * A sentence for the end of r, "READ(10) of 8 blocks at 0 failed: …".  Returns
 * buf.  n must not be 0.
 */
const char *retry_describe(char *buf, size_t n, const struct req *r);

#endif
