/* What a session keeps: a promise without end, no nexus after a logout, no redirection that is for
 * a while. */
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

static void
a_promise_without_end_is_never_given_up(void **state)
{
	struct settings *set = fake_settings();

	(void)state;
	set->timers.ms[TIMER_replacement] = 0;
	fake_owner_init_with(&o, 1, 1, set);
	fake_owner_online(&o);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, SECOND);
	o.w.dial = FAKE_REFUSES;
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, 4 * 3600 * SECOND);
	assert_false(session_path(o.s)->is_given_up);
	assert_int_equal(o.unit[0].failed, 0);
	o.w.dial = FAKE_CONNECTS;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 60 * SECOND));
	fake_world_run(&o.w, SECOND);
	assert_int_equal(o.unit[0].done, 2);
	fake_owner_fini(&o);
}

/* Nothing of the old login can be executed any more, so nothing waits for its time to pass. */
static void
a_logout_that_was_answered_ends_the_nexus(void **state)
{
	struct settings *set = fake_settings();

	(void)state;
	set->redirect.is_set = true; /* so that the next login may be in another portal group */
	set->redirect.to = (struct portal_address){ .host = "192.0.2.7", .port = 3260, .tpgt = 5 };
	fake_owner_init_with(&o, 1, 1, set);
	fake_owner_online(&o);
	session_close(o.s);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, 10 * SECOND));
	assert_int_equal(o.w.logouts, 1);
	o.w.tpgt = 9;
	fake_owner_online(&o);
	assert_int_equal(session_path(o.s)->nexus, 2);
	assert_int_equal(session_path(o.s)->dead_nexus, 1);
	fake_owner_fini(&o);
}

static void
a_redirection_for_a_while_is_not_kept(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	o.w.login = FAKE_LOGIN_REDIRECT;
	o.w.redirect_for_good = false;
	cut_copy(o.w.redirect_to, sizeof o.w.redirect_to, "192.0.2.7:3261,5");
	cut_copy(o.w.redirect_from, sizeof o.w.redirect_from, "192.0.2.1");
	fake_owner_online(&o);
	assert_true(o.view.is_elsewhere);
	assert_int_equal(o.redirects, 0);
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_TRY, 3 * SECOND));
	assert_string_equal(o.w.connect_host, "192.0.2.1");
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 3 * SECOND));
	fake_owner_fini(&o);
}

/* Settings that wait for the next login give way to newer ones.  Found by tests/sim, seed 7522. */
static void
the_newest_settings_count(void **state)
{
	struct settings *first = fake_settings(), *second = fake_settings();

	(void)state;
	first->timers.ms[TIMER_command] = 11000;
	second->timers.ms[TIMER_command] = 12000;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	session_settings(o.s, first);
	o.w.dial = FAKE_REFUSES;
	fake_world_drop(&o.w, 0);
	assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
	session_settings(o.s, second);
	assert_int_equal(session_path(o.s)->command_ms, 12000);
	o.w.dial = FAKE_CONNECTS;
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 60 * SECOND));
	assert_int_equal(session_path(o.s)->command_ms, 12000);
	session_settings(o.s, fake_settings());
	fake_owner_fini(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_promise_without_end_is_never_given_up),
		cmocka_unit_test(a_logout_that_was_answered_ends_the_nexus),
		cmocka_unit_test(a_redirection_for_a_while_is_not_kept),
		cmocka_unit_test(the_newest_settings_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
