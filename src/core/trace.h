/*
 * The last PDU headers of a session, both ways, for whoever has to find out
 * afterwards what happened.  Only basic header segments are kept: no payload,
 * so no data, no login text, no secret.
 *
 * The ring belongs to the session and so survives its connections: after one
 * broke, its last PDUs are still there, and `connection` tells where the next
 * one began.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "core/pdu.h"

/* A power of two.  64 entries of 64 bytes: a page a session. */
#define TRACE_ENTRIES 64

enum trace_way {
	TRACE_IN,  /* from the target */
	TRACE_OUT, /* from us */
};

struct trace_entry {
	uint64_t at_us;      /* the session's clock */
	uint32_t connection; /* the session's first is 1 */
	enum trace_way way;
	uint8_t bhs[PDU_BHS_BYTES];
};

/* All zero is an empty one. */
struct trace {
	uint64_t count;      /* entries ever put */
	uint32_t connection; /* the present one */
	struct trace_entry entry[TRACE_ENTRIES];
};

/* In the data path, for every PDU: a copy, nothing else. */
static inline void
trace_put(struct trace *t, enum trace_way way, const uint8_t *bhs, uint64_t now)
{
	struct trace_entry *e = &t->entry[t->count++ % TRACE_ENTRIES];

	e->at_us = now;
	e->connection = t->connection;
	e->way = way;
	memcpy(e->bhs, bhs, PDU_BHS_BYTES);
}

/* Copies the newest `max` at most, the oldest of them first; returns how many. */
size_t trace_copy(const struct trace *t, struct trace_entry *ret, size_t max);

#endif
