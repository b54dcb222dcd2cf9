/* One unit behind several paths: where its requests go. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lu/fake_ways.h"
#include "lu/lu_impl.h"

/* ---- where they go ---- */

static void
requests_go_over_the_path_with_the_fewest(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	for (size_t i = 0; i < 6; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[0].n, 3);
	assert_int_equal(w.f[1].n, 3);
	while (w.f[0].n > 0)
		fake_path_good(&w.f[0], 0);
	ways_submit(&w, 6, BLK_READ, 6);
	assert_int_equal(w.f[0].n, 1);
	ways_end(&w);
}

/* What comes at once is sent at once; but a burst is not one path's alone, nor does it wait there.
 */
static void
requests_of_one_turn_go_together_up_to_sixteen(void **state)
{
	static const enum path_policy policies[] = { PATH_POLICY_QUEUE_DEPTH,
		PATH_POLICY_ROUND_ROBIN, PATH_POLICY_LATENCY };
	struct ways w;

	(void)state;
	for (size_t k = 0; k < sizeof policies / sizeof *policies; k++) {
		ways_start(&w, 2, 0);
		w.f[0].path.policy = policies[k];
		lunpath_limits(w.lp[0]);
		ways_submit(&w, 0, BLK_READ, 0);
		for (size_t i = 1; i < 20; i++)
			ways_submit_too(&w, i, BLK_READ, i);
		assert_int_equal(w.f[0].n, 16);
		assert_int_equal(w.f[1].n, 4);
		ways_end(&w);
	}
	/* The path has no room, is lost, or does not serve any more, in that turn. */
	for (unsigned how = 0; how < 3; how++) {
		ways_start(&w, 2, 1);
		pool_window(w.f[0].path.pool, how == 0 ? 4 : 16);
		ways_submit(&w, 0, BLK_READ, 0);
		if (how == 1)
			fake_path_down(&w.f[0], true);
		if (how == 2)
			fake_path_check(&w.f[0], 0, SENSE_KEY_NOT_READY, 0x04, 0x0b);
		for (size_t i = 1; i < 6; i++)
			ways_submit_too(&w, i, BLK_READ, i);
		assert_int_equal(w.f[0].n, how == 0 ? 3 : 0);
		assert_int_equal(w.f[1].n, how == 0 ? 3 : 6);
		ways_end(&w);
	}
}

static void
a_path_without_room_is_passed_over(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	pool_window(w.f[0].path.pool, 2);
	pool_window(w.f[1].path.pool, 9);
	for (size_t i = 0; i < 8; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[0].n, 1);
	assert_int_equal(w.f[1].n, 7);
	for (size_t i = 8; i < 10; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[1].n, 8);
	/* Whichever has room first takes what waits. */
	fake_path_good(&w.f[0], 0);
	assert_int_equal(w.f[0].n, 1);
	assert_int_equal(ways_lba(&w, 0, 0), 9);
	ways_end(&w);
}

/* Another unit's suspect has the second path for itself, and the first is full. */
static void
who_is_passed_over_because_of_a_trial_is_woken_when_it_is_over(void **state)
{
	struct lunpath suspect;
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	pool_window(w.f[0].path.pool, 2);
	ways_submit(&w, 0, BLK_READ, 0);
	assert_int_equal(w.f[0].n, 1);
	w.f[1].path.on_trial = &suspect;
	ways_submit(&w, 1, BLK_READ, 1);
	assert_int_equal(w.f[0].n + w.f[1].n, 1);
	w.f[1].path.on_trial = NULL;
	pool_wake(w.f[1].path.pool);
	assert_int_equal(w.f[1].n, 1);
	ways_end(&w);
}

static void
round_robin_takes_turns(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 3, 0);
	w.f[0].path.policy = PATH_POLICY_ROUND_ROBIN;
	lunpath_limits(w.lp[0]);
	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i < 3; i++) {
			ways_submit(&w, 0, BLK_READ, i);
			for (size_t k = 0; k < 3; k++)
				if (w.f[k].n > 0)
					fake_path_good(&w.f[k], 0);
			ways_expect(&w, 0, 0);
		}
	for (size_t k = 0; k < 3; k++)
		assert_int_equal(w.lp[k]->commands, 3);
	ways_end(&w);
}

