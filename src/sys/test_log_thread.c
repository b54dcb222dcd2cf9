/*
 * The log's thread, in worlds where who reads the log does not: a pipe as the
 * standard error that nobody empties until the test does.
 */
#include <sys/wait.h>

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/log.h"
#include "sys/log_ring.h"

#define WRITERS   8
#define ALL_LINES (WRITERS * 2000)

static char text[4 << 20];

static void *
write_many(void *arg)
{
	const char *who = arg;

	for (int i = 0; i < ALL_LINES / WRITERS; i++)
		log_msg(LOG_LVL_ERR, "writer %s line %06d.", who, i);
	return NULL;
}

/* Returns when all have written, which a log that waited never would. */
static void
write_from_all(void)
{
	static char *const names[WRITERS] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	pthread_t t[WRITERS];

	for (int i = 0; i < WRITERS; i++)
		if (pthread_create(&t[i], NULL, write_many, names[i]) != 0)
			_exit(10);
	for (int i = 0; i < WRITERS; i++)
		if (pthread_join(t[i], NULL) != 0)
			_exit(11);
}

/* All that comes until nobody can write any more. */
static void
read_all(int fd)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	assert_int_equal(got, 0);
	text[n] = '\0';
	close(fd);
}

/* Runs `body` in a process whose standard error nobody reads until it tells so on `ready`. */
static int
with_stuck_reader(bool has_thread, void (*body)(int ready))
{
	int err[2], ready[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	assert_true(fcntl(err[1], F_SETPIPE_SZ, 16384) > 0); /* soon full */
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(err[1], STDERR_FILENO);
		close(err[0]);
		close(err[1]);
		log_init("prog", LOG_TO_STDERR, LOG_LVL_ERR);
		if (has_thread && log_start_thread() != 0)
			_exit(12);
		body(ready[1]);
		exit(0);
	}
	close(err[1]);
	close(ready[1]);
	(void)read(ready[0], &byte, 1); /* told, or it ended */
	read_all(err[0]);
	close(ready[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
tell(int ready)
{
	if (write(ready, "", 1) != 1)
		_exit(13);
}

/* Every line that was written, and what the log itself says was dropped. */
struct seen {
	unsigned lines, dropped;
};

static struct seen
look(void)
{
	int last[WRITERS];
	struct seen seen = { 0 };

	for (int i = 0; i < WRITERS; i++)
		last[i] = -1;
	for (char *save, *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned dropped;
		char who, end;
		int number;

		line = strstr(line, " err: ");
		assert_non_null(line);
		if (sscanf(line, " err: %u line", &dropped) == 1) {
			assert_true(dropped > 0);
			seen.dropped += dropped;
			continue;
		}
		assert_int_equal(sscanf(line, " err: writer %c line %d%c", &who, &number, &end), 3);
		assert_int_equal(end, '.');
		assert_in_range(who, 'a', 'a' + WRITERS - 1);
		assert_true(number > last[who - 'a']);
		last[who - 'a'] = number;
		seen.lines++;
	}
	return seen;
}

static void
write_then_tell(int ready)
{
	write_from_all();
	tell(ready);
	log_flush(60000);
	log_msg(LOG_LVL_ERR, "writer a line 999999.");
}

static void
a_reader_that_does_not_read_blocks_no_writer_and_drops_are_counted(void **state)
{
	struct seen seen;
	int status;

	(void)state;
	status = with_stuck_reader(true, write_then_tell);
	assert_int_equal(status, 0);
	seen = look();
	assert_in_range(seen.lines, LOG_RING_LINES, ALL_LINES - 1);
	assert_int_equal(seen.lines + seen.dropped, ALL_LINES + 1);
}

static void
without_a_thread_no_writer_blocks_either(void **state)
{
	struct seen seen;
	int status;

	(void)state;
	status = with_stuck_reader(false, write_then_tell);
	assert_int_equal(status, 0);
	seen = look();
	assert_true(seen.lines > 0);
	/* The last line may meet a pipe that is still full, and then nobody is left to count it. */
	assert_in_range(seen.lines + seen.dropped, 1, ALL_LINES + 1);
}

static void
write_and_read(int ready)
{
	tell(ready);
	write_from_all();
	log_flush(60000);
}

static void
with_a_reader_all_is_told_to_the_last_line(void **state)
{
	struct seen seen;
	int status;

	(void)state;
	status = with_stuck_reader(true, write_and_read);
	assert_int_equal(status, 0);
	seen = look();
	assert_int_equal(seen.lines + seen.dropped, ALL_LINES);
}

static void
write_and_abort(int ready)
{
	tell(ready);
	for (int i = 0; i < 300; i++)
		log_msg(LOG_LVL_ERR, "writer a line %06d.", i);
	abort();
}

static void
write_and_end(int ready)
{
	tell(ready);
	for (int i = 0; i < 300; i++)
		log_msg(LOG_LVL_ERR, "writer a line %06d.", i);
}

static void
the_last_words_before_an_end_or_a_crash_are_written(void **state)
{
	int status;

	(void)state;
	status = with_stuck_reader(true, write_and_end);
	assert_int_equal(status, 0);
	assert_int_equal(look().lines, 300);
	status = with_stuck_reader(true, write_and_abort);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_int_equal(look().lines, 300);
}

/* More than a pipe holds, and nobody reads: the process ends all the same. */
static void
fill_and_abort(int ready)
{
	(void)ready;
	for (int i = 0; i < ALL_LINES / WRITERS; i++)
		log_msg(LOG_LVL_ERR, "writer a line %06d.", i);
	abort();
}

static void
a_reader_that_never_reads_cannot_keep_a_process_from_ending(void **state)
{
	int status;

	(void)state;
	status = with_stuck_reader(true, fill_and_abort);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* LeakSanitizer cannot look at a child of a process with threads. */
static bool is_child_of_threads;

int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return is_child_of_threads;
}

static void
fork_and_write(int ready)
{
	pid_t pid;
	int status;

	tell(ready);
	log_msg(LOG_LVL_ERR, "writer a line 0.");
	log_flush(60000);
	pid = fork();
	if (pid == 0) {
		is_child_of_threads = true;
		log_msg(LOG_LVL_ERR, "writer a line 1.");
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		_exit(14);
	log_msg(LOG_LVL_ERR, "writer a line 2.");
}

static void
a_child_writes_for_itself(void **state)
{
	int status;

	(void)state;
	status = with_stuck_reader(true, fork_and_write);
	assert_int_equal(status, 0);
	assert_int_equal(look().lines, 3);
}

/* A ring in any order of puts and pops is the queue it seems to be. */
static void
a_ring_is_a_queue_that_counts_what_it_refuses(void **state)
{
	static struct log_ring *r; /* it is there as long as the process */
	uint64_t put = 0, popped = 0, refused = 0, told = 0;
	static struct log_line line;

	(void)state;
	r = log_ring_new();
	assert_non_null(r);
	srandom(7143);
	for (int step = 0; step < 200000; step++) {
		const struct log_line *l;

		/* Long runs of one kind, so that it is often full and often empty. */
		if ((random() & 0xff) < ((step >> 11) & 1 ? 0xa0 : 0x60)) {
			line.len = (size_t)snprintf(line.text, sizeof line.text, "%llu",
			    (unsigned long long)(put + refused));
			if (log_ring_put(r, &line))
				put++;
			else
				refused++;
			assert_true(put - popped <= LOG_RING_LINES);
		} else if ((l = log_ring_peek(r)) != NULL) {
			told += l->dropped;
			assert_int_equal(strtoull(l->text, NULL, 10), popped + told);
			log_ring_pop(r);
			popped++;
		} else {
			assert_int_equal(put, popped);
		}
	}
	assert_true(refused > 1000);
	while (log_ring_peek(r) != NULL) {
		told += log_ring_peek(r)->dropped;
		log_ring_pop(r);
	}
	assert_int_equal(told + log_ring_take_dropped(r), refused);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_is_a_queue_that_counts_what_it_refuses),
		cmocka_unit_test(
		    a_reader_that_does_not_read_blocks_no_writer_and_drops_are_counted),
		cmocka_unit_test(without_a_thread_no_writer_blocks_either),
		cmocka_unit_test(with_a_reader_all_is_told_to_the_last_line),
		cmocka_unit_test(the_last_words_before_an_end_or_a_crash_are_written),
		cmocka_unit_test(a_reader_that_never_reads_cannot_keep_a_process_from_ending),
		cmocka_unit_test(a_child_writes_for_itself),
	};

	unsetenv("JOURNAL_STREAM");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
