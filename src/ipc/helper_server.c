/*
 * The driver's side of the daemon protocol.  A request lives until it is
 * answered, cancelled or overdue, whatever happens to the daemon: while there
 * is none, and again when it dies, the request stands in `unsent`, and whoever
 * announces itself next gets all of them, in order.  What the daemons do can be
 * asked twice without harm: a connection that was opened for nobody is closed
 * with its socket.
 */
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

/* How long a connection may take to announce itself. */
#define ANNOUNCE_US 5000000
/* After the process ran out of descriptors. */
#define ACCEPT_PAUSE_US 500000
/* After the kernel had no memory for a request. */
#define SEND_PAUSE_US 50000
/* Messages taken in one turn of the loop. */
#define MESSAGES_PER_TURN 64
/* Answers to nothing that one connection may send; those to cancelled requests do not count. */
#define STRAYS_MAX 16
/* Sentences about refused connections: one in so long, with a count of the others. */
#define REFUSED_PACE_US 10000000

struct helper_server {
	struct loop *loop;
	struct loop_fd listener;
	struct agenda_timer pause;
	struct loop_fd fd;          /* the daemon's connection; fd.fd -1: none */
	struct agenda_timer silent; /* it has not announced itself */
	struct agenda_timer again;  /* when what is unsent is tried again */
	char *path, *pid_path;
	const char *name;
	helper_state *state;
	void *user;
	pid_t pid; /* 0 until it announced itself */
	struct list unsent, sent;
	int64_t last_id;
	unsigned n_owed;     /* cancelled requests that the daemon still answers */
	unsigned n_strays;   /* answers to nothing */
	uint64_t refused_us; /* when a refusal was logged last, 0: never */
	unsigned n_refused;  /* since then */
};

struct request {
	struct list link; /* unsent or sent */
	struct helper_server *server;
	struct agenda_timer overdue;
	int64_t id;
	bool was_sent; /* ever, to whatever daemon */
	char *text;
	size_t len;
	helper_answer *answer;
	void *user;
};

static void listener_ready(struct loop_fd *f, uint32_t events);
static void pause_over(struct agenda_timer *t);
static void fd_ready(struct loop_fd *f, uint32_t events);
static void silent_too_long(struct agenda_timer *t);
static void try_again(struct agenda_timer *t);
static void request_overdue(struct agenda_timer *t);
static void request_end(struct request *r, int err, const char *why, const json_t *result, int fd);
static void send_unsent(struct helper_server *h);
static void daemon_gone(struct helper_server *h);

int
helper_server_new(struct loop *loop, const char *path, const char *pid_path, const char *name,
    helper_state *state, void *user, struct helper_server **ret)
{
	struct helper_server *h = calloc(1, sizeof *h);
	int err;

	if (h == NULL)
		return -ENOMEM;
	*h = (struct helper_server){ .loop = loop,
		.listener = { .fd = -1, .ready = listener_ready },
		.pause = { .expired = pause_over },
		.fd = { .fd = -1, .ready = fd_ready },
		.silent = { .expired = silent_too_long },
		.again = { .expired = try_again },
		.path = strdup(path),
		.pid_path = strdup(pid_path),
		.name = name,
		.state = state,
		.user = user };
	list_init(&h->unsent);
	list_init(&h->sent);
	if (h->path == NULL || h->pid_path == NULL) {
		err = -ENOMEM;
		goto fail;
	}
	h->listener.fd = sock_listen(path, SOCK_SEQPACKET | SOCK_NONBLOCK, 0600);
	err = h->listener.fd < 0 ? h->listener.fd : helper_open_to_group(path);
	if (err == 0)
		err = loop_watch(loop, &h->listener, EPOLLIN);
	if (err < 0) {
		if (h->listener.fd >= 0) {
			(void)close(h->listener.fd); /* the first error counts */
			(void)unlink(path);
		}
		goto fail;
	}
	*ret = h;
	return 0;
fail:
	free(h->pid_path);
	free(h->path);
	free(h);
	return err;
}

