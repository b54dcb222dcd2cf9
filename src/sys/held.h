/*
 * What the driver and its holder (iscsi_holderd) say to each other over a Unix
 * socket of type SOCK_SEQPACKET: one struct a datagram, some with two
 * descriptors.  Both may be of different releases, so this never changes but by
 * new operations, which an older holder passes over.
 *
 * What is held has a key and belongs to a life, a number that the driver makes up
 * for each connection: one that has sent all it has on a new connection has the rest
 * forgotten.  The key is a session's instance, of its mount; or any number with
 * HELD_SOCKET in it, of a socket at which a disk's clients connect.
 */
#ifndef SYS_HELD_H
#define SYS_HELD_H

#include <stdint.h>

enum held_op {
	HELD_PUT = 1,    /* driver: key, life, two descriptors: instead of what had this key */
	HELD_DROP = 2,   /* driver: key */
	HELD_FORGET = 3, /* driver: all that is of another life than this one */
	HELD_LIST = 4,   /* driver: what is there? */
	HELD_ITEM = 5,   /* holder: key, life, two descriptors */
	HELD_END = 6     /* holder: behind the last item; key: how many there were */
};

struct held_msg {
	uint32_t op;
	uint32_t key;
	uint64_t life;
};

#define HELD_SOCKET 0x80000000u

/* The descriptors: a connection, or a listening socket, and what its user knows of it
 * (export/export.h). */
#define HELD_FDS 2

#endif
