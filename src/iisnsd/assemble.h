/*
 * Messages out of a stream of PDUs, RFC 4171, section 5.2.  Pure but for its memory, which is taken
 * for what came, not for what a length promises.
 */
#ifndef IISNSD_ASSEMBLE_H
#define IISNSD_ASSEMBLE_H

#include "iisnsd/isnsp.h"

struct assemble {
	/* The message, when it is whole: what the headers of its PDUs say, and their payloads. */
	uint16_t function, xid;
	uint8_t *body; /* owned; n bytes */
	size_t n;

	/* The assembler's, as is what follows. */
	size_t cap, bytes_max;
	struct isnsp_header h; /* of the PDU that is coming */
	uint8_t head[ISNSP_HEADER_BYTES];
	size_t head_n, left; /* bytes of the header that came; of the payload that are missing */
	unsigned pdus;
	bool is_whole;
};

/* No message may have more than bytes_max bytes in its payloads. */
void assemble_init(struct assemble *a, size_t bytes_max);
void assemble_fini(struct assemble *a);
/*
 * Take bytes up to the end of a message; how many were taken is returned.  *ret_whole: the message
 * is in *a until the next call.  *ret_result not OK: nothing more can be read of this stream.
 */
size_t assemble_take(struct assemble *a, const uint8_t *bytes, size_t n, bool *ret_whole,
    enum isnsp_result *ret_result);

#endif
