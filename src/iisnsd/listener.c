#include "iisnsd/listener.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "iisnsd/notice.h"
#include "sys/log.h"

#define BACKLOG          4
#define ACCEPTS_PER_TURN 8
/* Where there is no descriptor left for a connection. */
#define PAUSE_US 1000000

static void ready(struct loop_fd *f, uint32_t events);

static void
conn_close(struct listener_conn *c)
{
	agenda_clear(loop_agenda(c->l->loop), &c->timer);
	stream_close(&c->stream);
}

static void
conn_arm(struct listener_conn *c)
{
	agenda_set(
	    loop_agenda(c->l->loop), &c->timer, loop_now_update(c->l->loop) + c->l->limit_us);
}

static void
conn_expired(struct agenda_timer *t)
{
	conn_close(LIST_ENTRY(t, struct listener_conn, timer));
}

static void
conn_failed(struct stream *s, int err, const char *why)
{
	struct listener_conn *c = LIST_ENTRY(s, struct listener_conn, stream);

	if (err != 0)
		log_debug("a connection for notifications is closed: %s", why);
	conn_close(c);
}

static void
conn_message(struct stream *s, const struct assemble *in)
{
	struct listener_conn *c = LIST_ENTRY(s, struct listener_conn, stream);
	uint8_t rsp[REQUEST_BYTES];
	size_t n = notice_answer(in, rsp);

	if (n == 0 || !stream_send(s, rsp, n)) {
		conn_close(c);
		return;
	}
	conn_arm(c);
	c->l->notified(c->l);
}

/* Its time runs since the last whole notification, whatever comes. */
static void
conn_amid(struct stream *s)
{
	(void)s;
}

static void
pause_over(struct agenda_timer *t)
{
	struct listener *l = LIST_ENTRY(t, struct listener, pause);
	int err = loop_watch(l->loop, &l->sock, EPOLLIN);

	if (err < 0)
		agenda_set(loop_agenda(l->loop), t, loop_now(l->loop) + PAUSE_US);
}

void
listener_init(struct listener *l, struct loop *loop, uint64_t limit_us)
{
	l->loop = loop;
	l->limit_us = limit_us;
	l->sock = (struct loop_fd){ .fd = -1, .ready = ready };
	l->pause = (struct agenda_timer){ .expired = pause_over };
	for (size_t i = 0; i < LIMIT_ISNS_NOTIFIERS; i++) {
		struct listener_conn *c = &l->conns[i];

		*c = (struct listener_conn){ .l = l, .timer.expired = conn_expired };
		c->stream.message = conn_message;
		c->stream.failed = conn_failed;
		c->stream.amid = conn_amid;
		stream_init(&c->stream, loop, LIMIT_ISNS_SCN_BYTES);
	}
}

static int
listen_at(struct listener *l, const struct endpoint *at)
{
	socklen_t len = sizeof l->at;
	int fd, err, one = 1;

	l->at = *at;
	fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* What an earlier run left in TIME_WAIT does not count. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, &at->any, endpoint_len(at)) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, &l->at.any, &len) < 0) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	l->sock.fd = fd;
	err = loop_watch(l->loop, &l->sock, EPOLLIN);
	if (err < 0)
		listener_close(l);
	return err;
}

int
listener_open(struct listener *l, const struct endpoint *at, const struct endpoint *from)
{
	if (l->sock.fd >= 0 && endpoint_same_host(&l->at, at) && endpoint_same_host(&l->from, from))
		return 0;
	listener_close(l);
	l->from = *from;
	return listen_at(l, at);
}

uint16_t
listener_port(const struct listener *l)
{
	return l->sock.fd >= 0 ? endpoint_port(&l->at) : 0;
}

void
listener_close(struct listener *l)
{
	if (l->sock.fd < 0)
		return;
	for (size_t i = 0; i < LIMIT_ISNS_NOTIFIERS; i++)
		conn_close(&l->conns[i]);
	agenda_clear(loop_agenda(l->loop), &l->pause);
	loop_unwatch(l->loop, &l->sock);
	(void)close(l->sock.fd); /* nothing is lost with it */
	l->sock.fd = -1;
}

static struct listener_conn *
find_free(struct listener *l)
{
	for (size_t i = 0; i < LIMIT_ISNS_NOTIFIERS; i++)
		if (!stream_is_open(&l->conns[i].stream))
			return &l->conns[i];
	return NULL;
}

static void
take(struct listener *l, int fd, const struct endpoint *peer)
{
	struct listener_conn *c = find_free(l);

	if (c == NULL || !endpoint_same_host(peer, &l->from)) {
		l->refused(l);
		log_debug("a connection for notifications is refused: %s",
		    c == NULL ? "there are too many" : "it is not from the server's address");
		(void)close(fd);
		return;
	}
	if (stream_start(&c->stream, fd, true) == 0)
		conn_arm(c);
}

static void
ready(struct loop_fd *f, uint32_t events)
{
	struct listener *l = LIST_ENTRY(f, struct listener, sock);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct endpoint peer;
		socklen_t len = sizeof peer;
		int fd;

		memset(&peer, 0, sizeof peer);
		fd = accept4(f->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			take(l, fd, &peer);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			loop_unwatch(l->loop, f);
			agenda_set(
			    loop_agenda(l->loop), &l->pause, loop_now_update(l->loop) + PAUSE_US);
			return;
		} else {
			return; /* nobody any more, or one that has gone */
		}
	}
}
