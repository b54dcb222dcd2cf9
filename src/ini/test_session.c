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
	assert_string_equal(o.view.initiator_name, "iqn.2026-11.org.openisw:me");
	assert_int_equal(o.view.tpgt, 1);
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
an_abort_resets_the_connection_at_once(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	session_abort(o.s);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, 1000));
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.w.resets, 1);
	assert_int_equal(o.w.logouts, 0);
	assert_int_equal(o.closes, 1);
	fake_owner_fini(&o);
}

static void
whoever_is_told_that_it_is_closed_may_free_it_there(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		fake_owner_init(&o, 1, 0);
		o.frees = true;
		if (way > 0)
			fake_owner_online(&o);
		if (way == 3)
			o.w.logout = FAKE_LOGOUT_DROP;
		if (way == 2)
			session_abort(o.s);
		else
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

static void
pings_are_answered_one_after_the_other(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 0);
	fake_owner_online(&o);
	for (int i = 0; i < 5; i++)
		fake_owner_ping(&o);
	assert_int_equal(o.pongs, 0);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.pongs, 5);
	assert_false(o.ping.fault.is_set);
	assert_int_equal(o.ping.bytes_same, 64);
	fake_owner_fini(&o);
}

static void
a_ping_is_answered_also_by_a_close_a_loss_and_while_offline(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 0);
	fake_owner_ping(&o);
	assert_int_equal(o.pongs, 0);
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.pongs, 1);
	assert_true(o.ping.fault.is_set);
	fake_owner_online(&o);
	o.w.is_silent = true;
	fake_owner_ping(&o);
	session_close(o.s);
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.pongs, 2);
	assert_true(o.ping.fault.is_set);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, 6 * SECOND));
	fake_owner_online(&o);
	fake_owner_ping(&o);
	fake_world_run(&o.w, 20 * SECOND);
	assert_int_equal(o.pongs, 3);
	assert_int_equal(o.ping.fault.code, FAULT_TIMEOUT);
	fake_owner_fini(&o);
}

static void
a_probe_teaches_the_units_and_ends_with_the_connection(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_owner_online(&o);
	fake_owner_probe(&o);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.probes, 1);
	assert_int_equal(o.probe_n, 2);
	assert_int_equal(o.unit[0].learned, 1);
	assert_int_equal(o.unit[1].learned, 0); /* LUNs 0 and 2 are there */
	fake_probe_us = 100 * SECOND;
	fake_owner_probe(&o);
	fake_world_run(&o.w, SECOND);
	fake_world_drop(&o.w, 0);
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.probes, 2);
	assert_true(o.probe_fault.is_set);
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	fake_owner_probe(&o);
	fake_world_run(&o.w, 30 * SECOND + 1000);
	assert_int_equal(o.probes, 3);
	assert_int_equal(o.probe_fault.code, FAULT_TIMEOUT);
	fake_probe_us = 1000;
	fake_owner_fini(&o);
}

/* ---- notices ---- */

static void
notices_in_any_number_cost_one_look_a_pace(void **state)
{
	unsigned before;

	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_owner_online(&o);
	for (int i = 0; i < 1000; i++) {
		fake_world_async(&o.w, 0, 0, 0, 0, 0x3f0e);
		fake_world_run(&o.w, SECOND / 100);
	}
	assert_in_range(o.unit[0].doubts, 5, 12);
	assert_in_range(o.luns_changes, 4, 6);
	/* None is lost: what came last was looked at after it. */
	before = o.unit[0].doubts;
	fake_world_run(&o.w, 3 * SECOND);
	assert_int_equal(o.unit[0].doubts, before + 1);
	assert_in_range(o.luns_changes, 5, 7);
	fake_owner_fini(&o);
}

static void
the_first_notice_is_looked_at_at_once(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_owner_online(&o);
	session_path(o.s)->ops->notice(session_path(o.s), &o.unit[1], PATH_UNITS_CHANGED);
	assert_int_equal(o.unit[0].doubts, 1);
	assert_int_equal(o.unit[1].doubts, 0);
	session_path(o.s)->ops->notice(session_path(o.s), &o.unit[1], PATH_LUNS_CHANGED);
	assert_int_equal(o.luns_changes, 0); /* never from inside */
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.luns_changes, 1);
	fake_owner_fini(&o);
}

