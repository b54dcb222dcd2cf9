#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/common/golden.h"
#include "tools/iscsidiag/bundle.h"

static void
check(const char *name, bundle_print *print)
{
	json_t *data = golden_load(name),
	       *section = json_pack("{s:s, s:[s], s:o}", "title", "A heading", "missing",
		   "something else\x1b[2J", "data", data);
	struct golden g;

	golden_open(&g);
	bundle_section(g.out, 7, section, print);
	golden_check(&g, name);
	json_decref(section);
}

static void
answers_are_lines_with_their_names(void **state)
{
	(void)state;
	check("tree", bundle_tree);
}

static void
the_io_tree_is_a_table_and_its_members(void **state)
{
	(void)state;
	check("nodes", bundle_nodes);
}

static void
a_trace_has_a_line_for_each_pdu(void **state)
{
	(void)state;
	check("trace", bundle_trace);
}

static void
events_are_lines(void **state)
{
	(void)state;
	check("events", bundle_events);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_lines_with_their_names),
		cmocka_unit_test(the_io_tree_is_a_table_and_its_members),
		cmocka_unit_test(a_trace_has_a_line_for_each_pdu),
		cmocka_unit_test(events_are_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
