/*
 * The connections of a capture, and the PDUs of each in their order.  'iscsiutil
 * --capture' begins a packet with each PDU and ends its last with PSH; what is not so is
 * none of its.
 */
#ifndef ISCSI_REPLAY_TALKS_H
#define ISCSI_REPLAY_TALKS_H

#include <stddef.h>

#include "core/pdu.h"
#include "core/trace.h"
#include "tools/iscsi_replay/packets.h"

/* All that a capture may take of memory: its headers and what else of it was kept. */
#define TALKS_BYTES_MAX (1ull << 30)
/* A PDU is not longer: header, additional ones, digests, and a data segment. */
#define TALKS_PDU_BYTES (48u + 1020u + (1u << 24) + 8u)

struct talks_pdu {
	uint64_t at_us; /* since 1970 */
	enum trace_way way;
	uint32_t wire, kept;
	uint8_t *bytes; /* `kept` of them, at least a basic header; owned */
};

enum talks_end { TALKS_OPEN, TALKS_CLOSED, TALKS_LOST };

struct talks_one {
	struct packets_end end[2]; /* by enum trace_way: the target's, the initiator's */
	bool is_begun;             /* with its first byte */
	enum talks_end how;        /* it ended */
	struct talks_pdu *pdu;     /* n of them */
	size_t n, cap;
	size_t whole; /* PDUs before the first that is missing, or makes no sense */
	bool has_gap; /* with such a one */
	size_t next;  /* of its bucket: its index and one, 0: there is none */
	/* Being put together. */
	struct talks_group {
		bool is_known; /* `next` is */
		uint32_t next;
		uint32_t wire, kept, cap;
		uint8_t *bytes;
		uint64_t at_us;
	} group[2];
};

/* Connections of one capture. */
#define TALKS_MAX     65536
#define TALKS_BUCKETS 4096

struct talks {
	struct talks_one *list; /* in the order of their beginning */
	size_t n, cap;
	uint64_t bytes;
	size_t bucket[TALKS_BUCKETS];
	bool is_too_large; /* the rest was not read */
};

/* False with a sentence in `why`: it is no capture; what was read before is there.  Takes `in`. */
bool talks_read(struct talks *t, FILE *in, char why[static PACKETS_WHY_BYTES]);
void talks_free(struct talks *t);

#endif
