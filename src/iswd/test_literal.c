#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "iswd/literal.h"

static char why[256];

static int
parse(struct literal *l, const char *text)
{
	why[0] = '\0';
	return literal_parse(l, text, 3260, "the address", why, sizeof why);
}

static void
literals_come_back_as_they_were(void **state)
{
	static const char *const same[][2] = {
		{ "192.0.2.1", "192.0.2.1:3260" },
		{ "127.0.0.1", "127.0.0.1:3260" },
		{ "::1", "[::1]:3260" },
		{ "2001:DB8:0:0::7", "[2001:db8::7]:3260" },
		{ "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:3260" },
		{ "fe80::1", "[fe80::1]:3260" },
		{ "fe80::1%lo", "[fe80::1%lo]:3260" },
		{ "fe80::1%1", "[fe80::1%lo]:3260" },
	};
	char text[LITERAL_BYTES];
	struct literal l;

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		assert_int_equal(parse(&l, same[i][0]), 0);
		literal_print(&l, text);
		assert_string_equal(text, same[i][1]);
	}
}

static void
what_is_no_literal_is_refused_with_a_sentence(void **state)
{
	static const char *const bad[] = { "", "localhost", "example.com", "192.0.2", "192.0.2.256",
		"192.0.2.1 ", "0x7f.1", "127.1", "2130706433", "192.0.2.1:3260", "[::1]",
		"::1::", "1:2:3:4:5:6:7", "12345::", "%lo", "192.0.2.1%lo",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc" };
	char longest[2000];
	struct literal l;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(parse(&l, bad[i]), -EINVAL);
		assert_non_null(strstr(why, "the address \""));
	}
	memset(longest, '1', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(parse(&l, longest), -EINVAL);
	assert_true(strlen(why) < 100);
}

static void
addresses_nobody_can_connect_to_are_refused(void **state)
{
	static const char *const bad[] = { "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255",
		"255.255.255.255", "::", "ff02::1", "ff02::1%lo", "::ffff:0.0.0.0",
		"::ffff:224.0.0.1" };
	struct literal l;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(parse(&l, bad[i]), -EINVAL);
}

static void
zone_that_is_no_interface_is_named(void **state)
{
	static const char *const bad[] = { "fe80::1%", "fe80::1%nosuchif0", "fe80::1%0",
		"fe80::1%01", "fe80::1%999999999", "fe80::1%4294967297", "fe80::1%1x",
		"fe80::1%-1" };
	struct literal l;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(parse(&l, bad[i]), -ENODEV);
		assert_non_null(strstr(why, "interface"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_come_back_as_they_were),
		cmocka_unit_test(what_is_no_literal_is_refused_with_a_sentence),
		cmocka_unit_test(addresses_nobody_can_connect_to_are_refused),
		cmocka_unit_test(zone_that_is_no_interface_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
