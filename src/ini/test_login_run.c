#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cut.h"
#include "ini/counts.h"
#include "ini/fake_world.h"
#include "ini/login_run_words.h"

#define SECOND 1000000ull

static struct fake_world w;
static struct login_run *r;
static struct ini_counts counts;
static struct settings *settings;
static unsigned onlines, downs;
static struct login_run_down down;
static struct fault down_why;
static const struct portal_address portal = { .host = "192.0.2.1", .port = 3260, .tpgt = 1 };

static void
online(void *user)
{
	(void)user;
	onlines++;
}

static void
is_down(void *user, const struct login_run_down *d)
{
	(void)user;
	assert_true(login_run_is_down(r));
	downs++;
	down = *d;
	down_why = *fault_kept(d->fault);
}

static const struct login_run_ops ops = { .online = online, .down = is_down };

static int
setup(void **state)
{
	struct login_run_cfg cfg = { .world = &w.world,
		.label = "session 3",
		.target = "iqn.2026-11.org.openisw:tgt",
		.isid = { 0x80, 1, 2, 3, 0, 3 },
		.slots = 8,
		.ops = &ops };

	(void)state;
	fake_world_init(&w, 1);
	settings = fake_settings();
	memset(&counts, 0, sizeof counts);
	onlines = downs = 0;
	r = login_run_new(&cfg, &counts);
	return r != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	login_run_free(r);
	settings_free(settings);
	fake_world_fini(&w);
	return 0;
}

static void
start(void)
{
	login_run_start(r, &portal, settings);
}

static void
set_chap(const char *method, const char *algorithms)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x",
		.secret = "0123456789abcdef",
		.method = method,
		.algorithms = algorithms };

	settings->has_chap = true;
	settings->is_chap_default = algorithms == NULL;
	settings->offer.auth_method = (struct neg_list){ 1, { NEG_AUTH_CHAP } };
	chapcfg_init(&settings->chap, &v, &fake_chap_ops, NULL);
	w.wants_chap = true;
}

static void
run(uint64_t us)
{
	fake_world_run(&w, us);
}

/* ---- connecting ---- */

static void
a_portal_that_answers_comes_online(void **state)
{
	(void)state;
	start();
	assert_int_equal(onlines, 0);
	run(SECOND);
	assert_int_equal(onlines, 1);
	assert_true(login_run_is_online(r));
	assert_string_equal(login_run_peer(r), "192.0.2.1:3260");
	assert_int_equal(counts.opened, 1);
	fake_world_drop(&w, -ECONNRESET);
	run(SECOND);
	assert_int_equal(downs, 1);
	assert_true(down.was_online);
	assert_int_equal(down.end, LOGIN_RUN_LOST);
	assert_string_equal(down_why.message, "the connection broke: Connection reset by peer");
	assert_int_equal(counts.dead_events, 1);
}

static void
no_connection_is_told_with_its_reason(void **state)
{
	(void)state;
	w.dial = FAKE_NO_NAME;
	start();
	run(SECOND);
	assert_int_equal(downs, 1);
	assert_int_equal(down.end, LOGIN_RUN_UNREACHABLE);
	assert_true(down.is_name);
	assert_int_equal(counts.open_failures, 1);
	assert_int_equal(counts.resolve_failures, 1);
}

static void
a_world_that_never_answers_is_not_waited_for(void **state)
{
	(void)state;
	w.dial = FAKE_NEVER_ANSWERS;
	start();
	run(10 * SECOND);
	assert_int_equal(downs, 0);
	run(2 * SECOND);
	assert_int_equal(downs, 1);
	assert_int_equal(down.err, -ETIMEDOUT);
	assert_null(login_run_connected(r, "", "")); /* too late */
}

static void
a_stop_is_told_later_and_once_whatever_it_meets(void **state)
{
	struct fault why = { 0 };

	(void)state;
	fault_set(&why, FAULT_OFFLINE, "", "enough");
	for (uint64_t us = 0; us < 6000; us += 100) {
		downs = 0;
		start();
		run(us);
		login_run_stop(r, &why, true);
		login_run_stop(r, &why, true);
		assert_int_equal(downs, 0);
		run(20 * SECOND);
		assert_int_equal(downs, 1);
		assert_true(down.was_stopped);
		assert_string_equal(down_why.message, "enough");
		assert_int_equal(fake_world_lines(&w), 0);
	}
	assert_int_equal(counts.dead_events, 0);
}

/* ---- refused ---- */

