#include "driver/diag/event_log.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/visible.h"
#include "driver/diag/event_queue.h"
#include "driver/diag/event_read.h"

/* How long the end of the driver waits for what is not written yet. */
#define LAST_EVENTS_MS 1000

struct event_log {
	struct loop *loop;
	struct event_queue *queue;
	char *path;
	int fd; /* the queue's thread's, as is the next one */
	off_t size;
	atomic_uint lost; /* lines that are nowhere, and are not told yet */
	atomic_bool is_closing;
	/* What the queue's thread has done and the loop's has not seen, newest first. */
	_Atomic(struct event_job *) done;
	struct loop_msg msg; /* posted with the first of them */
	struct list watches; /* the loop's thread's */
};

/* A line on its way to the file, and from there to those who watch. */
struct line {
	struct event_job job; /* of the queue's thread, then of the loop's */
	struct event_log *log;
	size_t len;
	char text[];
};

/* A reader's, on the same way; it takes what it finds back. */
struct event_request {
	struct event_job job; /* of the queue's thread, then of the loop's */
	struct event_log *log;
	struct event_reader *reader; /* the loop's thread's; NULL: nobody wants it any more */
	size_t n;
	struct event_filter filter;
	char *text; /* lines, each with a newline */
	size_t len, room;
	int err;
};

static int
open_file(struct event_log *log)
{
	struct stat st;

	log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log->fd < 0)
		return -errno;
	log->size = fstat(log->fd, &st) == 0 ? st.st_size : 0;
	return 0;
}

/* On the loop's thread. */
static void
see_done(struct loop_msg *m)
{
	struct event_log *log = LIST_ENTRY(m, struct event_log, msg);

	for (struct event_job *next, *j = event_jobs_take(&log->done); j != NULL; j = next) {
		next = j->next;
		j->run(j);
	}
}

/* On the queue's thread: `run` is next, on the loop's. */
static void
give_back(struct event_log *log, struct event_job *j, void (*run)(struct event_job *j))
{
	j->run = run;
	if (event_jobs_push(&log->done, j) && !atomic_load(&log->is_closing))
		loop_post(log->loop, &log->msg);
}

static void
free_log(struct event_log *log)
{
	if (log->fd >= 0)
		(void)close(log->fd); /* every line was written before */
	free(log->path);
	free(log);
}

int
event_log_open(struct loop *loop, const char *path, struct event_log **ret_log)
{
	struct event_log *log = calloc(1, sizeof *log);
	int err;

	if (log == NULL)
		return -ENOMEM;
	list_init(&log->watches);
	log->loop = loop;
	log->msg.run = see_done;
	log->fd = -1;
	log->path = strdup(path);
	err = log->path != NULL ? open_file(log) : -ENOMEM;
	if (err == 0)
		err = event_queue_new(EVENT_LOG_QUEUE, &log->queue);
	if (err != 0) {
		free_log(log);
		return err;
	}
	*ret_log = log;
	return 0;
}

bool
event_log_close(struct event_log *log)
{
	if (log == NULL)
		return true;
	atomic_store(&log->is_closing, true);
	if (!event_queue_end(log->queue, LAST_EVENTS_MS))
		return false;
	loop_unpost(log->loop, &log->msg);
	see_done(&log->msg); /* that frees, and tells nobody */
	free_log(log);
	return true;
}

void
event_log_watch(struct event_log *log, struct event_watch *w)
{
	list_push_back(&log->watches, &w->link);
}

void
event_log_unwatch(struct event_log *log, struct event_watch *w)
{
	(void)log; /* a list's node knows its list */
	list_remove(&w->link);
}

/* events.jsonl.3 becomes .4, … and events.jsonl becomes .1. */
static void
rotate(struct event_log *log)
{
	size_t n = strlen(log->path) + 16;
	char *from = malloc(n), *to = malloc(n);

	if (from != NULL && to != NULL) {
		for (int i = EVENT_LOG_OLD; i > 0; i--) {
			snprintf(to, n, "%s.%d", log->path, i);
			snprintf(from, n, i > 1 ? "%s.%d" : "%s", log->path, i - 1);
			(void)rename(from, to); /* an old file that is not there is fine */
		}
		(void)close(log->fd); /* its lines are written */
		if (open_file(log) != 0)
			log->msg.run = see_done;
		log->fd = -1;
	}
	free(from);
	free(to);
}

/* On the loop's thread: the line is in the file, or could not be. */
static void
tell_line(struct event_job *j)
{
	struct line *l = LIST_ENTRY(j, struct line, job);

	LIST_EACH(node, tmp, &l->log->watches)
	{
		struct event_watch *w = LIST_ENTRY(node, struct event_watch, link);

		w->line(w, l->text, l->len - 1);
	}
	free(l);
}

