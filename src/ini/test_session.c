#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cut.h"
#include "ini/fake_owner.h"

#define SECOND 1000000ull

static struct fake_owner o;

/* ---- online, and away again ---- */

static void
an_opened_session_comes_online_and_its_units_are_told(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_lu_io(&o.unit[0], 3);
	assert_int_equal(o.unit[0].failed, 3); /* closed: nothing to wait for */
	fake_owner_online(&o);
	assert_true(session_path(o.s)->is_up);
	assert_int_equal(o.unit[0].ups, 1);
	assert_int_equal(o.unit[1].ups, 1);
	fake_lu_io(&o.unit[0], 3);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.unit[0].done, 3);
	assert_int_equal(o.view.state, SESSION_ONLINE);
	assert_string_equal(session_state_word(o.view.state), "online");
	assert_string_equal(o.view.login.initiator_name, "iqn.2026-11.org.openisw:me");
	assert_int_equal(o.view.login.tpgt, 1);
	fake_owner_fini(&o);
	assert_int_equal(o.w.logouts, 1);
	assert_string_equal(o.view.last.message, "it was logged out");
}

static void
a_lost_connection_is_tried_again_at_once_after_work(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, 5 * SECOND);
	fake_lu_io(&o.unit[0], 1);
	fake_world_drop(&o.w, -ECONNRESET);
	assert_true(fake_owner_until(&o, SESSION_TRY, 1000));
	assert_int_equal(o.unit[0].downs, 1);
	assert_int_equal(o.unit[0].silences, 0);
	assert_true(fake_owner_until(&o, SESSION_ONLINE, SECOND));
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.unit[0].done, 2);
	assert_true(o.view.is_reopened);
	assert_int_equal(session_counts(o.s)->reopens, 1);
	assert_int_equal(session_counts(o.s)->dead_events, 1);
	fake_owner_fini(&o);
}

static void
a_session_that_is_renewed_has_new_settings_at_once_and_its_io_waits(void **state)
{
	struct settings *set = fake_settings();
	uint64_t since;

	(void)state;
	fake_owner_init(&o, 1, 1);
	assert_false(session_renew(o.s));
	fake_owner_online(&o);
	o.w.answer_us = SECOND / 2;
	fake_lu_io(&o.unit[0], 3);
	fake_world_run(&o.w, 1000);
	cut_copy(set->initiator_name, sizeof set->initiator_name, "iqn.2026-11.org.openisw:other");
	session_settings(o.s, set);
	since = o.w.agenda.now_us;
	assert_true(session_renew(o.s));
	o.w.answer_us = 200;
	assert_true(fake_owner_until(&o, SESSION_TRY, SECOND));
	assert_non_null(strstr(o.view.last.message, "logs in anew"));
	assert_true(fake_owner_until(&o, SESSION_ONLINE, SECOND));
	assert_in_range(o.w.agenda.now_us - since, 0, SECOND);
	fake_world_run(&o.w, SECOND);
	assert_string_equal(o.view.login.initiator_name, "iqn.2026-11.org.openisw:other");
	assert_int_equal(o.unit[0].done, 3);
	assert_int_equal(o.unit[0].failed, 0);
	assert_int_equal(o.w.logouts, 1);
	assert_int_equal(session_counts(o.s)->dead_events, 0);
	/* However often: nothing has failed that a wait could mend. */
	for (int i = 0; i < 5; i++) {
		assert_true(session_renew(o.s));
		assert_true(fake_owner_until(&o, SESSION_TRY, 10000));
		assert_true(fake_owner_until(&o, SESSION_ONLINE, 10000));
	}
	fake_owner_fini(&o);
}

static void
every_loss_after_work_is_mended_at_once(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	for (int i = 0; i < 20; i++) {
		fake_lu_io(&o.unit[0], 10);
		fake_world_run(&o.w, SECOND);
		fake_world_drop(&o.w, 0);
		assert_true(fake_owner_until(&o, SESSION_TRY, 1000));
		assert_true(fake_owner_until(&o, SESSION_ONLINE, SECOND / 10));
	}
	assert_int_equal(o.unit[0].done, 200);
	fake_owner_fini(&o);
}

static void
silence_is_noticed_in_ten_seconds_and_told_as_silence(void **state)
{
	uint64_t since;

	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_world_run(&o.w, 20 * SECOND);
	assert_int_equal(session_state(o.s), SESSION_ONLINE); /* pings are answered */
	o.w.is_silent = true;
	since = o.w.agenda.now_us;
	assert_true(fake_owner_until(&o, SESSION_TRY, 20 * SECOND));
	/* The last pong was at most an interval ago. */
	assert_in_range(o.w.agenda.now_us - since, 0, 10 * SECOND + 1000);
	assert_int_equal(o.unit[0].silences, 1);
	o.w.is_silent = false;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	fake_owner_fini(&o);
}

