/*
 * One question to the RADIUS servers: the first, again and again, then the next,
 * until somebody gives a verdict or the time is over.  On the loop's thread.
 *
 * Every address that is asked gets a socket of its own, connected to it: the
 * kernel then takes answers from there only, the port is one a forger has to
 * guess, and identifiers of different questions cannot meet.  A packet that is
 * sent again is the same packet (RFC 2865, section 2.5); another address gets
 * another identifier and authenticator.
 *
 * The time is shared: with k servers left, the next may use a k-th of what is
 * left, so that a silent server never takes its successor's turn.
 */
#ifndef IRADD_EXCHANGE_H
#define IRADD_EXCHANGE_H

#include "engine/loop.h"
#include "iradd/counters.h"
#include "iradd/radius.h"
#include "iradd/servers.h"
#include "names/lookup.h"

/* What all exchanges share; the caller's. */
struct exchange_cfg {
	struct loop *loop;
	struct lookup_pool *names;
	unsigned retries;     /* packets to one address after the first */
	uint64_t interval_us; /* between them; a little more, so that many do not march in step */
	bool may_lack_mac;    /* radius_judge() */
	uint8_t next_identifier; /* of the next packet */
	struct counters counters;
};

/* Addresses of one name that are asked. */
#define EXCHANGE_ADDRESSES    8
#define EXCHANGE_WHY_BYTES    1024
#define EXCHANGE_SERVER_BYTES (LIMIT_ADDRESS_BYTES + 1)

enum exchange_state {
	EXCHANGE_IDLE,
	EXCHANGE_STARTED, /* the first server's turn comes at once */
	EXCHANGE_LOOKING, /* for the addresses of a name */
	EXCHANGE_ASKING,
};

struct exchange {
	/*
	 * Called once, never from inside exchange_start(); the exchange is idle.
	 * err 0: result is a verdict.  err < 0: -ETIMEDOUT, no server answered;
	 * -EBADMSG: all answers had to be dropped; -ENOTSUP: no MD5 on this host; or
	 * why the last server could not be asked.
	 */
	void (*done)(struct exchange *x, int err, enum radius_result result);
	/* For done(): who gave the verdict, and his words; or what went wrong, server by server. */
	char server[EXCHANGE_SERVER_BYTES];
	struct radius_answer answer;
	char why[EXCHANGE_WHY_BYTES];

	/* Private. */
	struct exchange_cfg *cfg;
	enum exchange_state state;
	const struct servers *servers;
	struct radius_query query;
	struct lookup_waiter waiter;
	struct loop_fd fd;
	struct agenda_timer timer;
	uint64_t deadline_us, share_end_us, turn_end_us;
	unsigned at_server, at_address, n_addresses, tries;
	uint64_t dropped[RADIUS_RESULTS]; /* of this address */
	bool has_dropped;                 /* of any */
	int last_err;
	char addresses[EXCHANGE_ADDRESSES][LOOKUP_ADDRESS_BYTES];
	uint8_t packet[RADIUS_PACKET_MAX];
	size_t packet_len;
};

/*
 * x->done is set, all else zeros.  Borrows cfg, servers and what query points
 * to until done() or exchange_cancel(); sets the query's identifier and
 * authenticator itself.
 */
void exchange_start(struct exchange *x, struct exchange_cfg *cfg, const struct servers *servers,
    const struct radius_query *query, uint64_t timeout_us);
/* done() will not be called.  Harmless where it was. */
void exchange_cancel(struct exchange *x);

#endif
