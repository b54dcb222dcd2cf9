#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "driver/diag/event_read.h"

static char dir[64], path[128], seen[512];

static void
put(const char *name, const char *text)
{
	char full[192];
	FILE *f;

	snprintf(full, sizeof full, "%s/%s", dir, name);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
line(void *user, const char *text, size_t len)
{
	size_t at = strlen(seen);

	(void)user;
	snprintf(seen + at, sizeof seen - at, "%.*s;", (int)len, text);
}

static struct event_filter filter;

static const char *
read_last(size_t n)
{
	seen[0] = '\0';
	assert_int_equal(event_read_last(path, n, &filter, line, NULL), 0);
	return seen;
}

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/test_event_read.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/events", dir);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "events", "events.1", "events.2" };
	char full[192];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(full, sizeof full, "%s/%s", dir, names[i]);
		(void)unlink(full); /* not every test makes all */
	}
	return rmdir(dir);
}

static void
no_log_has_no_lines(void **state)
{
	(void)state;
	assert_string_equal(read_last(10), "");
}

static void
the_last_lines_come_from_as_many_files_as_needed(void **state)
{
	(void)state;
	put("events.2", "a\nb\n");
	put("events.1", "c\nd\n");
	put("events", "e\nf\n");
	assert_string_equal(read_last(1), "f;");
	assert_string_equal(read_last(2), "e;f;");
	assert_string_equal(read_last(3), "d;e;f;");
	assert_string_equal(read_last(6), "a;b;c;d;e;f;");
	assert_string_equal(read_last(100), "a;b;c;d;e;f;");
	assert_string_equal(read_last(0), "");
}

static void
lines_that_are_not_wanted_do_not_count(void **state)
{
	(void)state;
	put("events.1", "{\"level\":3,\"session\":1}\n{\"level\":3,\"session\":2}\n");
	put("events", "{\"level\":4,\"session\":1}\n{\"level\":3,\"session\":2}\n");
	filter = (struct event_filter){ .is_set = true, .level = 3, .session = 1 };
	assert_string_equal(read_last(1), "{\"level\":3,\"session\":1};");
	filter.session = -1;
	assert_string_equal(
	    read_last(2), "{\"level\":3,\"session\":2};{\"level\":3,\"session\":2};");
	filter.is_set = false;
}

static void
a_line_that_was_cut_off_is_passed_over(void **state)
{
	(void)state;
	put("events", "e\nf\ng");
	assert_string_equal(read_last(2), "e;f;");
	put("events", "g");
	assert_string_equal(read_last(2), "");
	put("events", "");
	assert_string_equal(read_last(2), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_log_has_no_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_last_lines_come_from_as_many_files_as_needed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    lines_that_are_not_wanted_do_not_count, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_line_that_was_cut_off_is_passed_over, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
