/*
 * What another process has to know of a FUSE connection to go on with it: in a
 * memfd that outlives this one, changed by plain stores only.  Whoever is
 * killed between any two of them leaves something that can be taken over:
 *
 *  - What is counted (lookups, openers) is counted before it is answered, with
 *    an entry of a journal: the request's number and the new count.  A request that
 *    the kernel sends again because its answer was never given is known by it,
 *    and counted once.
 *  - What the kernel forgets is counted afterwards: a count may be too high, and
 *    an inode number is never another device's while the kernel knows it.
 *  - Requests are recorded from when they were received until after their answer,
 *    for kernels that send none again (before 6.9).
 *
 * Its size never changes, for it is full of holes: so it needs no growing, and
 * its seals keep whoever holds it from cutting it off under its reader.
 *
 * NULL stands for a connection of which nothing is kept; every function but
 * fusestate_fd() and those that read takes it.
 */
#ifndef EXPORT_FUSESTATE_H
#define EXPORT_FUSESTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Set in the number of a request that the kernel sends again (Linux 6.9). */
#define FUSESTATE_RESENT (1ull << 63)
/* More than FUSE_INIT has today (104). */
#define FUSESTATE_INIT_MAX 256
/* For what is not recorded. */
#define FUSESTATE_NO_RECORD (~0u)

enum fusestate_what { FUSESTATE_LOOKUPS = 1, FUSESTATE_OPENERS = 2 };

struct fusestate;

struct fusestate_node {
	char name[32];
	uint64_t lookups, openers;
	bool is_gone; /* its device was removed */
	bool is_loss_due;
};

/* 0 or a negative errno. */
int fusestate_new(bool made_dir, const struct timespec *since, struct fusestate **ret);
/*
 * What another process left, with what was under way in it made up for.  `fd` is
 * the state's from then on.  -EINVAL: it is none, or is damaged; -ENOTSUP: another
 * version's; `fd` is the caller's still.
 */
int fusestate_open(int fd, struct fusestate **ret);
void fusestate_free(struct fusestate *st);
int fusestate_fd(const struct fusestate *st);
bool fusestate_made_dir(const struct fusestate *st);
struct timespec fusestate_since(const struct fusestate *st);

/* The request FUSE_INIT as it was received; one that is too long is not kept. */
void fusestate_set_init(struct fusestate *st, const uint8_t *request, size_t bytes);
/* Its length, with the bytes; 0: it was not received. */
size_t fusestate_get_init(const struct fusestate *st, uint8_t request[FUSESTATE_INIT_MAX]);

/* Devices by their place, which gives their inode number. */
unsigned fusestate_slots(const struct fusestate *st);
/* False: the place is free. */
bool fusestate_get(const struct fusestate *st, unsigned slot, struct fusestate_node *ret);
void fusestate_show(struct fusestate *st, unsigned slot, const char name[32]);
void fusestate_gone(struct fusestate *st, unsigned slot);
/* export_ops.loss() */
void fusestate_set_loss(struct fusestate *st, unsigned slot, bool is_due);
void fusestate_clear(struct fusestate *st, unsigned slot);
/* Set a count for which no request will be answered. */
void fusestate_set(struct fusestate *st, unsigned slot, enum fusestate_what what, uint64_t value);
/* Set a count for this request, which is answered next, and then said so. */
void fusestate_count(
    struct fusestate *st, uint64_t unique, unsigned slot, enum fusestate_what what, uint64_t value);
void fusestate_answered(struct fusestate *st, uint64_t unique);
/* Was it counted by a process that did not come to answering it? */
bool fusestate_was_counted(const struct fusestate *st, uint64_t unique);

/* A request was received: the number of its record, for fusestate_done() behind its answer. */
unsigned fusestate_received(struct fusestate *st, uint64_t unique);
void fusestate_done(struct fusestate *st, unsigned record);
/*
 * The numbers of requests that may have been received and not been answered, for
 * fn(): all that are, and, where the last process may have died between receiving and
 * recording, some that never were.  The records are empty then.
 */
void fusestate_unanswered(
    struct fusestate *st, void (*fn)(uint64_t unique, void *user), void *user);

#endif
