#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/common/result.h"
#include "tools/iscsidiag/slurp.h"
#include "tools/iscsidiag/step.h"

static void
tells(const struct paths *paths, json_t *data, json_t *missing)
{
	(void)paths;
	step_put_text(data, "text", "bad \xff byte");
	step_missing(missing, "no %s", "luck");
}

static void
hangs(const struct paths *paths, json_t *data, json_t *missing)
{
	(void)paths;
	(void)data;
	(void)missing;
	for (;;)
		pause();
}

static void
dies(const struct paths *paths, json_t *data, json_t *missing)
{
	(void)paths;
	(void)data;
	(void)missing;
	raise(SIGKILL);
}

static void
floods(const struct paths *paths, json_t *data, json_t *missing)
{
	char *text = malloc(STEP_BYTES + 1);

	(void)paths;
	(void)missing;
	memset(text, 'x', STEP_BYTES);
	text[STEP_BYTES] = '\0';
	step_put_text(data, "text", text);
	free(text);
}

static const char *
first_missing(const json_t *section)
{
	return json_string_value(json_array_get(json_object_get(section, "missing"), 0));
}

static void
a_steps_data_and_what_it_misses_arrive(void **state)
{
	json_t *s = step_run(tells, NULL, 10000);

	(void)state;
	assert_string_equal(result_text(json_object_get(s, "data"), "text"), "bad ? byte");
	assert_string_equal(first_missing(s), "no luck");
	assert_true(result_number(s, "ms") >= 0);
	json_decref(s);
}

static void
a_step_that_hangs_dies_or_floods_is_told_as_missing(void **state)
{
	static const struct {
		step_gather *gather;
		uint32_t limit_ms;
		const char *why;
	} rows[] = { { hangs, 50, "took too long" }, { dies, 10000, "ended early" },
		{ floods, 60000, "too much" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *s = step_run(rows[i].gather, NULL, rows[i].limit_ms);

		assert_non_null(strstr(first_missing(s), rows[i].why));
		assert_int_equal(json_object_size(json_object_get(s, "data")), 0);
		json_decref(s);
	}
}

static void
the_end_of_a_file_begins_with_a_whole_line(void **state)
{
	char path[] = "/tmp/openisw-slurp-XXXXXX", *text;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "one\ntwo\nthree\n", 14), 14);
	close(fd);
	text = slurp_tail(path, 10);
	assert_string_equal(text, "three\n");
	free(text);
	text = slurp_tail(path, 100);
	assert_string_equal(text, "one\ntwo\nthree\n");
	free(text);
	unlink(path);
	assert_null(slurp_tail(path, 10));
}

static void
a_value_is_found_by_its_whole_name(void **state)
{
	const char *text = "VmPeak:\t1 kB\nVmRSS:\t  2 kB\nlast:3";
	char *v = slurp_value(text, "VmRSS");

	(void)state;
	assert_string_equal(v, "2 kB");
	free(v);
	v = slurp_value(text, "last");
	assert_string_equal(v, "3");
	free(v);
	assert_null(slurp_value(text, "Vm"));
	assert_null(slurp_value(text, "RSS"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steps_data_and_what_it_misses_arrive),
		cmocka_unit_test(a_step_that_hangs_dies_or_floods_is_told_as_missing),
		cmocka_unit_test(the_end_of_a_file_begins_with_a_whole_line),
		cmocka_unit_test(a_value_is_found_by_its_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