static void
latency_prefers_the_path_that_answers_first(void **state)
{
	size_t over_fast = 0;
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	w.f[0].path.policy = PATH_POLICY_LATENCY;
	lunpath_limits(w.lp[0]);
	for (size_t i = 0; i < 100; i++) {
		ways_submit(&w, 0, BLK_READ, i);
		over_fast += w.f[1].n;
		fake_path_pass(&w.f[0], w.f[1].n > 0 ? 100 : 5000);
		fake_path_good(&w.f[w.f[1].n > 0 ? 1 : 0], 0);
		ways_expect(&w, 0, 0);
	}
	assert_in_range(over_fast, 81, 99);
	ways_end(&w);
}

static void
failover_stays_where_it_is_until_that_fails(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	w.f[0].path.policy = PATH_POLICY_FAILOVER;
	lunpath_limits(w.lp[0]);
	for (size_t i = 0; i < 4; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[0].n, 4);
	fake_path_down(&w.f[0], true);
	assert_int_equal(w.f[1].n, 4);
	assert_int_equal(w.u->failovers, 1);
	/* The old one is back, and as good: there is no reason to change again. */
	fake_path_up(&w.f[0], true);
	ways_run(&w);
	ways_submit(&w, 4, BLK_READ, 4);
	assert_int_equal(w.f[1].n, 5);
	ways_end(&w);
}

static void
a_preferred_path_gets_it_all_while_it_serves(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	w.f[0].path.policy = PATH_POLICY_FIXED;
	w.f[1].path.is_preferred = true;
	w.f[1].path.failback_us = 2 * SECOND;
	lunpath_limits(w.lp[0]);
	for (size_t i = 0; i < 3; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[1].n, 3);
	fake_path_down(&w.f[1], true);
	assert_int_equal(w.f[0].n, 3);
	fake_path_up(&w.f[1], true);
	ways_run(&w);
	ways_submit(&w, 3, BLK_READ, 3);
	assert_int_equal(w.f[0].n, 4);
	/* When it has proved itself, it is used again. */
	ways_pass(&w, 2 * SECOND);
	ways_submit(&w, 4, BLK_READ, 4);
	assert_int_equal(w.f[1].n, 1);
	ways_end(&w);
}

/* What is said of the unit counts before what is said of its paths; until it is taken back. */
static void
a_unit_has_a_rule_of_its_own(void **state)
{
	struct lu_rule rule = { .has_policy = true,
		.policy = PATH_POLICY_FAILOVER,
		.has_failback = true,
		.failback_us = UINT64_MAX };
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	w.f[0].path.is_preferred = true;
	lu_rule(w.u, &rule);
	lunpath_prefer(w.lp[1], true);
	assert_int_equal(lu_paths_view(w.u).policy, PATH_POLICY_FAILOVER);
	assert_true(lu_paths_view(w.u).is_policy_own);
	for (size_t i = 0; i < 3; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[1].n, 3);
	/* It does not come back by itself. */
	fake_path_down(&w.f[1], true);
	fake_path_up(&w.f[1], true);
	ways_pass(&w, 600 * SECOND);
	assert_int_equal(ways_moving(&w, 0), 3);
	ways_submit(&w, 3, BLK_READ, 3);
	assert_int_equal(ways_moving(&w, 0), 4);
	lunpath_restore(w.lp[1]);
	ways_submit(&w, 4, BLK_READ, 4);
	assert_int_equal(ways_moving(&w, 1), 1);
	rule = (struct lu_rule){ 0 };
	lu_rule(w.u, &rule);
	assert_int_equal(lu_paths_view(w.u).policy, PATH_POLICY_QUEUE_DEPTH);
	ways_submit(&w, 5, BLK_READ, 5);
	assert_int_equal(ways_moving(&w, 0), 5);
	ways_end(&w);
}

static void
a_person_takes_a_path_out_and_puts_it_back(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	lunpath_fail(w.lp[0]);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_OFFLINE);
	for (size_t i = 0; i < 4; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[0].n, 0);
	assert_int_equal(w.f[1].n, 4);
	lunpath_fail(w.lp[1]);
	ways_submit(&w, 4, BLK_READ, 4);
	assert_int_equal(w.f[0].n + w.f[1].n, 4);
	lunpath_restore(w.lp[0]);
	assert_int_equal(w.f[0].n, 1);
	assert_int_equal(lunpath_shown(w.lp[0]), PATH_ACTIVE_OPTIMIZED);
	ways_end(&w);
}

