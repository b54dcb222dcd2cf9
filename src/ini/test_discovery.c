#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cut.h"
#include "ini/discovery.h"
#include "ini/fake_world.h"

#define SECOND 1000000ull

static struct fake_world w;
static struct discovery *x;
static struct discovery_result result;
static unsigned dones;

static void
done(void *user, struct discovery_result *r)
{
	(void)user;
	free(result.found);
	result = *r;
	r->found = NULL; /* taken */
	dones++;
}

static int
setup(void **state)
{
	(void)state;
	fake_world_init(&w, 1);
	dones = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(result.found);
	result.found = NULL;
	fake_world_fini(&w);
	return 0;
}

static uint32_t login_ms = 15000;

static void
start(void)
{
	struct settings *s = fake_settings();
	static const uint8_t isid[6] = { 0x80, 1, 2, 3, 0x80, 0 };
	const struct portal_address at = { .host = "192.0.2.1", .port = 3260, .tpgt = 1 };

	s->timers.ms[TIMER_login] = login_ms;
	x = discovery_start(&w.world, &at, isid, s, done, NULL);
	assert_non_null(x);
}

/* Within this, whatever the portal does. */
static void
finish_within(uint64_t us)
{
	start();
	fake_world_run(&w, us);
	assert_int_equal(dones, 1);
}

static void
targets_and_addresses_are_told(void **state)
{
	(void)state;
	w.targets = "TargetName=iqn.2026-11.a\nTargetAddress=192.0.2.5:3261,2\n"
		    "TargetAddress=0.0.0.0,3\nTargetName=iqn.2026-11.b\n";
	finish_within(SECOND);
	assert_false(result.fault.is_set);
	assert_true(result.was_online);
	assert_int_equal(result.n_targets, 2);
	assert_int_equal(result.n, 3);
	assert_string_equal(result.found[0].name, "iqn.2026-11.a");
	assert_string_equal(result.found[0].host, "192.0.2.5");
	assert_int_equal(result.found[0].port, 3261);
	assert_int_equal(result.found[0].tpgt, 2);
	/* "Any address" is the one that answered, and so is none. */
	assert_string_equal(result.found[1].host, "192.0.2.1");
	assert_int_equal(result.found[1].port, 3260);
	assert_string_equal(result.found[2].name, "iqn.2026-11.b");
	assert_string_equal(result.found[2].host, "192.0.2.1");
	assert_int_equal(result.counts.send_targets, 1);
	assert_int_equal(w.logouts, 1);
}

static void
a_portal_that_is_named_twice_is_one_row_and_the_login_tells_its_tag(void **state)
{
	(void)state;
	w.targets = "TargetName=iqn.2026-11.a\nTargetAddress=192.0.2.5:3260,1\n"
		    "TargetAddress=192.0.2.6:3260,2\nTargetAddress=192.0.2.5:3260,2\n"
		    "TargetAddress=192.0.2.6:3260,2\nTargetName=iqn.2026-11.b\n"
		    "TargetAddress=192.0.2.5:3260,7\n";
	finish_within(SECOND);
	assert_int_equal(result.n, 3);
	assert_string_equal(result.found[0].host, "192.0.2.5");
	assert_int_equal(result.found[0].tpgt, 1);
	assert_true(result.found[0].is_tag_open);
	assert_string_equal(result.found[1].host, "192.0.2.6");
	assert_false(result.found[1].is_tag_open);
	assert_string_equal(result.found[2].name, "iqn.2026-11.b");
	assert_false(result.found[2].is_tag_open);
}

static void
a_target_that_is_told_in_two_spellings_is_one(void **state)
{
	(void)state;
	w.targets = "TargetName=iqn.2026-11.a:caf\xc3\xa9\nTargetAddress=192.0.2.5:3260,1\n"
		    "TargetName=iqn.2026-11.a:Cafe\xcc\x81\nTargetAddress=192.0.2.5:3260,1\n"
		    "TargetAddress=192.0.2.6:3260,1\n";
	finish_within(SECOND);
	assert_int_equal(result.n_targets, 1);
	assert_int_equal(result.n, 2);
	assert_string_equal(result.found[0].name, "iqn.2026-11.a:caf\xc3\xa9");
}

static void
a_portal_that_leaves_the_logout_unanswered_costs_two_seconds(void **state)
{
	(void)state;
	w.targets = "TargetName=iqn.2026-11.a\n";
	w.logout = FAKE_LOGOUT_SILENT;
	finish_within(3 * SECOND);
	assert_false(result.fault.is_set);
	assert_int_equal(result.n, 1);
	assert_int_equal(result.core.logouts, 1);
	assert_int_equal(result.core.logout_timeouts, 1);
	assert_int_equal(result.core.exchanges_aborted, 1);
}

