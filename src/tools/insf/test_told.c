#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/common/golden.h"
#include "tools/common/say.h"
#include "tools/insf/told.h"

static void
each_device_that_got_files_is_told_in_hpux_words(void **state)
{
	json_t *j = golden_load("install");
	struct golden g;

	(void)state;
	golden_open(&g);
	told_made(g.out, j, false);
	golden_check(&g, "install");
	golden_open(&g);
	told_made(g.out, j, true);
	golden_check(&g, "install-verbose");
	json_decref(j);
}

static void
notes_are_told(void **state)
{
	json_t *j = golden_load("install");
	struct golden g;

	(void)state;
	golden_open(&g);
	say_init("insf", g.out);
	told_notes(j);
	golden_check(&g, "notes");
	json_decref(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_that_got_files_is_told_in_hpux_words),
		cmocka_unit_test(notes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
