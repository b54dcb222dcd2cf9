/* A driver that was conquered asks its porter for ublk devices of others, and in the wrong way. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fusetest.h"
#include "export/loopuse.h"
#include "export/portertest.h"
#include "export/ublkjob.h"

/* A question that may be asked. */
static struct porter_question
good(enum ublkjob_what what)
{
	return (struct porter_question){ .op = PORTER_UBLK,
		.what = what,
		.number = what == UBLKJOB_ADD ? UBLK_ANY : 3,
		.device = ublkjob_tag(),
		.size_bytes = 1u << 20,
		.block_bytes = 512,
		.name = "c0t0d0" };
}

static int
ask(struct portertest *f, struct porter_question q)
{
	return portertest_ask(f, q, -1, NULL);
}

/* What this place says to a question that may be asked: no ublk, or no such device. */
static bool
is_let_pass(int result)
{
	return result != -EINVAL;
}

static void
only_questions_of_the_right_form_are_asked(void **state)
{
	static const char *const names[] = { "", "../plain", "c0t0d0/..", "c0t0d", "x" };
	static const uint32_t blocks[] = { 0, 1, 511, 513, 1000, 1u << 17, UINT32_MAX };
	struct portertest f;
	struct porter_question q;

	(void)state;
	portertest_setup(&f);
	assert_true(is_let_pass(ask(&f, good(UBLKJOB_RECOVER))));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		q = good(UBLKJOB_RECOVER);
		(void)snprintf(q.name, sizeof q.name, "%s", names[i]);
		assert_int_equal(ask(&f, q), -EINVAL);
	}
	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
		q = good(UBLKJOB_ADD);
		q.block_bytes = blocks[i];
		assert_int_equal(ask(&f, q), -EINVAL);
	}
	q = good(UBLKJOB_ADD);
	q.size_bytes = UINT64_MAX;
	assert_int_equal(ask(&f, q), -EINVAL);
	q = good(UBLKJOB_ADD);
	q.can_discard = 2;
	assert_int_equal(ask(&f, q), -EINVAL);
	q = good(UBLKJOB_DELETE);
	q.what = UBLKJOB_WHATS;
	assert_int_equal(ask(&f, q), -EINVAL);
	q.what = UINT32_MAX;
	assert_int_equal(ask(&f, q), -EINVAL);
	q = good(UBLKJOB_DELETE);
	q.number = -2;
	assert_int_equal(ask(&f, q), -EINVAL);
	q.number = LOOPUSE_UBLK;
	assert_int_equal(ask(&f, q), -EINVAL);
	assert_int_equal(portertest_ask(&f, good(UBLKJOB_DELETE), STDIN_FILENO, NULL), -EINVAL);
	portertest_teardown(&f);
}

/* Other programs' devices have none, or one of another form. */
static void
a_device_without_a_tag_of_ours_is_not_touched(void **state)
{
	static const uint64_t tags[] = { 0, 1, UINT64_MAX, 0x4f48ull << 48, 0x4f490000ull };
	struct portertest f;

	(void)state;
	portertest_setup(&f);
	for (int what = UBLKJOB_ADD; what < UBLKJOB_WHATS; what++)
		for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
			struct porter_question q = good((enum ublkjob_what)what);

			q.device = tags[i];
			assert_int_equal(ask(&f, q), -EINVAL);
		}
	portertest_teardown(&f);
}

static void
one_that_it_has_not_made_is_not_started_changed_or_stopped(void **state)
{
	static const enum ublkjob_what whats[] = { UBLKJOB_START, UBLKJOB_CHANGE, UBLKJOB_STOP };
	struct portertest f;

	(void)state;
	portertest_setup(&f);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ask(&f, good(whats[i])), -ENXIO);
		assert_non_null(strstr(f.a.text, "not, or no more, a ublk device of this disk"));
	}
	portertest_teardown(&f);
}

/* Where this kernel has none, that is said, with what to do. */
static void
without_ublk_there_is_a_sentence(void **state)
{
	struct portertest f;

	(void)state;
	portertest_setup(&f);
	for (int what = UBLKJOB_CHECK; what <= UBLKJOB_ADD; what++)
		if (access("/dev/ublk-control", F_OK) < 0) {
			assert_int_equal(ask(&f, good((enum ublkjob_what)what)), -ENOENT);
			assert_non_null(strstr(f.a.text, "no /dev/ublk-control"));
			assert_non_null(strstr(f.a.text, "load the kernel module ublk_drv"));
		}
	portertest_teardown(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_questions_of_the_right_form_are_asked),
		cmocka_unit_test(a_device_without_a_tag_of_ours_is_not_touched),
		cmocka_unit_test(one_that_it_has_not_made_is_not_started_changed_or_stopped),
		cmocka_unit_test(without_ublk_there_is_a_sentence),
	};
	const char *obstacle = fusetest_obstacle();

	if (obstacle != NULL) {
		printf("skipped: %s\n", obstacle);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
