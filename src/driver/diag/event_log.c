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

struct event_log {
	struct loop *loop;
	char *path;
	int fd;
	off_t size;
	atomic_uint_least64_t lost;
	struct list watches;
};

/* A line on its way to the loop's thread. */
struct line {
	struct loop_msg msg;
	struct event_log *log;
	size_t len;
	char text[];
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

int
event_log_open(struct loop *loop, const char *path, struct event_log **ret_log)
{
	struct event_log *log = calloc(1, sizeof *log);
	int err;

	if (log == NULL)
		return -ENOMEM;
	list_init(&log->watches);
	log->loop = loop;
	log->path = strdup(path);
	err = log->path != NULL ? open_file(log) : -ENOMEM;
	if (err != 0) {
		free(log->path);
		free(log);
		return err;
	}
	*ret_log = log;
	return 0;
}

void
event_log_close(struct event_log *log)
{
	if (log == NULL)
		return;
	if (log->fd >= 0)
		(void)close(log->fd); /* every line was written before */
	free(log->path);
	free(log);
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

uint64_t
event_log_lost(const struct event_log *log)
{
	return atomic_load(&log->lost);
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
			log->fd = -1;
	}
	free(from);
	free(to);
}

static void
write_line(struct loop_msg *m)
{
	struct line *l = (struct line *)(void *)m;
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
	LIST_EACH(node, tmp, &log->watches)
	{
		struct event_watch *w = LIST_ENTRY(node, struct event_watch, link);

		w->line(w, l->text, l->len - 1);
	}
	free(l);
}

static json_t *
text_or_null(const char *s)
{
	/* A target's bytes need not be UTF-8: what is not is replaced. */
	char clean[512];
	size_t n = 0;

	json_t *whole;

	if (s == NULL)
		return json_null();
	whole = json_string(s);
	if (whole != NULL)
		return whole;
	for (; s[n] != '\0' && n < sizeof clean - 1; n++)
		clean[n] = (unsigned char)s[n] < 0x80 ? s[n] : '?';
	clean[n] = '\0';
	return json_string(clean);
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
	return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:i}", "time", when, "id", i->id,
	    "level", (int)i->level, "session",
	    ev->ctx.session >= 0 ? json_integer(ev->ctx.session) : json_null(), "target",
	    text_or_null(ev->ctx.target), "address", text_or_null(ev->ctx.address), "text",
	    text_or_null(ev->text), "held_back", (int)ev->held_back);
}

void
event_log_sink(void *user, const struct diag_event *ev)
{
	struct event_log *log = user;
	json_t *object = describe(ev);
	char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	size_t n = text != NULL ? strlen(text) : 0;
	struct line *l = text != NULL ? malloc(sizeof *l + n + 1) : NULL;

	json_decref(object);
	if (l == NULL) {
		free(text);
		atomic_fetch_add(&log->lost, 1);
		return;
	}
	l->msg.run = write_line;
	l->log = log;
	l->len = n + 1;
	memcpy(l->text, text, n);
	l->text[n] = '\n';
	free(text);
	loop_post(log->loop, &l->msg);
}
