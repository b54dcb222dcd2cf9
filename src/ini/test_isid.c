#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ini/isid.h"

static void
format_is_random_with_instance_as_qualifier(void **state)
{
	uint8_t isid[6];
	char text[13];

	(void)state;
	isid_normal(isid, 0xa1b2c3, 1);
	isid_print(text, isid);
	assert_string_equal(text, "80a1b2c30001");
}

static void
discovery_never_meets_a_normal_session(void **state)
{
	uint8_t normal[6], discovery[6];

	(void)state;
	isid_normal(normal, 7, LIMIT_SESSIONS - 1);
	for (uint32_t n = 0; n < 0x10000; n++) {
		isid_discovery(discovery, 7, n);
		assert_true((discovery[4] & 0x80) != 0);
	}
	assert_true((normal[4] & 0x80) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_is_random_with_instance_as_qualifier),
		cmocka_unit_test(discovery_never_meets_a_normal_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
