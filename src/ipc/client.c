#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/client_impl.h"
#include "ipc/codec.h"
#include "ipc/pieces.h"
#include "sys/sock.h"

/* How long to wait for a place in the listener's queue. */
#define CONNECT_MS 5000
/* The kernel cannot tell when there is one. */
#define CONNECT_AGAIN_MS 20
/* After the kernel had no memory for a request. */
#define SEND_AGAIN_MS 20
/* Names are cut where a path is absurdly long: the sentence must fit. */
#define PATH_SHOWN 512

/* One request that waits. */
struct wait {
	struct ipc_client *c;
	enum ipc_op op;
	json_int_t id;
	uint32_t patience_ms;
	bool renews; /* progress gives new patience */
	uint64_t until_ms;
	ipc_progress *progress;
	void *user;
	struct ipc_error *err;
	json_t **ret_result;
	json_t *joined; /* the parts that came; or NULL */
	int rc;         /* what came of it: 0, -1 with *err; 1: it is waited for */
};

static int ask(struct wait *w, json_t *args);
static int send_all(struct wait *w, const char *line, size_t len);
static void wait_answers(struct wait *w, size_t n);
static int take_answer(struct wait *w, json_t *answer);
static void take_error(const json_t *error, struct ipc_error *ret_err);

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Always -1, so that a caller can return it. */
__attribute__((format(printf, 4, 5))) static int
fail(struct ipc_error *e, enum ipc_error_code code, const char *next, const char *fmt, ...)
{
	va_list ap;

	*e = (struct ipc_error){ .code = code };
	va_start(ap, fmt);
	(void)vsnprintf(e->message, sizeof e->message, fmt, ap); /* cut is good enough */
	va_end(ap);
	(void)snprintf(e->next, sizeof e->next, "%s", next);
	return -1;
}

void
ipc_error_fini(struct ipc_error *e)
{
	json_decref(e->extra);
	e->extra = NULL;
}

static int
connect_error(const char *path, int err, struct ipc_error *ret_err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
	case -ENOTDIR:
		return fail(ret_err, IPC_ERR_NOTRUNNING,
		    "Start it with 'iscsi start'; where it runs under another root, name it with "
		    "--root or OPENISW_ROOT.",
		    "iscsi_driverd is not running: nobody listens at %.*s.", PATH_SHOWN, path);
	case -EACCES:
	case -EPERM:
		return fail(ret_err, IPC_ERR_DENIED,
		    "Run the command as root, or as the user that the driver runs as.",
		    "You may not open %.*s.", PATH_SHOWN, path);
	case -EAGAIN:
		return fail(ret_err, IPC_ERR_TIMEOUT,
		    "Look at the driver's log; if it hangs, end it and start it with 'iscsi "
		    "start'.",
		    "iscsi_driverd does not accept connections at %.*s.", PATH_SHOWN, path);
	default:
		return fail(ret_err, IPC_ERR_INTERNAL, "Check the path and the system's resources.",
		    "Cannot connect to %.*s: %s.", PATH_SHOWN, path, strerror(-err));
	}
}

int
ipc_connect(const char *path, struct ipc_client **ret, struct ipc_error *ret_err)
{
	uint64_t until = clock_ms() + CONNECT_MS;
	struct ipc_client *c;
	int fd;

	while (
	    (fd = sock_connect(path, SOCK_STREAM | SOCK_NONBLOCK)) == -EAGAIN && clock_ms() < until)
		(void)poll(NULL, 0, CONNECT_AGAIN_MS); /* only to let time pass */
	if (fd < 0)
		return connect_error(path, fd, ret_err);
	c = calloc(1, sizeof *c);
	if (c != NULL)
		c->path = strdup(path);
	if (c == NULL || c->path == NULL) {
		free(c);
		(void)close(fd); /* unused */
		return fail(
		    ret_err, IPC_ERR_INTERNAL, "Free some memory.", "There is no memory left.");
	}
	c->fd = fd;
	c->passed = -1;
	ipc_lines_init(&c->lines, LIMIT_IPC_LINE_BYTES);
	*ret = c;
	return 0;
}

void
ipc_client_free(struct ipc_client *c)
{
	if (c == NULL)
		return;
	ipc_lines_fini(&c->lines);
	(void)close(c->fd); /* what was sent is the kernel's */
	if (c->passed >= 0)
		(void)close(c->passed); /* nobody wanted it */
	free(c->path);
	free(c);
}

int
ipc_client_take_fd(struct ipc_client *c)
{
	int fd = c->passed;

	c->passed = -1;
	return fd;
}

