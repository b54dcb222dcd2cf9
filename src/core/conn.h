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

#include <stddef.h>
#include <stdint.h>

#include <sys/uio.h>

struct conn;

/* What the peer did wrong; the connection must be closed unless CONN_OK. */
enum conn_result {
#define CONN_RESULT(id, text) CONN_##id,
#include "core/conn_result.def"
};

/* A sentence for each result; static text. */
const char *conn_result_text(enum conn_result r);

/*
 * Task memory for the bytes that come next: returns how many (0: none, use
 * staging) and where.
 */
size_t conn_rx_want(struct conn *c, uint8_t **ret_p);
/* How much to read into staging at most for best speed; a hint, never 0. */
size_t conn_rx_hint(const struct conn *c);
/* The first n bytes of the wanted memory were filled by the socket. */
enum conn_result conn_rx_direct(struct conn *c, size_t n, uint64_t now);
/* n bytes arrived at p; all are consumed unless the result is an error. */
enum conn_result conn_rx(struct conn *c, const uint8_t *p, size_t n, uint64_t now);

/* Up to max pieces that are ready to be sent, in order; returns how many. */
size_t conn_tx_peek(struct conn *c, struct iovec *iov, size_t max, uint64_t now);
/* The socket took the first n bytes of what was peeked. */
void conn_tx_done(struct conn *c, size_t n);

#endif
