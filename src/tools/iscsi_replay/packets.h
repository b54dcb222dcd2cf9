/*
 * Packets of a capture file, read by libpcap: TCP segments over IPv4 or IPv6, as 'iscsiutil
 * --capture' writes them.  The file may be anybody's: what makes no sense is passed over.
 */
#ifndef ISCSI_REPLAY_PACKETS_H
#define ISCSI_REPLAY_PACKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct packets_end {
	bool is_ipv6;
	uint8_t address[16]; /* an IPv4 address is the first four */
	uint16_t port;
};

enum { PACKETS_FIN = 1, PACKETS_SYN = 2, PACKETS_RST = 4, PACKETS_PSH = 8, PACKETS_ACK = 16 };

struct packets_segment {
	uint64_t at_ns; /* since 1970 */
	struct packets_end from, to;
	unsigned flags;
	uint32_t sequence;
	uint32_t wire;          /* bytes of payload, of which */
	uint32_t kept;          /* so many are at */
	const uint8_t *payload; /* valid for the call */
};

#define PACKETS_WHY_BYTES 256

/*
 * Each segment in the file's order, until each() says false.  Takes `in`.  False with a
 * sentence in `why`: it is no capture, or is damaged behind what was read.
 */
bool packets_read(FILE *in, bool (*each)(void *user, const struct packets_segment *s), void *user,
    char why[static PACKETS_WHY_BYTES]);

#endif
