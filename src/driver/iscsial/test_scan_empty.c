#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "driver/iscsial/scan_empty.h"

static const char *
text(const struct scan_empty *e, size_t row, const char *member)
{
	return json_string_value(json_object_get(json_array_get(e->rows, row), member));
}

static void
who_asked_nobody_is_told_so_and_who_asked_is_not(void **state)
{
	struct scan_empty e;

	(void)state;
	scan_empty_init(&e);
	scan_empty_end(&e, true);
	assert_int_equal(json_array_size(e.rows), 0);
	scan_empty_end(&e, false);
	assert_int_equal(json_array_size(e.rows), 1);
	assert_non_null(strstr(text(&e, 0, "why"), "no target is known"));
	scan_empty_fini(&e);
}

static void
addresses_without_a_network_are_one_row_with_their_number(void **state)
{
	struct scan_empty e;

	(void)state;
	for (unsigned n = 1; n <= 3; n++) {
		scan_empty_init(&e);
		for (unsigned i = 0; i < n; i++)
			scan_empty_unreached(&e);
		scan_empty_end(&e, true);
		assert_int_equal(json_array_size(e.rows), 1);
		assert_non_null(strstr(text(&e, 0, "why"), n == 1   ? ": 1 address could"
							   : n == 2 ? ": 2 addresses could"
								    : ": 3 a"));
		scan_empty_fini(&e);
	}
}

static void
rows_are_bounded_and_the_rest_is_counted(void **state)
{
	struct scan_empty e;

	(void)state;
	scan_empty_init(&e);
	for (size_t i = 0; i < SCAN_EMPTY_MAX + 7; i++)
		scan_empty_target(&e, "a");
	scan_empty_end(&e, true);
	assert_int_equal(json_array_size(e.rows), SCAN_EMPTY_MAX + 1);
	assert_non_null(strstr(text(&e, SCAN_EMPTY_MAX, "why"), "7 more"));
	for (size_t i = 0; i <= SCAN_EMPTY_MAX; i++)
		assert_true(text(&e, i, "what")[0] != '\0' && text(&e, i, "next")[0] != '\0');
	scan_empty_fini(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asked_nobody_is_told_so_and_who_asked_is_not),
		cmocka_unit_test(addresses_without_a_network_are_one_row_with_their_number),
		cmocka_unit_test(rows_are_bounded_and_the_rest_is_counted),
	};

	return cmocka_run_group_tests_name("scan_empty", tests, NULL, NULL);
}
