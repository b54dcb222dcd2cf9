/* Between holding.c and holding_sockets.c; nobody else includes it. */
#ifndef EXPORT_HOLDING_IMPL_H
#define EXPORT_HOLDING_IMPL_H

#include <pthread.h>

#include "export/holding.h"
#include "export/sockstate.h"
#include "sys/held.h"

struct holding_item {
	uint32_t key;
	int fds[HELD_FDS];
	/*
	 * Copies of what a driver before us left, for whoever takes it: made before anything is
	 * served, so that it cannot fail then.  -1: it was taken, or is our own.
	 */
	int spare[HELD_FDS];
	struct sockstate of; /* HELD_SOCKET; without a name: it cannot be read */
};

struct holding {
	char *path;
	uint32_t *left; /* n_left of them */
	size_t n_left;
	struct loop *loop; /* NULL: nobody watches */
	struct loop_fd end;
	struct agenda_timer again;
	uint64_t pause_us;
	bool was_missed; /* its absence was told */

	pthread_mutex_t lock; /* for all that follows, and for sending */
	int fd;               /* -1: there is no holder */
	uint64_t life;
	struct holding_item *items; /* n of them, owned; so are their descriptors */
	size_t n, room, n_sockets;
	uint32_t last_socket; /* the key that a socket was given last */
};

/* What follows under lock, or before there are threads. */

static inline bool
holding_is_socket(uint32_t key)
{
	return (key & HELD_SOCKET) != 0;
}

/* NULL: nothing has this key. */
struct holding_item *holding_find(const struct holding *h, uint32_t key);
void holding_close(const int fds[HELD_FDS]); /* -1 is fine */
static inline bool
holding_is_left(const struct holding_item *i)
{
	return i->spare[0] >= 0;
}

/* Takes the descriptors; the item is the last one.  False: no memory. */
bool holding_add(struct holding *h, uint32_t key, const int fds[HELD_FDS]);
/* Copies of both, or false. */
bool holding_copy(const int from[HELD_FDS], int to[HELD_FDS]);
/* What was left is taken: the descriptors are the caller's. */
void holding_hand_out(struct holding_item *i, int ret_fds[HELD_FDS]);
/* What cannot be said ends the connection, and is made up for on the next one. */
void holding_say(struct holding *h, enum held_op op, uint32_t key, const int *fds);
/* Held no more, neither here nor there.  The last item takes its place. */
void holding_drop_item(struct holding *h, struct holding_item *i);

#endif
