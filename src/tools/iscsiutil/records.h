/*
 * What the driver's workers record (base/tapring.h), out of the datagrams it comes in:
 * each begins with the worker's number, and goes on where that worker's last one ended.
 */
#ifndef ISCSIUTIL_RECORDS_H
#define ISCSIUTIL_RECORDS_H

#include "base/tapring.h"

#define RECORDS_WORKERS 64
/* A datagram has no more. */
#define RECORDS_DATAGRAM_BYTES ((64u << 10) + 64)

struct records {
	/* `payload` has r->kept bytes; both are valid for the call. */
	void (*each)(
	    void *user, unsigned worker, const struct tapring_record *r, const uint8_t *payload);
	void *user;
	struct records_worker {
		uint8_t *bytes; /* heap: an unfinished record */
		size_t len, cap;
	} worker[RECORDS_WORKERS];
};

void records_fini(struct records *r);
/* A datagram came.  False: it makes no sense. */
bool records_take(struct records *r, const uint8_t *bytes, size_t n);

#endif
