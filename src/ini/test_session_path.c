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

/* ---- questions ---- */

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
	assert_int_equal(o.unit[1].doubts, 1);
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

/* Who is told of a probe may send I/O: a unit that the probe found again takes it. */
static void
a_probe_is_told_when_the_units_have_asked(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_owner_online(&o);
	o.unit[0].asks = o.unit[1].asks = true;
	fake_owner_probe(&o);
	fake_world_run(&o.w, SECOND);
	fake_lu_asked(&o.unit[0]);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.probes, 0);
	fake_lu_asked(&o.unit[1]);
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.probes, 1);
	assert_false(o.probe_fault.is_set);
	assert_int_equal(o.probe_n, 2);
	/* The connection ends meanwhile. */
	fake_owner_probe(&o);
	fake_world_run(&o.w, SECOND);
	fake_world_drop(&o.w, 0);
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.probes, 2);
	assert_true(o.probe_fault.is_set);
	/* A probe that the target does not answer waits for no unit. */
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	o.unit[0].is_learning = true;
	fake_probe_us = 100 * SECOND;
	fake_owner_probe(&o);
	fake_world_run(&o.w, 30 * SECOND + 1000);
	fake_probe_us = 1000;
	assert_int_equal(o.probes, 3);
	assert_true(o.probe_fault.is_set);
	fake_lu_asked(&o.unit[0]);
	/* One does not answer: the probe did. */
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	fake_owner_probe(&o);
	fake_world_run(&o.w, 30 * SECOND - 1000);
	assert_int_equal(o.probes, 3);
	fake_world_run(&o.w, 2000);
	assert_int_equal(o.probes, 4);
	assert_false(o.probe_fault.is_set);
	fake_lu_asked(&o.unit[0]);
	fake_lu_asked(&o.unit[1]);
	fake_owner_fini(&o);
}

/* ---- notices ---- */

static void
notices_in_any_number_hold_the_units_and_cost_a_look_a_pace(void **state)
{
	const struct path *p;
	uint64_t quiet_us = 0;
	unsigned looks = 0;

	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_owner_online(&o);
	p = session_path(o.s);
	for (unsigned i = 1; i <= 1000; i++) {
		fake_world_async(&o.w, 0, 0, 0, 0, 0x3f0e);
		fake_world_run(&o.w, SECOND / 100);
		assert_int_equal(o.unit[0].doubts, i);
		assert_int_equal(p->doubts, i);
		looks +=
		    p->quiet_until_us != quiet_us || p->quiet_until_us <= agenda_now(p->agenda);
		quiet_us = p->quiet_until_us;
		assert_true(quiet_us <= agenda_now(p->agenda) + SECOND / 4);
	}
	assert_in_range(looks, 20, 60);
	assert_in_range(o.luns_changes, 4, 6);
	/* None is lost: what came last was looked at after it. */
	fake_world_run(&o.w, 3 * SECOND);
	assert_in_range(o.luns_changes, 5, 7);
	fake_owner_fini(&o);
}

static void
the_unit_of_an_event_hears_what_it_says(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_owner_online(&o);
	fake_world_async(&o.w, 0, 0, 0, 0, 0x2901);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.unit[0].overheard, 1);
	assert_int_equal(o.unit[1].overheard, 0);
	fake_owner_fini(&o);
}

/* The scan that finds a unit is told first; whether it is meant is the unit's to know. */
static void
a_unit_hears_what_its_lun_said_before_it_was_there(void **state)
{
	static const uint16_t told[] = { 0x2901, 0x2900, 0x2903, 0x2901, 0x3f0e };

	(void)state;
	fake_owner_init(&o, 1, 0);
	fake_owner_online(&o);
	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		fake_world_async(&o.w, 0, 0, 0, 0, told[i]);
	fake_world_run(&o.w, SECOND);
	for (unsigned i = 0; i < 2; i++) {
		fake_lu_init(&o.unit[i], session_path(o.s), i);
		session_take_over_unit(o.s, &o.unit[i], false);
		assert_int_equal(o.unit[i].take_overs, 1);
		assert_int_equal(o.unit[i].told, i == 0 ? 2 : 0);
	}
	/* What a unit has heard is not kept for anybody. */
	fake_world_async(&o.w, 0, 0, 0, 0, 0x2904);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.unit[0].overheard, 1);
	session_remove_unit(o.s, &o.unit[0]);
	fake_lu_init(&o.unit[0], session_path(o.s), 0);
	session_add_unit(o.s, &o.unit[0]);
	assert_int_equal(o.unit[0].told, 2);
	assert_in_range(o.unit[0].told_us, 1, o.w.agenda.now_us - SECOND);
	session_remove_unit(o.s, &o.unit[0]);
	fake_lu_init(&o.unit[0], session_path(o.s), 0);
	session_take_over_unit(o.s, &o.unit[0], true);
	assert_int_equal(o.unit[0].told, 2);
	assert_int_equal(o.unit[0].losses, 1);
	fake_owner_fini(&o);
}