int
ipc_request(struct ipc_client *c, enum ipc_op op, json_t *args, ipc_progress *progress, void *user,
    json_t **ret_result, struct ipc_error *ret_err)
{
	struct wait w = { .c = c,
		.op = op,
		.progress = progress,
		.user = user,
		.err = ret_err,
		.ret_result = ret_result };

	w.rc = ask(&w, args);
	wait_answers(&w, 1);
	json_decref(w.joined);
	return w.rc;
}

void
ipc_request_many(struct ipc_client *c, struct ipc_many *q, size_t n)
{
	struct wait w[IPC_MANY_MAX] = { 0 };

	assert(n <= IPC_MANY_MAX);
	for (size_t i = 0; i < n; i++) {
		q[i].result = NULL;
		w[i] = (struct wait){
			.c = c, .op = q[i].op, .err = &q[i].error, .ret_result = &q[i].result
		};
		w[i].rc = ask(&w[i], q[i].args);
		q[i].args = NULL;
	}
	wait_answers(w, n);
	for (size_t i = 0; i < n; i++)
		json_decref(w[i].joined);
}

/* Sends it; takes the reference of `args`.  1: it is waited for.  -1: an error. */
static int
ask(struct wait *w, json_t *args)
{
	const struct ipc_op_row *row = ipc_op_row(w->op);
	uint32_t patience = w->c->deadline_ms != 0 ? w->c->deadline_ms : row->deadline_ms;
	json_t *request;
	char *line = NULL;
	size_t len;
	int err = -ENOMEM;

	w->id = ++w->c->last_id;
	w->patience_ms = patience != 0 ? patience : IPC_PROGRESS_MS;
	w->renews = patience == 0;
	request = json_pack("{s:I, s:s, s:o*}", "id", w->id, "op", row->name, "args", args);
	if (request != NULL)
		err = ipc_print(request, LIMIT_IPC_REQUEST_BYTES, &line, &len);
	json_decref(request);
	if (err == -EMSGSIZE)
		return fail(w->err, IPC_ERR_INVALID, "Shorten its arguments.",
		    "The request %s is too long.", row->name);
	if (err < 0)
		return fail(
		    w->err, IPC_ERR_INTERNAL, "Free some memory.", "There is no memory left.");
	w->until_ms = clock_ms() + w->patience_ms;
	err = send_all(w, line, len);
	ipc_wipe(line, len);
	return err == 0 ? 1 : -1;
}

/* 0: ready.  -1: the deadline passed, *w->err is set. */
static int
wait_ready(struct wait *w, short events)
{
	for (;;) {
		struct pollfd p = { .fd = w->c->fd, .events = events };
		uint64_t now = clock_ms();
		int n = poll(&p, 1, now < w->until_ms ? (int)(w->until_ms - now) : 0);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return fail(w->err, IPC_ERR_INTERNAL, "Try again.",
			    "Cannot wait for the driver: %s.", strerror(errno));
		if (n == 0 && clock_ms() >= w->until_ms)
			return fail(w->err, IPC_ERR_TIMEOUT,
			    "It may still be done: look with a listing command, and at the "
			    "driver's log.",
			    "iscsi_driverd did not answer %s within %u s.", ipc_op_row(w->op)->name,
			    (w->patience_ms + 999) / 1000);
	}
}

static int
driver_gone(struct wait *w)
{
	return fail(w->err, IPC_ERR_NOTRUNNING,
	    "Look at the driver's log for the reason; if it ended, start it again with 'iscsi "
	    "start'.",
	    "iscsi_driverd hung up before it answered %s.", ipc_op_row(w->op)->name);
}