static void
silence_is_noticed_in_a_second_where_that_is_configured(void **state)
{
	struct settings *set = fake_settings();
	struct fault f = { 0 };
	uint64_t since;

	(void)state;
	set->timers.ms[TIMER_nop_interval] = set->timers.ms[TIMER_nop] = 500;
	assert_true(timers_check(&set->timers, &f));
	fake_owner_init_with(&o, 1, 1, set);
	fake_owner_online(&o);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, 20 * SECOND);
	assert_int_equal(o.w.connects, 1);
	o.w.is_silent = true;
	since = o.w.agenda.now_us;
	assert_true(fake_owner_until(&o, SESSION_TRY, 20 * SECOND));
	assert_in_range(o.w.agenda.now_us - since, 0, SECOND + 1000);
	o.w.is_silent = false;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, SECOND));
	fake_owner_fini(&o);
}

/* ---- the promise ---- */

static void
io_is_given_up_when_the_replacement_timeout_has_passed_and_not_before(void **state)
{
	uint64_t since;

	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, SECOND);
	o.w.dial = FAKE_REFUSES;
	fake_world_drop(&o.w, 0);
	since = o.w.agenda.now_us;
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, 119 * SECOND);
	assert_int_equal(o.unit[0].failed, 0);
	assert_true(o.w.connects > 50); /* while I/O waits, every two seconds */
	fake_world_run(&o.w, 2 * SECOND);
	assert_int_equal(o.unit[0].failed, 1);
	assert_true(session_path(o.s)->is_given_up);
	assert_string_equal(session_state_word(session_state(o.s)), "offline");
	assert_true(o.w.connect_us - since > 117 * SECOND);
	/* It goes on trying, more and more seldom, and comes back. */
	o.w.dial = FAKE_CONNECTS;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 40 * SECOND));
	assert_false(session_path(o.s)->is_given_up);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.unit[0].done, 2);
	fake_owner_fini(&o);
}

/* Nothing waited, so the pauses had grown; then I/O comes. */
static void
io_that_comes_in_a_long_pause_makes_it_short(void **state)
{
	uint64_t since;

	(void)state;
	for (unsigned is_given_up = 0; is_given_up < 2; is_given_up++) {
		fake_owner_init(&o, 1, 1);
		fake_owner_online(&o);
		o.w.dial = FAKE_REFUSES;
		fake_world_drop(&o.w, 0);
		fake_world_run(&o.w, is_given_up ? 200 * SECOND : 60 * SECOND);
		since = o.w.agenda.now_us;
		o.w.dial = FAKE_CONNECTS;
		for (unsigned i = 0; i < 100; i++)
			session_path(o.s)->ops->wanted(session_path(o.s));
		assert_true(fake_owner_until(&o, SESSION_ONLINE, 40 * SECOND));
		assert_true(o.w.agenda.now_us - since <= 2 * SECOND);
		/* And where it is open already, it says nothing new. */
		session_path(o.s)->ops->wanted(session_path(o.s));
		fake_world_run(&o.w, SECOND);
		assert_int_equal(session_state(o.s), SESSION_ONLINE);
		fake_owner_fini(&o);
	}
}

static void
a_try_is_made_before_io_is_given_up_also_where_it_was_refused_for_good(void **state)
{
	uint64_t lost;

	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, SECOND);
	o.w.login = FAKE_LOGIN_STATUS;
	o.w.status[0] = 2;
	o.w.status[1] = 1;
	fake_world_drop(&o.w, 0);
	lost = o.w.agenda.now_us;
	fake_world_run(&o.w, 120 * SECOND + 100000);
	assert_true(session_path(o.s)->is_given_up);
	assert_in_range(o.w.connect_us - lost, 116 * SECOND, 120 * SECOND);
	assert_true(o.w.connects < 10); /* nothing waits, and the same would be refused */
	fake_owner_fini(&o);
}

static void
logins_without_work_do_not_end_an_outage(void **state)
{
	unsigned connects;

	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, SECOND);
	o.w.is_commandless = true;
	fake_lu_io(&o.unit[0], 1);
	connects = o.w.connects;
	for (int i = 0; i < 60 && o.unit[0].failed == 0; i++) {
		fake_world_drop(&o.w, 0);
		fake_world_run(&o.w, 3 * SECOND);
	}
	assert_int_equal(o.unit[0].failed, 1);
	assert_in_range(o.w.connects - connects, 20, 80);
	fake_owner_fini(&o);
}