static void
a_refusal_has_its_status_and_advice(void **state)
{
	(void)state;
	w.login = FAKE_LOGIN_STATUS;
	w.status[0] = 2;
	w.status[1] = 3;
	start();
	run(SECOND);
	assert_int_equal(down.end, LOGIN_RUN_REFUSED);
	assert_true(down.is_permanent);
	assert_non_null(strstr(down_why.message, "status 0203"));
	assert_non_null(strstr(down_why.next, "target's name"));
}

static void
silence_in_the_login_ends_with_its_time(void **state)
{
	(void)state;
	w.login = FAKE_LOGIN_SILENT;
	settings->timers.ms[TIMER_login] = 2500;
	start();
	run(4 * SECOND);
	assert_int_equal(downs, 1);
	assert_int_equal(down.end, LOGIN_RUN_SILENT);
	assert_non_null(strstr(down_why.message, "did not answer the iSCSI login in 2.5 seconds"));
}

static void
who_hangs_up_in_the_login_is_told_so(void **state)
{
	(void)state;
	w.login = FAKE_LOGIN_DROP;
	start();
	run(SECOND);
	assert_non_null(strstr(down_why.message, "ended the connection during the iSCSI login"));
	assert_int_equal(w.connects, 1);
}

/* ---- redirections ---- */

static void
a_redirection_is_followed_within_the_same_try(void **state)
{
	bool is_for_good = true;

	(void)state;
	w.login = FAKE_LOGIN_REDIRECT;
	cut_copy(w.redirect_from, sizeof w.redirect_from, "192.0.2.1");
	cut_copy(w.redirect_to, sizeof w.redirect_to, "192.0.2.7:3261");
	w.tpgt = 1;
	start();
	run(SECOND);
	assert_int_equal(onlines, 1);
	assert_int_equal(downs, 0);
	assert_string_equal(login_run_at(r, &is_for_good)->host, "192.0.2.7");
	assert_false(is_for_good);
	assert_int_equal(counts.redirects, 1);
	/* What is lost later did lead somewhere. */
	fake_world_drop(&w, 0);
	run(SECOND);
	assert_int_equal(downs, 1);
	assert_int_equal(counts.redirects_lost, 0);
}

static void
a_redirection_may_lead_to_another_portal_group(void **state)
{
	(void)state;
	w.login = FAKE_LOGIN_REDIRECT;
	w.tpgt = 9;
	cut_copy(w.redirect_from, sizeof w.redirect_from, "192.0.2.1");
	cut_copy(w.redirect_to, sizeof w.redirect_to, "192.0.2.7:3261");
	start();
	run(SECOND);
	assert_int_equal(onlines, 1);
	assert_int_equal(sess_tpgt(login_run_sess(r)), 9);
}

static void
circles_and_nonsense_end(void **state)
{
	(void)state;
	w.login = FAKE_LOGIN_REDIRECT;
	cut_copy(w.redirect_from, sizeof w.redirect_from, "192.0.2.1");
	cut_copy(w.redirect_to, sizeof w.redirect_to, "192.0.2.1");
	start();
	run(5 * SECOND);
	assert_int_equal(downs, 1);
	assert_int_equal(w.connects, 5);
	assert_non_null(strstr(down_why.message, "in a row"));
	assert_int_equal(counts.redirects_lost, 1);
}

static void
a_redirection_that_leads_nowhere_is_counted(void **state)
{
	(void)state;
	w.login = FAKE_LOGIN_REDIRECT;
	cut_copy(w.redirect_from, sizeof w.redirect_from, "192.0.2.1");
	cut_copy(w.redirect_to, sizeof w.redirect_to, "192.0.2.7");
	start();
	while (w.connects < 2)
		assert_true(fake_world_step(&w, SECOND));
	w.dial = FAKE_REFUSES;
	run(SECOND);
	assert_int_equal(downs, 1);
	assert_true(down.was_redirected);
	assert_int_equal(counts.redirects_lost, 1);
}

/* ---- CHAP ---- */

static void
only_allowed_algorithms_are_offered(void **state)
{
	(void)state;
	set_chap("CHAP_UNI", "SHA-256,SHA-1");
	start();
	run(SECOND);
	assert_int_equal(onlines, 1);
	assert_string_equal(w.offered_algorithms, "7,6");
}

static void
a_target_that_refuses_the_default_list_gets_md5_alone_once(void **state)
{
	(void)state;
	set_chap("CHAP_UNI", NULL);
	w.refuses_lists = true;
	start();
	run(SECOND);
	assert_int_equal(onlines, 1);
	assert_int_equal(w.connects, 2);
	assert_string_equal(w.offered_algorithms, "5");
	/* Also one that hangs up. */
	fake_world_drop(&w, 0);
	run(SECOND);
	w.refuses_lists = false;
	w.closes_on_lists = true;
	start();
	run(SECOND);
	assert_int_equal(onlines, 2);
	assert_int_equal(w.connects, 4);
}

