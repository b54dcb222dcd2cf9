/*
 * Records of what passed on connections, in a ring of fixed memory: whoever has
 * something to record puts it, whoever listens takes bytes out, on the same
 * thread.  Nothing waits: a record that has no room is dropped and counted, and
 * each later one says how many were.
 *
 * The bytes that are taken out go to another process of this machine and release
 * as they are (the driver's, to iscsiutil --capture), hence no order of bytes.
 */
#ifndef BASE_TAPRING_H
#define BASE_TAPRING_H

#include <stddef.h>

#include "base/agenda.h"

/* Of what tapring_record and tapring_open look like. */
#define TAPRING_VERSION 1

enum tapring_kind {
	TAPRING_OPEN,  /* a connection: a struct tapring_open follows */
	TAPRING_PDU,   /* `kept` of its `wire` bytes follow */
	TAPRING_CLOSE, /* the connection ended */
	TAPRING_END,   /* this ring has no more */
	TAPRING_KINDS,
};

struct tapring_record {
	uint32_t bytes;   /* all of it, with this header: a multiple of 8 */
	uint8_t kind;     /* enum tapring_kind */
	uint8_t way;      /* of a PDU: 0 from the target, 1 from us (enum trace_way) */
	uint8_t is_reset; /* of a close: it was no orderly end */
	uint8_t unused;
	uint32_t connection; /* unique in its ring */
	uint32_t wire, kept;
	uint32_t unused2;
	uint64_t at_us;    /* the loop's monotonic clock */
	uint64_t position; /* of its first byte in the connection's stream of that way */
	uint64_t dropped;  /* PDUs of this ring that had no room, so far */
};

#define TAPRING_ADDRESS_BYTES 64
struct tapring_open {
	int32_t session;  /* its instance; -1: a discovery session */
	uint8_t is_begun; /* it was logged in, or about to, before anybody listened */
	uint8_t unused[3];
	/* "192.0.2.1:3260", "[2001:db8::1]:3260", NUL-terminated. */
	char local[TAPRING_ADDRESS_BYTES], peer[TAPRING_ADDRESS_BYTES];
};

struct tapring {
	uint8_t *bytes; /* owned by whoever made the ring, as what follows */
	size_t size;    /* a power of two */
	struct agenda *agenda;
	struct agenda_work *work; /* deferred when there is something to take */
	uint64_t put, taken;      /* bytes, ever */
	uint64_t dropped;
};

/* A piece of a record. */
struct tapring_part {
	const void *bytes;
	size_t n;
};

/*
 * Put a record with what follows it; `bytes`, `kept` and `dropped` are filled.  False: there is no
 * room, which is counted where it is a PDU.
 */
bool tapring_put(struct tapring *r, struct tapring_record *record, const struct tapring_part *parts,
    size_t n_parts);
/* Bytes that wait, as many as lie in a row; 0: none. */
size_t tapring_peek(const struct tapring *r, const uint8_t **ret_bytes);
/* The first n of them were taken. */
void tapring_took(struct tapring *r, size_t n);

#endif
