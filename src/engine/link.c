/*
 * A turn of a busy link: one recvmsg takes what the socket holds, its
 * completions go to their owners, who submit new requests, and at the end of
 * the turn one sendmsg carries everything that became ready.
 *
 * Large payloads are received straight into the request's memory: recvmsg gets
 * that memory first and the staging buffer behind it, so the same call also
 * brings what follows.  The staging buffer is the loop's (loop_scratch_get()), not
 * the link's; between two calls no byte stays in it.
 */
#include "engine/link.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What one link may do in a turn, so that a target that talks and talks takes
 * no time from others: so many stops for events, and no more than the NOP-Ins
 * that the connection takes before its answers have left.
 */
#define TURN_STOPS 64

struct link {
	struct loop *loop;
	struct sess *sess;
	const struct link_ops *ops;
	void *user;
	struct loop_fd fd;
	struct agenda_timer timer;
	struct agenda_work flush;
	uint8_t *staging; /* the loop's */
	bool attached, closing;
	bool blocked; /* the socket takes nothing */
	/*
	 * Bytes that were received and wait for the next turn, or until answers have
	 * left: kept[kept_at..kept_len), never more than a staging buffer.  While
	 * there are any, nothing is received.
	 */
	uint8_t *kept;
	size_t kept_at, kept_len;
	int error;            /* with closing: a negative errno, or 0 */
	enum conn_result why; /* with closing */
	uint64_t armed_us;    /* when the timer will expire; UINT64_MAX: not armed */
	struct link_counts counts;
};

static void link_turn(struct link *k);
static void link_take_kept(struct link *k);

#define LINK_OF(ptr, member) ((struct link *)(void *)((char *)(ptr)-offsetof(struct link, member)))

static void link_ready(struct loop_fd *f, uint32_t events);

static void
link_expired(struct agenda_timer *t)
{
	struct link *k = LINK_OF(t, timer);

	k->armed_us = UINT64_MAX;
	sess_tick(k->sess, loop_now(k->loop));
	link_turn(k);
}

static void
link_flush(struct agenda_work *w)
{
	struct link *k = LINK_OF(w, flush);

	link_take_kept(k);
	link_turn(k);
}

struct link *
link_new(struct loop *loop, struct sess *s, const struct link_ops *ops, void *user)
{
	struct link *k = calloc(1, sizeof *k);

	if (k == NULL)
		return NULL;
	k->staging = loop_scratch_get(loop);
	if (k->staging == NULL) {
		free(k);
		return NULL;
	}
	k->loop = loop;
	k->sess = s;
	k->ops = ops;
	k->user = user;
	k->fd.fd = -1;
	k->fd.ready = link_ready;
	k->timer.expired = link_expired;
	k->armed_us = UINT64_MAX;
	agenda_work_init(&k->flush, link_flush);
	return k;
}

static void
link_shut(struct link *k)
{
	agenda_cancel(&k->flush);
	agenda_clear(loop_agenda(k->loop), &k->timer);
	k->armed_us = UINT64_MAX;
	free(k->kept);
	k->kept = NULL;
	k->kept_at = k->kept_len = 0;
	if (!k->attached)
		return;
	loop_unwatch(k->loop, &k->fd);
	(void)close(k->fd.fd); /* nothing can be done about a socket that does not close */
	k->fd.fd = -1;
	k->attached = false;
}

void
link_free(struct link *k)
{
	if (k == NULL)
		return;
	link_shut(k);
	sess_disconnected(k->sess, loop_now(k->loop));
	loop_scratch_put(k->loop);
	free(k);
}

int
link_attach(struct link *k, int fd)
{
	int err;

	assert(!k->attached);
	k->fd.fd = fd;
	k->closing = k->blocked = false;
	k->error = 0;
	k->why = CONN_OK;
	err = loop_watch(k->loop, &k->fd, EPOLLIN);
	if (err == 0)
		err = sess_connected(k->sess, loop_now(k->loop));
	if (err != 0) {
		loop_unwatch(k->loop, &k->fd);
		(void)close(fd); /* the caller learns the first error */
		k->fd.fd = -1;
		return err;
	}
	k->attached = true;
	agenda_defer(loop_agenda(k->loop), &k->flush);
	return 0;
}

