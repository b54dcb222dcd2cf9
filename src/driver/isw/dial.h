/*
 * A connection from iswd, a name's addresses from iscsi_resolvd, in a bounded
 * time.  On the interface driver's thread (isw.h).
 */
#ifndef ISW_DIAL_H
#define ISW_DIAL_H

#include "base/fault.h"
#include "base/limits.h"
#include "driver/diag/stat.h"
#include "engine/loop.h"
#include "ini/settings.h"
#include "ipc/helper.h"

struct dialer {
	struct loop *loop;
	struct helper_server *iswd, *resolvd; /* borrowed, as the loop */
	struct stat_block *stats;             /* the driver's; may be NULL */
	bool had_network;                     /* a dial has ended while there was one */
};

struct dial;

struct dial_result {
	int fd;                   /* connected, non-blocking, the callee's; -1: see fault */
	char local[80], peer[80]; /* "127.0.0.1:40000", "[::1]:3260"; "" where not known */
	struct fault fault;
	int err;      /* negative errno where fd is -1 */
	bool is_name; /* the host name was not resolved, so nobody was asked for a connection */
};
/* Called once, never from inside dial_start(). */
typedef void dial_done(void *user, const struct dial_result *r);

/*
 * Connect to a portal: `host` is an IPv4 or IPv6 address (zone allowed), which
 * needs iswd only, or a name, whose addresses are tried in order.  `from` is
 * copied; NULL: from anywhere.  All of it
 * ends within timeout_ms (and the moment iswd may need to say so).
 */
struct dial *dial_start(struct dialer *w, const char *host, uint16_t port,
    const struct connect_from *from, uint32_t timeout_ms, dial_done *done, void *user);
/* done() will not be called.  NULL is fine. */
void dial_cancel(struct dial *d);

#endif
