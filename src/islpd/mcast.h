/*
 * A multicast service request and the agents that answer it: multicast
 * convergence, RFC 2608, section 6.3.  The request is repeated with the list of
 * those who have answered until nobody new does.  It goes out on every
 * interface that is up and can multicast, by IPv4 and by IPv6 (RFC 3111's
 * groups, link-local and site-local).  On the loop's thread.
 */
#ifndef ISLPD_MCAST_H
#define ISLPD_MCAST_H

#include "base/limits.h"
#include "engine/loop.h"
#include "islpd/slp.h"
#include "names/endpoint.h"

/* CONFIG_MC_MAX, section 13. */
#define MCAST_MAX_MS 15000

struct mcast_args {
	const char *type, *scopes, *predicate; /* copied */
	uint16_t port, xid;
	uint64_t interval_us; /* between the first two sendings; doubles */
	uint64_t end_us;      /* of the loop's clock */
};

struct mcast {
	/*
	 * An agent that has not been heard yet answered, with the right XID.
	 * False: the message is not a reply; the agent may try again.  Nothing of
	 * the message may be kept, and the request may not be ended in here.
	 */
	bool (*reply)(struct mcast *m, const struct endpoint *from, const struct slp_header *h,
	    struct cursor body, bool truncated);
	/*
	 * Convergence is over; called once, never from inside mcast_start().
	 * 0, also when nobody answered; a negative errno: nothing could be sent
	 * at all.
	 */
	void (*done)(struct mcast *m, int err);

	/* The request's, as is all that follows. */
	struct loop *loop;
	struct mcast_args args;      /* its strings are owned */
	struct loop_fd sock4, sock6; /* .fd is -1 where there is none */
	struct agenda_timer timer;
	uint64_t interval_us;
	unsigned interfaces[LIMIT_SLP_INTERFACES]; /* indices of those that can multicast */
	size_t n_interfaces;
	struct endpoint responders[LIMIT_SLP_AGENTS];
	size_t n_responders, n_known; /* n_known: at the time of the last sending */
	unsigned sent, ignored;
	int err; /* of the last thing that could not be sent */
};

/* The callbacks are set.  0 or a negative errno (done() is not called then). */
int mcast_start(struct mcast *m, struct loop *loop, const struct mcast_args *args);
/* End it; done() is not called.  Harmless when it is over or never began (all zero). */
void mcast_cancel(struct mcast *m);
/* The number of a service type among its IPv6 groups, RFC 3111, section 4.1. */
unsigned mcast_hash(const char *type);

#endif