void
link_detach(struct link *k)
{
	if (!k->attached)
		return;
	k->closing = true;
	agenda_defer(loop_agenda(k->loop), &k->flush);
}

/* What it has not sent must not arrive later.  A wish: without it the socket is closed as any
 * other. */
static void
end_with_reset(const struct link *k)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(k->fd.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void
link_reset(struct link *k)
{
	if (k->attached)
		end_with_reset(k);
	link_detach(k);
}

bool
link_is_attached(const struct link *k)
{
	return k->attached;
}

struct agenda_work *
link_work(struct link *k)
{
	return &k->flush;
}

struct link_counts
link_counts(const struct link *k)
{
	return k->counts;
}

static void
link_hand_out(struct link *k)
{
	struct sess_event ev;

	while (sess_next(k->sess, &ev)) {
		switch (ev.kind) {
		case SESS_EV_REQ:
			ev.req->done(ev.req);
			break;
		case SESS_EV_CLOSE:
			k->closing = true;
			k->why = ev.close.why;
			k->ops->event(k->user, &ev);
			break;
		case SESS_EV_KEYS:
		case SESS_EV_ONLINE:
		case SESS_EV_LOGIN_FAILED:
		case SESS_EV_VERIFY:
		case SESS_EV_TEXT:
		case SESS_EV_TEXT_DONE:
		case SESS_EV_PING:
		case SESS_EV_TMF:
		case SESS_EV_LOGOUT:
		case SESS_EV_ASYNC:
		case SESS_EV_REJECT:
			k->ops->event(k->user, &ev);
			break;
		}
	}
}

/* Hand out everything the session has to say: often nothing. */
static inline void
link_drain(struct link *k)
{
	if (sess_has_next(k->sess))
		link_hand_out(k);
}

static void
link_fail(struct link *k, int error)
{
	if (k->closing)
		return;
	k->closing = true;
	k->error = error;
}

static void
link_send(struct link *k)
{
	while (!k->closing) {
		const struct iovec *iov = NULL;
		size_t n = conn_tx_peek(sess_conn(k->sess), &iov, loop_now(k->loop));
		struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n };
		size_t want = 0;
		ssize_t sent;

		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++)
			want += iov[i].iov_len;
		sent = sendmsg(k->fd.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		k->counts.sends++;
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			link_fail(k, -errno);
			return;
		}
		if (sent > 0) {
			k->counts.bytes_sent += (size_t)sent;
			conn_tx_done(sess_conn(k->sess), (size_t)sent);
		}
		k->blocked = sent < (ssize_t)want;
		if (k->blocked)
			return;
	}
	k->blocked = false;
}

/* Wait for what can be used: no more bytes while some are kept and answers cannot leave. */
static void
link_watch(struct link *k)
{
	uint32_t in = k->kept != NULL && k->blocked ? 0 : EPOLLIN;
	int err = loop_rewatch(k->loop, &k->fd, in | (k->blocked ? EPOLLOUT : 0));

	if (err != 0)
		link_fail(k, err);
}

/* Hand bytes to the connection, as many as one turn may have; returns how many. */
static size_t
link_feed(struct link *k, const uint8_t *p, size_t n)
{
	struct conn *c = sess_conn(k->sess);
	size_t used = 0;

	for (unsigned i = 0; i < TURN_STOPS && used < n && !k->closing; i++) {
		size_t took = 0;

		(void)conn_rx(c, p + used, n - used, loop_now(k->loop), &took); /* as above */
		used += took;
		link_drain(k);
		if (conn_rx_is_paused(c))
			break;
	}
	return used;
}

