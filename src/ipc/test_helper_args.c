#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/helper_args.h"

static char why[128];

static void
string_is_what_was_sent_or_the_fallback(void **state)
{
	json_t *args = json_pack("{s:s, s:n, s:s}", "a", "x", "b", "c", "");

	(void)state;
	assert_string_equal(helper_args_string(args, "a", NULL, why, sizeof why), "x");
	assert_string_equal(helper_args_string(args, "b", "f", why, sizeof why), "f");
	assert_string_equal(helper_args_string(args, "c", "f", why, sizeof why), "");
	assert_string_equal(helper_args_string(args, "none", "f", why, sizeof why), "f");
	json_decref(args);
}

static void
what_is_no_string_is_refused_by_its_name(void **state)
{
	json_t *args = json_pack("{s:i, s:s#, s:n}", "number", 1, "nul", "a\0b", 3, "null");
	static const char *const bad[] = { "number", "nul", "null", "none" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_null(helper_args_string(args, bad[i], NULL, why, sizeof why));
		assert_non_null(strstr(why, bad[i]));
	}
	assert_null(helper_args_string(args, "number", "f", why, sizeof why));
	json_decref(args);
}

static void
number_must_be_there_and_in_range(void **state)
{
	json_t *args = json_pack("{s:i, s:i, s:I, s:f, s:s, s:b}", "low", 1, "high", 9, "huge",
	    (json_int_t)1 << 40, "real", 5.0, "string", "5", "bool", 1);
	static const char *const bad[] = { "huge", "real", "string", "bool", "none" };
	int n = 0;

	(void)state;
	assert_int_equal(helper_args_int(args, "low", 1, 9, &n, why, sizeof why), 0);
	assert_int_equal(n, 1);
	assert_int_equal(helper_args_int(args, "high", 1, 9, &n, why, sizeof why), 0);
	assert_int_equal(n, 9);
	assert_int_equal(helper_args_int(args, "low", 2, 9, &n, why, sizeof why), -EINVAL);
	assert_int_equal(helper_args_int(args, "high", 1, 8, &n, why, sizeof why), -EINVAL);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(helper_args_int(args, bad[i], 0, 9, &n, why, sizeof why), -EINVAL);
	assert_int_equal(n, 9);
	json_decref(args);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(string_is_what_was_sent_or_the_fallback),
		cmocka_unit_test(what_is_no_string_is_refused_by_its_name),
		cmocka_unit_test(number_must_be_there_and_in_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