/* ---- redirections and fences ---- */

static void
a_permanent_redirection_is_told_and_taken_first_the_next_time(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	o.w.login = FAKE_LOGIN_REDIRECT;
	o.w.redirect_for_good = true;
	cut_copy(o.w.redirect_to, sizeof o.w.redirect_to, "192.0.2.7:3261,5");
	cut_copy(o.w.redirect_from, sizeof o.w.redirect_from, "192.0.2.1");
	fake_owner_online(&o);
	assert_int_equal(o.redirects, 1);
	assert_true(o.redirect.is_set);
	assert_string_equal(o.redirect.to.host, "192.0.2.7");
	assert_true(o.view.is_elsewhere);
	assert_int_equal(o.w.connects, 2);
	assert_int_equal(session_counts(o.s)->redirects, 1);
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	assert_int_equal(o.w.connects, 3);
	assert_string_equal(o.w.connect_host, "192.0.2.7");
	/* It does not work any more: the original address, and that is told. */
	o.w.dial = FAKE_REFUSES;
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_TRY, 3 * SECOND));
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	o.w.dial = FAKE_CONNECTS;
	o.w.login = FAKE_LOGIN_OK;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	assert_string_equal(o.w.connect_host, "192.0.2.1");
	assert_int_equal(o.redirects, 2);
	assert_false(o.redirect.is_set);
	fake_owner_fini(&o);
}

/* Where authentication is configured, whoever did without it sends nobody anywhere for good. */
static void
a_permanent_redirection_without_authentication_is_not_kept(void **state)
{
	struct chapcfg_values v = { .secret = "0123456789abcdef" };
	struct settings *s = fake_settings();

	(void)state;
	v.initiator_name = s->initiator_name;
	s->has_chap = true;
	s->offer.auth_method = (struct neg_list){ 2, { NEG_AUTH_CHAP, NEG_AUTH_NONE } };
	chapcfg_init(&s->chap, &v, &fake_chap_ops, NULL);
	fake_owner_init_with(&o, 1, 1, s);
	o.w.login = FAKE_LOGIN_REDIRECT;
	o.w.redirect_for_good = true;
	cut_copy(o.w.redirect_to, sizeof o.w.redirect_to, "192.0.2.7");
	cut_copy(o.w.redirect_from, sizeof o.w.redirect_from, "192.0.2.1");
	fake_owner_online(&o);
	assert_true(o.view.is_elsewhere);
	assert_int_equal(o.redirects, 0);
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	o.w.wants_chap = true;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	assert_int_equal(o.w.connects, 4);
	assert_int_equal(o.redirects, 1);
	fake_owner_fini(&o);
}

static void
a_login_under_another_name_leaves_the_old_nexus_alive(void **state)
{
	struct settings *s = fake_settings();

	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	cut_copy(s->initiator_name, sizeof s->initiator_name, "iqn.2026-11.org.openisw:you");
	session_settings(o.s, s);
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	assert_string_equal(o.view.initiator_name, "iqn.2026-11.org.openisw:you");
	assert_int_equal(session_path(o.s)->dead_nexus, 0);
	fake_world_run(&o.w, 22 * SECOND);
	assert_int_equal(session_path(o.s)->dead_nexus, 1);
	fake_owner_fini(&o);
}

static void
a_login_in_the_same_portal_group_ends_the_old_nexus(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	assert_int_equal(session_path(o.s)->nexus, 1);
	assert_int_equal(session_path(o.s)->dead_nexus, 0);
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	assert_int_equal(session_path(o.s)->nexus, 2);
	assert_int_equal(session_path(o.s)->dead_nexus, 1);
	assert_int_equal(o.unit[0].dead_seen, 1);
	fake_owner_fini(&o);
}

