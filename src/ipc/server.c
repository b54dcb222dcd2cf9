/*
 * One object a connection, one a request.  A connection that has to end while
 * a request of it is being handled is only marked (`dead`), because the reading
 * loop below still stands on it; everybody else frees it at once.  Requests
 * outlive their connection: the handler holds them, and an answer to nobody is
 * thrown away.
 */
#include "ipc/server.h"

#include <sys/epoll.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/codec.h"
#include "ipc/server_impl.h"
#include "sys/identity.h"
#include "sys/log.h"

/* Requests of one client that are read in one turn of the loop, so that others get theirs. */
#define READS_PER_TURN 4
/* After the process ran out of descriptors. */
#define ACCEPT_PAUSE_US 500000

/* A line that waits for room in the socket. */
struct answer {
	struct list link;
	char *line;
	size_t len, sent;
	int fd; /* goes with its first byte; -1: none, or not any more */
};

static void conn_fd_ready(struct loop_fd *fd, uint32_t events);
static void conn_end(struct ipc_conn *c);
static bool conn_flush(struct ipc_conn *c);
static void watch_stall(struct ipc_conn *c);
static void stalled(struct agenda_timer *t);
static void let_ask(struct agenda_work *w);

/* ---- the server ---- */

bool
ipc_server_is_privileged(const struct sock_peer *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

static void
refuse(int fd)
{
	json_t *object = ipc_call_error_object(NULL, IPC_ERR_BUSY,
	    "The driver has as many clients as it serves at once.",
	    "Try again in a moment, and end commands that hang.", NULL);
	char *line;
	size_t len;

	if (object != NULL && ipc_print(object, LIMIT_IPC_LINE_BYTES, &line, &len) == 0) {
		/* A courtesy: a new socket takes it at once, and if not, closing says enough. */
		(void)sock_send(fd, line, len, -1);
		free(line);
	}
	json_decref(object);
	(void)close(fd); /* nothing of ours waits in it */
}

static void
accept_one(struct ipc_server *s, int fd)
{
	struct ipc_conn *c;
	struct sock_peer peer;

	if (sock_peer(fd, &peer) < 0) {
		(void)close(fd); /* it is gone already */
		return;
	}
	c = calloc(1, sizeof *c);
	if (c != NULL)
		c->user = ipc_quota_enter(&s->quota, peer.uid, !ipc_server_is_privileged(&peer));
	if (c == NULL || c->user == NULL) {
		refuse(fd);
		free(c);
		return;
	}
	c->server = s;
	c->peer = peer;
	c->may_inspect =
	    !c->user->is_stranger || (s->has_readers && sock_peer_is_member(fd, &peer, s->readers));
	c->stall.expired = stalled;
	c->fd = (struct loop_fd){ .fd = fd, .ready = conn_fd_ready };
	ipc_lines_init(&c->lines, LIMIT_IPC_REQUEST_BYTES);
	list_init(&c->calls);
	list_init(&c->out);
	if (loop_watch(s->loop, &c->fd, EPOLLIN) < 0) {
		refuse(fd);
		ipc_quota_leave(&s->quota, c->user);
		free(c);
		return;
	}
	list_push_back(&s->clients, &c->link);
	s->n_clients++;
}

static void
listener_ready(struct loop_fd *f, uint32_t events)
{
	struct ipc_server *s = LIST_ENTRY(f, struct ipc_server, fd);
	int fd;

	(void)events;
	while ((fd = sock_accept(f->fd)) >= 0)
		accept_one(s, fd);
	if (fd == -EAGAIN)
		return;
	/* Out of descriptors or memory: the listener stays readable, so look away for a while. */
	log_err("%s: cannot accept a client: %s; trying again", s->path, strerror(-fd));
	loop_unwatch(s->loop, f);
	agenda_set(loop_agenda(s->loop), &s->pause, loop_now(s->loop) + ACCEPT_PAUSE_US);
}

static void
pause_over(struct agenda_timer *t)
{
	struct ipc_server *s = LIST_ENTRY(t, struct ipc_server, pause);

	if (loop_watch(s->loop, &s->fd, EPOLLIN) < 0)
		agenda_set(loop_agenda(s->loop), t, loop_now(s->loop) + ACCEPT_PAUSE_US);
}

int
ipc_server_new(struct loop *loop, const char *path, mode_t mode, ipc_handler *handle, void *user,
    struct ipc_server **ret)
{
	struct ipc_server *s = calloc(1, sizeof *s);
	int err;

	if (s == NULL)
		return -ENOMEM;
	*s = (struct ipc_server){ .loop = loop,
		.fd = { .fd = -1, .ready = listener_ready },
		.pause = { .expired = pause_over },
		.path = strdup(path),
		.handle = handle,
		.user = user };
	list_init(&s->clients);
	ipc_quota_init(&s->quota);
	agenda_work_init(&s->let_ask, let_ask);
	/* Who may look at the files on disk: of an ordinary user's driver that is he alone. */
	s->has_readers = geteuid() == 0 && identity_readers(&s->readers);
	if (s->path == NULL) {
		free(s);
		return -ENOMEM;
	}
	s->fd.fd = sock_listen(path, SOCK_STREAM | SOCK_NONBLOCK, mode);
	err = s->fd.fd < 0 ? s->fd.fd : loop_watch(loop, &s->fd, EPOLLIN);
	if (err < 0) {
		if (s->fd.fd >= 0) {
			(void)close(s->fd.fd); /* the first error counts */
			(void)unlink(path);
		}
		free(s->path);
		free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void
ipc_server_free(struct ipc_server *s)
{
	if (s == NULL)
		return;
	loop_unwatch(s->loop, &s->fd);
	agenda_clear(loop_agenda(s->loop), &s->pause);
	(void)unlink(s->path); /* a file left behind does no harm */
	(void)close(s->fd.fd);
	LIST_EACH(node, tmp, &s->clients)
	{
		struct ipc_conn *c = LIST_ENTRY(node, struct ipc_conn, link);

		(void)conn_flush(c); /* what does not fit now is lost */
		conn_end(c);
	}
	agenda_cancel(&s->let_ask);
	free(s->path);
	free(s);
}

/* ---- a client ---- */

/* There may be room again for those whose requests had to wait. */
static void
give_back(struct ipc_conn *c, size_t bytes)
{
	ipc_quota_sub(&c->server->quota, c->user, bytes);
	if (c->user->is_stranger && bytes > 0)
		agenda_defer(loop_agenda(c->server->loop), &c->server->let_ask);
}

static void
answer_free(struct answer *a)
{
	if (a->fd >= 0)
		(void)close(a->fd); /* the other end has it, or learns by this that it is gone */
	ipc_wipe(a->line, a->len);  /* it may have secrets */
	free(a);
}

/* It gets no more answers; its calls stay with whoever works on them. */
static void
conn_end(struct ipc_conn *c)
{
	struct list *node;

	if (!c->is_dead) {
		c->is_dead = true;
		loop_unwatch(c->server->loop, &c->fd);
		(void)close(c->fd.fd); /* what the kernel took it delivers */
		while ((node = list_pop(&c->calls)) != NULL) {
			struct ipc_call *call = LIST_ENTRY(node, struct ipc_call, link);

			call->client = NULL;
			ipc_pieces_orphan(call);
		}
		agenda_clear(loop_agenda(c->server->loop), &c->stall);
		give_back(c, c->out_bytes);
		ipc_quota_leave(&c->server->quota, c->user);
		while ((node = list_pop(&c->out)) != NULL)
			answer_free(LIST_ENTRY(node, struct answer, link));
		list_remove(&c->link);
		c->server->n_clients--;
	}
	if (c->is_busy)
		return;
	ipc_lines_fini(&c->lines);
	free(c);
}

/* From now on there is so much time until the next byte is read. */
static void
watch_stall(struct ipc_conn *c)
{
	struct agenda *agenda = loop_agenda(c->server->loop);

	if (c->out_bytes == 0)
		agenda_clear(agenda, &c->stall);
	else if (c->user->is_stranger)
		agenda_set(
		    agenda, &c->stall, loop_now(c->server->loop) + LIMIT_IPC_STALL_MS * 1000ull);
}

static void
stalled(struct agenda_timer *t)
{
	struct ipc_conn *c = LIST_ENTRY(t, struct ipc_conn, stall);

	log_info("a client is dropped: process %ld of user %ld does not read its answers",
	    (long)c->peer.pid, (long)c->peer.uid);
	conn_end(c);
}

/* Wait for what is still to come: requests, room for answers, or only for its end. */
static void
conn_watch(struct ipc_conn *c)
{
	uint32_t events =
	    (c->at_end || !ipc_quota_may_ask(&c->server->quota, c->user) ? 0u : (uint32_t)EPOLLIN) |
	    (list_empty(&c->out) ? 0u : (uint32_t)EPOLLOUT);

	if (c->at_end && list_empty(&c->out) && c->n_calls == 0 && !c->is_waiting)
		conn_end(c);
	else if (loop_rewatch(c->server->loop, &c->fd, events) < 0)
		conn_end(c);
}

/* Send what waits.  False: the client is gone. */
static bool
conn_flush(struct ipc_conn *c)
{
	while (!list_empty(&c->out)) {
		struct answer *a = LIST_ENTRY(c->out.next, struct answer, link);
		ssize_t n = sock_send(c->fd.fd, a->line + a->sent, a->len - a->sent, a->fd);

		/* Without memory, too: its room is watched, and the kernel looks for memory each
		 * time. */
		if (n == -EAGAIN || n == -ENOBUFS || n == -ENOMEM)
			return true;
		if (n < 0)
			return false;
		if (a->fd >= 0)
			(void)close(a->fd); /* it was sent */
		a->fd = -1;
		a->sent += (size_t)n;
		c->out_bytes -= (size_t)n;
		give_back(c, (size_t)n);
		watch_stall(c);
		if (a->sent < a->len)
			continue;
		list_remove(&a->link);
		answer_free(a);
	}
	return true;
}

void
ipc_server_send(struct ipc_conn *c, json_t *object)
{
	ipc_server_send_fd(c, object, -1);
}

void
ipc_server_send_fd(struct ipc_conn *c, json_t *object, int fd)
{
	struct answer *a = calloc(1, sizeof *a);
	int err = -ENOMEM;

	if (object != NULL && a != NULL)
		err = ipc_print(object, LIMIT_IPC_LINE_BYTES, &a->line, &a->len);
	if (err == -EMSGSIZE) {
		json_int_t id = json_integer_value(json_object_get(object, "id"));
		json_t *instead = ipc_call_error_object(&id, IPC_ERR_INTERNAL,
		    "The answer is longer than the protocol allows.", "Ask for less at once.",
		    NULL);

		err = ipc_print(instead, LIMIT_IPC_LINE_BYTES, &a->line, &a->len);
		json_decref(instead);
	}
	json_decref(object);
	if (err < 0) {
		/* Without its answer the client would wait for ever. */
		log_err("a client is dropped: its answer cannot be made: %s", strerror(-err));
		if (fd >= 0)
			(void)close(fd); /* it has no use */
		free(a);
		conn_end(c);
		return;
	}
	a->fd = fd;
	list_push_back(&c->out, &a->link);
	c->out_bytes += a->len;
	ipc_quota_add(&c->server->quota, c->user, a->len);
	if (c->out_bytes == a->len)
		watch_stall(c);
	if (!conn_flush(c)) {
		conn_end(c);
		return;
	}
	if (c->out_bytes > LIMIT_IPC_QUEUE_BYTES) {
		log_warn("a client is dropped: process %ld does not read its answers",
		    (long)c->peer.pid);
		conn_end(c);
		return;
	}
	conn_watch(c);
}

/* Where not: it is remembered that there may be something to read. */
static bool
may_ask(struct ipc_conn *c)
{
	c->is_waiting = !ipc_quota_may_ask(&c->server->quota, c->user);
	return !c->is_waiting;
}

/*
 * Handle each whole line that came, as long as the user may ask.  False: the client is
 * to be ended.
 */
static bool
take_lines(struct ipc_conn *c)
{
	char *line;
	size_t len;
	int err = 0;

	c->is_waiting = false;
	while (may_ask(c) && (err = ipc_lines_next(&c->lines, &line, &len)) > 0) {
		ipc_call_begin(c, line, len);
		if (c->is_dead)
			return false;
	}
	if (err != -EMSGSIZE)
		return true;
	ipc_server_send(c, ipc_call_error_object(NULL, IPC_ERR_INVALID,
			       "The request is longer than the protocol allows.",
			       "Send at most one request a line.", NULL));
	return false;
}

/* Take what came.  False: the client is to be ended. */
static bool
conn_read(struct ipc_conn *c)
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		char *line, *room;
		size_t len, cap;
		ssize_t n;

		if (!may_ask(c))
			return true;
		room = ipc_lines_room(&c->lines, &cap);
		if (room == NULL)
			return false;
		n = sock_recv(c->fd.fd, room, cap, NULL);
		if (n == -EAGAIN) {
			(void)ipc_lines_next(
			    &c->lines, &line, &len); /* gives memory back; has no line */
			return true;
		}
		if (n < 0)
			return false;
		if (n == 0) {
			c->at_end = true;
			return true;
		}
		ipc_lines_added(&c->lines, (size_t)n);
		if (!take_lines(c))
			return false;
	}
	return true;
}

static void
conn_fd_ready(struct loop_fd *f, uint32_t events)
{
	struct ipc_conn *c = LIST_ENTRY(f, struct ipc_conn, fd);
	bool is_alive = true;

	c->is_busy = true;
	if ((events & EPOLLOUT) != 0)
		is_alive = conn_flush(c);
	if (is_alive && (events & EPOLLOUT) != 0)
		ipc_pieces_flushed(c);
	if (is_alive && (events & EPOLLIN) != 0)
		is_alive = conn_read(c);
	else if (is_alive && (events & (EPOLLHUP | EPOLLERR)) != 0)
		is_alive = false;
	if (is_alive && !c->is_dead)
		is_alive = take_lines(c); /* those that had to wait come first */
	c->is_busy = false;
	if (is_alive && !c->is_dead)
		conn_watch(c);
	else
		conn_end(c);
}

/* Somebody whose requests had to wait, and who may ask now; NULL: nobody. */
static struct ipc_conn *
next_waiting(struct ipc_server *s)
{
	LIST_EACH(node, tmp, &s->clients)
	{
		struct ipc_conn *c = LIST_ENTRY(node, struct ipc_conn, link);

		if (c->is_waiting && ipc_quota_may_ask(&s->quota, c->user))
			return c;
	}
	return NULL;
}

/* At the end of a turn, so that nobody else stands on a connection that ends here. */
static void
let_ask(struct agenda_work *w)
{
	struct ipc_server *s = LIST_ENTRY(w, struct ipc_server, let_ask);
	struct ipc_conn *c;

	while ((c = next_waiting(s)) != NULL)
		conn_fd_ready(&c->fd, 0);
}
