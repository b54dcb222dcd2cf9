/*
 * session.capture: workers record what passes and send it themselves, on a socket whose other end
 * the client gets with the first progress.  It ends when the client closes that, or shuts it down
 * for writing: then it has the rest first.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/iothread.h"
#include "driver/iscsi/wanted.h"

struct capture {
	struct later later; /* first: freed as one */
	struct list link;   /* driver.captures */
	struct loop_fd fd;  /* the driver's end; watched until the client is done */
	uint32_t id;
	struct mail_capture *part[DRIVER_WORKERS_MAX]; /* the workers' questions that are away */
	unsigned n_parts;
};

/* What is asked for; false with *ret_fault. */
static bool
check(struct driver *d, struct ipc_call *call, struct mail_capture *ret, struct fault *ret_fault)
{
	int64_t snap = ipc_call_arg_int(call, "snap", 0);

	ret->session = ipc_call_arg_int(call, "instance", -1);
	ret->has_secrets = ipc_call_arg_bool(call, "secrets", false);
	if (ipc_call_arg_given(call, "instance") &&
	    (ret->session < 0 || ret->session >= LIMIT_SESSIONS ||
		wanted_find(d, (uint32_t)ret->session) == NULL))
		fault_set(ret_fault, FAULT_NOTFOUND, "list them: iscsiutil -p -S",
		    "there is no session %lld", (long long)ret->session);
	else if (snap < 0 || snap > LIMIT_CAPTURE_SNAP)
		fault_set(ret_fault, FAULT_INVALID, "give a number in this range",
		    "snap %lld is not from 0 to %u", (long long)snap, LIMIT_CAPTURE_SNAP);
	else if (d->n_captures >= LIMIT_CAPTURES)
		fault_set(ret_fault, FAULT_BUSY, "end one of them",
		    "%u captures are running, and no more can", d->n_captures);
	ret->snap = (uint32_t)snap;
	return !ret_fault->is_set;
}

static void
capture_free(struct capture *c)
{
	struct driver *d = c->later.d;

	for (unsigned i = 0; i < c->n_parts; i++)
		c->part[i]->base.user = NULL;
	loop_unwatch(d->loop, &c->fd);
	(void)close(c->fd.fd); /* the workers have theirs */
	list_remove(&c->link);
	d->n_captures--;
	ipc_call_reply(c->later.call, NULL);
	later_free(&c->later);
}

/* A worker's part has ended: by itself, where nobody reads, or because it was told. */
static void
part_ended(struct question *q)
{
	struct capture *c = q->user;

	if (c != NULL)
		for (unsigned i = 0; i < c->n_parts; i++)
			if (&c->part[i]->base == q) {
				c->part[i] = c->part[--c->n_parts];
				break;
			}
	free(q);
	if (c != NULL && c->n_parts == 0)
		capture_free(c);
}

static void
tell_end(const struct capture *c)
{
	const struct driver *d = c->later.d;

	for (unsigned i = 0; i < d->n_iothreads; i++) {
		struct mail_uncapture *m = call_alloc(sizeof *m);

		m->id = c->id;
		mail_tell(&m->mail, &mail_uncapture, &d->iothreads[i]->slot.at);
	}
}

/* The client has enough, or is gone. */
static void
client_done(struct loop_fd *f, uint32_t events)
{
	struct capture *c = LIST_ENTRY(f, struct capture, fd);

	(void)events;
	loop_unwatch(c->later.d->loop, f);
	tell_end(c);
}

void
control_end_captures(struct driver *d)
{
	while (!list_empty(&d->captures)) {
		struct capture *c = LIST_ENTRY(d->captures.next, struct capture, link);

		tell_end(c);
		capture_free(c);
	}
}

/* Of the system's clock, nanoseconds: what the loop's clock has to be added to. */
static int64_t
clock_offset(struct driver *d)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec -
	       (int64_t)loop_now_update(d->loop) * 1000;
}

static void
ask_workers(struct capture *c, const struct mail_capture *what)
{
	struct driver *d = c->later.d;

	for (unsigned i = 0; i < d->n_iothreads; i++) {
		int fd = fcntl(c->fd.fd, F_DUPFD_CLOEXEC, 3);
		struct mail_capture *q;

		if (fd < 0)
			continue; /* no descriptor: what this worker has is not recorded */
		q = question_new(sizeof *q, part_ended, c);
		q->id = c->id;
		q->worker = i;
		q->fd = fd;
		q->session = what->session;
		q->snap = what->snap;
		q->has_secrets = what->has_secrets;
		c->part[c->n_parts++] = q;
		mail_ask(&q->base.mail, &mail_capture, &d->iothreads[i]->slot.at, &d->slot.at);
	}
}

static void
begin(struct driver *d, struct ipc_call *call, const struct mail_capture *what, const int fds[2])
{
	struct capture *c = call_alloc(sizeof *c);

	c->later = (struct later){ d, call };
	c->fd = (struct loop_fd){ .fd = fds[0], .ready = client_done };
	c->id = d->capture_ids++;
	list_push_back(&d->captures, &c->link);
	d->n_captures++;
	ask_workers(c, what);
	ipc_call_progress_fd(call,
	    json_pack("{s:{s:i, s:i, s:I}}", "capture", "version", TAPRING_VERSION, "workers",
		(int)d->n_iothreads, "clock_ns", (json_int_t)clock_offset(d)),
	    fds[1]);
	/* Without descriptors it is over, and the client sees that nobody has ended in order. */
	if (c->n_parts == 0)
		capture_free(c);
	else if (loop_watch(d->loop, &c->fd, EPOLLRDHUP) < 0)
		tell_end(c); /* without it nobody would know when it ends */
}

void
op_session_capture(struct driver *d, struct ipc_call *call)
{
	struct mail_capture what = { 0 };
	struct fault f = { 0 };
	int fds[2];

	if (check(d, call, &what, &f) &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		fault_set(&f, FAULT_INTERNAL, "see what has so many files open",
		    "no socket can be made: %s", strerror(errno));
	if (f.is_set)
		control_fail(call, &f, NULL);
	else
		begin(d, call, &what, fds);
}
