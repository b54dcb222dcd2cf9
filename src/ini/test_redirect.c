#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ini/redirect.h"

static void
an_address_is_followed_with_its_defaults(void **state)
{
	struct portal_address to = { .tpgt = 7 };
	struct fault f = { 0 };
	unsigned hops = 0;

	(void)state;
	assert_true(redirect_follow("192.0.2.9", &hops, &to, &f));
	assert_string_equal(to.host, "192.0.2.9");
	assert_int_equal(to.port, 3260);
	assert_int_equal(to.tpgt, 7);
	assert_true(redirect_follow("[2001:db8::5]:5000,3", &hops, &to, &f));
	assert_string_equal(to.host, "2001:db8::5");
	assert_int_equal(to.port, 5000);
	assert_int_equal(to.tpgt, 3);
	assert_int_equal(hops, 2);
	assert_false(f.is_set);
}

static void
going_round_in_circles_ends(void **state)
{
	struct portal_address to = { 0 };
	struct fault f = { 0 };
	unsigned hops = 0;

	(void)state;
	for (int i = 0; i < REDIRECT_HOPS_MAX; i++)
		assert_true(redirect_follow("192.0.2.9", &hops, &to, &f));
	assert_false(redirect_follow("192.0.2.9", &hops, &to, &f));
	assert_non_null(strstr(f.message, "in a row"));
	assert_true(strlen(f.next) > 0);
}

static void
nonsense_is_refused_and_leads_nowhere(void **state)
{
	static const char *const bad[] = { "", ":3260", "192.0.2.9:0", "192.0.2.9:99999", "[::1",
		"a b", "192.0.2.999" };
	struct portal_address to = { .port = 42 };
	struct fault f;
	unsigned hops = 0;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		fault_clear(&f);
		assert_false(redirect_follow(bad[i], &hops, &to, &f));
		assert_true(f.is_set);
		assert_int_equal(to.port, 42);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_followed_with_its_defaults),
		cmocka_unit_test(going_round_in_circles_ends),
		cmocka_unit_test(nonsense_is_refused_and_leads_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
