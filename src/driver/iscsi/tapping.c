#include "driver/iscsi/tapping.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/mail.h"

/* What one datagram carries, and one turn sends, so that others have their turn. */
#define DATAGRAM_BYTES (64u << 10)
#define TURN_DATAGRAMS 16

/* A capture, on this worker. */
struct capture {
	struct list link;
	struct list listeners;
	struct tapping *tapping;
	struct mail_capture *question;
	struct tapring ring;
	struct agenda_work drain;
	struct loop_fd fd; /* whom it is sent to; watched while it takes nothing */
	bool is_behind;    /* there is a connection that it could not be told of */
	bool is_ending;    /* it listens no more */
	bool is_told;      /* of its end, in the ring */
};

/* A capture's ear on a connection. */
struct listener {
	struct list in_line, in_capture;
	struct tapping_line *line;
	struct tap tap;
};

void
tapping_init(struct tapping *t, struct loop *loop)
{
	t->loop = loop;
	list_init(&t->lines);
	list_init(&t->captures);
}

static void
put(struct capture *c, enum tapring_kind kind, const struct tapping_line *line, bool is_reset)
{
	struct tapring_record r = { .kind = (uint8_t)kind,
		.is_reset = is_reset,
		.at_us = loop_now(c->tapping->loop),
		.connection = line->connection };

	(void)tapring_put(&c->ring, &r, NULL, 0); /* a close that has no room is not told */
}

/* ---- listeners ---- */

static bool
is_wanted(const struct capture *c, const struct tapping_line *line)
{
	const struct mail_capture *q = c->question;

	return line->sess != NULL && (q->session < 0 || q->session == line->open.session);
}

static bool
hears(const struct capture *c, const struct tapping_line *line)
{
	LIST_EACH(node, tmp, &line->listeners)
	if (LIST_ENTRY(node, struct listener, in_line)->tap.ring == &c->ring)
		return true;
	return false;
}

static void
attach(struct capture *c, struct tapping_line *line)
{
	const struct tapring_part part = { &line->open, sizeof line->open };
	struct tapring_record r = { .kind = TAPRING_OPEN,
		.at_us = loop_now(c->tapping->loop),
		.connection = line->connection };
	struct listener *l;

	if (!is_wanted(c, line) || hears(c, line))
		return;
	/* Of what nobody knows nothing is told; it is tried again when there is room. */
	if (!tapring_put(&c->ring, &r, &part, 1)) {
		c->is_behind = true;
		return;
	}
	l = call_alloc(sizeof *l);
	l->line = line;
	l->tap = (struct tap){ .ring = &c->ring,
		.connection = line->connection,
		.snap = c->question->snap,
		.has_secrets = c->question->has_secrets };
	list_push_back(&line->listeners, &l->in_line);
	list_push_back(&c->listeners, &l->in_capture);
	sess_tap(line->sess, &l->tap);
}

static void
detach(struct listener *l)
{
	sess_untap(l->line->sess, &l->tap);
	list_remove(&l->in_line);
	list_remove(&l->in_capture);
	free(l);
}

void
tapping_open(struct tapping *t, struct tapping_line *line, struct sess *s, int32_t instance,
    const char *local, const char *peer)
{
	line->sess = s;
	line->connection = t->connections++;
	line->open = (struct tapring_open){ .session = instance };
	cut_copy(line->open.local, sizeof line->open.local, local);
	cut_copy(line->open.peer, sizeof line->open.peer, peer);
	list_init(&line->listeners);
	list_push_back(&t->lines, &line->link);
	LIST_EACH(node, tmp, &t->captures)
	attach(LIST_ENTRY(node, struct capture, link), line);
	line->open.is_begun = true; /* for those who come later */
}

void
tapping_close(struct tapping *t, struct tapping_line *line, bool is_reset)
{
	(void)t;
	if (line->sess == NULL)
		return;
	LIST_EACH(node, tmp, &line->listeners)
	{
		struct listener *l = LIST_ENTRY(node, struct listener, in_line);
		struct capture *c = LIST_ENTRY(l->tap.ring, struct capture, ring);

		detach(l);
		put(c, TAPRING_CLOSE, line, is_reset);
	}
	list_remove(&line->link);
	line->sess = NULL;
}

/* ---- what is recorded goes out ---- */

static void
finish(struct capture *c)
{
	struct mail_capture *q = c->question;

	LIST_EACH(node, tmp, &c->listeners)
	detach(LIST_ENTRY(node, struct listener, in_capture));
	loop_unwatch(c->tapping->loop, &c->fd);
	agenda_cancel(&c->drain);
	list_remove(&c->link);
	(void)close(c->fd.fd); /* what it took it delivers */
	free(c->ring.bytes);
	free(c);
	q->fd = -1;
	mail_answer(&q->base.mail);
}

