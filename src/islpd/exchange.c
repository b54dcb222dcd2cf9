#include "islpd/exchange.h"

#include <sys/epoll.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "sys/log.h"

/* The largest datagram there is. */
#define DATAGRAM_BYTES 65536
/* Datagrams taken in one turn, so that a flood does not stop everything else. */
#define DATAGRAMS_PER_TURN 16
/* After so many refusals nobody listens there; one may be from a daemon that restarts. */
#define REFUSALS_MAX 2
#define IN_BYTES_MIN 4096

static void udp_ready(struct loop_fd *f, uint32_t events);
static void tcp_ready(struct loop_fd *f, uint32_t events);
static void timer_expired(struct agenda_timer *t);

static void
close_socket(struct exchange *x)
{
	if (x->sock.fd < 0)
		return;
	loop_unwatch(x->loop, &x->sock);
	(void)close(x->sock.fd); /* nothing is lost with it */
	x->sock.fd = -1;
}

void
exchange_cancel(struct exchange *x)
{
	if (x->loop == NULL)
		return;
	close_socket(x);
	agenda_clear(loop_agenda(x->loop), &x->timer);
	free(x->request);
	free(x->in);
	free(x->cut);
	x->request = x->in = x->cut = NULL;
	x->loop = NULL;
}

static void
over(struct exchange *x, int err)
{
	exchange_cancel(x);
	x->done(x, err);
}

/* 1: the message is the reply, and *x has been told.  0: it is not. */
static bool
offer(struct exchange *x, const uint8_t *message, size_t n, bool truncated)
{
	struct slp_header h;
	struct cursor body, look;
	enum slp_result v = slp_get_header(message, n, &h, &body);

	if (v != SLP_OK || h.xid != x->xid) {
		if (v != SLP_OK)
			log_debug("an answer is ignored: %s", slp_result_text(v));
		x->ignored++;
		return false;
	}
	/* DA_BUSY_NOW: "UA or SA SHOULD retry, using exponential back off." */
	look = body;
	if (h.function != SLP_SA_ADVERT && cursor_be16(&look) == SLP_ERROR_DA_BUSY_NOW) {
		x->is_busy = true;
		return false;
	}
	if (!x->reply(x, &h, body, truncated)) {
		x->ignored++;
		return false;
	}
	return true;
}

/* What was cut off is better than nothing. */
static void
tcp_failed(struct exchange *x, int err)
{
	if (x->cut != NULL && offer(x, x->cut, x->cut_n, true))
		err = 0;
	over(x, err);
}

static int
open_socket(struct exchange *x, int type, void (*ready)(struct loop_fd *, uint32_t))
{
	int err;

	x->sock.fd = socket(x->peer.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (x->sock.fd < 0)
		return -errno;
	x->sock.ready = ready;
	if (connect(x->sock.fd, &x->peer.any, endpoint_len(&x->peer)) < 0 && errno != EINPROGRESS)
		err = -errno;
	else
		err = loop_watch(x->loop, &x->sock, type == SOCK_STREAM ? EPOLLOUT : EPOLLIN);
	if (err < 0) {
		(void)close(x->sock.fd);
		x->sock.fd = -1;
	}
	return err;
}

static int
start_tcp(struct exchange *x)
{
	x->is_tcp = true;
	agenda_set(loop_agenda(x->loop), &x->timer, x->give_up_us);
	return open_socket(x, SOCK_STREAM, tcp_ready);
}

static void
arm(struct exchange *x)
{
	uint64_t at = loop_now(x->loop) + x->interval_us;

	x->interval_us *= 2;
	agenda_set(loop_agenda(x->loop), &x->timer, at < x->give_up_us ? at : x->give_up_us);
}

/* 0, or an error that no later attempt will cure. */
static int
send_datagram(struct exchange *x)
{
	if (send(x->sock.fd, x->request, x->request_n, MSG_NOSIGNAL) >= 0)
		return 0;
	switch (errno) {
	case EAGAIN:
	case ENOBUFS:
	case EINTR:
		return 0; /* as good as lost on the way */
	case ECONNREFUSED:
		/* That was said of the one before. */
		return ++x->refusals >= REFUSALS_MAX ? -ECONNREFUSED : 0;
	default:
		return -errno;
	}
}

int
exchange_start(struct exchange *x, struct loop *loop, const struct endpoint *peer,
    const uint8_t *request, size_t n, uint16_t xid, uint64_t interval_us, uint64_t give_up_us)
{
	bool (*reply)(struct exchange *, const struct slp_header *, struct cursor, bool) = x->reply;
	void (*done)(struct exchange *, int) = x->done;
	int err;

	*x = (struct exchange){ .reply = reply,
		.done = done,
		.loop = loop,
		.peer = *peer,
		.sock.fd = -1,
		.timer.expired = timer_expired,
		.interval_us = interval_us,
		.give_up_us = give_up_us,
		.request_n = n,
		.xid = xid };
	x->request = malloc(n);
	if (x->request == NULL) {
		x->loop = NULL;
		return -ENOMEM;
	}
	memcpy(x->request, request, n);
	(void)loop_now_update(loop);
	if (n > LIMIT_SLP_DATAGRAM_BYTES) {
		err = start_tcp(x);
	} else {
		err = open_socket(x, SOCK_DGRAM, udp_ready);
		if (err == 0)
			err = send_datagram(x);
		if (err == 0)
			arm(x);
	}
	if (err < 0)
		exchange_cancel(x);
	return err;
}

static void
timer_expired(struct agenda_timer *t)
{
	struct exchange *x = LIST_ENTRY(t, struct exchange, timer);
	int err;

	if (x->is_tcp) {
		tcp_failed(x, -ETIMEDOUT);
		return;
	}
	if (loop_now(x->loop) >= x->give_up_us) {
		over(x, x->is_busy ? -EBUSY : -ETIMEDOUT);
		return;
	}
	err = send_datagram(x);
	if (err < 0)
		over(x, err);
	else
		arm(x);
}

/* Keep what came and ask again by TCP: section 6.1, "using the same XID". */
static void
overflowed(struct exchange *x, const uint8_t *message, size_t n)
{
	int err;

	x->cut = malloc(n);
	if (x->cut != NULL) {
		memcpy(x->cut, message, n);
		x->cut_n = n;
	}
	close_socket(x);
	err = start_tcp(x);
	if (err < 0)
		tcp_failed(x, err);
}

static void
udp_ready(struct loop_fd *f, uint32_t events)
{
	struct exchange *x = LIST_ENTRY(f, struct exchange, sock);
	uint8_t buf[DATAGRAM_BYTES];

	(void)events;
	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		ssize_t n = recv(f->fd, buf, sizeof buf, 0);
		struct slp_header h;
		struct cursor body;

		if (n < 0 && errno == ECONNREFUSED && ++x->refusals >= REFUSALS_MAX) {
			over(x, -ECONNREFUSED);
			return;
		}
		if (n < 0)
			return; /* nothing there, or an error that a later attempt may not have */
		if (slp_get_header(buf, (size_t)n, &h, &body) == SLP_OK && h.xid == x->xid &&
		    (h.flags & SLP_OVERFLOW)) {
			overflowed(x, buf, (size_t)n);
			return;
		}
		if (offer(x, buf, (size_t)n, false)) {
			over(x, 0);
			return;
		}
	}
}

