#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/iscsial/hwpath.h"

static void
prints_what_the_guide_shows(void **state)
{
	char text[HWPATH_TEXT_BYTES];
	struct hwpath p = hwpath_hba();

	(void)state;
	hwpath_print(text, &p);
	assert_string_equal(text, "255/0");
	p = hwpath_lun(3, 1, 15, 7);
	hwpath_print(text, &p);
	assert_string_equal(text, "255/0/3.1.15.7");
}

static void
parses_every_level(void **state)
{
	static const char *const good[] = { "255", "255/0", "255/0/3", "255/0/3.1", "255/0/3.1.2",
		"255/0/3.1.2.7" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char text[HWPATH_TEXT_BYTES];
		struct hwpath p;

		assert_true(hwpath_parse(good[i], &p));
		assert_int_equal(p.n, i + 1);
		hwpath_print(text, &p);
		assert_string_equal(text, good[i]);
	}
}

static void
refuses_what_is_no_path(void **state)
{
	static const char *const bad[] = { "", "0", "25", "255/", "255.0", "255/0.3", "255/0/3/1",
		"255/0/3.1.2.7.", "255/0/3.1.2.7.8", "255/0/x", "255/0/999999999999", " 255",
		"255/-1" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct hwpath p = { .n = 99 };

		assert_false(hwpath_parse(bad[i], &p));
		assert_int_equal(p.n, 99);
	}
}

static void
order_is_depth_first(void **state)
{
	struct hwpath hba = hwpath_hba(), bus = hwpath_bus(0, 0), target = hwpath_target(0, 0, 2),
		      lun = hwpath_lun(0, 0, 2, 1), next = hwpath_target(0, 0, 10);

	(void)state;
	assert_true(hwpath_cmp(&hba, &bus) < 0);
	assert_true(hwpath_cmp(&target, &lun) < 0);
	assert_true(hwpath_cmp(&lun, &next) < 0);
	assert_true(hwpath_cmp(&next, &target) > 0);
	assert_int_equal(hwpath_cmp(&lun, &lun), 0);
}

static void
below_means_the_same_or_deeper(void **state)
{
	struct hwpath bus = hwpath_bus(1, 0), lun = hwpath_lun(1, 0, 2, 1),
		      other = hwpath_lun(11, 0, 2, 1);

	(void)state;
	assert_true(hwpath_is_below(&lun, &bus));
	assert_true(hwpath_is_below(&bus, &bus));
	assert_false(hwpath_is_below(&bus, &lun));
	assert_false(hwpath_is_below(&other, &bus));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_the_guide_shows),
		cmocka_unit_test(parses_every_level),
		cmocka_unit_test(refuses_what_is_no_path),
		cmocka_unit_test(order_is_depth_first),
		cmocka_unit_test(below_means_the_same_or_deeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
