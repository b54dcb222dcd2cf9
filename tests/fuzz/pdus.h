/*
 * Input of the harnesses whose unit is a whole PDU: two bytes of configuration, then
 * a list of PDUs of the target and of what its user does meanwhile.
 *
 *   a byte below 0x80: a PDU.  The byte has enum pdus_flag; then follow the length of the payload
 *   (2 bytes), the header (48 bytes) and the payload: AHS and data, without padding and digests
 *   else: what the user does, the byte less 0x80, with a number (2 bytes)
 *
 * The flags say which fields the harness fills, so that most PDUs make sense when they come.
 */
#ifndef FUZZ_PDUS_H
#define FUZZ_PDUS_H

#include "core/pdu.h"
#include "fuzz.h"

enum pdus_flag {
	PDUS_LENGTH = 0x01,   /* DataSegmentLength is that of the payload */
	PDUS_STAT_SN = 0x02,  /* StatSN is the next one */
	PDUS_TAG = 0x04,      /* ITT is a number of the tags that are in use */
	PDUS_WINDOW = 0x08,   /* ExpCmdSN and MaxCmdSN let the initiator go on */
	PDUS_SEQUENCE = 0x10, /* DataSN, R2TSN and BufferOffset are the next ones */
	PDUS_DIGEST = 0x20,   /* the digests are right */
	PDUS_LOGIN = 0x40,    /* ISID is ours, and the stages are the request's */
	PDUS_ALL = 0x7f,
};

struct pdus_unit {
	bool is_pdu;
	uint8_t what; /* flags, or what the user does */
	uint16_t number;
	uint8_t bhs[PDU_BHS_BYTES];
	const uint8_t *payload; /* in the input */
	uint16_t len;
};

/* The next one; false at the end.  What is cut off is as long as it is. */
bool pdus_next(struct cursor *in, struct pdus_unit *ret);

#endif