static void
a_give_up_that_comes_with_a_login_has_no_effect(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, SECOND);
	o.w.dial = FAKE_REFUSES;
	fake_world_drop(&o.w, 0);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, 110 * SECOND);
	o.w.dial = FAKE_CONNECTS;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 5 * SECOND));
	fake_world_run(&o.w, 30 * SECOND);
	assert_int_equal(o.unit[0].failed, 0);
	assert_int_equal(o.unit[0].done, 2);
	assert_int_equal(o.unit[0].given_ups, 0);
	fake_owner_fini(&o);
}

/* ---- when to try again ---- */

static void
the_targets_time2wait_is_kept(void **state)
{
	uint64_t lost;

	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_world_async(&o.w, 3, 0, 40, 5, 0);
	fake_world_run(&o.w, 1000);
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	lost = o.w.agenda.now_us;
	session_open(o.s, true, false); /* a scan */
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 50 * SECOND));
	assert_in_range(o.w.connect_us - lost, 40 * SECOND, 41 * SECOND);
	fake_owner_fini(&o);
}

static void
an_explicit_now_overrides_time2wait(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_world_async(&o.w, 2, 0, 40, 5, 0);
	fake_world_run(&o.w, 1000);
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	assert_true(o.view.next_try_us >= o.w.agenda.now_us + 39 * SECOND);
	session_open(o.s, true, true);
	assert_non_null(strstr(o.w.said, "wants us to wait 40 seconds"));
	assert_true(fake_owner_until(&o, SESSION_ONLINE, SECOND));
	fake_owner_fini(&o);
}

static void
time2wait_has_a_cap(void **state)
{
	uint64_t lost;

	(void)state;
	fake_owner_init(&o, 1, 0);
	fake_owner_online(&o);
	fake_world_async(&o.w, 3, 0, 60000, 5, 0);
	fake_world_run(&o.w, 1000);
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	lost = o.w.agenda.now_us;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 400 * SECOND));
	assert_in_range(o.w.connect_us - lost, 300 * SECOND, 301 * SECOND);
	fake_owner_fini(&o);
}

static void
the_negotiated_time2wait_counts_after_an_unexpected_loss(void **state)
{
	uint64_t lost;

	(void)state;
	fake_owner_init(&o, 1, 1);
	o.w.time2wait = 7;
	fake_owner_online(&o);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, SECOND);
	fake_world_drop(&o.w, -ECONNRESET);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	lost = o.w.agenda.now_us;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 10 * SECOND));
	assert_in_range(o.w.connect_us - lost, 7 * SECOND, 8 * SECOND);
	fake_owner_fini(&o);
}

static void
a_target_that_drops_every_login_is_not_stormed(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 0);
	fake_owner_online(&o);
	for (int i = 0; i < 600; i++) {
		fake_world_drop(&o.w, 0);
		fake_world_run(&o.w, SECOND / 10);
	}
	assert_true(o.w.connects < 40);
	fake_owner_fini(&o);
}

/* ---- closing, and what was asked ---- */

static void
a_target_that_works_for_a_moment_only_is_not_stormed(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	for (int i = 0; i < 1000; i++) {
		if (session_state(o.s) == SESSION_ONLINE && lu_is_idle(&o.unit[0]))
			fake_lu_io(&o.unit[0], 1);
		fake_world_run(&o.w, 5000);
		fake_world_drop(&o.w, 0);
		fake_world_run(&o.w, 5000);
	}
	assert_in_range(o.w.connects, 10, 22);
	fake_owner_fini(&o);
}

static void
a_first_try_that_fails_closes_what_nobody_keeps(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 0);
	o.w.dial = FAKE_REFUSES;
	session_open(o.s, false, true);
	assert_true(fake_owner_until(&o, SESSION_TRY, SECOND));
	assert_true(fake_owner_until(&o, SESSION_CLOSED, SECOND));
	assert_string_equal(o.view.last.message, "connection refused");
	assert_int_equal(o.closes, 0);
	fake_world_run(&o.w, 100 * SECOND);
	assert_int_equal(o.w.connects, 1);
	fake_owner_fini(&o);
}

static void
what_was_online_once_is_kept(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 0);
	session_open(o.s, false, true);
	assert_true(fake_owner_until(&o, SESSION_ONLINE, SECOND));
	o.w.dial = FAKE_REFUSES;
	fake_world_drop(&o.w, 0);
	fake_world_run(&o.w, 500 * SECOND);
	o.w.dial = FAKE_CONNECTS;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 40 * SECOND));
	fake_owner_fini(&o);
}

