/* Where a session may have a nexus is written down before it is online there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cut.h"
#include "ini/fake_owner.h"

#define SECOND 1000000ull
/* Time2Wait and Time2Retain of the fake target. */
#define RETAIN_S 20

static struct fake_owner o;

static void
nothing_is_sent_before_it_is_written_down(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	o.is_slow = true;
	session_open(o.s, true, true);
	fake_world_run(&o.w, 100);
	fake_lu_io(&o.unit[0], 1);
	fake_world_run(&o.w, SESSION_KEEP_US / 2);
	assert_int_equal(o.places, 1);
	assert_int_equal(o.n_kept, 1);
	assert_int_equal(o.kept[0].tpgt, 1);
	assert_int_equal(o.kept[0].retain_s, RETAIN_S);
	assert_int_equal(session_state(o.s), SESSION_TRY);
	assert_int_equal(o.w.commands, 0);
	fake_owner_keep(&o);
	fake_world_run(&o.w, SECOND);
	assert_int_equal(session_state(o.s), SESSION_ONLINE);
	assert_int_equal(o.unit[0].done, 1);
	fake_owner_fini(&o);
}

static void
who_comes_back_writes_nothing(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	for (unsigned i = 0; i < 3; i++) {
		fake_world_drop(&o.w, 0);
		assert_true(fake_owner_until(&o, SESSION_WAIT, SECOND));
		assert_true(fake_owner_until(&o, SESSION_ONLINE, 5 * SECOND));
	}
	session_close(o.s);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, 5 * SECOND));
	fake_world_run(&o.w, 100 * SECOND);
	fake_owner_online(&o);
	assert_int_equal(o.places, 1);
	fake_owner_fini(&o);
}

static void
another_group_is_added_and_the_old_one_goes_with_its_time(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	session_tag(o.s, -1);
	fake_owner_online(&o);
	o.is_slow = true;
	o.w.tpgt = 2;
	fake_world_drop(&o.w, 0);
	fake_world_run(&o.w, 5 * SECOND);
	/* It waited for two seconds, and not again when that place is lost and found. */
	assert_int_equal(session_state(o.s), SESSION_ONLINE);
	assert_int_equal(o.w.says[SAY_ERR], 1);
	assert_int_equal(o.places, 2);
	assert_int_equal(o.n_kept, 2);
	assert_int_equal(o.kept[0].tpgt, 1);
	assert_int_equal(o.kept[1].tpgt, 2);
	fake_world_drop(&o.w, 0);
	fake_world_run(&o.w, 1500000);
	assert_int_equal(session_state(o.s), SESSION_ONLINE);
	assert_int_equal(o.w.logins, 3);
	assert_int_equal(o.places, 2);
	o.is_slow = false;
	fake_owner_keep(&o);
	fake_world_run(&o.w, (RETAIN_S + 1) * SECOND);
	assert_int_equal(o.places, 3);
	assert_int_equal(o.n_kept, 1);
	assert_int_equal(o.kept[0].tpgt, 2);
	/* The logout leaves nothing, and the next login is elsewhere for all that is known. */
	session_close(o.s);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, 5 * SECOND));
	assert_int_equal(session_places(o.s), 0);
	assert_int_equal(o.places, 4);
	assert_int_equal(o.n_kept, 0);
	fake_owner_fini(&o);
}

/*
 * A login in another group is asked to log out before it is online: the nexus that was lost lives
 * on.  Found by tests/sim, seed 17657.
 */
static void
a_logout_before_it_is_online_ends_no_older_nexus(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	session_tag(o.s, -1);
	fake_owner_online(&o);
	o.is_slow = true;
	o.w.tpgt = 2;
	fake_world_drop(&o.w, 0);
	for (unsigned i = 0; i < 5000 && o.n_kept < 2; i++)
		fake_world_run(&o.w, 1000);
	assert_int_equal(session_state(o.s), SESSION_TRY);
	assert_int_equal(o.n_kept, 2);
	fake_world_async(&o.w, 1, 0, 0, 3, 0);
	fake_world_run(&o.w, 10000);
	assert_int_equal(o.w.logouts, 1);
	assert_int_equal(session_state(o.s), SESSION_WAIT);
	assert_int_equal(session_places(o.s), 1);
	fake_owner_keep(&o);
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 5 * SECOND));
	assert_int_equal(session_path(o.s)->nexus, 2);
	assert_int_equal(session_path(o.s)->dead_nexus, 0);
	fake_owner_keep(&o);
	fake_owner_fini(&o);
}

static void
another_name_forgets_what_was_logged_out(void **state)
{
	struct settings *renamed = fake_settings();

	(void)state;
	fake_owner_init(&o, 1, 1);
	session_tag(o.s, 1);
	fake_owner_online(&o);
	session_close(o.s);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, 5 * SECOND));
	assert_int_equal(o.n_kept, 1);
	cut_copy(
	    renamed->initiator_name, sizeof renamed->initiator_name, "iqn.2026-11.org.x:other");
	session_settings(o.s, renamed);
	session_open(o.s, true, true);
	fake_world_run(&o.w, 100);
	assert_int_equal(session_state(o.s), SESSION_TRY);
	assert_int_equal(o.n_kept, 0);
	assert_true(fake_owner_until(&o, SESSION_ONLINE, SECOND));
	assert_int_equal(o.n_kept, 1);
	assert_string_equal(o.kept[0].name, "iqn.2026-11.org.x:other");
	fake_owner_fini(&o);
}

static void
a_target_that_keeps_it_for_longer_is_written_down(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	fake_owner_online(&o);
	fake_world_async(&o.w, 2, 0, 1, 300, 0); /* 11.9.1: it will drop the connection */
	fake_world_run(&o.w, 1000);
	fake_world_drop(&o.w, 0);
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.n_kept, 1);
	assert_int_equal(o.kept[0].retain_s, 301);
	assert_true(fake_owner_until(&o, SESSION_ONLINE, 5 * SECOND));
	fake_owner_fini(&o);
}

