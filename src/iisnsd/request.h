/* The messages that this client sends: RFC 4171, sections 5.6.5 and 5.7.5.8.  Pure. */
#ifndef IISNSD_REQUEST_H
#define IISNSD_REQUEST_H

#include "iisnsd/isnsp.h"

/* The longest: a registration with three names and an alias. */
#define REQUEST_BYTES 2048

struct request_self {
	const char *name, *alias; /* the initiator's; alias "": none */
	uint8_t address[16];      /* of the portal that takes notifications, as RFC 4171, 6.3.1 */
	uint16_t scn_port;        /* TCP */
};

/*
 * DevAttrReg: an entity that is called as the initiator, with one portal and one node.  is_first:
 * it replaces what an earlier run of ours has left there.  Each gives the bytes written, 0 where
 * they did not fit.
 */
size_t request_register(
    uint8_t ret[REQUEST_BYTES], uint16_t xid, const struct request_self *self, bool is_first);
/* SCNReg: changes of targets in the discovery domains of this initiator. */
size_t request_scn_reg(uint8_t ret[REQUEST_BYTES], uint16_t xid, const struct request_self *self);
/* DevAttrQry: the targets in these domains, with their portal groups. */
size_t request_query(uint8_t ret[REQUEST_BYTES], uint16_t xid, const struct request_self *self);
/* DevDereg of the entity. */
size_t request_dereg(uint8_t ret[REQUEST_BYTES], uint16_t xid, const struct request_self *self);
/* The response to an SCN: its destination attribute, as it came (n bytes, with tag and length). */
size_t request_scn_rsp(uint8_t ret[REQUEST_BYTES], uint16_t xid, const uint8_t *to, size_t n);

#endif
