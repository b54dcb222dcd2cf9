/*
 * The keys that this initiator has registered for persistent reservations, a unit each, while
 * the driver lives: so that REGISTER goes to every path of the unit, as RELEASE does, and a path
 * that comes later, or a target that lost all registrations with its power, has the key again. What
 * somebody else took away (PREEMPT, CLEAR) is a fence and stays away (scsi/reserve.h).  On the main
 * loop.
 */
#ifndef ISCSIAL_REGISTRANTS_H
#define ISCSIAL_REGISTRANTS_H

#include "driver/iscsial/passing.h"
#include "scsi/reserve.h"

struct registrants;

struct registrants *registrants_new(struct driver *d);
/* Nothing is under way.  NULL is fine. */
void registrants_free(struct registrants *r);

/* How a command went: `answer` is that of the path that was named, the callee's. */
struct registrants_answer {
	struct mail_pass *answer;
	size_t paths, failed; /* others that it was sent to, and those of them that refused */
};
typedef void registrants_done(void *user, const struct registrants_answer *a);
/*
 * A PERSISTENT RESERVE OUT, prepared as for passing_send() (its done() and user are taken over):
 * REGISTER and RELEASE to every path of the unit, all else once.  done() follows, never from
 * inside.
 */
void registrants_out(struct driver *d, const struct node *n, struct mail_pass *q,
    registrants_done *done, void *user);

/* A path to a unit has come, or come again, and it is that unit. */
void registrants_came(struct driver *d, const struct node *n);

#endif
