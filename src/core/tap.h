/*
 * Whole PDUs of a session as they pass, for whoever listens: copied into a ring
 * (base/tapring.h), which its owner empties.  Of users' data only so much is
 * copied as was asked for; of login text secrets are overwritten unless they were
 * asked for.
 *
 * What costs nothing: a session that nobody listens to looks at one pointer a PDU.
 */
#ifndef CORE_TAP_H
#define CORE_TAP_H

#include "base/tapring.h"
#include "core/tapmask.h"
#include "core/trace.h"

/* Login and other text that is kept of one PDU. */
#define TAP_TEXT_BYTES 8192u

/* One listener of one connection; its owner's, who fills the first part. */
struct tap {
	struct tapring *ring; /* borrowed */
	uint32_t connection;  /* for the records */
	uint32_t snap;        /* bytes kept of users' data in one PDU */
	bool has_secrets;     /* login text stays as it is */

	/* The core's while it is with a session; zeroed before. */
	struct tap *next;
	uint64_t position[2]; /* in the streams, by enum trace_way */
	struct tapmask mask[2];
	bool is_within; /* it came while a PDU arrived, whose text it has not */
	uint32_t text_len;
	uint8_t text[TAP_TEXT_BYTES]; /* of a Text Response that arrives */
};

#endif
