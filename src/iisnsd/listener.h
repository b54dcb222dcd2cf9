/*
 * Where a server's notifications come: RFC 4171, section 6.3.7.  Only from the address of the
 * server itself, a few connections at once, each with a time limit.  On the loop's thread.
 */
#ifndef IISNSD_LISTENER_H
#define IISNSD_LISTENER_H

#include "base/limits.h"
#include "iisnsd/stream.h"
#include "names/endpoint.h"

struct listener;

struct listener_conn {
	struct listener *l;
	struct stream stream;
	struct agenda_timer timer;
};

struct listener {
	void (*notified)(struct listener *l);
	/* A connection is none: somebody else's, or one too many. */
	void (*refused)(struct listener *l);

	/* The listener's, as is all that follows. */
	struct loop *loop;
	struct loop_fd sock; /* .fd is -1 where it is closed */
	struct agenda_timer pause;
	struct endpoint at, from;
	uint64_t limit_us;
	struct listener_conn conns[LIMIT_ISNS_NOTIFIERS];
};

/* Before everything else, with the callbacks set; limit_us: what a connection may be idle. */
void listener_init(struct listener *l, struct loop *loop, uint64_t limit_us);
/*
 * Listen at this address (port 0: any) for who comes from `from`, whatever its port.  Where that is
 * so already nothing is changed.  0 or a negative errno.
 */
int listener_open(struct listener *l, const struct endpoint *at, const struct endpoint *from);
/* 0: it does not listen. */
uint16_t listener_port(const struct listener *l);
/* Harmless when it is closed. */
void listener_close(struct listener *l);

#endif
