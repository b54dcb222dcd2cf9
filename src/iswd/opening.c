#include "iswd/opening.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/*
 * A peer that vanished without a word is noticed 45 seconds after it was last
 * heard, with data in flight or without.  NOP-Ins are quicker where a session
 * sends them; this is for those that do not.
 */
#define KEEPALIVE_IDLE_S     30
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT      3
#define SILENCE_MAX_MS       ((KEEPALIVE_IDLE_S + KEEPALIVE_INTERVAL_S * KEEPALIVE_COUNT) * 1000)

static int
set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

/* Buffers are left alone: a fixed size would switch the kernel's autotuning off. */
static int
tune(int fd)
{
	int err = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (err == 0)
		err = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (err == 0)
		err = set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	if (err == 0)
		err = set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	if (err == 0)
		err = set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
	/* Only now that it is connected: before, it would cut the request's own time short. */
	if (err == 0)
		err = set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SILENCE_MAX_MS);
	return err;
}

/*
 * A connection to a port of this host that nobody listens at can meet itself,
 * when the kernel happens to choose the same port for this end (RFC 9293,
 * section 3.5, simultaneous open).
 */
static bool
is_self_connected(int fd)
{
	struct literal a = { .len = sizeof a.addr }, b = { .len = sizeof b.addr };

	memset(&a.addr, 0, sizeof a.addr);
	memset(&b.addr, 0, sizeof b.addr);
	return getsockname(fd, (struct sockaddr *)&a.addr, &a.len) == 0 &&
	       getpeername(fd, (struct sockaddr *)&b.addr, &b.len) == 0 &&
	       memcmp(&a.addr, &b.addr, sizeof a.addr) == 0;
}

static void
finish(struct opening *o, int err)
{
	int fd = o->sock.fd;

	loop_unwatch(o->loop, &o->sock);
	agenda_clear(loop_agenda(o->loop), &o->deadline);
	o->sock.fd = -1;
	if (err < 0) {
		close(fd);
		fd = -1;
	}
	o->done(o, err, fd);
}

static void
sock_ready(struct loop_fd *f, uint32_t events)
{
	struct opening *o = LIST_ENTRY(f, struct opening, sock);
	int err = 0;
	socklen_t len = sizeof err;

	(void)events;
	if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err == 0 && is_self_connected(f->fd))
		err = ECONNREFUSED;
	finish(o, err != 0 ? -err : tune(f->fd));
}

static void
deadline_passed(struct agenda_timer *t)
{
	finish(LIST_ENTRY(t, struct opening, deadline), -ETIMEDOUT);
}

static int
bind_local(struct opening *o, int fd, const struct opening_args *a)
{
	if (a->interface[0] != '\0') {
		o->step = OPENING_INTERFACE;
		if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, a->interface,
			(socklen_t)strlen(a->interface)) < 0)
			return -errno;
	}
	if (a->congestion_control[0] != '\0') {
		o->step = OPENING_CONGESTION_CONTROL;
		if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, a->congestion_control,
			(socklen_t)strlen(a->congestion_control)) < 0)
			return -errno;
	}
	if (a->source.len > 0) {
		o->step = OPENING_SOURCE;
		/* Leaves the port to connect(), which can use one again for another peer. */
		int err = set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);

		if (err < 0)
			return err;
		if (bind(fd, (const struct sockaddr *)&a->source.addr, a->source.len) < 0)
			return -errno;
	}
	return 0;
}

static int
start_connect(struct opening *o, int fd, const struct opening_args *a)
{
	int err = bind_local(o, fd, a);

	if (err < 0)
		return err;
	o->step = OPENING_CONNECT;
	if (connect(fd, (const struct sockaddr *)&a->peer.addr, a->peer.len) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	/* Also where it is connected already, so that done() has one way to be called. */
	o->sock = (struct loop_fd){ .fd = fd, .ready = sock_ready };
	return loop_watch(o->loop, &o->sock, EPOLLOUT);
}

int
opening_start(struct opening *o, struct loop *loop, const struct opening_args *args)
{
	int fd, err;

	o->loop = loop;
	o->step = OPENING_SOCKET;
	o->deadline = (struct agenda_timer){ .expired = deadline_passed };
	fd = socket(args->peer.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = start_connect(o, fd, args);
	if (err < 0) {
		close(fd);
		return err;
	}
	agenda_set(loop_agenda(loop), &o->deadline, loop_now_update(loop) + args->timeout_us);
	return 0;
}

void
opening_cancel(struct opening *o)
{
	loop_unwatch(o->loop, &o->sock);
	agenda_clear(loop_agenda(o->loop), &o->deadline);
	close(o->sock.fd);
	o->sock.fd = -1;
}
