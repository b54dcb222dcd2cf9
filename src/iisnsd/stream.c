#include "iisnsd/stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES     16384
#define READS_PER_TURN 8

static void ready(struct loop_fd *f, uint32_t events);

void
stream_init(struct stream *s, struct loop *loop, size_t message_bytes)
{
	s->loop = loop;
	s->sock = (struct loop_fd){ .fd = -1, .ready = ready };
	s->is_connecting = false;
	s->out_n = 0;
	assemble_init(&s->in, message_bytes);
}

void
stream_close(struct stream *s)
{
	if (s->sock.fd < 0)
		return;
	loop_unwatch(s->loop, &s->sock);
	(void)close(s->sock.fd); /* nothing is lost with it */
	s->sock.fd = -1;
	s->out_n = 0;
	s->is_connecting = false;
	assemble_fini(&s->in);
}

bool
stream_is_open(const struct stream *s)
{
	return s->sock.fd >= 0;
}

bool
stream_is_amid(const struct stream *s)
{
	return s->in.head_n > 0 || (s->in.pdus > 0 && !s->in.is_whole);
}

static void
fail(struct stream *s, int err, const char *why)
{
	stream_close(s);
	s->failed(s, err, why);
}

int
stream_start(struct stream *s, int fd, bool is_connected)
{
	int err;

	s->sock.fd = fd;
	s->is_connecting = !is_connected;
	err = loop_watch(s->loop, &s->sock, is_connected ? EPOLLIN : EPOLLOUT);
	if (err < 0) {
		(void)close(fd);
		s->sock.fd = -1;
	}
	return err;
}

/* 0, or a negative errno; what could not be sent is left. */
static int
flush(struct stream *s)
{
	size_t sent = 0;
	int err = 0;

	while (sent < s->out_n && err == 0) {
		ssize_t n = send(s->sock.fd, s->out + sent, s->out_n - sent, MSG_NOSIGNAL);

		if (n >= 0)
			sent += (size_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
	s->out_n -= sent;
	memmove(s->out, s->out + sent, s->out_n);
	if (err < 0 && err != -EAGAIN)
		return err;
	return loop_rewatch(s->loop, &s->sock, s->out_n > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

bool
stream_send(struct stream *s, const uint8_t *bytes, size_t n)
{
	int err = 0;

	if (s->sock.fd < 0 || n > sizeof s->out - s->out_n)
		return false;
	memcpy(s->out + s->out_n, bytes, n);
	s->out_n += n;
	if (!s->is_connecting)
		err = flush(s);
	if (err < 0)
		fail(s, err, strerror(-err));
	return err == 0;
}

/* False: the stream is closed. */
static bool
take(struct stream *s, const uint8_t *bytes, size_t n)
{
	enum isnsp_result result;
	bool is_whole;

	for (size_t at = 0; at < n;) {
		at += assemble_take(&s->in, bytes + at, n - at, &is_whole, &result);
		if (result != ISNSP_IS_OK) {
			fail(s, -EPROTO, isnsp_result_text(result));
			return false;
		}
		if (is_whole)
			s->message(s, &s->in);
		if (s->sock.fd < 0)
			return false;
	}
	return true;
}

static void
receive(struct stream *s)
{
	uint8_t buf[READ_BYTES];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(s->sock.fd, buf, sizeof buf, 0);
		int err = n < 0 ? errno : 0;

		if (n == 0 && !stream_is_amid(s))
			fail(s, 0, "it has closed the connection");
		else if (n == 0)
			fail(s, -ECONNRESET,
			    "it has closed the connection in the middle of a message");
		else if (n < 0 && err != EAGAIN && err != EINTR)
			fail(s, -err, strerror(err));
		if (s->sock.fd < 0 || (n > 0 && !take(s, buf, (size_t)n)))
			return;
		if (n <= 0)
			break;
	}
	if (stream_is_amid(s))
		s->amid(s);
}

static void
connect_ended(struct stream *s)
{
	int err = 0;
	socklen_t len = sizeof err;

	if (getsockopt(s->sock.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err == 0)
		err = -flush(s);
	if (err != 0) {
		fail(s, -err, strerror(err));
		return;
	}
	s->is_connecting = false;
	s->connected(s);
}

static void
ready(struct loop_fd *f, uint32_t events)
{
	struct stream *s = LIST_ENTRY(f, struct stream, sock);
	int err;

	if (s->is_connecting) {
		connect_ended(s);
		return;
	}
	if ((events & EPOLLOUT) != 0 && (err = flush(s)) < 0) {
		fail(s, err, strerror(-err));
		return;
	}
	receive(s);
}
