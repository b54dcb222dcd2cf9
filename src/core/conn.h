/*
 * The byte stream of one iSCSI connection.  A conn belongs to a session
 * (sess.h); whoever owns the socket moves bytes with these calls and then
 * drains sess_next().
 *
 * Receiving: conn_rx_want() names task memory when a large payload is under
 * way, so that the socket's bytes go straight there; every other byte goes
 * into a staging buffer of the caller's (one per thread is enough) and from
 * there through conn_rx(), which takes all of it.
 *
 * Sending: conn_tx_peek() lists everything that is ready, many PDUs at once;
 * conn_tx_done() says how much of it the socket took.
 */
#ifndef CORE_CONN_H
#define CORE_CONN_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

/* What the peer did wrong; the connection must be closed unless CONN_OK. */
enum conn_result {
#define CONN_RESULT(id, text) CONN_##id,
#include "core/conn_result.def"
};

/* A sentence for each result; static text. */
const char *conn_result_text(enum conn_result r);
/* Whether the target broke the protocol: in the words of RFC 7143 a protocol error. */
bool conn_result_is_violation(enum conn_result r);

/* What a connection counted, conn_stats.def. */
struct conn_counts {
#define CONN_STAT(id, text) uint64_t id;
#include "core/conn_stats.def"
};

/*
 * Task memory for the bytes that come next: returns how many (0: none, use
 * staging) and where.
 */
size_t conn_rx_want(struct conn *c, uint8_t **ret_p);
/* How much to read into staging at most for best speed; a hint, never 0. */
size_t conn_rx_hint(const struct conn *c);
/* The first n bytes of the wanted memory were filled by the socket. */
enum conn_result conn_rx_direct(struct conn *c, size_t n, uint64_t now);
/*
 * n bytes arrived at p.  *ret_used of them were consumed: all of them, or fewer
 * when an event waits that must be drained (sess_next()) before the rest is
 * given again, or when conn_rx_is_paused().
 */
enum conn_result conn_rx(
    struct conn *c, const uint8_t *p, size_t n, uint64_t now, size_t *ret_used);

/*
 * The target has asked more (NOP-In, section 11.19) than there is room to answer:
 * nothing more is taken from it before something has left (conn_tx_done()).
 */
bool conn_rx_is_paused(const struct conn *c);

/* The pieces that are ready to be sent, in order; returns how many (at most IOV_MAX). */
size_t conn_tx_peek(struct conn *c, const struct iovec **ret_iov, uint64_t now);
/*
 * The socket took the first n bytes of what was peeked.  This must be said before
 * conn_rx() of what may answer them.
 */
void conn_tx_done(struct conn *c, size_t n);

#endif
