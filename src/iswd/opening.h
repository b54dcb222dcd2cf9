/*
 * One TCP connection being opened, on a loop: never blocks, ends by itself at
 * its deadline.  All calls on the loop's thread.
 */
#ifndef ISWD_OPENING_H
#define ISWD_OPENING_H

#include <net/if.h>

#include "engine/loop.h"
#include "iswd/literal.h"

struct opening_args {
	struct literal peer;
	struct literal source;       /* bound to before connecting, unless len is 0 */
	char interface[IF_NAMESIZE]; /* likewise, unless "" */
	char congestion_control[16]; /* TCP_CONGESTION, unless "": the kernel's default */
	uint64_t timeout_us;
};

/* What an opening was at when it failed. */
enum opening_step {
	OPENING_SOCKET,
	OPENING_INTERFACE,
	OPENING_SOURCE,
	OPENING_CONGESTION_CONTROL,
	OPENING_CONNECT,
};

struct opening {
	/*
	 * Called once, never from inside opening_start().  err 0: fd is
	 * connected, non-blocking, close-on-exec and tuned, and the callee's from
	 * now on.  err < 0: fd is -1; -ETIMEDOUT: the deadline passed, or the
	 * network's own.  May free the opening.
	 */
	void (*done)(struct opening *o, int err, int fd);
	struct loop *loop; /* the opening's, as is all that follows */
	enum opening_step step;
	struct loop_fd sock;
	struct agenda_timer deadline;
};

/*
 * Start; o->done is set.  0: done() follows.  A negative errno: it will not,
 * and o->step says at what it failed.
 */
int opening_start(struct opening *o, struct loop *loop, const struct opening_args *args);
/* Close the socket; done() is not called.  Only between a good start and done(). */
void opening_cancel(struct opening *o);

#endif
