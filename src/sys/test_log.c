#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/log.h"

static char text[16384];

/* What the body writes to the standard error ends in `text`. */
static void
capture(void (*body)(void))
{
	FILE *f = tmpfile();
	int was = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(f);
	assert_true(was >= 0);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	body();
	log_flush(10000);
	assert_true(dup2(was, STDERR_FILENO) >= 0);
	close(was);
	rewind(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	fclose(f);
}

static void
log_three(void)
{
	log_init("prog", LOG_TO_STDERR, LOG_LVL_ERR);
	log_warn("not %s", "this");
	log_err("disk %d is gone", 7);
	log_set_level(LOG_LVL_DEBUG);
	log_debug("now %s", "this");
}

static void
log_hostile(void)
{
	log_set_level(LOG_LVL_ERR);
	log_err("alias '%s'", "a\nJan 1 fake: line\x1b[2J");
}

static void
log_long(void)
{
	char big[5000];

	memset(big, '\n', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	log_err("%s", big);
}

static void
log_bidi(void)
{
	log_err("alias '%s'", "a\xe2\x80\xae"
			      "b\xff \xc3\xa4");
}

static void
log_often(void)
{
	static struct log_limit one, two;
	uint64_t now = LOG_LIMIT_PERIOD_US;

	for (int i = 0; i < 100; i++)
		log_limited(&one, now, LOG_LVL_ERR, "peer 1 says %d", i);
	log_limited(&two, now, LOG_LVL_ERR, "peer 2 says %d", 0);
	now += LOG_LIMIT_PERIOD_US;
	log_limited(&one, now, LOG_LVL_ERR, "peer 1 says %d", 100);
	log_limited(&one, now, LOG_LVL_ERR, "peer 1 says %d", 101);
}

#define TRIES 50000u
struct tally {
	unsigned passed, told;
};

static void *
try_often(void *arg)
{
	struct tally *t = calloc(1, sizeof *t);
	unsigned left_out;

	for (unsigned i = 0; t != NULL && i < TRIES; i++)
		/* A period every 1,000 tries. */
		if (log_limit_passes(
			arg, LOG_LIMIT_PERIOD_US * (1ull + i / 1000), LOG_LIMIT_LINES, &left_out)) {
			t->passed++;
			t->told += left_out;
		}
	return t;
}

static void
only_levels_up_to_the_chosen_one_are_logged(void **state)
{
	(void)state;
	capture(log_three);
	assert_null(strstr(text, "not this"));
	assert_non_null(strstr(text, " prog["));
	assert_non_null(strstr(text, "err: disk 7 is gone\n"));
	assert_non_null(strstr(text, "debug: now this\n"));
}

static void
text_from_outside_cannot_write_a_line_or_speak_to_the_terminal(void **state)
{
	(void)state;
	capture(log_hostile);
	assert_non_null(strstr(text, "alias 'a\\x0aJan 1 fake: line\\x1b[2J'\n"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	capture(log_long);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_non_null(strstr(text, "...\n"));
}

static void
errno_survives_a_message(void **state)
{
	(void)state;
	errno = EDOM;
	capture(log_hostile);
	errno = EDOM;
	log_set_level(LOG_LVL_PANIC);
	log_err("silent");
	assert_int_equal(errno, EDOM);
}

static void
characters_that_hide_or_turn_text_round_are_shown_as_numbers(void **state)
{
	(void)state;
	log_set_level(LOG_LVL_ERR);
	capture(log_bidi);
	assert_non_null(strstr(text, "alias 'a\\xe2\\x80\\xaeb\\xff \xc3\xa4'\n"));
}

static void
a_kind_of_message_is_limited_and_what_was_left_out_is_counted(void **state)
{
	unsigned lines = 0;

	(void)state;
	log_set_level(LOG_LVL_ERR);
	capture(log_often);
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, LOG_LIMIT_LINES + 1 + 1 + 1);
	assert_non_null(strstr(text, "err: peer 2 says 0\n"));
	assert_non_null(strstr(text, "err: peer 1 says 100 (90 more like it were left out)\n"));
	assert_non_null(strstr(text, "err: peer 1 says 101\n"));
}

/* Whatever the threads' turns, each message passes or is counted. */
static void
no_message_is_neither_logged_nor_counted(void **state)
{
	static struct log_limit limit;
	pthread_t t[4];
	unsigned passed = 0, told = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, try_often, &limit), 0);
	for (int i = 0; i < 4; i++) {
		void *ret;

		assert_int_equal(pthread_join(t[i], &ret), 0);
		passed += ((struct tally *)ret)->passed;
		told += ((struct tally *)ret)->told;
		free(ret);
	}
	assert_int_equal(passed + told + atomic_load(&limit.left_out), 4 * TRIES);
	assert_true(passed < TRIES);
}

static void
levels_have_words_and_numbers(void **state)
{
	enum log_level level = LOG_LVL_ERR;

	(void)state;
	assert_true(log_level_parse("0", &level));
	assert_int_equal(level, LOG_LVL_PANIC);
	assert_true(log_level_parse("Debug", &level));
	assert_int_equal(level, LOG_LVL_DEBUG);
	assert_false(log_level_parse("8", &level));
	assert_false(log_level_parse("", &level));
	assert_int_equal(level, LOG_LVL_DEBUG);
	assert_string_equal(log_level_name(LOG_LVL_NOTE), "note");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_levels_up_to_the_chosen_one_are_logged),
		cmocka_unit_test(text_from_outside_cannot_write_a_line_or_speak_to_the_terminal),
		cmocka_unit_test(errno_survives_a_message),
		cmocka_unit_test(characters_that_hide_or_turn_text_round_are_shown_as_numbers),
		cmocka_unit_test(a_kind_of_message_is_limited_and_what_was_left_out_is_counted),
		cmocka_unit_test(no_message_is_neither_logged_nor_counted),
		cmocka_unit_test(levels_have_words_and_numbers),
	};

	unsetenv("JOURNAL_STREAM");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
