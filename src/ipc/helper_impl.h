/* What both sides of the daemon protocol share; nobody else includes it. */
#ifndef IPC_HELPER_IMPL_H
#define IPC_HELPER_IMPL_H

#include <jansson.h>
#include <stddef.h>

#include "ipc/helper.h"

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
/* Send buffers that take the longest message. */
void helper_set_buffers(int fd);

#endif