static void
another_portal_group_leaves_the_old_nexus_alive_until_its_time_is_over(void **state)
{
	struct settings *s = fake_settings();
	uint64_t lost;

	(void)state;
	s->redirect.is_set = true;
	s->redirect.to = (struct portal_address){ .host = "192.0.2.7", .port = 3260, .tpgt = 5 };
	fake_owner_init_with(&o, 1, 1, s);
	fake_owner_online(&o);
	o.w.tpgt = 9;
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	lost = o.w.agenda.now_us;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	assert_int_equal(session_path(o.s)->dead_nexus, 0);
	/* DefaultTime2Retain is 20, and a second of grace. */
	fake_world_run(&o.w, lost + 21 * SECOND - 1000 - o.w.agenda.now_us);
	assert_int_equal(session_path(o.s)->dead_nexus, 0);
	fake_world_run(&o.w, 3 * SECOND);
	assert_int_equal(session_path(o.s)->dead_nexus, 1);
	assert_int_equal(o.unit[0].fenceds, 1);
	fake_owner_fini(&o);
}

static void
the_targets_window_is_the_pools(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	o.w.window = 5;
	fake_owner_online(&o);
	assert_int_equal(fake_pool_window(session_path(o.s)->pool), 5);
	o.w.window = 0;
	fake_lu_io(&o.unit[0], 5);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(fake_pool_window(session_path(o.s)->pool), 1);
	fake_owner_fini(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_opened_session_comes_online_and_its_units_are_told),
		cmocka_unit_test(a_lost_connection_is_tried_again_at_once_after_work),
		cmocka_unit_test(every_loss_after_work_is_mended_at_once),
		cmocka_unit_test(silence_is_noticed_in_ten_seconds_and_told_as_silence),
		cmocka_unit_test(
		    io_is_given_up_when_the_replacement_timeout_has_passed_and_not_before),
		cmocka_unit_test(
		    a_try_is_made_before_io_is_given_up_also_where_it_was_refused_for_good),
		cmocka_unit_test(logins_without_work_do_not_end_an_outage),
		cmocka_unit_test(a_give_up_that_comes_with_a_login_has_no_effect),
		cmocka_unit_test(the_targets_time2wait_is_kept),
		cmocka_unit_test(an_explicit_now_overrides_time2wait),
		cmocka_unit_test(time2wait_has_a_cap),
		cmocka_unit_test(the_negotiated_time2wait_counts_after_an_unexpected_loss),
		cmocka_unit_test(a_target_that_drops_every_login_is_not_stormed),
		cmocka_unit_test(a_first_try_that_fails_closes_what_nobody_keeps),
		cmocka_unit_test(what_was_online_once_is_kept),
		cmocka_unit_test(a_logout_that_is_not_answered_is_bounded_and_not_called_a_logout),
		cmocka_unit_test(a_logout_that_the_target_could_not_do_is_not_called_a_logout),
		cmocka_unit_test(after_a_close_nothing_is_opened_behind_the_users_back),
		cmocka_unit_test(an_abort_resets_the_connection_at_once),
		cmocka_unit_test(whoever_is_told_that_it_is_closed_may_free_it_there),
		cmocka_unit_test(an_open_while_it_closes_follows_the_close),
		cmocka_unit_test(pings_are_answered_one_after_the_other),
		cmocka_unit_test(a_ping_is_answered_also_by_a_close_a_loss_and_while_offline),
		cmocka_unit_test(a_probe_teaches_the_units_and_ends_with_the_connection),
		cmocka_unit_test(notices_in_any_number_cost_one_look_a_pace),
		cmocka_unit_test(the_first_notice_is_looked_at_at_once),
		cmocka_unit_test(a_permanent_redirection_is_told_and_taken_first_the_next_time),
		cmocka_unit_test(a_permanent_redirection_without_authentication_is_not_kept),
		cmocka_unit_test(a_login_under_another_name_leaves_the_old_nexus_alive),
		cmocka_unit_test(a_login_in_the_same_portal_group_ends_the_old_nexus),
		cmocka_unit_test(
		    another_portal_group_leaves_the_old_nexus_alive_until_its_time_is_over),
		cmocka_unit_test(the_targets_window_is_the_pools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
