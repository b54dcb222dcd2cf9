/* The daemon's side of the daemon protocol: see helper.h. */
#include <sys/epoll.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/codec.h"
#include "ipc/helper.h"
#include "ipc/helper_impl.h"
#include "sys/log.h"
#include "sys/sock.h"

/*
 * Between attempts to reach a driver, the first and the longest: a driver that was restarted is
 * found at once, and waiting for ever costs nothing.
 */
#define AGAIN_MIN_US 5000
#define AGAIN_MAX_US 500000
/* After the kernel had no memory for a message. */
#define SEND_PAUSE_US 50000
/* Messages taken in one turn of the loop. */
#define MESSAGES_PER_TURN 64

struct helper_client {
	struct loop *loop;
	struct loop_fd fd; /* fd.fd -1: not connected */
	struct agenda_timer again;
	uint64_t again_us; /* how long the next wait is */
	struct agenda_timer resend;
	const char *path, *name;
	helper_handler *handle;
	helper_link_state *state;
	void *user;
	struct list calls;
	struct list out;
};

struct helper_call {
	struct list link;             /* in its client's list */
	struct helper_client *client; /* NULL once the driver is gone */
	json_t *request;
	json_int_t id;
	void (*cancelled)(void *user, struct helper_call *call);
	void *user;
};

/* A message that waits for room in the socket. */
struct message {
	struct list link;
	char *text;
	size_t len;
	int fd; /* owned, or -1 */
};

static void try_connect(struct agenda_timer *t);
static void try_send(struct agenda_timer *t);
static void fd_ready(struct loop_fd *f, uint32_t events);
static void disconnect(struct helper_client *c);
static void cancel(struct helper_call *call);
static void send_object(struct helper_client *c, json_t *object, int fd);
static bool flush(struct helper_client *c);

int
helper_client_new(struct loop *loop, const char *path, const char *name, helper_handler *handle,
    helper_link_state *state, void *user, struct helper_client **ret)
{
	struct helper_client *c = calloc(1, sizeof *c);

	if (c == NULL)
		return -ENOMEM;
	*c = (struct helper_client){ .loop = loop,
		.fd = { .fd = -1, .ready = fd_ready },
		.again = { .expired = try_connect },
		.again_us = AGAIN_MIN_US,
		.resend = { .expired = try_send },
		.path = path,
		.name = name,
		.handle = handle,
		.state = state,
		.user = user };
	list_init(&c->calls);
	list_init(&c->out);
	*ret = c;
	try_connect(&c->again);
	return 0;
}

void
helper_client_free(struct helper_client *c)
{
	struct list *node;

	if (c == NULL)
		return;
	while ((node = list_pop(&c->calls)) != NULL)
		LIST_ENTRY(node, struct helper_call, link)->client = NULL;
	c->state = NULL; /* nobody wants to know any more */
	if (c->fd.fd >= 0) {
		(void)flush(c); /* a last chance for answers; the driver asks again elsewhere */
		disconnect(c);
	}
	agenda_clear(loop_agenda(c->loop), &c->again);
	free(c);
}

/* ---- the connection ---- */

static void
again_later(struct helper_client *c)
{
	agenda_set(loop_agenda(c->loop), &c->again, loop_now_update(c->loop) + c->again_us);
	c->again_us = c->again_us * 2 < AGAIN_MAX_US ? c->again_us * 2 : AGAIN_MAX_US;
}

static void
try_connect(struct agenda_timer *t)
{
	struct helper_client *c = LIST_ENTRY(t, struct helper_client, again);
	int fd = sock_connect(c->path, SOCK_SEQPACKET | SOCK_NONBLOCK);

	if (fd >= 0) {
		c->fd.fd = fd;
		if (loop_watch(c->loop, &c->fd, EPOLLIN) < 0) {
			(void)close(fd); /* try again */
			c->fd.fd = -1;
		}
	} else if (fd != -ENOENT && fd != -ECONNREFUSED && fd != -EAGAIN) {
		log_debug(
		    "%s: cannot connect to the driver at %s: %s", c->name, c->path, strerror(-fd));
	}
	if (c->fd.fd < 0) {
		again_later(c);
		return;
	}
	helper_set_buffers(fd);
	if (c->state != NULL)
		c->state(c->user, true);
	send_object(c,
	    json_pack("{s:s, s:s, s:I}", "daemon", c->name, "version", OPENISW_VERSION, "pid",
		(json_int_t)getpid()),
	    -1);
}

static void
message_free(struct message *m)
{
	if (m->fd >= 0)
		(void)close(m->fd); /* the driver has its own copy, or nobody wants it */
	free(m->text);
	free(m);
}

/* The driver is gone, or we leave it.  What it asked for nobody wants now. */
static void
disconnect(struct helper_client *c)
{
	struct list orphans, *node;

	agenda_clear(loop_agenda(c->loop), &c->resend);
	loop_unwatch(c->loop, &c->fd);
	(void)close(c->fd.fd); /* what the kernel took it delivers */
	c->fd.fd = -1;
	while ((node = list_pop(&c->out)) != NULL)
		message_free(LIST_ENTRY(node, struct message, link));
	list_init(&orphans);
	list_splice_front(&orphans, &c->calls);
	again_later(c);
	while ((node = list_pop(&orphans)) != NULL) {
		struct helper_call *call = LIST_ENTRY(node, struct helper_call, link);

		call->client = NULL;
		cancel(call);
	}
	if (c->state != NULL)
		c->state(c->user, false);
}

