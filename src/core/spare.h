/*
 * Memory that a connection needs only while it sends: sessions of one thread share what none of
 * them needs now (sess_cfg.spare), so that one which is idle holds none.  Not thread-safe.
 */
#ifndef CORE_SPARE_H
#define CORE_SPARE_H

#include <sys/uio.h>

#include <stdint.h>

#define ROOM_ARENA_BYTES 16384
#define ROOM_IOV         256

/* Headers lie in the arena, pieces in order in iov[iov_first..iov_end). */
struct room {
	uint32_t arena_used, iov_first, iov_end;
	struct iovec iov[ROOM_IOV];
	uint8_t arena[ROOM_ARENA_BYTES];
};

struct spare;

/* NULL when memory is short. */
struct spare *spare_new(void);
/* No session uses it any more.  NULL is fine. */
void spare_free(struct spare *s);
/* An empty one; of a session without a spare (NULL) it is its own.  NULL when memory is short. */
struct room *room_get(struct spare *s);
void room_put(struct spare *s, struct room *r);

#endif