static void
a_logout_that_is_not_answered_is_bounded_and_not_called_a_logout(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	o.w.logout = FAKE_LOGOUT_SILENT;
	session_close(o.s);
	assert_false(fake_owner_until(&o, SESSION_CLOSED, 4 * SECOND));
	assert_true(fake_owner_until(&o, SESSION_CLOSED, 2 * SECOND));
	assert_non_null(strstr(o.view.last.message, "logout was not answered in time"));
	assert_true(o.view.is_logout_lost);
	fake_owner_fini(&o);
}

static void
a_logout_that_the_target_could_not_do_is_not_called_a_logout(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	o.w.logout_response = 3;
	session_close(o.s);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, SECOND));
	assert_non_null(strstr(o.view.last.message, "with response 3: it could not clean up"));
	/* Nor is the nexus dead before its time. */
	assert_int_equal(session_path(o.s)->dead_nexus, 0);
	fake_world_run(&o.w, 22 * SECOND);
	assert_int_equal(session_path(o.s)->dead_nexus, 1);
	o.w.logout_response = 0;
	fake_owner_fini(&o);
}

static void
after_a_close_nothing_is_opened_behind_the_users_back(void **state)
{
	unsigned connects;

	(void)state;
	fake_owner_init(&o, 1, 0);
	fake_owner_online(&o);
	session_close(o.s);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, SECOND));
	connects = o.w.connects;
	session_settings(o.s, fake_settings());
	fake_world_run(&o.w, 1000 * SECOND);
	assert_int_equal(o.w.connects, connects);
	fake_owner_fini(&o);
}

static void
whoever_is_told_that_it_is_closed_may_free_it_there(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		fake_owner_init(&o, 1, 0);
		o.frees = true;
		if (way > 0)
			fake_owner_online(&o);
		if (way == 2)
			o.w.logout = FAKE_LOGOUT_DROP;
		session_close(o.s);
		assert_non_null(o.s);
		fake_world_run(&o.w, SECOND);
		assert_null(o.s);
		assert_int_equal(o.closes, 1);
		fake_world_fini(&o.w);
	}
}

static void
an_open_while_it_closes_follows_the_close(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	session_close(o.s);
	fake_world_run(&o.w, 100);
	assert_int_equal(session_state(o.s), SESSION_LOGOUT);
	session_open(o.s, true, true);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.closes, 1);
	assert_int_equal(session_state(o.s), SESSION_ONLINE);
	assert_int_equal(o.w.logouts, 1);
	fake_owner_fini(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_opened_session_comes_online_and_its_units_are_told),
		cmocka_unit_test(a_lost_connection_is_tried_again_at_once_after_work),
		cmocka_unit_test(
		    a_session_that_is_renewed_has_new_settings_at_once_and_its_io_waits),
		cmocka_unit_test(every_loss_after_work_is_mended_at_once),
		cmocka_unit_test(silence_is_noticed_in_ten_seconds_and_told_as_silence),
		cmocka_unit_test(silence_is_noticed_in_a_second_where_that_is_configured),
		cmocka_unit_test(
		    io_is_given_up_when_the_replacement_timeout_has_passed_and_not_before),
		cmocka_unit_test(io_that_comes_in_a_long_pause_makes_it_short),
		cmocka_unit_test(
		    a_try_is_made_before_io_is_given_up_also_where_it_was_refused_for_good),
		cmocka_unit_test(logins_without_work_do_not_end_an_outage),
		cmocka_unit_test(a_give_up_that_comes_with_a_login_has_no_effect),
		cmocka_unit_test(the_targets_time2wait_is_kept),
		cmocka_unit_test(an_explicit_now_overrides_time2wait),
		cmocka_unit_test(time2wait_has_a_cap),
		cmocka_unit_test(the_negotiated_time2wait_counts_after_an_unexpected_loss),
		cmocka_unit_test(a_target_that_drops_every_login_is_not_stormed),
		cmocka_unit_test(a_target_that_works_for_a_moment_only_is_not_stormed),
		cmocka_unit_test(a_first_try_that_fails_closes_what_nobody_keeps),
		cmocka_unit_test(what_was_online_once_is_kept),
		cmocka_unit_test(a_logout_that_is_not_answered_is_bounded_and_not_called_a_logout),
		cmocka_unit_test(a_logout_that_the_target_could_not_do_is_not_called_a_logout),
		cmocka_unit_test(after_a_close_nothing_is_opened_behind_the_users_back),
		cmocka_unit_test(whoever_is_told_that_it_is_closed_may_free_it_there),
		cmocka_unit_test(an_open_while_it_closes_follows_the_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
