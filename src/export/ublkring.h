/*
 * The io_uring of a loop, by which the kernel hands over requests of ublk devices and takes their
 * answers.  Its descriptor is one more in the loop: nothing waits.
 *
 * Whoever may make a ring may have the kernel do nearly anything past a filter of system calls.  So
 * a process that is to be confined makes its rings before (ublkring_prepare()), each for commands
 * to devices that it has open and for nothing else, and can then make no more.
 */
#ifndef EXPORT_UBLKRING_H
#define EXPORT_UBLKRING_H

#include "engine/loop.h"

struct ublkring;

/* A slot for a request of a device's, offered to the kernel; embedded in its owner. */
struct ublkring_slot {
	/* The kernel's word: 0, a request is there; a negative errno, the slot is given up. */
	void (*ready)(struct ublkring_slot *s, int res);
	int fd; /* of the device */
	uint16_t tag;
	bool is_answer; /* the request that was there is done, with this result */
	int32_t result;
	struct list link; /* the ring's */
};

/* Make n rings that this process uses from now on.  Once.  0 or a negative errno. */
int ublkring_prepare(unsigned n);
/* Were any made? */
bool ublkring_is_there(void);
/* The ring of this loop, whose thread calls.  0 or a negative errno. */
int ublkring_get(struct loop *loop, struct ublkring **ret);
/* As often as it was got; no slot of the caller's is offered. */
void ublkring_put(struct ublkring *r);
/* For the next request of the device, at the end of the turn; ready() follows, never from inside.
 */
void ublkring_offer(struct ublkring *r, struct ublkring_slot *s);

#endif