/* Send what waits.  False: the driver is gone. */
static bool
flush(struct helper_client *c)
{
	while (!list_empty(&c->out)) {
		struct message *m = LIST_ENTRY(c->out.next, struct message, link);
		ssize_t n = sock_send(c->fd.fd, m->text, m->len, m->fd);

		if (n == -EAGAIN)
			break;
		/* Nobody tells when there is memory. */
		if (n == -ENOBUFS || n == -ENOMEM) {
			agenda_set(
			    loop_agenda(c->loop), &c->resend, loop_now(c->loop) + SEND_PAUSE_US);
			return true;
		}
		if (n < 0)
			return false;
		list_remove(&m->link);
		message_free(m);
	}
	return loop_rewatch(c->loop, &c->fd, list_empty(&c->out) ? EPOLLIN : EPOLLIN | EPOLLOUT) ==
	       0;
}

static void
try_send(struct agenda_timer *t)
{
	/* Where the driver is gone fd_ready() hears of it. */
	(void)flush(LIST_ENTRY(t, struct helper_client, resend));
}

/* Takes the object (NULL: no memory for it) and the descriptor. */
static void
send_object(struct helper_client *c, json_t *object, int fd)
{
	struct message *m = calloc(1, sizeof *m);
	int err = -ENOMEM;

	if (m != NULL) {
		m->fd = fd;
		if (object != NULL)
			err = ipc_print(object, HELPER_MESSAGE_BYTES - 1, &m->text, &m->len);
	} else if (fd >= 0) {
		(void)close(fd); /* it cannot be sent */
	}
	json_decref(object);
	if (err < 0) {
		/* The driver's own deadline ends what this should have answered. */
		log_err("%s: an answer cannot be made: %s", c->name, strerror(-err));
		if (m != NULL)
			message_free(m);
		return;
	}
	list_push_back(&c->out, &m->link);
	/*
	 * Where the driver is gone fd_ready() hears of it: disconnecting here would
	 * call back from inside an answer.
	 */
	(void)flush(c);
}

/* ---- requests ---- */

static void
cancel(struct helper_call *call)
{
	void (*cancelled)(void *user, struct helper_call *call) = call->cancelled;

	call->cancelled = NULL;
	if (cancelled != NULL)
		cancelled(call->user, call);
}

static void
take_cancel(struct helper_client *c, const json_t *args)
{
	const json_t *of = json_object_get(args, "of");

	LIST_EACH(node, tmp, &c->calls)
	{
		struct helper_call *call = LIST_ENTRY(node, struct helper_call, link);

		if (json_is_integer(of) && call->id == json_integer_value(of)) {
			cancel(call);
			return;
		}
	}
}

/* Takes the object.  False: it makes no sense. */
static bool
take_request(struct helper_client *c, json_t *object)
{
	const json_t *id = json_object_get(object, "id");
	const char *op = json_string_value(json_object_get(object, "op"));
	const json_t *args = json_object_get(object, "args");
	struct helper_call *call = NULL;

	if (json_is_integer(id) && op != NULL && json_is_object(args)) {
		if (strcmp(op, "cancel") == 0) {
			take_cancel(c, args);
			json_decref(object);
			return true;
		}
		call = calloc(1, sizeof *call);
	}
	if (call == NULL) {
		json_decref(object);
		return false;
	}
	call->client = c;
	call->request = object;
	call->id = json_integer_value(id);
	list_push_back(&c->calls, &call->link);
	/* Only this is a driver; one that hangs up at once is not to be kept busy. */
	c->again_us = AGAIN_MIN_US;
	c->handle(c->user, call);
	return true;
}

static void
fd_ready(struct loop_fd *f, uint32_t events)
{
	struct helper_client *c = LIST_ENTRY(f, struct helper_client, fd);
	char why[256] = "it is no request";

	if ((events & EPOLLOUT) != 0 && !flush(c)) {
		disconnect(c);
		return;
	}
	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		json_t *object;
		int fd, err = helper_receive(c->fd.fd, &object, &fd, why, sizeof why);

		if (err == 0)
			return;
		if (err > 0) {
			if (fd >= 0)
				(void)close(fd); /* the driver sends none */
			if (!take_request(c, object))
				err = -EBADMSG;
		}
		if (err == -EBADMSG)
			log_err("%s: the driver's message makes no sense: %s", c->name, why);
		if (err < 0) {
			disconnect(c);
			return;
		}
	}
}

const char *
helper_call_op(const struct helper_call *call)
{
	return json_string_value(json_object_get(call->request, "op"));
}

const json_t *
helper_call_args(const struct helper_call *call)
{
	return json_object_get(call->request, "args");
}

void
helper_call_on_cancel(
    struct helper_call *call, void (*cancelled)(void *user, struct helper_call *call), void *user)
{
	call->cancelled = cancelled;
	call->user = user;
}

/* The end of the call.  Takes the object and the descriptor. */
static void
finish(struct helper_call *call, json_t *object, int fd)
{
	struct helper_client *c = call->client;

	list_remove(&call->link);
	if (c != NULL) {
		send_object(c, object, fd);
	} else {
		json_decref(object);
		if (fd >= 0)
			(void)close(fd); /* nobody wants it */
	}
	json_decref(call->request);
	free(call);
}

void
helper_call_reply(struct helper_call *call, json_t *result, int fd)
{
	if (result == NULL)
		result = json_object();
	finish(call, json_pack("{s:I, s:b, s:o}", "id", call->id, "ok", 1, "result", result), fd);
}

void
helper_call_error(struct helper_call *call, int err, const char *message)
{
	finish(call,
	    json_pack("{s:I, s:b, s:{s:s, s:o}}", "id", call->id, "ok", 0, "error", "code",
		helper_errno_name(err), "message", ipc_text(message)),
	    -1);
}
