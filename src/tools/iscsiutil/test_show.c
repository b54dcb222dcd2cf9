#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/common/golden.h"
#include "tools/iscsiutil/metrics.h"
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
isns_servers_show_what_is_known_and_counted_of_them(void **state)
{
	json_t *j = golden_load("isns");
	struct golden g;

	(void)state;
	golden_open(&g);
	show_isns(g.out, j);
	golden_check(&g, "isns");
	json_decref(j);
}

static void
isns_servers_have_metrics_in_both_forms(void **state)
{
	json_t *j = golden_load("isns");
	struct golden g;

	(void)state;
	golden_open(&g);
	metrics_show(g.out, METRICS_PROMETHEUS, &(struct metrics_answers){ .isns = j });
	golden_check(&g, "isns-prometheus");
	golden_open(&g);
	metrics_show(g.out, METRICS_OPEN, &(struct metrics_answers){ .isns = j });
	golden_check(&g, "isns-open");
	json_decref(j);
}

static void
an_overview_has_a_line_for_each_address_and_unit(void **state)
{
	json_t *targets = golden_load("targets"), *tree = golden_load("units");
	json_t *units = golden_load("units-known");
	struct golden g;

	(void)state;
	golden_open(&g);
	overview_show(g.out, targets, tree, units, &(struct units_view){ 0 });
	golden_check(&g, "overview");
	golden_open(&g);
	overview_show(g.out, targets, tree, units, &(struct units_view){ .width = 79 });
	golden_check(&g, "overview-narrow");
	golden_open(&g);
	overview_show(g.out, targets, tree, units, &(struct units_view){ .width = 119 });
	golden_check(&g, "overview-120");
	json_decref(targets);
	json_decref(tree);
	json_decref(units);
}

static void
an_overview_again_has_what_came_meanwhile(void **state)
{
	json_t *tree = golden_load("units"), *before = golden_load("units-known");
	json_t *now = golden_load("units-later");
	struct golden g;

	(void)state;
	golden_open(&g);
	units_show(g.out, tree, now, &(struct units_view){ .before = before, .seconds = 2 });
	golden_check(&g, "units-rates");
	/* Cleared meanwhile: what is counted now came since then. */
	golden_open(&g);
	units_show(g.out, tree, before, &(struct units_view){ .before = now, .seconds = 2 });
	golden_check(&g, "units-cleared");
	json_decref(tree);
	json_decref(before);
	json_decref(now);
}

static void
what_is_known_of_a_unit_is_put_together_by_session_and_number(void **state)
{
	struct paths paths;
	json_t *tree = golden_load("units"), *known = golden_load("units-known"), *units;
	json_t *io = json_object_get(json_array_get(known, 0), "io");
	json_t *stats = json_pack("{s:[{s:n}, {s:i, s:[{s:i}]}, {s:i, s:[{s:i}, O]}]}", "sessions",
	    "instance", "instance", 1, "luns", "lun", 0, "instance", 0, "luns", "lun", 7, io);
	json_t *events = json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}, {s:n, s:s}]", "unit",
	    "c1t0d0", "text", "first", "unit", "c1t0d0", "text", "last", "unit", "c9t0d0", "text",
	    "another", "unit", "text", "none's");

	(void)state;
	assert_int_equal(paths_init(&paths, "/nowhere/at/all"), 0);
	units = units_gather(&paths, tree, stats, events);
	assert_int_equal(json_array_size(units), 2);
	assert_true(json_equal(json_object_get(json_array_get(units, 0), "io"), io));
	assert_string_equal(json_string_value(json_object_get(
				json_object_get(json_array_get(units, 0), "last_trouble"), "text")),
	    "last");
	assert_true(json_is_null(json_object_get(json_array_get(units, 1), "io")));
	assert_true(json_is_null(json_object_get(json_array_get(units, 1), "last_trouble")));
	json_decref(units);
	units = units_gather(&paths, tree, NULL, NULL);
	assert_true(json_is_null(json_object_get(json_array_get(units, 0), "io")));
	json_decref(units);
	json_decref(events);
	json_decref(stats);
	json_decref(known);
	json_decref(tree);
	paths_fini(&paths);
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
		cmocka_unit_test(isns_servers_show_what_is_known_and_counted_of_them),
		cmocka_unit_test(isns_servers_have_metrics_in_both_forms),
		cmocka_unit_test(an_overview_has_a_line_for_each_address_and_unit),
		cmocka_unit_test(an_overview_again_has_what_came_meanwhile),
		cmocka_unit_test(what_is_known_of_a_unit_is_put_together_by_session_and_number),
		cmocka_unit_test(operational_targets_show_each_address),
		cmocka_unit_test(sessions_show_their_portal_and_keys),
		cmocka_unit_test(connections_can_be_picked_by_their_identifier),
		cmocka_unit_test(everything_at_once_is_separated_by_empty_lines),
		cmocka_unit_test(a_round_trip_and_a_driver_are_shown),
	};

	/* Times are shown as local ones. */
	setenv("TZ", "UTC0", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
