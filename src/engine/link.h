/*
 * A session's socket in a loop: moves the connection's bytes (conn.h), keeps
 * its deadline, hands requests back (req->done) and passes every other event
 * on.  All calls on the loop's thread.
 */
#ifndef ENGINE_LINK_H
#define ENGINE_LINK_H

#include "core/sess.h"
#include "engine/loop.h"

struct link;

struct link_ops {
	/* Every event but SESS_EV_REQ; closed() follows SESS_EV_CLOSE.  May submit; may not free
	 * the link. */
	void (*event)(void *user, const struct sess_event *ev);
	/*
	 * The socket is closed and the session is offline: err is a negative
	 * errno of the socket or 0, why the protocol's reason.  The link may be
	 * freed or attached again from here.
	 */
	void (*closed)(void *user, int err, enum conn_result why);
};

/* Heap.  `s` and `user` are borrowed and outlive the link. */
struct link *link_new(struct loop *loop, struct sess *s, const struct link_ops *ops, void *user);
/*
 * Closes the socket without a word.  What the session then has to hand back is
 * for its owner to take (sess_next()).  NULL is fine.
 */
void link_free(struct link *k);
/*
 * Take over a connected, non-blocking socket and begin the login.  Owns fd
 * from now on, also when it fails.  0 or a negative errno.
 */
int link_attach(struct link *k, int fd);
/* Close the socket; closed() follows (not from inside this call). */
void link_detach(struct link *k);
/* As link_detach(), with a reset (RST): the other side drops what it still holds of the connection.
 */
void link_reset(struct link *k);
bool link_is_attached(const struct link *k);

/*
 * Work that sends what was queued on the session (sess_submit(), a ping, a logout, a
 * text) and hands out what it has to say: to be deferred on the loop's agenda
 * after that; as long as the link.  Without a login a request comes back
 * REQ_UNSENT by it.  What came back so is submitted again after SESS_EV_ONLINE:
 * from done() it would come back for ever.
 */
struct agenda_work *link_work(struct link *k);

/* System calls, bytes, and times the socket was ready, for benchmarks and statistics. */
struct link_counts {
	uint64_t sends, recvs, bytes_sent, bytes_received, wakes;
};
struct link_counts link_counts(const struct link *k);

#endif
