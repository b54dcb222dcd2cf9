#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/common/golden.h"
#include "tools/iscsiutil/overview.h"
#include "tools/iscsiutil/show.h"

static void
the_initiator_has_the_guides_labels_in_order(void **state)
{
	json_t *j = golden_load("initiator");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_initiator(g.out, j, false);
	golden_check(&g, "initiator");
	json_decref(j);
}

static void
with_v_our_own_settings_follow(void **state)
{
	json_t *j = golden_load("initiator");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_initiator(g.out, j, true);
	golden_check(&g, "initiator-ours");
	json_decref(j);
}

static void
discovery_targets_show_their_last_scan(void **state)
{
	json_t *j = golden_load("discovery");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_discovery(g.out, j);
	golden_check(&g, "discovery");
	json_decref(j);
}

static void
an_overview_has_a_line_for_each_address_and_unit(void **state)
{
	json_t *targets = golden_load("targets"), *units = golden_load("units");
	struct golden g;

	(void)state;
	golden_open(&g);
	overview_show(g.out, targets, units, 0);
	golden_check(&g, "overview");
	golden_open(&g);
	overview_show(g.out, targets, units, 40);
	golden_check(&g, "overview-narrow");
	json_decref(targets);
	json_decref(units);
}

static void
operational_targets_show_each_address(void **state)
{
	json_t *j = golden_load("targets");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_targets(g.out, j);
	golden_check(&g, "targets");
	json_decref(j);
}

static void
sessions_show_their_portal_and_keys(void **state)
{
	json_t *j = golden_load("sessions");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_sessions(g.out, j, false);
	golden_check(&g, "sessions");
	golden_open(&g);
	show_sessions(g.out, j, true);
	golden_check(&g, "sessions-keys");
	json_decref(j);
}

static void
connections_can_be_picked_by_their_identifier(void **state)
{
	json_t *j = golden_load("sessions");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_connections(g.out, j, -1, false);
	golden_check(&g, "connections");
	golden_open(&g);
	show_connections(g.out, j, 1, true);
	golden_check(&g, "connection-1-keys");
	assert_int_equal(show_count_connections(j, -1), 3);
	assert_int_equal(show_count_connections(j, 1), 1);
	assert_int_equal(show_count_connections(j, 9), 0);
	json_decref(j);
}

static void
everything_at_once_is_separated_by_empty_lines(void **state)
{
	json_t *d = golden_load("discovery"), *t = golden_load("targets"),
	       *s = golden_load("sessions");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_all(g.out, d, t, s);
	golden_check(&g, "all");
	json_decref(d);
	json_decref(t);
	json_decref(s);
}

static void
a_round_trip_and_a_driver_are_shown(void **state)
{
	json_t *nop = json_pack("{s:i,s:i,s:i,s:i,s:b,s:i}", "instance", 0, "cid", 0, "bytes", 64,
	    "bytes_returned", 64, "data_matches", 1, "rtt_us", 123);
	json_t *driver = json_pack("{s:s,s:s,s:s}", "name", "iscsi", "version", "0.1.0",
	    "description", "iSCSI Transport Driver");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_nop(g.out, nop);
	golden_check(&g, "nop");
	golden_open(&g);
	show_driver(g.out, driver);
	golden_check(&g, "driver");
	json_decref(nop);
	json_decref(driver);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_initiator_has_the_guides_labels_in_order),
		cmocka_unit_test(with_v_our_own_settings_follow),
		cmocka_unit_test(discovery_targets_show_their_last_scan),
		cmocka_unit_test(an_overview_has_a_line_for_each_address_and_unit),
		cmocka_unit_test(operational_targets_show_each_address),
		cmocka_unit_test(sessions_show_their_portal_and_keys),
		cmocka_unit_test(connections_can_be_picked_by_their_identifier),
		cmocka_unit_test(everything_at_once_is_separated_by_empty_lines),
		cmocka_unit_test(a_round_trip_and_a_driver_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
