#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ini/login_advice.h"

static void
a_wrong_secret_is_not_tried_again(void **state)
{
	(void)state;
	assert_true(login_advice_for(2, 1).is_permanent);
	assert_non_null(strstr(login_advice_for(2, 1).next, "secret"));
}

static void
a_target_short_of_resources_is_tried_again(void **state)
{
	(void)state;
	assert_false(login_advice_for(3, 2).is_permanent);
	assert_non_null(strstr(login_advice_for(3, 2).next, "limits"));
}

static void
an_unknown_detail_gets_its_class(void **state)
{
	(void)state;
	assert_string_equal(login_advice_for(2, 0x77).next, login_advice_for(2, 0).next);
	assert_false(login_advice_for(3, 0xff).is_permanent);
}

static void
an_unknown_class_is_permanent_and_has_words(void **state)
{
	(void)state;
	for (unsigned c = 4; c < 256; c++) {
		assert_true(login_advice_for((uint8_t)c, 9).is_permanent);
		assert_true(strlen(login_advice_for((uint8_t)c, 9).next) > 0);
	}
}

static void
a_digest_that_the_target_refuses_is_what_the_advice_speaks_of(void **state)
{
	(void)state;
	assert_non_null(strstr(
	    login_advice_violation(VIOLATION_REJECTED, "HeaderDigest=Reject"), "-t headerdigest"));
	assert_non_null(strstr(
	    login_advice_violation(VIOLATION_NOT_OFFERED, "DataDigest=None"), "-t datadigest"));
	assert_null(strstr(login_advice_violation(VIOLATION_REJECTED, "HeaderDigests=x"), "-t"));
	assert_null(strstr(login_advice_violation(VIOLATION_OUT_OF_RANGE, ""), "-t"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_secret_is_not_tried_again),
		cmocka_unit_test(a_target_short_of_resources_is_tried_again),
		cmocka_unit_test(an_unknown_detail_gets_its_class),
		cmocka_unit_test(an_unknown_class_is_permanent_and_has_words),
		cmocka_unit_test(a_digest_that_the_target_refuses_is_what_the_advice_speaks_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
