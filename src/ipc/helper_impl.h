/* What both sides of the daemon protocol share; nobody else includes it. */
#ifndef IPC_HELPER_IMPL_H
#define IPC_HELPER_IMPL_H

#include <jansson.h>
#include <stddef.h>

#include "ipc/helper.h"
#include "sys/sock.h"

/* "ECONNREFUSED" for -ECONNREFUSED; "EIO" for what has no name. */
const char *helper_errno_name(int err);
/* -ECONNREFUSED for "ECONNREFUSED"; -EPROTO for what is no errno's name. */
int helper_errno_find(const char *name);

/*
 * The next datagram as an object.  1: *ret_object and *ret_fd (-1: none) are
 * the caller's.  0: none waits.  -EBADMSG, with a sentence in `why`: it cannot
 * be understood (a descriptor that came along is closed).  Another negative
 * errno: the peer is gone.
 */
int helper_receive(int fd, json_t **ret_object, int *ret_fd, char *why, size_t why_bytes);
/*
 * Is the peer the daemon of this name: our own user, or where we are root the daemon's user
 * as the process that holds the lock of `pid_path`?
 */
bool helper_is_trusted(const char *name, const char *pid_path, const struct sock_peer *peer);
/* Let the group of a socket's directory connect, where we are root.  0 or a negative errno. */
int helper_open_to_group(const char *path);
/* Is it a connection over the network, which is all that a daemon has to hand over? */
bool helper_is_connection(int fd);
/* Send buffers that take the longest message. */
void helper_set_buffers(int fd);

#endif