/* 0: all is sent; 1: not yet. */
static int
send_request(struct exchange *x)
{
	while (x->sent < x->request_n) {
		ssize_t n =
		    send(x->sock.fd, x->request + x->sent, x->request_n - x->sent, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -errno;
		x->sent += (size_t)n;
	}
	return 0;
}

/* How many bytes the message has as far as is known; 0: it is none of ours, or is too long. */
static size_t
bytes_wanted(const struct exchange *x)
{
	size_t n;

	if (x->in_n < SLP_LENGTH_END)
		return SLP_LENGTH_END;
	n = slp_length(x->in);
	return n > SLP_LENGTH_END && n <= LIMIT_SLP_MESSAGE_BYTES ? n : 0;
}

/* Memory is taken for what came, not for what the length promises. */
static int
make_room(struct exchange *x)
{
	size_t cap = x->in_cap == 0 ? IN_BYTES_MIN : 2 * x->in_cap;
	uint8_t *p;

	if (x->in_n < x->in_cap)
		return 0;
	p = realloc(x->in, cap);
	if (p == NULL)
		return -ENOMEM;
	x->in = p;
	x->in_cap = cap;
	return 0;
}

/* 1: more must come; 0: the message is whole. */
static int
receive(struct exchange *x)
{
	for (;;) {
		size_t want = bytes_wanted(x), room;
		ssize_t n;

		if (want == 0)
			return -EPROTO;
		if (x->in_n == want && want > SLP_LENGTH_END)
			return 0;
		if (make_room(x) < 0)
			return -ENOMEM;
		room = x->in_cap - x->in_n;
		if (room > want - x->in_n)
			room = want - x->in_n;
		n = recv(x->sock.fd, x->in + x->in_n, room, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -errno;
		x->in_n += (size_t)n;
	}
}

static void
tcp_ready(struct loop_fd *f, uint32_t events)
{
	struct exchange *x = LIST_ENTRY(f, struct exchange, sock);
	int err = 0;
	socklen_t len = sizeof err;

	(void)events;
	if (x->sent == 0 && getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err != 0) {
		tcp_failed(x, -err);
		return;
	}
	if (x->sent < x->request_n) {
		err = send_request(x);
		if (err == 0)
			err = loop_rewatch(x->loop, f, EPOLLIN);
		if (err < 0)
			tcp_failed(x, err);
		return;
	}
	err = receive(x);
	if (err == 1)
		return;
	if (err < 0)
		tcp_failed(x, err);
	else if (offer(x, x->in, x->in_n, false))
		over(x, 0);
	else
		tcp_failed(x, x->is_busy ? -EBUSY : -EPROTO);
}
