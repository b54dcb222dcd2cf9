/*
 * The driver's side of its holder (iscsi_holderd, sys/held.h): what is held of the
 * exporters' connections, so that another driver can go on with them.  Each is
 * known by a key, its session's instance.  Beside them the sockets at which clients of
 * disks connect, each known by its session and its disk's name.
 *
 * The holder may end, and be replaced, at any moment: then it is given all once
 * more as soon as it is there.  Where there is none everything works, but a driver
 * that is killed takes its disks along.
 */
#ifndef EXPORT_HOLDING_H
#define EXPORT_HOLDING_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "engine/loop.h"
#include "export/export.h"

struct holding;

/*
 * Connect to the holder at `path` (a copy is kept) and take what a driver before us
 * left there.  Waits for it, so many seconds at the most.  0, also where nobody listens
 * there; -ETIMEDOUT: it does not answer, so what it has is not known, and nothing may be
 * made in its place; another negative errno.
 */
#define HOLDING_PATIENCE_S 10
int holding_new(const char *path, struct holding **ret);
void holding_free(struct holding *h); /* NULL is fine; nothing is dropped by it */
/*
 * Keep the connection up from now on; `loop` is the caller's, until holding_unwatch().  0 or a
 * negative errno.
 */
int holding_watch(struct holding *h, struct loop *loop);
void holding_unwatch(struct holding *h);

/* The keys of connections that were left, ascending, n of them; valid until holding_free(). */
const uint32_t *holding_left(const struct holding *h, size_t *ret_n);

/* The rest from any thread; it waits for the holder for a second at the most. */

/* What was left under this key: the descriptors are the caller's.  False: nothing is; it fails for
 * no other reason. */
bool holding_take(struct holding *h, uint32_t key, struct export_held *ret);
/* Have this held; it stays the caller's. */
void holding_put(struct holding *h, uint32_t key, const struct export_held *held);
/* Hold it no more; no harm if it is not held. */
void holding_drop(struct holding *h, uint32_t key);

/*
 * The same of sockets.  Those that were left are taken by their session and name; `keep` says of
 * each that has not been taken whether it is held on: it gives nobody a turn, and calls nothing
 * of this header.
 */
bool holding_take_socket(
    struct holding *h, uint32_t session, const char *name, struct export_socket *ret);
void holding_put_socket(
    struct holding *h, uint32_t session, const char *name, const struct export_socket *socket);
void holding_drop_socket(struct holding *h, uint32_t session, const char *name);
void holding_keep_sockets(
    struct holding *h, bool (*keep)(uint32_t session, const char *name, void *user), void *user);
/* Was one left of this session, and of this name where it is not NULL, and is not taken? */
bool holding_has_socket(struct holding *h, uint32_t session, const char *name);

/* The holder's process, which has all that it was given; 0: there is none now. */
pid_t holding_pid(struct holding *h);

#endif
