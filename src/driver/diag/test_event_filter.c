#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "driver/diag/event_filter.h"

#define ALL                                               \
	{                                                 \
		.is_set = true, .level = 7, .session = -1 \
	}

static const char event[] =
    "{\"time\":\"2026-11-28T17:46:07.388Z\",\"id\":\"X\",\"level\":4,\"session\":3,"
    "\"target\":\"iqn.2003-11.com.hp.stor:iSCSI\",\"unit\":\"c0t0d1\",\"text\":\"x\"}";
static const char bare[] = "{\"time\":\"2026-11-28T17:46:08.000Z\",\"id\":\"Y\",\"level\":3,"
			   "\"session\":null,\"target\":null,\"unit\":null,\"text\":\"y\"}";

static bool
passes(const struct event_filter *f, const char *line)
{
	return event_filter_passes(f, line, strlen(line));
}

static void
set(char *to, size_t cap, const char *text)
{
	assert_true(snprintf(to, cap, "%s", text) < (int)cap);
}

static void
each_part_keeps_what_it_names(void **state)
{
	struct event_filter f = ALL;

	(void)state;
	assert_true(passes(&f, event) && passes(&f, bare));
	f.level = 3;
	assert_true(!passes(&f, event) && passes(&f, bare));
	f = (struct event_filter)ALL;
	f.session = 3;
	assert_true(passes(&f, event) && !passes(&f, bare));
	f.session = 0;
	assert_true(!passes(&f, event) && !passes(&f, bare));
	f = (struct event_filter)ALL;
	set(f.target, sizeof f.target, "iqn.2003-11.com.hp.stor:iscsi");
	assert_true(passes(&f, event) && !passes(&f, bare));
	f = (struct event_filter)ALL;
	set(f.unit, sizeof f.unit, "c0t0d1");
	assert_true(passes(&f, event) && !passes(&f, bare));
	set(f.unit, sizeof f.unit, "c0t0d");
	assert_false(passes(&f, event));
	f = (struct event_filter)ALL;
	set(f.since, sizeof f.since, "2026-11-28T17:46:07.388Z");
	assert_true(passes(&f, event) && passes(&f, bare));
	set(f.since, sizeof f.since, "2026-11-28T17:46:07.389Z");
	assert_true(!passes(&f, event) && passes(&f, bare));
}

static void
what_is_no_event_passes_no_filter(void **state)
{
	struct event_filter all = ALL, none = { 0 };

	(void)state;
	assert_false(passes(&all, "[1]"));
	assert_false(passes(&all, "{"));
	assert_true(passes(&none, "{"));
}

static void
times_have_one_shape(void **state)
{
	(void)state;
	assert_true(event_filter_is_time("2026-11-28T17:46:07.388Z"));
	assert_false(event_filter_is_time("2026-11-28T17:46:07Z"));
	assert_false(event_filter_is_time("2026-11-28 17:46:07.388Z"));
	assert_false(event_filter_is_time("yesterday"));
	assert_false(event_filter_is_time(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_keeps_what_it_names),
		cmocka_unit_test(what_is_no_event_passes_no_filter),
		cmocka_unit_test(times_have_one_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
