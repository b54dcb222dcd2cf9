/*
 * Looking up host names without waiting for it.  getaddrinfo() blocks, for as
 * long as the name servers please, and cannot be stopped; so it runs in a few
 * threads.  Whoever loses patience leaves; the thread's answer then goes to
 * nobody.  Those who ask for the same name share one look-up.  All calls on the
 * loop's thread.
 */
#ifndef NAMES_LOOKUP_H
#define NAMES_LOOKUP_H

#include <netdb.h>
#include <stddef.h>

#include "engine/loop.h"

struct lookup_pool;

/* getaddrinfo() and freeaddrinfo(), or a test's. */
struct lookup_ops {
	int (*getaddrinfo)(const char *name, const char *service, const struct addrinfo *hints,
	    struct addrinfo **ret);
	void (*freeaddrinfo)(struct addrinfo *list);
};

/* An address with the zone of an interface, as a literal. */
#define LOOKUP_ADDRESS_BYTES 64

struct lookup_result {
	/*
	 * 0; -ENOENT: there is no such name, or it has no address; -EAGAIN: no
	 * name server answered; -EIO: one answered that it cannot; or another
	 * errno.  `why` is a sentence's end then.
	 */
	int err;
	const char *why;
	/* Each once, in the order of preference of RFC 6724; at most LIMIT_HOST_ADDRESSES. */
	size_t count;
	char (*addresses)[LOOKUP_ADDRESS_BYTES];
};

struct lookup_waiter {
	/*
	 * Called once, never from inside lookup_start(); the result is borrowed.
	 * Nobody waits any more then; the waiter may be freed.
	 */
	void (*done)(struct lookup_waiter *w, const struct lookup_result *result);
	struct list link;      /* the pool's */
	struct lookup *lookup; /* the pool's */
};

/*
 * At most threads_max look-ups run, at most names_max wait or run.  ops is
 * borrowed for as long as a thread may hang.  NULL: no memory.
 */
struct lookup_pool *lookup_pool_new(
    struct loop *loop, const struct lookup_ops *ops, unsigned threads_max, unsigned names_max);
/* Nobody waits any more.  Does not wait for threads that hang: they clean up behind them. */
void lookup_pool_free(struct lookup_pool *p);

/* w->done is set.  0; -EBUSY: names_max are being looked up; or -ENOMEM, -EAGAIN: no thread. */
int lookup_start(struct lookup_pool *p, struct lookup_waiter *w, const char *name);
/* Wait no more: done() is not called.  Only between lookup_start() and done(). */
void lookup_leave(struct lookup_pool *p, struct lookup_waiter *w);

#endif
