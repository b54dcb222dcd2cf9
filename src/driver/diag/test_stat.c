#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/diag/stat.h"

static struct stat_block block;
static struct conn_counts core;
static struct ini_counts ini;
static const struct stat_sources from = { &block, &core, &ini };
static struct stat_base base;
static struct stat_values v;

static int
setup(void **state)
{
	(void)state;
	memset(&block, 0, sizeof block);
	memset(&core, 0, sizeof core);
	memset(&ini, 0, sizeof ini);
	memset(&base, 0, sizeof base);
	return 0;
}

static void
what_driver_and_core_count_is_shown_together(void **state)
{
	(void)state;
	stat_add(&block, STAT_TRANSPORT_SESSION_route_failures);
	stat_add_n(&block, STAT_TRANSPORT_SESSION_route_failures, 2);
	ini.opens = 4;
	core.ios_issued = 7;
	base.cleared = 1000;
	stat_values(&v, &from, &base);
	assert_int_equal(v.n[STAT_TRANSPORT_SESSION_route_failures], 3);
	assert_int_equal(v.n[STAT_TRANSPORT_SESSION_opens], 4);
	assert_int_equal(v.n[STAT_SWD_CONNECTION_ios], 7);
	assert_int_equal(v.n[STAT_SWD_CONNECTION_cleared], 1000);
	assert_int_equal(v.n[STAT_TRANSPORT_SESSION_closes], 0);
}

static void
clearing_a_section_leaves_the_others(void **state)
{
	(void)state;
	ini.opens = 1;
	stat_add(&block, STAT_SWD_CONNECTION_iswd_failures);
	core.ios_issued = 7;
	stat_clear(&base, STAT_SWD_CONNECTION, &from, 2000);
	core.ios_issued = 9;
	stat_values(&v, &from, &base);
	assert_int_equal(v.n[STAT_TRANSPORT_SESSION_opens], 1);
	assert_int_equal(v.n[STAT_SWD_CONNECTION_iswd_failures], 0);
	assert_int_equal(v.n[STAT_SWD_CONNECTION_ios], 2);
	assert_int_equal(v.n[STAT_SWD_CONNECTION_cleared], 2000);
}

static void
counts_of_an_earlier_connection_stay(void **state)
{
	struct conn_counts earlier = { .ios_issued = 5, .reject_other = 1 };

	(void)state;
	core.ios_issued = 2;
	stat_add_core(&core, &earlier);
	assert_int_equal(core.ios_issued, 7);
	assert_int_equal(core.reject_other, 1);
	core.reject_unsupported = 2;
	stat_values(&v, &from, &base);
	assert_int_equal(v.n[STAT_SWD_CONNECTION_reject_other], 3);
}

static void
counting_for_nobody_is_harmless(void **state)
{
	(void)state;
	stat_add(NULL, STAT_TRANSPORT_SESSION_opens);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_driver_and_core_count_is_shown_together, setup),
		cmocka_unit_test_setup(clearing_a_section_leaves_the_others, setup),
		cmocka_unit_test_setup(counts_of_an_earlier_connection_stay, setup),
		cmocka_unit_test(counting_for_nobody_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