void
helper_server_free(struct helper_server *h)
{
	struct list *node;

	if (h == NULL)
		return;
	h->state = NULL; /* nobody wants to know any more */
	if (h->fd.fd >= 0)
		daemon_gone(h);
	while ((node = list_pop(&h->unsent)) != NULL)
		request_end(LIST_ENTRY(node, struct request, link), -ECANCELED,
		    "the driver is ending", NULL, -1);
	loop_unwatch(h->loop, &h->listener);
	agenda_clear(loop_agenda(h->loop), &h->pause);
	(void)unlink(h->path); /* a file left behind does no harm */
	(void)close(h->listener.fd);
	free(h->pid_path);
	free(h->path);
	free(h);
}

pid_t
helper_server_pid(const struct helper_server *h)
{
	return h->pid;
}

/* ---- requests ---- */

int64_t
helper_server_request(struct helper_server *h, const char *op, json_t *args, uint64_t deadline_us,
    helper_answer *answer, void *user)
{
	struct request *r = calloc(1, sizeof *r);
	json_t *object = NULL;
	int err = -EINVAL;

	if (json_is_object(args) && r != NULL)
		object = json_pack(
		    "{s:I, s:s, s:O}", "id", (json_int_t)(h->last_id + 1), "op", op, "args", args);
	if (json_is_object(args))
		err = object == NULL
			  ? -ENOMEM
			  : ipc_print(object, HELPER_MESSAGE_BYTES - 1, &r->text, &r->len);
	json_decref(object);
	json_decref(args);
	if (err < 0) {
		free(r);
		return err;
	}
	r->server = h;
	r->overdue.expired = request_overdue;
	r->id = ++h->last_id;
	r->answer = answer;
	r->user = user;
	list_push_back(&h->unsent, &r->link);
	agenda_set(loop_agenda(h->loop), &r->overdue, deadline_us);
	send_unsent(h);
	return r->id;
}

static struct request *
find(struct list *head, int64_t id)
{
	LIST_EACH(node, tmp, head)
	{
		struct request *r = LIST_ENTRY(node, struct request, link);

		if (r->id == id)
			return r;
	}
	return NULL;
}

static void
request_free(struct request *r)
{
	list_remove(&r->link);
	agenda_clear(loop_agenda(r->server->loop), &r->overdue);
	explicit_bzero(r->text, r->len); /* it may have held a secret */
	free(r->text);
	free(r);
}

static void
request_end(struct request *r, int err, const char *why, const json_t *result, int fd)
{
	helper_answer *answer = r->answer;
	void *user = r->user;

	request_free(r);
	answer(user, err, why, result, fd);
}

/* Tell the daemon that it may stop working on it; it answers all the same. */
static void
give_up(struct helper_server *h, int64_t id)
{
	json_t *object = json_pack("{s:I, s:s, s:{s:I}}", "id", (json_int_t)++h->last_id, "op",
	    "cancel", "args", "of", (json_int_t)id);
	char *text;
	size_t len;

	/* A courtesy: what it works out for nobody is thrown away when it comes. */
	if (object != NULL && ipc_print(object, HELPER_MESSAGE_BYTES - 1, &text, &len) == 0) {
		(void)sock_send(h->fd.fd, text, len, -1);
		free(text);
	}
	json_decref(object);
	h->n_owed++;
}

bool
helper_server_cancel(struct helper_server *h, int64_t id)
{
	struct request *r = find(&h->sent, id);

	if (r != NULL)
		give_up(h, id);
	else
		r = find(&h->unsent, id);
	if (r == NULL)
		return false;
	request_free(r);
	return true;
}

static void
request_overdue(struct agenda_timer *t)
{
	struct request *r = LIST_ENTRY(t, struct request, overdue);
	struct helper_server *h = r->server;
	char why[128];

	if (find(&h->sent, r->id) != NULL)
		give_up(h, r->id);
	(void)snprintf(why, sizeof why,
	    r->was_sent ? "%s did not answer in time" : "%s is not running", h->name);
	request_end(r, r->was_sent ? -ETIMEDOUT : -ENOTCONN, why, NULL, -1);
}

/* ---- the daemon's connection ---- */