/* The end, behind everything else. */
static void
tell_end(struct capture *c)
{
	struct tapring_record r = { .kind = TAPRING_END, .at_us = loop_now(c->tapping->loop) };

	c->is_told = tapring_put(&c->ring, &r, NULL, 0);
}

/* Send a datagram: the worker's number, and bytes of the ring.  Bytes, or a negative errno. */
static ssize_t
send_some(struct capture *c)
{
	const uint8_t *p;
	size_t n = tapring_peek(&c->ring, &p);
	struct iovec iov[2] = {
		{ .iov_base = &c->question->worker, .iov_len = sizeof c->question->worker },
		{ .iov_base = (void *)(uintptr_t)p,
		    .iov_len = n < DATAGRAM_BYTES ? n : DATAGRAM_BYTES },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	if (n == 0)
		return 0;
	if (sendmsg(c->fd.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	tapring_took(&c->ring, iov[1].iov_len);
	return (ssize_t)iov[1].iov_len;
}

/* The ring is empty, so there is room. */
static void
all_sent(struct capture *c)
{
	bool was_behind = c->is_behind;

	if (c->is_told) {
		finish(c);
		return;
	}
	if (c->is_ending) {
		tell_end(c); /* and drained again */
		return;
	}
	c->is_behind = false;
	if (was_behind)
		LIST_EACH(node, tmp, &c->tapping->lines)
	attach(c, LIST_ENTRY(node, struct tapping_line, link));
}

static void
drain_now(struct capture *c)
{
	struct loop *loop = c->tapping->loop;
	ssize_t n = 1;

	for (int i = 0; i < TURN_DATAGRAMS && n > 0; i++)
		n = send_some(c);
	if (n > 0) {
		agenda_defer(loop_agenda(loop), &c->drain);
		return;
	}
	if (n == 0) {
		loop_unwatch(loop, &c->fd);
		all_sent(c);
		return;
	}
	/* Full: what is recorded meanwhile waits in the ring, or is dropped there. */
	if ((n == -EAGAIN || n == -ENOBUFS || n == -ENOMEM) &&
	    (c->fd.watched || loop_watch(loop, &c->fd, EPOLLOUT) == 0))
		return;
	finish(c); /* nobody reads it any more */
}

static void
drain(struct agenda_work *w)
{
	struct capture *c = LIST_ENTRY(w, struct capture, drain);

	/* While the socket takes nothing it is not tried: its readiness is watched. */
	if (!c->fd.watched)
		drain_now(c);
}

static void
ready(struct loop_fd *f, uint32_t events)
{
	(void)events;
	drain_now(LIST_ENTRY(f, struct capture, fd));
}

/* ---- captures ---- */

void
tapping_begin(struct tapping *t, struct mail_capture *q)
{
	struct capture *c = call_alloc(sizeof *c);

	c->tapping = t;
	c->question = q;
	c->fd = (struct loop_fd){ .fd = q->fd, .ready = ready };
	c->ring = (struct tapring){ .bytes = malloc(LIMIT_CAPTURE_BYTES),
		.size = LIMIT_CAPTURE_BYTES,
		.agenda = loop_agenda(t->loop),
		.work = &c->drain };
	list_init(&c->listeners);
	agenda_work_init(&c->drain, drain);
	list_push_back(&t->captures, &c->link);
	if (c->ring.bytes == NULL) {
		finish(c);
		return;
	}
	LIST_EACH(node, tmp, &t->lines)
	attach(c, LIST_ENTRY(node, struct tapping_line, link));
}

static void
end(struct capture *c)
{
	if (c->is_ending)
		return;
	c->is_ending = true;
	LIST_EACH(node, tmp, &c->listeners)
	detach(LIST_ENTRY(node, struct listener, in_capture));
	agenda_defer(loop_agenda(c->tapping->loop), &c->drain);
}

void
tapping_end(struct tapping *t, uint32_t id)
{
	LIST_EACH(node, tmp, &t->captures)
	{
		struct capture *c = LIST_ENTRY(node, struct capture, link);

		if (c->question->id == id)
			end(c);
	}
}

void
tapping_fini(struct tapping *t)
{
	LIST_EACH(node, tmp, &t->captures)
	finish(LIST_ENTRY(node, struct capture, link));
}

/* ---- its messages ---- */

void
tapping_refuse_capture(struct mail *m)
{
	struct mail_capture *q = LIST_ENTRY(m, struct mail_capture, base.mail);

	if (q->fd >= 0)
		(void)close(q->fd); /* nothing was sent to it */
	q->fd = -1;
}

void
tapping_drop_capture(struct mail *m)
{
	tapping_refuse_capture(m);
	free(LIST_ENTRY(m, struct mail_capture, base.mail));
}