/* Its target was removed and added again, or it begins on another thread. */
static void
a_session_that_is_made_anew_knows_what_the_one_before_had_heard(void **state)
{
	struct heard heard;
	struct session_cfg cfg = { .target = "iqn.2026-11.org.example:t", .heard = &heard };
	struct session *s;

	(void)state;
	fake_owner_init(&o, 1, 0);
	fake_owner_online(&o);
	fake_world_async(&o.w, 0, 0, 0, 0, 0x2901);
	fake_world_run(&o.w, SECOND);
	heard = *session_heard(o.s);
	cfg.world = &o.w.world;
	s = session_new(&cfg, fake_settings());
	assert_non_null(s);
	fake_lu_init(&o.unit[0], session_path(s), 0);
	session_add_unit(s, &o.unit[0]);
	assert_int_equal(o.unit[0].told, 1);
	session_remove_unit(s, &o.unit[0]);
	session_free(s);
	fake_owner_fini(&o);
}

/* A shelf of LUNs lost power: nobody's is forgotten. */
static void
where_more_is_said_than_can_be_kept_it_counts_for_each_unit(void **state)
{
	struct sense power_on = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = 0x01 };

	(void)state;
	for (unsigned n = 16; n < 18; n++) {
		fake_owner_init(&o, 1, 0);
		fake_owner_online(&o);
		for (unsigned i = 1; i <= n; i++) {
			uint8_t lun[LUNS_WIRE_BYTES] = { 0, (uint8_t)i };

			session_path(o.s)->ops->overheard(session_path(o.s), lun, &power_on);
		}
		fake_lu_init(&o.unit[0], session_path(o.s), 17);
		o.unit[0].info.wire[1] = 17;
		session_take_over_unit(o.s, &o.unit[0], false);
		assert_int_equal(o.unit[0].told, n == 16 ? 0 : 1);
		fake_owner_fini(&o);
	}
}

static void
the_first_notice_is_looked_at_at_once(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_owner_online(&o);
	session_path(o.s)->ops->notice(
	    session_path(o.s), lu_first_path(&o.unit[1]), PATH_UNITS_CHANGED);
	assert_int_equal(o.unit[0].doubts, 1);
	assert_int_equal(o.unit[1].doubts, 0);
	session_path(o.s)->ops->notice(
	    session_path(o.s), lu_first_path(&o.unit[1]), PATH_LUNS_CHANGED);
	assert_int_equal(o.luns_changes, 0); /* never from inside */
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.luns_changes, 1);
	fake_owner_fini(&o);
}

static void
a_notice_within_the_pace_is_told_when_it_is_over(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 2);
	fake_owner_online(&o);
	session_path(o.s)->ops->notice(session_path(o.s), NULL, PATH_LUNS_CHANGED);
	fake_world_run(&o.w, 1000);
	session_path(o.s)->ops->notice(session_path(o.s), NULL, PATH_LUNS_CHANGED);
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.luns_changes, 1);
	fake_world_run(&o.w, SESSION_NOTICE_US);
	assert_int_equal(o.luns_changes, 2);
	fake_world_run(&o.w, 3 * SESSION_NOTICE_US);
	assert_int_equal(o.luns_changes, 2);
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
	assert_string_equal(o.view.login.initiator_name, "iqn.2026-11.org.openisw:you");
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
		cmocka_unit_test(pings_are_answered_one_after_the_other),
		cmocka_unit_test(a_ping_is_answered_also_by_a_close_a_loss_and_while_offline),
		cmocka_unit_test(a_probe_teaches_the_units_and_ends_with_the_connection),
		cmocka_unit_test(a_probe_is_told_when_the_units_have_asked),
		cmocka_unit_test(notices_in_any_number_hold_the_units_and_cost_a_look_a_pace),
		cmocka_unit_test(the_unit_of_an_event_hears_what_it_says),
		cmocka_unit_test(a_unit_hears_what_its_lun_said_before_it_was_there),
		cmocka_unit_test(a_session_that_is_made_anew_knows_what_the_one_before_had_heard),
		cmocka_unit_test(where_more_is_said_than_can_be_kept_it_counts_for_each_unit),
		cmocka_unit_test(the_first_notice_is_looked_at_at_once),
		cmocka_unit_test(a_notice_within_the_pace_is_told_when_it_is_over),
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
