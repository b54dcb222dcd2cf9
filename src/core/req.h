/*
 * A SCSI command on its way: what the caller asks, what the target answered.
 *
 * The session uses the memory of the request and of its data from
 * sess_submit() until the event SESS_EV_REQ hands it back, exactly once;
 * nothing else may touch it in between.  Nothing is allocated for it.
 */
#ifndef CORE_REQ_H
#define CORE_REQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/list.h"

enum req_dir { REQ_NONE, REQ_READ, REQ_WRITE };

/* Task attribute, RFC 7143, section 11.3.1. */
enum req_attr { REQ_UNTAGGED, REQ_SIMPLE, REQ_ORDERED, REQ_HEAD_OF_QUEUE, REQ_ACA };

/*
 * How the request ended, below SCSI.  Nothing is sent a second time by the
 * session: whoever owns the request decides that from what is known here of
 * its fate.
 */
enum req_result {
	REQ_DONE,      /* the target answered: status, residual and sense are valid */
	REQ_NO_TARGET, /* a SCSI Response with a response code other than 0 (11.4.3) */
	REQ_UNSENT,    /* it never left: the target cannot have it.  There was no login, or it
			  waited when the connection ended, or it was withdrawn */
	REQ_LOST,      /* some or all of it left, and the connection ended before the answer: the
			  target may have executed it, or may still */
	REQ_TIMEOUT,   /* no answer within timeout_ms, and the target said by task management that
			  it has it no more */
	REQ_ABORTED,   /* ended by the LOGICAL UNIT RESET that another one needed, without being
			  late: the target has it no more */
	REQ_VIOLATION, /* the target says success in a way that contradicts itself or the bytes that
			  moved: O and U together, a residual count that cannot be, data that is
			  missing.  The fields are as they came */
};

struct req {
	/* Set by the caller. */
	uint8_t cdb[16];
	uint8_t lun[8]; /* as on the wire, SAM-5 section 4.7 */
	enum req_dir dir;
	enum req_attr attr;
	uint8_t *data;       /* data_len bytes, read from or written to in place; borrowed */
	uint32_t data_len;   /* Expected Data Transfer Length */
	uint32_t timeout_ms; /* 0: the session's default */
	void *user;          /* the caller's; the core does not look at it */
	/* The engine calls this, on the session's thread, when the request is handed back. */
	void (*done)(struct req *r);

	/* Valid when handed back. */
	enum req_result result;
	uint8_t response;  /* iSCSI response code, 11.4.3 */
	uint8_t status;    /* SCSI status, 11.4.2 */
	bool overflow;     /* the O bit: the target had more than data_len */
	bool underflow;    /* the U bit */
	uint32_t residual; /* residual count of the O or U bit */
	uint32_t data_got; /* bytes that really moved: read data that arrived, in order, from offset
			      0; write data that left, 0 where some of it was still on its way */
	uint16_t sense_len; /* bytes in sense[], without the SenseLength field */
	uint8_t sense[LIMIT_SENSE_BYTES];
	uint64_t submit_us, done_us; /* on the caller's clock: `now` of submit and of completion */
	/* When it was put on its way; 0: it waits.  It may be looked at any time. */
	uint64_t sent_us;

	/* The core's while it has the request. */
	struct list link;
	uint32_t slot;
};

#endif