static void
link_keep(struct link *k, const uint8_t *p, size_t n)
{
	assert(k->kept == NULL);
	k->kept = malloc(n);
	if (k->kept == NULL) {
		link_fail(k, -ENOMEM);
		return;
	}
	memcpy(k->kept, p, n);
	k->kept_at = 0;
	k->kept_len = n;
}

static void
link_take_kept(struct link *k)
{
	if (k->kept == NULL || k->closing || conn_rx_is_paused(sess_conn(k->sess)))
		return;
	k->kept_at += link_feed(k, k->kept + k->kept_at, k->kept_len - k->kept_at);
	if (k->kept_at < k->kept_len)
		return;
	free(k->kept);
	k->kept = NULL;
}

static void
link_receive(struct link *k)
{
	struct conn *c = sess_conn(k->sess);
	uint8_t *direct = NULL;
	size_t want = conn_rx_want(c, &direct), hint = conn_rx_hint(c), got, used;
	struct iovec iov[2] = {
		{ .iov_base = direct, .iov_len = want },
		{ .iov_base = k->staging,
		    .iov_len = hint < LOOP_SCRATCH_BYTES ? hint : LOOP_SCRATCH_BYTES },
	};
	struct msghdr msg = { .msg_iov = want > 0 ? iov : iov + 1, .msg_iovlen = want > 0 ? 2 : 1 };
	ssize_t n;

	if (want == 0)
		n = recv(k->fd.fd, k->staging, iov[1].iov_len, MSG_DONTWAIT);
	else
		n = recvmsg(k->fd.fd, &msg, MSG_DONTWAIT);
	k->counts.recvs++;
	if (n < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			link_fail(k, -errno);
		return;
	}
	if (n == 0) {
		link_fail(k, -ECONNRESET);
		return;
	}
	k->counts.bytes_received += (size_t)n;
	got = (size_t)n;
	if (want > 0) {
		size_t placed = got < want ? got : want;

		got -= placed;
		(void)conn_rx_direct(c, placed, loop_now(k->loop)); /* an error is an event too */
		link_drain(k);
	}
	if (got == 0)
		return;
	used = link_feed(k, k->staging, got);
	if (used < got && !k->closing)
		link_keep(k, k->staging + used, got - used);
}

/* A good end after which the other side has reset the connection instead of closing it. */
static int
end_error(const struct link *k)
{
	int error = 0;
	socklen_t n = sizeof error;

	if (k->error != 0 || k->why != CONN_OK ||
	    getsockopt(k->fd.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return k->error;
	return -error;
}

/* After any input: events, sending, the clock, and the end if it has come. */
static void
link_turn(struct link *k)
{
	uint64_t at;

	link_drain(k);
	if (!k->attached)
		return;
	link_send(k);
	link_drain(k);
	if (!k->closing)
		link_watch(k);
	if (k->closing) {
		int error = end_error(k);
		enum conn_result why = k->why;

		/* A nexus that is lost with commands on it: they will be sent again. */
		if ((error != 0 || why != CONN_OK) && sess_requests(k->sess) > 0)
			end_with_reset(k);
		link_shut(k);
		sess_disconnected(k->sess, loop_now(k->loop));
		k->closing = false;
		link_drain(k);
		k->ops->closed(k->user, error, why);
		return;
	}
	if (k->kept != NULL && !k->blocked)
		agenda_defer(loop_agenda(k->loop), &k->flush);
	at = sess_deadline(k->sess);
	if (at < k->armed_us) {
		agenda_set(loop_agenda(k->loop), &k->timer, at);
		k->armed_us = at;
	}
}

static void
link_ready(struct loop_fd *f, uint32_t events)
{
	struct link *k = LINK_OF(f, fd);

	k->counts.wakes++;
	/* What is kept comes first, and an error shows in the next call too. */
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && k->kept == NULL)
		link_receive(k);
	agenda_defer(loop_agenda(k->loop), &k->flush);
}