static void
send_unsent(struct helper_server *h)
{
	if (h->pid == 0)
		return;
	while (!list_empty(&h->unsent)) {
		struct request *r = LIST_ENTRY(h->unsent.next, struct request, link);
		ssize_t n = sock_send(h->fd.fd, r->text, r->len, -1);

		/* Nobody tells when there is memory. */
		if (n == -ENOBUFS || n == -ENOMEM) {
			agenda_set(
			    loop_agenda(h->loop), &h->again, loop_now(h->loop) + SEND_PAUSE_US);
			return;
		}
		/* Gone: fd_ready() hears of it, too, and everything stays for its successor. */
		if (n < 0 && n != -EAGAIN)
			return;
		if (n < 0)
			break;
		r->was_sent = true;
		list_remove(&r->link);
		list_push_back(&h->sent, &r->link);
	}
	if (loop_rewatch(h->loop, &h->fd, list_empty(&h->unsent) ? EPOLLIN : EPOLLIN | EPOLLOUT) <
	    0)
		log_err("%s: cannot watch its connection", h->name);
}

static void
try_again(struct agenda_timer *t)
{
	send_unsent(LIST_ENTRY(t, struct helper_server, again));
}

/* What it had not answered waits for the next one, before what was never sent. */
static void
daemon_gone(struct helper_server *h)
{
	bool was_there = h->pid != 0;

	agenda_clear(loop_agenda(h->loop), &h->silent);
	agenda_clear(loop_agenda(h->loop), &h->again);
	loop_unwatch(h->loop, &h->fd);
	(void)close(h->fd.fd); /* nobody reads it */
	h->fd.fd = -1;
	h->pid = 0;
	h->n_owed = h->n_strays = 0;
	list_splice_front(&h->unsent, &h->sent);
	if (was_there && h->state != NULL)
		h->state(h->user, 0);
}

static void
silent_too_long(struct agenda_timer *t)
{
	struct helper_server *h = LIST_ENTRY(t, struct helper_server, silent);

	log_warn("%s: a connection did not announce itself; closed", h->name);
	daemon_gone(h);
}

/* Is the connection that we have at its end?  Its last answers are lost then, and asked for again.
 */
static bool
is_over(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Whoever is refused tries again at once: not every time is worth a line. */
static void
log_refused(struct helper_server *h, const struct sock_peer *peer, const char *why)
{
	uint64_t now = loop_now(h->loop);

	h->n_refused++;
	if (h->refused_us != 0 && now - h->refused_us < REFUSED_PACE_US)
		return;
	log_warn("%s: a connection of process %ld of user %ld is refused: %s (%u refused since the "
		 "last such line)",
	    h->name, (long)peer->pid, (long)peer->uid, why, h->n_refused);
	h->refused_us = now;
	h->n_refused = 0;
}

static void
accept_one(struct helper_server *h, int fd)
{
	struct sock_peer peer = { 0 };

	if (sock_peer(fd, &peer) < 0 || !helper_is_trusted(h->name, h->pid_path, &peer)) {
		log_refused(h, &peer, "it is not this daemon");
		(void)close(fd); /* not for him */
		return;
	}
	if (h->fd.fd >= 0 && is_over(h->fd.fd))
		daemon_gone(h);
	if (h->fd.fd >= 0) {
		log_refused(h, &peer, "another process serves already");
		(void)close(fd); /* it tries again */
		return;
	}
	helper_set_buffers(fd);
	h->fd.fd = fd;
	if (loop_watch(h->loop, &h->fd, EPOLLIN) < 0) {
		(void)close(fd); /* it tries again */
		h->fd.fd = -1;
		return;
	}
	agenda_set(loop_agenda(h->loop), &h->silent, loop_now(h->loop) + ANNOUNCE_US);
}

static void
listener_ready(struct loop_fd *f, uint32_t events)
{
	struct helper_server *h = LIST_ENTRY(f, struct helper_server, listener);
	int fd;

	(void)events;
	while ((fd = sock_accept(f->fd)) >= 0)
		accept_one(h, fd);
	if (fd == -EAGAIN)
		return;
	log_err("%s: cannot accept its connection: %s; trying again", h->name, strerror(-fd));
	loop_unwatch(h->loop, f);
	agenda_set(loop_agenda(h->loop), &h->pause, loop_now(h->loop) + ACCEPT_PAUSE_US);
}

static void
pause_over(struct agenda_timer *t)
{
	struct helper_server *h = LIST_ENTRY(t, struct helper_server, pause);

	if (loop_watch(h->loop, &h->listener, EPOLLIN) < 0)
		agenda_set(loop_agenda(h->loop), t, loop_now(h->loop) + ACCEPT_PAUSE_US);
}

/* Its first message.  False: it is not the daemon we wait for. */
static bool
take_announcement(struct helper_server *h, const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "daemon"));
	const char *version = json_string_value(json_object_get(object, "version"));
	struct sock_peer peer;

	if (name == NULL || strcmp(name, h->name) != 0 || sock_peer(h->fd.fd, &peer) < 0) {
		log_err("%s: a connection announced itself as '%.32s'; closed", h->name,
		    name != NULL ? name : "");
		return false;
	}
	agenda_clear(loop_agenda(h->loop), &h->silent);
	/* The kernel's word, not the message's.  0 where it lives in another pid namespace. */
	h->pid =
	    peer.pid > 0 ? peer.pid : (pid_t)json_integer_value(json_object_get(object, "pid"));
	if (h->pid <= 0)
		h->pid = 1;
	if (version == NULL || strcmp(version, OPENISW_VERSION) != 0)
		log_warn(
		    "%s (pid %ld) is of version %.32s, this driver of %s: run 'iscsi stop' and "
		    "'iscsi start'",
		    h->name, (long)h->pid, version != NULL ? version : "unknown", OPENISW_VERSION);
	if (h->state != NULL)
		h->state(h->user, h->pid);
	send_unsent(h);
	return true;
}