static int
send_all(struct wait *w, const char *line, size_t len)
{
	while (len > 0) {
		ssize_t n = sock_send(w->c->fd, line, len, -1);

		if (n == -EAGAIN) {
			if (wait_ready(w, POLLOUT) < 0)
				return -1;
			continue;
		}
		if ((n == -ENOBUFS || n == -ENOMEM) && clock_ms() < w->until_ms) {
			(void)poll(NULL, 0, SEND_AGAIN_MS); /* only to let time pass */
			continue;
		}
		if (n == -ENOBUFS || n == -ENOMEM)
			return fail(w->err, IPC_ERR_INTERNAL, "Free some memory.",
			    "There is no memory left.");
		/* A driver that refuses the connection has said why before it closed it. */
		if (n < 0)
			return 0;
		line += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The first that is waited for; NULL: none. */
static struct wait *
first_open(struct wait *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (w[i].rc == 1)
			return &w[i];
	return NULL;
}

/* A line from the driver is for one of those that wait, or for all of them.  -1 with the first
 * one's error: it makes no sense. */
static int
take_line(struct wait *w, size_t n, char *line, size_t len)
{
	const struct wait *first = first_open(w, n);
	char why[256] = "no memory";
	json_t *answer;
	int err = ipc_parse(line, len, &answer, why, sizeof why);

	if (err == -ENOMEM)
		return fail(first->err, IPC_ERR_INTERNAL,
		    "Free some memory; it may have been done: look with a listing command.",
		    "There is no memory left for the driver's answer.");
	if (err < 0)
		return fail(first->err, IPC_ERR_INTERNAL,
		    "Use a command and a driver of the same version.",
		    "The driver's answer cannot be read: %s.", why);
	for (size_t i = 0; i < n; i++)
		if (w[i].rc == 1)
			w[i].rc = take_answer(&w[i], answer);
	json_decref(answer);
	return 0;
}

/* More bytes.  -1 with w->err: there will be none. */
static int
read_more(struct wait *w)
{
	size_t len;
	char *room = ipc_lines_room(&w->c->lines, &len);
	ssize_t n;
	int fd;

	if (room == NULL)
		return fail(
		    w->err, IPC_ERR_INTERNAL, "Free some memory.", "There is no memory left.");
	n = sock_recv(w->c->fd, room, len, &fd);
	if (fd >= 0) {
		if (w->c->passed >= 0)
			(void)close(w->c->passed); /* nobody wanted it */
		w->c->passed = fd;
	}
	if (n == -EAGAIN)
		return wait_ready(w, POLLIN);
	if (n <= 0)
		return driver_gone(w);
	ipc_lines_added(&w->c->lines, (size_t)n);
	return 0;
}

/* Until each has its answer; what ends the connection is the answer of all that have none. */
static void
wait_answers(struct wait *w, size_t n)
{
	struct wait *first;
	char *line;
	size_t len;
	int err;

	while ((first = first_open(w, n)) != NULL) {
		err = ipc_lines_next(&first->c->lines, &line, &len);
		if (err > 0)
			err = take_line(w, n, line, len);
		else if (err < 0)
			err = fail(first->err, IPC_ERR_INTERNAL,
			    "Use a command and a driver of the same version.",
			    "The driver's answer is longer than the protocol allows.");
		else
			err = read_more(first);
		if (err == 0)
			continue;
		for (size_t i = 0; i < n; i++) {
			if (w[i].rc != 1)
				continue;
			w[i].rc = -1;
			if (&w[i] != first)
				*w[i].err = *first->err;
		}
	}
}

static int
no_sense(struct wait *w)
{
	return fail(w->err, IPC_ERR_INTERNAL,
	    "Free some memory, or use a command and a driver of "
	    "the same version.",
	    "The parts of the driver's answer do not fit together.");
}

/* 0: the result.  -1: an error.  1: something else, go on waiting. */
static int
take_answer(struct wait *w, json_t *answer)
{
	const json_t *id = json_object_get(answer, "id"), *ok = json_object_get(answer, "ok");
	json_t *progress = json_object_get(answer, "progress");
	json_t *result = json_object_get(answer, "result"), *part = json_object_get(answer, "part");

	/* Without an id it is about the connection as a whole.  Other ids: of a request given up.
	 */
	if (!json_is_null(id) && !(json_is_integer(id) && json_integer_value(id) == w->id))
		return 1;
	if (progress != NULL) {
		if (w->progress != NULL)
			w->progress(w->user, progress);
		if (w->renews)
			w->until_ms = clock_ms() + w->patience_ms;
		return 1;
	}
	if (part != NULL) {
		w->until_ms = clock_ms() + w->patience_ms;
		return ipc_pieces_join(&w->joined, part) == 0 ? 1 : no_sense(w);
	}
	if (json_is_true(ok) && json_is_object(result)) {
		if (ipc_pieces_join_last(w->joined, result) != 0)
			return no_sense(w);
		*w->ret_result = json_incref(result);
		return 0;
	}
	take_error(json_object_get(answer, "error"), w->err);
	return -1;
}

static void
take_error(const json_t *error, struct ipc_error *ret_err)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *next = json_string_value(json_object_get(error, "next"));

	*ret_err = (struct ipc_error){ .code = IPC_ERR_INTERNAL };
	/* A code of a newer driver's is treated as INTERNAL; its sentence still helps. */
	if (code != NULL)
		(void)ipc_error_find(code, &ret_err->code);
	(void)snprintf(ret_err->message, sizeof ret_err->message, "%s",
	    message != NULL ? message : "The driver's answer makes no sense.");
	(void)snprintf(ret_err->next, sizeof ret_err->next, "%s",
	    next != NULL ? next : "Use a command and a driver of the same version.");
	ret_err->extra = json_copy((json_t *)error); /* shallow, does not change it */
	if (ret_err->extra == NULL)
		return;
	(void)json_object_del(ret_err->extra, "code"); /* -1 where it has none */
	(void)json_object_del(ret_err->extra, "message");
	(void)json_object_del(ret_err->extra, "next");
	if (json_object_size(ret_err->extra) == 0)
		ipc_error_fini(ret_err);
}
