#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "names/hostname.h"

#define L63 "a23456789-123456789-123456789-123456789-123456789-123456789-123"

static void
names_of_rfc_1123_are_names(void **state)
{
	static const char *const good[] = { "localhost", "a", "a.b", "example.com", "EXAMPLE.com.",
		"3com.com", "1.2.3.host", "xn--bcher-kva.example", "a-b--c.d", L63,
		/* 253 characters */
		L63 "." L63 "." L63 "."
		    "a23456789-123456789-123456789-123456789-123456789-123456789-1",
		L63 "." L63 "." L63 "."
		    "a23456789-123456789-123456789-123456789-123456789-123456789-1." };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_null(hostname_fault(good[i]));
}

static void
what_is_no_name_is_refused_with_the_fault(void **state)
{
	static const char *const bad[][2] = {
		{ "", "empty" },
		{ ".", "empty part" },
		{ ".a", "empty part" },
		{ "a..b", "empty part" },
		{ "a..", "empty part" },
		{ "-a", "hyphen" },
		{ "a-.b", "hyphen" },
		{ "a.-", "hyphen" },
		{ "a_b", "characters" },
		{ "a b", "characters" },
		{ "a\n", "characters" },
		{ "a/b", "characters" },
		{ "::1", "characters" },
		{ "fe80::1%eth0", "characters" },
		{ "b\xc3\xbc"
		  "cher",
		    "xn--" },
		{ "192.0.2.1", "number" },
		{ "192.0.2.1.", "number" },
		{ "1", "number" },
		{ "0x7f.1", "number" },
		{ L63 "4", "63" },
		{ L63 "." L63 "." L63 "."
		      "a23456789-123456789-123456789-123456789-123456789-123456789-12",
		    "253" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *fault = hostname_fault(bad[i][0]);

		assert_non_null(fault);
		if (strstr(fault, bad[i][1]) == NULL)
			fail_msg("\"%s\" %s, but not: %s", bad[i][0], fault, bad[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_rfc_1123_are_names),
		cmocka_unit_test(what_is_no_name_is_refused_with_the_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