/* ---- a path that works badly ---- */

static void
what_is_busy_over_one_path_goes_over_another(void **state)
{
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	ways_submit(&w, 0, BLK_WRITE, 0);
	assert_int_equal(w.f[0].n, 1);
	fake_path_status(&w.f[0], 0, SENSE_STATUS_BUSY);
	assert_int_equal(w.f[1].n, 1);
	/* Nor does anything else, for a while, though it has fewer. */
	for (size_t i = 1; i < 4; i++)
		ways_submit(&w, i, BLK_READ, i);
	assert_int_equal(w.f[1].n, 4);
	/* All are busy: there is a pause. */
	fake_path_status(&w.f[1], 0, SENSE_STATUS_BUSY);
	assert_int_equal(w.f[0].n + w.f[1].n, 3);
	ways_pass(&w, SECOND);
	assert_int_equal(w.f[0].n, 1);
	assert_int_equal(w.f[1].n, 3);
	ways_end(&w);
}

/* Its session is fine, and the unit behind it does not answer there. */
static void
a_path_where_commands_are_late_is_put_aside(void **state)
{
	struct ways w;

	(void)state;
	for (unsigned is_alone = 0; is_alone < 2; is_alone++) {
		ways_start(&w, 2 - is_alone, 0);
		for (size_t i = 0; i < 4; i++)
			ways_submit(&w, i, BLK_READ, i);
		for (size_t n = w.f[0].n; n > 0; n--)
			fake_path_result(&w.f[0], 0, REQ_TIMEOUT);
		if (is_alone) {
			assert_int_equal(w.lp[0]->losses, 0);
			ways_pass(&w, SECOND);
			assert_int_equal(w.f[0].n, 4);
			ways_end(&w);
			continue;
		}
		assert_int_equal(w.f[1].n, 4);
		assert_int_equal(w.lp[0]->losses, 1);
		ways_pass(&w, 4 * SECOND);
		ways_submit(&w, 4, BLK_READ, 4);
		assert_int_equal(w.f[1].n, 5);
		ways_pass(&w, 2 * SECOND);
		ways_submit(&w, 5, BLK_READ, 5);
		assert_int_equal(ways_moving(&w, 0), 1);
		ways_end(&w);
	}
}

/* ---- flapping ---- */

static void
a_path_that_flaps_is_put_aside_for_longer_each_time(void **state)
{
	uint64_t last = 0;
	struct ways w;

	(void)state;
	ways_start(&w, 2, 0);
	for (unsigned i = 0; i < 6; i++) {
		uint64_t from = agenda_now(&w.f[0].agenda), us;

		fake_path_down(&w.f[1], true);
		fake_path_up(&w.f[1], true);
		ways_run(&w);
		while (w.u->only != NULL)
			ways_pass(&w, 100000);
		us = agenda_now(&w.f[0].agenda) - from;
		assert_true(i == 0 ? us == 0 : us > last);
		assert_true(us <= 10 * SECOND << i);
		last = us;
		if (us > 30 * SECOND)
			break;
	}
	/* Where it is the only one, it is used whatever it did. */
	fake_path_down(&w.f[1], true);
	fake_path_up(&w.f[1], true);
	ways_run(&w);
	fake_path_down(&w.f[0], true);
	ways_submit(&w, 0, BLK_READ, 0);
	assert_int_equal(w.f[1].n, 1);
	ways_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_go_over_the_path_with_the_fewest),
		cmocka_unit_test(requests_of_one_turn_go_together_up_to_sixteen),
		cmocka_unit_test(a_path_without_room_is_passed_over),
		cmocka_unit_test(who_is_passed_over_because_of_a_trial_is_woken_when_it_is_over),
		cmocka_unit_test(round_robin_takes_turns),
		cmocka_unit_test(latency_prefers_the_path_that_answers_first),
		cmocka_unit_test(failover_stays_where_it_is_until_that_fails),
		cmocka_unit_test(a_preferred_path_gets_it_all_while_it_serves),
		cmocka_unit_test(a_unit_has_a_rule_of_its_own),
		cmocka_unit_test(a_person_takes_a_path_out_and_puts_it_back),
		cmocka_unit_test(what_is_busy_over_one_path_goes_over_another),
		cmocka_unit_test(a_path_where_commands_are_late_is_put_aside),
		cmocka_unit_test(a_path_that_flaps_is_put_aside_for_longer_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