static void
write_line(struct event_job *j)
{
	struct line *l = LIST_ENTRY(j, struct line, job);
	struct event_log *log = l->log;
	ssize_t n;

	if (log->size >= EVENT_LOG_BYTES)
		rotate(log);
	/* A full disk may have room again: look once a message. */
	n = log->fd >= 0 || open_file(log) == 0 ? write(log->fd, l->text, l->len) : -1;
	if (n != (ssize_t)l->len)
		atomic_fetch_add(&log->lost, 1);
	else
		log->size += n;
	give_back(log, j, tell_line);
}

/* ---- reading back ---- */

static void
free_request(struct event_request *q)
{
	free(q->text);
	free(q);
}

static void
tell_read(struct event_job *j)
{
	struct event_request *q = LIST_ENTRY(j, struct event_request, job);
	const char *p = q->text, *end = p != NULL ? p + q->len : NULL;

	/* A line's reader may have had enough. */
	while (q->reader != NULL && q->err == 0 && p != end) {
		size_t n = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) - p);

		q->reader->line(q->reader, p, n);
		p += n + 1;
	}
	if (q->reader != NULL) {
		q->reader->request = NULL;
		q->reader->done(q->reader, q->err);
	}
	free_request(q);
}

static void
keep_line(void *user, const char *text, size_t len)
{
	struct event_request *q = user;

	if (q->len + len + 1 > q->room) {
		size_t room = 2 * (q->len + len + 1);
		char *bigger = realloc(q->text, room);

		if (bigger == NULL) {
			q->err = -ENOMEM;
			return;
		}
		q->text = bigger;
		q->room = room;
	}
	memcpy(q->text + q->len, text, len);
	q->text[q->len + len] = '\n';
	q->len += len + 1;
}

static void
read_lines(struct event_job *j)
{
	struct event_request *q = LIST_ENTRY(j, struct event_request, job);
	int err = event_read_last(q->log->path, q->n, &q->filter, keep_line, q);

	if (err != 0)
		q->err = err;
	give_back(q->log, j, tell_read);
}

int
event_log_read(struct event_log *log, struct event_reader *r)
{
	struct event_request *q = calloc(1, sizeof *q);

	if (q == NULL)
		return -ENOMEM;
	q->job.run = read_lines;
	q->log = log;
	q->reader = r;
	q->n = r->n;
	q->filter = r->filter;
	r->request = q;
	if (event_queue_put(log->queue, &q->job))
		return 0;
	r->request = NULL;
	free_request(q);
	return -EAGAIN;
}

void
event_log_cancel(struct event_reader *r)
{
	if (r->request != NULL)
		r->request->reader = NULL;
	r->request = NULL;
}

/* ---- writing down ---- */

/* A target's bytes are shown as they are everywhere. */
static json_t *
text_or_null(const char *s)
{
	char shown[4096];

	return s == NULL ? json_null()
			 : json_stringn(shown, visible_copy(s, strlen(s), shown, sizeof shown));
}

static json_t *
describe(const struct diag_event *ev)
{
	const struct diag_info *i = diag_info(ev->id);
	time_t t = (time_t)(ev->wall_ms / 1000);
	char when[40];
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, sizeof when - n, ".%03uZ", (unsigned)(ev->wall_ms % 1000));
	return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:i}", "time", when, "id", i->id,
	    "level", (int)i->level, "session",
	    ev->ctx.session >= 0 ? json_integer(ev->ctx.session) : json_null(), "target",
	    text_or_null(ev->ctx.target), "address", text_or_null(ev->ctx.address), "unit",
	    text_or_null(ev->ctx.unit), "text", text_or_null(ev->text), "held_back",
	    (int)ev->held_back);
}

/* NULL: no memory. */
static struct line *
make_line(struct event_log *log, const struct diag_event *ev, unsigned lost)
{
	json_t *object = describe(ev);
	struct line *l = NULL;
	char *text;
	size_t n;

	if (object != NULL && lost > 0 &&
	    json_object_set_new(object, "lost", json_integer(lost)) != 0) {
		json_decref(object);
		return NULL;
	}
	text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	n = text != NULL ? strlen(text) : 0;
	if (text != NULL && (l = malloc(sizeof *l + n + 1)) != NULL) {
		*l = (struct line){ .job.run = write_line, .log = log };
		l->len = n + 1;
		memcpy(l->text, text, n);
		l->text[n] = '\n';
	}
	free(text);
	return l;
}

void
event_log_sink(void *user, const struct diag_event *ev)
{
	struct event_log *log = user;
	unsigned lost = atomic_exchange(&log->lost, 0);
	struct line *l = make_line(log, ev, lost);

	if (l != NULL && event_queue_put(log->queue, &l->job))
		return;
	free(l);
	atomic_fetch_add(&log->lost, lost + 1);
}
