/* What is captured: records of the driver (records.h) become packets (packet.h) of a file, and are
 * counted. */
#ifndef ISCSIUTIL_CAPTURED_H
#define ISCSIUTIL_CAPTURED_H

#include "tools/iscsiutil/packet.h"
#include "tools/iscsiutil/pcapng.h"
#include "tools/iscsiutil/records.h"

/* A connection. */
struct captured_flow {
	uint32_t connection;
	int32_t session;
	bool is_told;  /* a packet of it says whose it is */
	bool is_known; /* its addresses are */
	struct packet_flow packets;
};

/* Zeroed but for clock_ns. */
struct captured {
	int64_t clock_ns; /* what the driver's clock is added to */
	struct pcapng out;
	uint64_t pdus, bytes, connections; /* so far; bytes as they were on the wire */
	uint64_t from_ns, to_ns;
	unsigned ends; /* workers that have no more */
	struct captured_worker {
		struct captured_flow *flow; /* heap, by connection */
		size_t n, cap;
		uint64_t dropped;
	} worker[RECORDS_WORKERS];
};

void captured_fini(struct captured *c);
/* struct records' each(), of a struct captured. */
void captured_record(
    void *captured, unsigned worker, const struct tapring_record *r, const uint8_t *payload);
/* PDUs that had no room, so far. */
uint64_t captured_dropped(const struct captured *c);
/* The beginning and the end of a file. */
void captured_begin_file(struct captured *c);
void captured_end_file(struct captured *c);

#endif