static void
what_cannot_be_used_is_named_and_costs_no_other(void **state)
{
	(void)state;
	w.targets = "TargetName=iqn.2026-11.a\nTargetAddress=:::,1\nTargetName=iqn.2026-11."
		    "b\nTargetAddress="
		    "192.0.2.6,1\nX-odd=1\n";
	finish_within(SECOND);
	assert_int_equal(result.n_bad, 2);
	assert_int_equal(result.bad[0].kind, SENDTARGETS_BAD_ADDRESS);
	assert_int_equal(result.bad[1].kind, SENDTARGETS_BAD_KEY);
	assert_int_equal(result.counts.send_targets_parse, 2);
	assert_true(result.n >= 1);
}

static void
each_way_to_fail_has_its_own_sentence(void **state)
{
	static const struct {
		enum fake_text text;
		const char *says;
	} ways[] = {
		{ FAKE_TEXT_SILENT, "did not answer SendTargets in" },
		{ FAKE_TEXT_REJECT, "rejected SendTargets (reason 0x04)" },
		{ FAKE_TEXT_DROP, "ended before the answer to SendTargets was complete" },
		{ FAKE_TEXT_ENDLESS, "was not complete after 15 seconds" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		dones = 0;
		w.text = ways[i].text;
		w.targets = "TargetName=iqn.2026-11.a\n";
		w.answer_us = 100000;
		/* Its own limit holds, whatever a login may take. */
		login_ms = i % 2 == 0 ? 15000 : 600000;
		finish_within(17 * SECOND);
		if (strstr(result.fault.message, ways[i].says) == NULL)
			fail_msg("\"%s\", not \"%s\"", result.fault.message, ways[i].says);
		assert_int_equal(result.counts.send_targets_failed, 1);
		assert_true(result.was_online);
		assert_int_equal(fake_world_lines(&w), 0);
	}
	login_ms = 15000;
}

static void
an_answer_that_is_too_long_is_cut_off_and_told_so(void **state)
{
	static char junk[8001];

	(void)state;
	memset(junk, 'a', sizeof junk - 1);
	memcpy(junk, "X=", 2);
	junk[sizeof junk - 2] = '\n';
	w.targets = junk;
	w.text = FAKE_TEXT_ENDLESS;
	w.answer_us = 1;
	finish_within(16 * SECOND);
	if (strstr(result.fault.message, "is longer than 8388608 bytes") == NULL)
		fail_msg("%s", result.fault.message);
	assert_int_equal(fake_world_lines(&w), 0);
}

static void
a_login_that_fails_is_told_with_its_reason(void **state)
{
	(void)state;
	w.login = FAKE_LOGIN_STATUS;
	w.status[0] = 2;
	w.status[1] = 1;
	finish_within(SECOND);
	assert_false(result.was_online);
	assert_non_null(strstr(result.fault.message, "0201"));
	assert_int_equal(result.counts.failed, 1);
	dones = 0;
	w.login = FAKE_LOGIN_OK;
	w.dial = FAKE_REFUSES;
	finish_within(SECOND);
	assert_string_equal(result.fault.message, "connection refused");
	assert_int_equal(result.counts.open_failures, 1);
}

static void
a_redirected_discovery_is_followed(void **state)
{
	(void)state;
	w.login = FAKE_LOGIN_REDIRECT;
	cut_copy(w.redirect_from, sizeof w.redirect_from, "192.0.2.1");
	cut_copy(w.redirect_to, sizeof w.redirect_to, "192.0.2.7:3261");
	w.targets = "TargetName=iqn.2026-11.a\n";
	finish_within(SECOND);
	assert_false(result.fault.is_set);
	assert_int_equal(result.found[0].port, 3261);
}

static void
a_cancel_leaves_nothing_whenever_it_comes(void **state)
{
	(void)state;
	w.targets = "TargetName=iqn.2026-11.a\n";
	for (uint64_t us = 0; us < 4000; us += 50) {
		start();
		fake_world_run(&w, us);
		if (dones == 0)
			discovery_cancel(x);
		dones = 0;
	}
	discovery_cancel(NULL);
}

#define RUN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(targets_and_addresses_are_told),
		RUN_TEST(a_target_that_is_told_in_two_spellings_is_one),
		RUN_TEST(a_portal_that_is_named_twice_is_one_row_and_the_login_tells_its_tag),
		RUN_TEST(a_portal_that_leaves_the_logout_unanswered_costs_two_seconds),
		RUN_TEST(what_cannot_be_used_is_named_and_costs_no_other),
		RUN_TEST(each_way_to_fail_has_its_own_sentence),
		RUN_TEST(an_answer_that_is_too_long_is_cut_off_and_told_so),
		RUN_TEST(a_login_that_fails_is_told_with_its_reason),
		RUN_TEST(a_redirected_discovery_is_followed),
		RUN_TEST(a_cancel_leaves_nothing_whenever_it_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
