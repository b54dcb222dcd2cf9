#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "export/filterspec.h"

static char why[FILTERSPEC_WHY_BYTES];

static struct filterspec
parsed(const char *text, uint32_t lun)
{
	struct filterspec s;

	why[0] = '\0';
	if (!filterspec_parse(text, lun, &s, why))
		fail_msg("%s: %s", text, why);
	return s;
}

static void
filters_stand_in_the_order_in_which_they_are_written(void **state)
{
	struct filterspec s = parsed("stats,delay=5ms,error=write:1/1000,ReadOnly,STATS", 0);
	static const enum filter_id ids[] = { FILTER_stats, FILTER_delay, FILTER_error,
		FILTER_readonly, FILTER_stats };

	(void)state;
	assert_int_equal(s.n, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(s.filter[i].id, ids[i]);
	assert_int_equal(s.filter[1].delay_us, 5000);
	assert_int_equal(s.filter[1].kinds, 0x1f);
	assert_int_equal(s.filter[1].every, 1);
	assert_int_equal(s.filter[2].kinds, 1 << BLK_WRITE);
	assert_int_equal(s.filter[2].every, 1000);
	assert_int_equal(s.filter[2].err, -EIO);
}

static void
nothing_and_none_are_no_filter(void **state)
{
	(void)state;
	assert_int_equal(parsed("", 0).n, 0);
	assert_int_equal(parsed("none", 0).n, 0);
}

static void
parameters_come_in_any_order(void **state)
{
	struct filterspec a = parsed("error=ENOSPC:100-4095:write:discard:1/3", 0);
	struct filterspec b = parsed("error=discard:1/3:write:enospc:100-4095", 0);

	(void)state;
	assert_memory_equal(&a.filter[0], &b.filter[0], sizeof a.filter[0]);
	assert_int_equal(a.filter[0].kinds, 1 << BLK_WRITE | 1 << BLK_DISCARD);
	assert_int_equal(a.filter[0].first, 100);
	assert_int_equal(a.filter[0].last, 4095);
	assert_int_equal(a.filter[0].err, -ENOSPC);
}

static void
times_have_units(void **state)
{
	(void)state;
	assert_int_equal(parsed("delay=200us", 0).filter[0].delay_us, 200);
	assert_int_equal(parsed("delay=read:2s", 0).filter[0].delay_us, 2000000);
	assert_int_equal(parsed("delay=600s", 0).filter[0].delay_us, 600000000);
}

static void
what_is_behind_a_lun_is_for_that_one_alone(void **state)
{
	const char *text = "stats,lun=3,delay=1ms,readonly,lun=16383,error";

	(void)state;
	assert_int_equal(parsed(text, 0).n, 1);
	assert_int_equal(parsed(text, 3).n, 3);
	assert_int_equal(parsed(text, 3).filter[2].id, FILTER_readonly);
	assert_int_equal(parsed(text, 16383).n, 2);
	assert_int_equal(parsed(text, 16383).filter[1].id, FILTER_error);
	assert_int_equal(parsed("lun=3", 3).n, 0);
}

static void
what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "slow", "there is no filter \"slow\"" },
		{ "none,stats", "there is no filter \"none\"" },
		{ "stats,", "there is no filter \"\"" },
		{ "delay", "delay needs a time, such as 5ms" },
		{ "delay=read", "delay needs a time" },
		{ "delay=5", "\"5\" is no parameter of delay=[KIND:]" },
		{ "delay=0ms", "\"0ms\" is no parameter" },
		{ "delay=601s", "\"601s\" is no parameter" },
		{ "delay=18446744073709551617us", "is no parameter" },
		{ "delay=5ms:EIO", "\"EIO\" is no parameter of delay" },
		{ "error=5ms", "\"5ms\" is no parameter of error" },
		{ "error=1/0", "\"1/0\" is no parameter" },
		{ "error=9-8", "\"9-8\" is no parameter" },
		{ "error=-8", "\"-8\" is no parameter" },
		{ "error=EINTR", "\"EINTR\" is no parameter" },
		{ "error=", "\"\" is no parameter" },
		{ "readonly=read", "\"read\" is no parameter of readonly" },
		{ "lun=x,stats", "\"x\" is no LUN" },
		{ "lun=16384,stats", "\"16384\" is no LUN" },
		{ "stats,stats,stats,stats,stats,stats,stats,stats,stats", "more than 8 filters" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct filterspec s = { .n = 77 };

		assert_false(filterspec_parse(cases[i].text, 0, &s, why));
		if (strstr(why, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].text, why);
		assert_int_equal(s.n, 77);
	}
}

static void
a_word_that_is_too_long_is_cut_in_what_is_said(void **state)
{
	char text[LIMIT_FILTERS_BYTES] = { 0 };
	struct filterspec s;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	assert_false(filterspec_parse(text, 0, &s, why));
	assert_non_null(strstr(why, "is too long"));
}

static void
one_is_printed_as_it_would_be_written(void **state)
{
	static const char *const texts[] = { "stats", "readonly", "delay=5ms", "delay=1500us",
		"delay=read:flush:1/7:0-99:3s", "error=EIO", "error=write:zeroes:EROFS",
		("error=read:write:flush:discard:1/4294967295:"
		 "18446744073709551613-18446744073709551614:EOPNOTSUPP") };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct filterspec s = parsed(texts[i], 0);
		char text[FILTERSPEC_TEXT_BYTES];

		filterspec_print(&s.filter[0], text);
		assert_string_equal(text, texts[i]);
	}
	assert_string_equal(filterspec_kind(BLK_DISCARD), "discard");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_stand_in_the_order_in_which_they_are_written),
		cmocka_unit_test(nothing_and_none_are_no_filter),
		cmocka_unit_test(parameters_come_in_any_order),
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(what_is_behind_a_lun_is_for_that_one_alone),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(a_word_that_is_too_long_is_cut_in_what_is_said),
		cmocka_unit_test(one_is_printed_as_it_would_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
