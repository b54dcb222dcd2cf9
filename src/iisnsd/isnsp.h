/*
 * The Internet Storage Name Service Protocol, RFC 4171: the header of a PDU and the attributes of a
 * message, as a client sends and receives them.  Pure: bytes in, values out.  Whatever comes may
 * be an enemy's; what these functions accept is whole and within its message.
 */
#ifndef IISNSD_ISNSP_H
#define IISNSD_ISNSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/put.h"

#define ISNSP_PORT         3205
#define ISNSP_VERSION      1
#define ISNSP_HEADER_BYTES 12

enum isnsp_function {
#define ISNSP_FUNCTION(id, number, name) ISNSP_##id = (number),
#include "iisnsd/function.def"
#undef ISNSP_FUNCTION
};
/* Of a function: the response to it. */
#define ISNSP_RESPONSE 0x8000u

enum isnsp_tag {
#define ISNSP_ATTR(id, tag, min, max) ISNSP_##id = (tag),
#include "iisnsd/attr.def"
#undef ISNSP_ATTR
};

enum isnsp_status {
#define ISNSP_STATUS(id, number, text) ISNSP_STATUS_##id = (number),
#include "iisnsd/status.def"
#undef ISNSP_STATUS
};

enum isnsp_result {
#define ISNSP_RESULT(id, text) ISNSP_IS_##id,
#include "iisnsd/isnsp_result.def"
#undef ISNSP_RESULT
};

/* Flags of the header, section 5.1.4; the RFC counts bits from the most significant one. */
#define ISNSP_FROM_CLIENT 0x8000u
#define ISNSP_FROM_SERVER 0x4000u
#define ISNSP_AUTH        0x2000u
#define ISNSP_REPLACE     0x1000u
#define ISNSP_LAST        0x0800u
#define ISNSP_FIRST       0x0400u

/* Of a port, sections 6.3.2 and 6.3.7: UDP instead of TCP. */
#define ISNSP_PORT_UDP 0x00010000u

/* Section 6.4.2. */
#define ISNSP_NODE_TARGET    0x1u
#define ISNSP_NODE_INITIATOR 0x2u

/* Section 6.4.4: what a client that is no control node may register for. */
#define ISNSP_SCN_UPDATED 0x04u
#define ISNSP_SCN_ADDED   0x08u
#define ISNSP_SCN_REMOVED 0x10u
#define ISNSP_SCN_TARGETS 0x40u /* of targets and ourselves only */

/* Section 6.2.2. */
#define ISNSP_PROTOCOL_ISCSI 2u

struct isnsp_header {
	uint16_t function, flags, xid, seq;
	uint16_t bytes; /* of the payload */
};

/* VERSION, LENGTH (not of whole words), AUTH or OK. */
enum isnsp_result isnsp_get_header(
    const uint8_t bytes[ISNSP_HEADER_BYTES], struct isnsp_header *ret);
/* A message of one PDU: the header, then what the caller puts, then isnsp_end().  The place of the
 * header is where *w is. */
void isnsp_begin(struct put *w, uint16_t function, uint16_t flags, uint16_t xid);
/* The length, which is known now; `start`: where the header is.  False: it did not fit. */
bool isnsp_end(struct put *w, size_t start);

/* One attribute; value and n are borrowed from the message. */
struct isnsp_attr {
	uint32_t tag;
	struct cursor value; /* n bytes, with padding; n 0: no value */
	size_t n;
};

/*
 * The next attribute: OK; SHORT at the end (*ret has n 0 and tag UINT32_MAX) is told by
 * cursor_left() before.  Of tags in attr.def the length is checked.
 */
enum isnsp_result isnsp_get_attr(struct cursor *body, struct isnsp_attr *ret);
/* Of an attribute with a value.  OK, or VALUE. */
enum isnsp_result isnsp_attr_number(const struct isnsp_attr *a, uint32_t *ret);
/* It must end with NUL within `bytes`, and have nothing but NULs after that. */
enum isnsp_result isnsp_attr_text(const struct isnsp_attr *a, char *ret, size_t bytes);
/* A literal: IPv4 where the address is a mapped or compatible one. */
#define ISNSP_ADDRESS_BYTES 46
enum isnsp_result isnsp_attr_address(const struct isnsp_attr *a, char ret[ISNSP_ADDRESS_BYTES]);

void isnsp_put_none(struct put *w, enum isnsp_tag tag);
void isnsp_put_number(struct put *w, enum isnsp_tag tag, uint32_t n);
/* With its NUL, padded to whole words. */
void isnsp_put_text(struct put *w, enum isnsp_tag tag, const char *text);
void isnsp_put_address(struct put *w, enum isnsp_tag tag, const uint8_t address[16]);

/* Sentences' ends; static text. */
const char *isnsp_status_text(uint32_t status);
const char *isnsp_result_text(enum isnsp_result r);

#endif