static void
md5_alone_is_tried_once_only(void **state)
{
	(void)state;
	set_chap("CHAP_UNI", NULL);
	w.login = FAKE_LOGIN_STATUS;
	w.status[0] = 2;
	w.status[1] = 1;
	start();
	run(5 * SECOND);
	assert_int_equal(downs, 1);
	assert_int_equal(w.connects, 2);
}

static void
a_list_that_was_chosen_is_never_replaced_by_md5(void **state)
{
	(void)state;
	set_chap("CHAP_UNI", "SHA-256,MD5");
	w.refuses_lists = true;
	start();
	run(5 * SECOND);
	assert_int_equal(downs, 1);
	assert_int_equal(w.connects, 1);
	assert_string_equal(w.offered_algorithms, "7,5");
}

static void
nothing_that_may_be_offered_is_no_login(void **state)
{
	(void)state;
	set_chap("CHAP_BI", "SHA-256"); /* whoever is asked about the target knows MD5 only */
	start();
	run(SECOND);
	assert_int_equal(downs, 1);
	assert_int_equal(w.logins, 0);
	assert_non_null(strstr(down_why.message, "none of the CHAP algorithms"));
	assert_string_equal(w.offered_algorithms, "");
}

static void
without_random_bytes_there_is_no_login(void **state)
{
	(void)state;
	set_chap("CHAP_UNI", NULL);
	w.has_no_random = true;
	start();
	run(SECOND);
	assert_int_equal(downs, 1);
	assert_non_null(strstr(down_why.message, "random"));
	assert_false(down.is_permanent);
}

static void
every_login_has_a_challenge_of_its_own(void **state)
{
	struct fault none = { 0 };
	uint8_t first[CHAPCFG_CHALLENGE_BYTES];

	(void)state;
	set_chap("CHAP_BI", NULL);
	start();
	run(SECOND);
	assert_int_equal(w.verifies, 1);
	/* Four fifths of LoginTimeout. */
	assert_in_range(w.query.timeout_ms, 11500, 12001);
	memcpy(first, w.query.challenge, sizeof first);
	fake_world_drop(&w, 0);
	run(SECOND);
	assert_int_equal(w.verify_cancels, 1);
	settings->timers.ms[TIMER_login] = 50000;
	start();
	run(SECOND);
	assert_int_equal(w.verifies, 2);
	assert_in_range(w.query.timeout_ms, 39500, 40001);
	assert_memory_not_equal(first, w.query.challenge, sizeof first);
	w.asks = NULL;
	login_run_verified(r, w.query.stamp, true, false, &none);
	run(SECOND);
	assert_int_equal(onlines, 1);
}

static void
an_answer_about_an_earlier_login_changes_nothing(void **state)
{
	struct fault none = { 0 };
	unsigned old;

	(void)state;
	set_chap("CHAP_BI", NULL);
	start();
	run(SECOND);
	old = w.query.stamp;
	fake_world_drop(&w, 0);
	run(SECOND);
	login_run_verified(r, old, true, false, &none);
	assert_int_equal(counts.auth_no_connection, 1);
	start();
	run(SECOND);
	login_run_verified(r, old, true, false, &none);
	run(SECOND);
	assert_int_equal(counts.auth_wrong_stamp, 1);
	assert_int_equal(onlines, 0);
	w.asks = NULL;
	login_run_verified(r, w.query.stamp, false, false, &none);
	run(SECOND);
	assert_int_equal(onlines, 0);
	assert_true(down.is_permanent);
}

static void
where_nobody_could_say_the_target_is_not_to_blame(void **state)
{
	struct fault why = { 0 };

	(void)state;
	set_chap("CHAP_BI", NULL);
	start();
	run(SECOND);
	fault_set(&why, FAULT_TIMEOUT, "look at it", "no RADIUS server answered");
	w.asks = NULL;
	login_run_verified(r, w.query.stamp, true, true, &why);
	run(SECOND);
	assert_int_equal(downs, 2 - 1);
	assert_false(down.is_permanent);
	assert_string_equal(down_why.message, "no RADIUS server answered");
	assert_int_equal(counts.auth_timeouts, 1);
}

/* ---- the end's times, and requests ---- */

