#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "names/endpoint.h"

static void
endpoints_are_printed_and_compared(void **state)
{
	struct endpoint a, b;
	char text[ENDPOINT_BYTES];

	(void)state;
	assert_true(endpoint_set(&a, "192.0.2.1", 427));
	endpoint_print(&a, text);
	assert_string_equal(text, "192.0.2.1:427");
	assert_true(endpoint_set(&b, "192.0.2.1", 428));
	assert_true(endpoint_same_host(&a, &b));
	assert_false(endpoint_equal(&a, &b));
	assert_true(endpoint_set(&a, "fe80::1%lo", 427));
	endpoint_print(&a, text);
	assert_string_equal(text, "[fe80::1%lo]:427");
	endpoint_host(&a, text);
	assert_string_equal(text, "fe80::1");
	assert_false(endpoint_same_host(&a, &b));
	assert_false(endpoint_set(&a, "fe80::1%nosuchinterface", 427));
	assert_false(endpoint_set(&a, "localhost", 427));
	assert_false(endpoint_set(&a, "", 427));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_printed_and_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
