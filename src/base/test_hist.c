#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/hist.h"

static void
every_value_falls_into_a_step_that_is_an_eighth_wide(void **state)
{
	(void)state;
	for (uint64_t v = 0; v < 1u << 20; v++) {
		unsigned i = hist_step(v);

		assert_true(i < HIST_STEPS);
		assert_true(v <= hist_step_max(i));
		assert_true(i == 0 || v > hist_step_max(i - 1));
		assert_true(hist_step_max(i) - v <= v / 8);
	}
	assert_int_equal(hist_step((UINT64_C(1) << HIST_BITS) - 1), HIST_STEPS - 1);
	assert_int_equal(hist_step(UINT64_MAX), HIST_STEPS - 1);
}

static void
quantiles_are_right_to_an_eighth(void **state)
{
	static struct hist h;

	(void)state;
	memset(&h, 0, sizeof h);
	for (uint64_t v = 1; v <= 10000; v++)
		hist_add(&h, v);
	assert_int_equal(hist_count(&h), 10000);
	assert_int_equal(h.sum, 50005000);
	assert_in_range(hist_permille(&h, 500), 5000, 5625);
	assert_in_range(hist_permille(&h, 990), 9900, 10000);
	assert_int_equal(hist_permille(&h, 999), 10000);
	assert_int_equal(hist_permille(&h, 1000), 10000);
	assert_int_equal(h.max, 10000);
}

static void
nothing_added_has_quantile_zero(void **state)
{
	static const struct hist h;

	(void)state;
	assert_int_equal(hist_permille(&h, 500), 0);
	assert_int_equal(hist_count(&h), 0);
}

static void
histograms_are_copied_merged_and_subtracted(void **state)
{
	static struct hist a, b, c;

	(void)state;
	hist_add(&a, 5);
	hist_copy(&b, &a);
	hist_add(&a, 100);
	c = a;
	hist_subtract(&c, &b);
	assert_int_equal(hist_count(&c), 1);
	assert_int_equal(hist_permille(&c, 500), 100);
	assert_int_equal(c.sum, 100);
	hist_merge(&b, &a);
	assert_int_equal(hist_count(&b), 3);
	assert_int_equal(b.sum, 110);
	assert_int_equal(b.max, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_falls_into_a_step_that_is_an_eighth_wide),
		cmocka_unit_test(quantiles_are_right_to_an_eighth),
		cmocka_unit_test(nothing_added_has_quantile_zero),
		cmocka_unit_test(histograms_are_copied_merged_and_subtracted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