/* Lost, and a login in that group. */
static void
moves_to(uint32_t tpgt)
{
	o.w.tpgt = tpgt;
	fake_world_drop(&o.w, 0);
	fake_world_run(&o.w, 2 * SECOND);
	assert_int_equal(session_state(o.s), SESSION_ONLINE);
}

/* Also where that is heard while something else is being written down.  Found by tests/sim, seed
 * 8516377. */
static void
a_login_waits_until_all_is_written_down(void **state)
{
	unsigned places;

	(void)state;
	fake_owner_init(&o, 1, 1);
	session_tag(o.s, -1);
	o.w.tpgt = 3;
	fake_owner_online(&o);
	moves_to(1);
	moves_to(2);
	assert_int_equal(o.n_kept, 3);
	/* The first one's time is over. */
	o.is_slow = true;
	places = o.places;
	for (unsigned i = 0; i < RETAIN_S && o.places == places; i++)
		fake_world_run(&o.w, SECOND);
	assert_int_equal(o.n_kept, 2);
	fake_world_async(&o.w, 2, 0, 1, 300, 0);
	fake_world_run(&o.w, 1000);
	o.w.tpgt = 1;
	fake_world_drop(&o.w, 0);
	fake_world_run(&o.w, SESSION_KEEP_US / 2 + SECOND);
	assert_int_equal(o.w.logins, 4);
	assert_int_equal(session_state(o.s), SESSION_TRY);
	fake_owner_keep(&o);
	fake_world_run(&o.w, 1000);
	assert_int_equal(session_state(o.s), SESSION_TRY);
	assert_int_equal(o.kept[0].retain_s, 301);
	fake_owner_keep(&o);
	fake_world_run(&o.w, 1000);
	assert_int_equal(session_state(o.s), SESSION_ONLINE);
	o.is_slow = false;
	fake_owner_fini(&o);
}

/* A life before was in this group under the same name, or elsewhere. */
static void
what_lives_before_left_is_reinstated_or_waited_for(void **state)
{
	struct fence_place there = { .tpgt = 1, .retain_s = RETAIN_S };
	struct settings *settings = fake_settings();

	(void)state;
	cut_copy(there.name, sizeof there.name, settings->initiator_name);
	settings_free(settings);
	for (unsigned is_elsewhere = 0; is_elsewhere < 2; is_elsewhere++) {
		there.tpgt = is_elsewhere ? 2 : 1;
		fake_owner_init_after(&o, 1, &there, 1);
		fake_owner_online(&o);
		assert_int_equal(session_path(o.s)->nexus, 2);
		assert_int_equal(session_path(o.s)->dead_nexus, is_elsewhere ? 0 : 1);
		assert_int_equal(o.places, is_elsewhere);
		fake_world_run(&o.w, (RETAIN_S + 1) * SECOND);
		assert_int_equal(session_path(o.s)->dead_nexus, 1);
		assert_int_equal(o.n_kept, is_elsewhere); /* it had not been told otherwise */
		fake_owner_fini(&o);
	}
}

/* The fence counts more places as one that no login reinstates: that is what is written down. */
static void
more_places_than_it_counts_are_written_down_as_it_counts_them(void **state)
{
	struct fence_place places[FENCE_ROWS] = { 0 };
	struct settings *settings = fake_settings();

	(void)state;
	for (int i = 0; i < FENCE_ROWS; i++) {
		places[i] = (struct fence_place){ .tpgt = 10 + i, .retain_s = RETAIN_S };
		cut_copy(places[i].name, sizeof places[i].name, settings->initiator_name);
	}
	settings_free(settings);
	fake_owner_init_after(&o, 1, places, FENCE_ROWS);
	fake_owner_online(&o);
	assert_int_equal(o.places, 1);
	assert_int_equal(o.n_kept, FENCE_ROWS);
	assert_int_equal(o.kept[0].tpgt, -1);
	assert_int_equal(o.kept[FENCE_ROWS - 1].tpgt, 1);
	fake_world_run(&o.w, 1000);
	assert_int_equal(o.places, 1);
	fake_owner_fini(&o);
}

static void
a_close_does_not_wait_for_it(void **state)
{
	(void)state;
	fake_owner_init(&o, 1, 1);
	o.is_slow = true;
	session_open(o.s, true, true);
	fake_world_run(&o.w, SESSION_KEEP_US / 2);
	assert_int_equal(session_state(o.s), SESSION_TRY);
	session_close(o.s);
	assert_true(fake_owner_until(&o, SESSION_CLOSED, 10000));
	fake_world_run(&o.w, SESSION_KEEP_US);
	assert_int_equal(o.closes, 1);
	fake_owner_keep(&o);
	fake_world_run(&o.w, 1000);
	fake_owner_fini(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_sent_before_it_is_written_down),
		cmocka_unit_test(who_comes_back_writes_nothing),
		cmocka_unit_test(another_group_is_added_and_the_old_one_goes_with_its_time),
		cmocka_unit_test(a_logout_before_it_is_online_ends_no_older_nexus),
		cmocka_unit_test(another_name_forgets_what_was_logged_out),
		cmocka_unit_test(a_target_that_keeps_it_for_longer_is_written_down),
		cmocka_unit_test(a_login_waits_until_all_is_written_down),
		cmocka_unit_test(what_lives_before_left_is_reinstated_or_waited_for),
		cmocka_unit_test(more_places_than_it_counts_are_written_down_as_it_counts_them),
		cmocka_unit_test(a_close_does_not_wait_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