static void
the_end_says_how_long_to_wait(void **state)
{
	(void)state;
	w.time2wait = 3;
	w.time2retain = 11;
	start();
	run(SECOND);
	fake_world_drop(&w, 0);
	run(SECOND);
	assert_int_equal(down.time2wait_s, 3);
	assert_int_equal(down.time2retain_s, 11);
	start();
	run(SECOND);
	fake_world_async(&w, 2, 0, 30, 40, 0);
	run(SECOND);
	fake_world_drop(&w, 0);
	run(SECOND);
	assert_int_equal(down.time2wait_s, 30);
	assert_int_equal(down.time2retain_s, 40);
	w.login = FAKE_LOGIN_DROP;
	start();
	run(SECOND);
	assert_int_equal(down.time2wait_s, 0);
}

static unsigned done_calls;

static void
submit(struct req *req)
{
	sess_submit(login_run_sess(r), req, agenda_now(&w.agenda));
	login_run_kick(r);
}

static void
done(struct req *req)
{
	(void)req;
	done_calls++;
}

static void
a_request_without_a_connection_comes_back_unsent_and_later(void **state)
{
	struct req req = { .done = done };

	(void)state;
	done_calls = 0;
	submit(&req);
	assert_int_equal(done_calls, 0);
	run(1000);
	assert_int_equal(done_calls, 1);
	assert_int_equal(req.result, REQ_UNSENT);
}

static void
what_was_sent_comes_back_lost_before_the_end_is_told(void **state)
{
	struct req req = { .done = done };

	(void)state;
	done_calls = 0;
	w.is_commandless = true;
	start();
	run(SECOND);
	submit(&req);
	run(SECOND);
	login_run_free(r);
	assert_int_equal(done_calls, 1);
	assert_int_equal(req.result, REQ_LOST);
	settings_free(settings);
	assert_int_equal(setup(NULL), 0);
}

static void
messages_in_any_number_are_said_once_a_second(void **state)
{
	unsigned said;

	(void)state;
	start();
	run(SECOND);
	said = w.says[SAY_INFO];
	for (int i = 0; i < 1000; i++) {
		fake_world_async(&w, 0, 0, 0, 0, 0x2a01);
		run(SECOND / 100);
	}
	assert_in_range(w.says[SAY_INFO] - said, 9, 11);
}

static void
every_errno_has_words(void **state)
{
	(void)state;
	assert_string_equal(login_run_errno_text(-ETIMEDOUT), "Connection timed out");
	assert_true(strlen(login_run_errno_text(-9999)) > 0);
	for (unsigned i = 0; i < 256; i++) {
		assert_true(strlen(login_run_async_text((uint8_t)i)) > 0);
		assert_true(strlen(login_run_logout_text((uint8_t)i)) > 0);
	}
}

#define RUN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(a_portal_that_answers_comes_online),
		RUN_TEST(no_connection_is_told_with_its_reason),
		RUN_TEST(a_world_that_never_answers_is_not_waited_for),
		RUN_TEST(a_stop_is_told_later_and_once_whatever_it_meets),
		RUN_TEST(a_refusal_has_its_status_and_advice),
		RUN_TEST(silence_in_the_login_ends_with_its_time),
		RUN_TEST(who_hangs_up_in_the_login_is_told_so),
		RUN_TEST(a_redirection_is_followed_within_the_same_try),
		RUN_TEST(a_redirection_may_lead_to_another_portal_group),
		RUN_TEST(circles_and_nonsense_end),
		RUN_TEST(a_redirection_that_leads_nowhere_is_counted),
		RUN_TEST(only_allowed_algorithms_are_offered),
		RUN_TEST(a_target_that_refuses_the_default_list_gets_md5_alone_once),
		RUN_TEST(md5_alone_is_tried_once_only),
		RUN_TEST(a_list_that_was_chosen_is_never_replaced_by_md5),
		RUN_TEST(nothing_that_may_be_offered_is_no_login),
		RUN_TEST(without_random_bytes_there_is_no_login),
		RUN_TEST(every_login_has_a_challenge_of_its_own),
		RUN_TEST(an_answer_about_an_earlier_login_changes_nothing),
		RUN_TEST(where_nobody_could_say_the_target_is_not_to_blame),
		RUN_TEST(the_end_says_how_long_to_wait),
		RUN_TEST(a_request_without_a_connection_comes_back_unsent_and_later),
		RUN_TEST(what_was_sent_comes_back_lost_before_the_end_is_told),
		RUN_TEST(messages_in_any_number_are_said_once_a_second),
		RUN_TEST(every_errno_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
