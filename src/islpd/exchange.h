/*
 * One request to one agent and its reply: a datagram that is sent again until
 * it is answered (RFC 2608, sections 6.3 and 12.3), and a TCP connection where
 * the reply does not fit a datagram (section 6.2).  The socket is connected, so
 * that only the agent's own address is heard, on a port of this exchange's own.
 * Never blocks.  On the loop's thread.
 */
#ifndef ISLPD_EXCHANGE_H
#define ISLPD_EXCHANGE_H

#include "engine/loop.h"
#include "islpd/slp.h"
#include "names/endpoint.h"

/* CONFIG_RETRY and CONFIG_RETRY_MAX, section 13. */
#define EXCHANGE_RETRY_MS     2000
#define EXCHANGE_RETRY_MAX_MS 15000

struct exchange {
	/*
	 * A message with this exchange's XID came; `truncated`: it is not whole
	 * and no whole one can be had.  False: it is not the reply (malformed, of
	 * another kind): it is ignored, as if it had not come.  Nothing of the
	 * message may be kept, and the exchange may not be ended in here.
	 */
	bool (*reply)(
	    struct exchange *x, const struct slp_header *h, struct cursor body, bool truncated);
	/*
	 * The exchange is over, called once and never from inside
	 * exchange_start().  0: reply() took a message.  -ETIMEDOUT: no reply;
	 * -EBUSY: the agent only said that it is busy; -ECONNREFUSED: nobody
	 * listens there; or what the network said.  May free the exchange.
	 */
	void (*done)(struct exchange *x, int err);

	/* The exchange's, as is all that follows. */
	struct loop *loop;
	struct endpoint peer;
	struct loop_fd sock; /* .fd is -1 between exchanges */
	struct agenda_timer timer;
	uint64_t interval_us, give_up_us;
	uint8_t *request; /* owned */
	size_t request_n;
	uint16_t xid;
	bool is_tcp, is_busy;
	unsigned refusals, ignored;
	size_t sent; /* TCP: of the request */
	uint8_t *in; /* TCP: owned; what has come */
	size_t in_n, in_cap;
	uint8_t *cut; /* owned: a datagram that said OVERFLOW */
	size_t cut_n;
};

/*
 * Send a request of n bytes (copied), whose XID is `xid`; again after
 * interval_us, then twice that, and so on, until give_up_us of the loop's
 * clock.  The callbacks are set; the rest of x is zero or has been used.
 * 0 or a negative errno (done() is not called then).
 */
int exchange_start(struct exchange *x, struct loop *loop, const struct endpoint *peer,
    const uint8_t *request, size_t n, uint16_t xid, uint64_t interval_us, uint64_t give_up_us);
/* End it; done() is not called.  Harmless when it is over. */
void exchange_cancel(struct exchange *x);

#endif
