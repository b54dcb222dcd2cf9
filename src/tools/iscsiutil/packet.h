/*
 * IP and TCP headers around PDUs, so that what reads packets reads them: the
 * connection's own addresses and ports, sequence numbers that count its bytes.  Windows,
 * acknowledgements and checksums are made up, and nobody sent these packets as they are.
 */
#ifndef ISCSIUTIL_PACKET_H
#define ISCSIUTIL_PACKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_HEADERS_MAX 60
/* TCP payload of one packet, so that the length of IP holds it. */
#define PACKET_SEGMENT_MAX 65024u

/* One end: an IPv4 address is the first four bytes. */
struct packet_end {
	bool is_ipv6;
	uint8_t address[16];
	uint16_t port;
};

struct packet_flow {
	struct packet_end end[2]; /* of the target, and of the initiator (enum trace_way) */
	uint64_t next[2];         /* bytes of the streams so far, seen or lost */
};

/* TCP flags. */
enum { PACKET_FIN = 1, PACKET_SYN = 2, PACKET_RST = 4, PACKET_PSH = 8, PACKET_ACK = 16 };

/* "192.0.2.1:3260", "[2001:db8::1%eth0]:3260".  False: it is none. */
bool packet_end_parse(const char *text, struct packet_end *ret);
size_t packet_header_bytes(const struct packet_flow *f);
/*
 * The headers of a packet from end[way] with n bytes of payload that begin at `position` of
 * its stream, of which `kept` are at `payload`: a checksum is there where that is all.
 */
void packet_put(const struct packet_flow *f, unsigned way, unsigned flags, uint64_t position,
    const uint8_t *payload, uint32_t kept, uint32_t n, uint8_t *ret);

#endif
