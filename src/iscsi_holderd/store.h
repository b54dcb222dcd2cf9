/*
 * What is held: pairs of descriptors by key (sys/held.h).  Nothing is looked at,
 * nothing is read from them.
 */
#ifndef ISCSI_HOLDERD_STORE_H
#define ISCSI_HOLDERD_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"
#include "sys/held.h"

#define STORE_ITEMS (LIMIT_SESSIONS + LIMIT_HELD_SOCKETS)

struct store_item {
	uint32_t key;
	uint64_t life;
	int fds[HELD_FDS];
};

struct store {
	struct store_item *items; /* n of them, owned; so are their descriptors */
	size_t n, room;
};

/*
 * Take the descriptors, instead of those that had this key.  False: there is no room
 * (STORE_ITEMS) or no memory; they are the caller's still.
 */
bool store_put(struct store *s, uint32_t key, uint64_t life, const int fds[HELD_FDS]);
/* Close what has this key; no harm if nothing has. */
void store_drop(struct store *s, uint32_t key);
/* Close all that is of another life. */
void store_forget(struct store *s, uint64_t life);
void store_fini(struct store *s);

#endif
