/* The event log's thread: what hangs with the file, and that nobody else does. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "driver/diag/event_log.h"

#define SAYERS 4
#define EACH   6000

static char dir[40], path[64];
static struct loop *loop;
static struct event_log *events;

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/openisw-events-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/events.jsonl", dir);
	loop = loop_new();
	return loop == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char name[80];

	(void)state;
	loop_free(loop);
	for (int i = 0; i <= EVENT_LOG_OLD; i++) {
		(void)snprintf(name, sizeof name, i > 0 ? "%s.%d" : "%s", path, i);
		(void)unlink(name);
	}
	return rmdir(dir);
}

/* "number": who says it as the session, and the how manyeth it is. */
static void
say(int who, int number)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%d", number);
	event_log_sink(events, &(struct diag_event){ .id = DIAG_ISW_LOG_CLOSED_ON_LOGIN,
				   .ctx = { .session = who, .target = "iqn.\xff\xe2\x80\xae" },
				   .text = text });
}

static void *
say_each(void *arg)
{
	int who = *(int *)arg;

	for (int i = 0; i < EACH; i++)
		say(who, i);
	return NULL;
}

static void
all_say(void)
{
	static int who[SAYERS];
	pthread_t t[SAYERS];

	for (int i = 0; i < SAYERS; i++) {
		who[i] = i;
		assert_int_equal(pthread_create(&t[i], NULL, say_each, &who[i]), 0);
	}
	for (int i = 0; i < SAYERS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
}

/* Lines as they come, from the file or a watch: whose, in order, and how many were lost. */
struct seen {
	struct event_watch watch;
	struct event_reader reader;
	int last[SAYERS];
	unsigned lines, lost, until;
	bool has_gap, is_done;
};

static void
see(struct seen *s, const char *text, size_t len)
{
	json_t *o = json_loadb(text, len, 0, NULL);
	long long who, number;

	assert_non_null(o);
	who = json_integer_value(json_object_get(o, "session"));
	number = strtoll(json_string_value(json_object_get(o, "text")), NULL, 10);
	assert_string_equal(
	    json_string_value(json_object_get(o, "target")), "iqn.\\xff\\xe2\\x80\\xae");
	s->lost += (unsigned)json_integer_value(json_object_get(o, "lost"));
	assert_in_range(who, 0, SAYERS - 1);
	assert_true(number > s->last[who]);
	s->has_gap = s->has_gap || (s->last[who] >= 0 && number != s->last[who] + 1);
	s->last[who] = (int)number;
	s->lines++;
	json_decref(o);
	if (s->lines == s->until)
		loop_stop(loop);
}

static void
watched(struct event_watch *w, const char *text, size_t len)
{
	see(LIST_ENTRY(w, struct seen, watch), text, len);
}

static void
was_read(struct event_reader *r, const char *text, size_t len)
{
	see(LIST_ENTRY(r, struct seen, reader), text, len);
}

static void
read_done(struct event_reader *r, int err)
{
	struct seen *s = LIST_ENTRY(r, struct seen, reader);

	assert_int_equal(err, 0);
	s->is_done = true;
	event_log_watch(events, &s->watch);
	if (s->until == 0)
		loop_stop(loop);
}

static void
seen_init(struct seen *s)
{
	*s = (struct seen){ .watch.line = watched,
		.reader = { .n = 1u << 20, .line = was_read, .done = read_done } };
	list_init(&s->watch.link);
	for (int i = 0; i < SAYERS; i++)
		s->last[i] = -1;
}

static void *
read_pipe(void *arg)
{
	FILE *f = fdopen(*(int *)arg, "r");
	char line[4096];
	struct seen *s = calloc(1, sizeof *s);

	seen_init(s);
	/* Opened for writing, too, so there is no end but the last line. */
	while (s->lines + s->lost < SAYERS * EACH + 1 && fgets(line, sizeof line, f) != NULL)
		see(s, line, strlen(line) - 1);
	fclose(f);
	return s;
}

static void
a_file_that_hangs_blocks_nobody_and_what_is_lost_is_counted(void **state)
{
	struct seen watching;
	void *got;
	struct seen *s;
	pthread_t reader;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_SETPIPE_SZ, 4096) > 0);
	assert_int_equal(event_log_open(loop, path, &events), 0);
	all_say();
	/* The pipe is read again: all that waits is written, then the next one with the count. */
	seen_init(&watching);
	event_log_watch(events, &watching.watch);
	assert_int_equal(pthread_create(&reader, NULL, read_pipe, &fd), 0);
	watching.until = EVENT_LOG_QUEUE;
	assert_int_equal(loop_run(loop), 0);
	say(0, EACH);
	assert_int_equal(pthread_join(reader, &got), 0);
	s = got;
	assert_int_equal(s->lines + s->lost, SAYERS * EACH + 1);
	assert_in_range(s->lines, EVENT_LOG_QUEUE + 1, EVENT_LOG_QUEUE + 100); /* and a pipe */
	free(s);
	event_log_unwatch(events, &watching.watch);
	assert_true(event_log_close(events));
}

static void
an_end_writes_what_waits(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(event_log_open(loop, path, &events), 0);
	for (int i = 0; i < 1000; i++)
		say(1, i);
	assert_true(event_log_close(events));
	assert_int_equal(event_log_open(loop, path, &events), 0);
	seen_init(&s);
	assert_int_equal(event_log_read(events, &s.reader), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(s.lines, 1000);
	assert_false(s.has_gap);
	event_log_unwatch(events, &s.watch);
	assert_true(event_log_close(events));
}

/* Whenever somebody begins: no line is missed, none comes twice. */
static void
who_reads_and_then_watches_sees_every_line_once(void **state)
{
	struct seen readers[8];
	pthread_t t;
	int who = 2;

	(void)state;
	assert_int_equal(event_log_open(loop, path, &events), 0);
	assert_int_equal(pthread_create(&t, NULL, say_each, &who), 0);
	for (size_t i = 0; i < 8; i++) {
		seen_init(&readers[i]);
		assert_int_equal(event_log_read(events, &readers[i].reader), 0);
		assert_int_equal(loop_run(loop), 0);
		assert_true(readers[i].is_done);
	}
	for (size_t i = 0; i < 8; i++) {
		readers[i].until = EACH;
		if (readers[i].lines < EACH)
			assert_int_equal(loop_run(loop), 0);
	}
	assert_int_equal(pthread_join(t, NULL), 0);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(readers[i].lines, EACH);
		assert_false(readers[i].has_gap);
		assert_int_equal(readers[i].lost, 0);
		event_log_unwatch(events, &readers[i].watch);
	}
	assert_true(event_log_close(events));
}

static void
a_reader_that_has_gone_is_told_nothing(void **state)
{
	struct seen s, other;

	(void)state;
	assert_int_equal(event_log_open(loop, path, &events), 0);
	say(0, 0);
	seen_init(&s);
	seen_init(&other);
	assert_int_equal(event_log_read(events, &s.reader), 0);
	assert_int_equal(event_log_read(events, &other.reader), 0);
	event_log_cancel(&s.reader);
	event_log_cancel(&s.reader);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(s.lines, 0);
	assert_false(s.is_done);
	assert_int_equal(other.lines, 1);
	event_log_unwatch(events, &other.watch);
	assert_true(event_log_close(events));
}

#define LOGGED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOGGED(a_file_that_hangs_blocks_nobody_and_what_is_lost_is_counted),
		LOGGED(an_end_writes_what_waits),
		LOGGED(who_reads_and_then_watches_sees_every_line_once),
		LOGGED(a_reader_that_has_gone_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