/* An answer to nothing: one to what was given up, or it is up to no good.  False: enough of it. */
static bool
take_stray(struct helper_server *h)
{
	if (h->n_owed > 0) {
		h->n_owed--;
		return true;
	}
	if (++h->n_strays <= STRAYS_MAX)
		return true;
	log_err("%s: it answers what nobody asked for; its connection is closed", h->name);
	return false;
}

/* False: its connection is to be closed. */
static bool
take_answer(struct helper_server *h, const json_t *object, int fd)
{
	const json_t *id = json_object_get(object, "id"), *error = json_object_get(object, "error");
	const json_t *result = json_object_get(object, "result");
	struct request *r = json_is_integer(id) ? find(&h->sent, json_integer_value(id)) : NULL;
	bool is_ok = json_is_true(json_object_get(object, "ok")) && json_is_object(result);
	const char *code, *message;

	if (fd >= 0 && r != NULL && is_ok && !helper_is_connection(fd)) {
		(void)close(fd); /* what it is we do not want to know */
		request_end(
		    r, -EPROTO, "the answer brings something else than a connection", NULL, -1);
		return true;
	}
	if ((r == NULL || !is_ok) && fd >= 0)
		(void)close(fd); /* of a request that was given up, or failed */
	if (r == NULL)
		return take_stray(h);
	if (is_ok) {
		request_end(r, 0, "", result, fd);
		return true;
	}
	code = json_string_value(json_object_get(error, "code"));
	message = json_string_value(json_object_get(error, "message"));
	request_end(r, helper_errno_find(code != NULL ? code : ""),
	    message != NULL ? message : "the answer makes no sense", NULL, -1);
	return true;
}

static void
fd_ready(struct loop_fd *f, uint32_t events)
{
	struct helper_server *h = LIST_ENTRY(f, struct helper_server, fd);
	char why[256] = "";

	if ((events & EPOLLOUT) != 0)
		send_unsent(h);
	for (int i = 0; i < MESSAGES_PER_TURN && h->fd.fd >= 0; i++) {
		json_t *object;
		bool is_good = true;
		int fd, err = helper_receive(h->fd.fd, &object, &fd, why, sizeof why);

		if (err == 0)
			return;
		if (err == -EBADMSG)
			log_err("%s: a message makes no sense: %s; its connection is closed",
			    h->name, why);
		if (err < 0) {
			daemon_gone(h);
			return;
		}
		if (h->pid != 0) {
			is_good = take_answer(h, object, fd);
		} else {
			is_good = take_announcement(h, object);
			if (fd >= 0)
				(void)close(fd); /* none belongs there */
		}
		json_decref(object);
		if (!is_good)
			daemon_gone(h);
	}
}
