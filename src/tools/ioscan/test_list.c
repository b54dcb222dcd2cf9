#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/common/golden.h"
#include "tools/common/progress.h"
#include "tools/common/say.h"
#include "tools/ioscan/list.h"

static const struct list_filter all = { .instance = -1 };

static void
table(const struct list_filter *filter, bool full, bool files, const char *name)
{
	json_t *j = golden_load("tree");
	struct golden g;

	golden_open(&g);
	list_table(g.out, j, filter, full, files);
	golden_check(&g, name);
	json_decref(j);
}

static void
the_full_listing_has_the_guides_header_and_line(void **state)
{
	const struct list_filter iscsi = { .class = "iscsi", .instance = -1 };

	(void)state;
	table(&iscsi, true, true, "guide");
	table(&all, true, false, "full");
}

static void
columns_grow_with_long_paths_and_instances(void **state)
{
	(void)state;
	table(&all, true, true, "full-files");
}

static void
the_short_listing_has_path_class_and_description(void **state)
{
	(void)state;
	table(&all, false, false, "short");
	table(&all, false, true, "short-files");
}

static void
the_compact_listing_keeps_every_fields_position(void **state)
{
	json_t *j = golden_load("tree");
	struct golden g;
	unsigned colons = 0;

	(void)state;
	golden_open(&g);
	list_fields(g.out, j, &all, false);
	fflush(g.out);
	for (const char *p = g.text; *p != '\n'; p++)
		colons += *p == ':';
	assert_int_equal(colons, 18);
	golden_check(&g, "compact");
	golden_open(&g);
	list_fields(g.out, j, &all, true);
	golden_check(&g, "compact-files");
	json_decref(j);
}

static void
filters_restrict_the_listing(void **state)
{
	static const struct {
		struct list_filter filter;
		size_t n;
	} rows[] = {
		{ { .instance = -1 }, 10 },
		{ { .instance = -1, .class = "disk" }, 4 },
		{ { .instance = 1, .class = "disk" }, 1 },
		{ { .instance = 1 }, 3 },
		{ { .instance = -1, .driver = "iscsial" }, 2 },
		{ { .instance = -1, .driver = "" }, 1 },
		{ { .instance = -1, .hw_path = "255" }, 10 },
		{ { .instance = -1, .hw_path = "255/0/0" }, 4 },
		{ { .instance = -1, .hw_path = "255/0/0.0.0.1" }, 1 },
		{ { .instance = -1, .hw_path = "255/0/1" }, 0 },
		{ { .instance = -1, .hw_path = "8" }, 0 },
		{ { .instance = -1, .usable = true }, 8 },
		{ { .instance = -1, .class = "disk", .hw_path = "255/0/0", .usable = true }, 2 },
	};
	json_t *j = golden_load("tree"), *some;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(list_count(j, &rows[i].filter), rows[i].n);
		some = list_select(j, &rows[i].filter);
		assert_int_equal(json_array_size(json_object_get(some, "nodes")), rows[i].n);
		json_decref(some);
	}
	json_decref(j);
}

static void
nothing_to_list_prints_nothing(void **state)
{
	const struct list_filter none = { .class = "printer", .instance = -1 };
	json_t *j = golden_load("tree");
	struct golden g;

	(void)state;
	golden_open(&g);
	list_table(g.out, j, &none, true, true);
	list_fields(g.out, j, &none, true);
	list_table(g.out, NULL, &all, true, true);
	fclose(g.out);
	assert_string_equal(g.text, "");
	free(g.text);
	json_decref(j);
}

static void
report(struct progress *p, const char *stage, int done, int total, const char *what)
{
	json_t *j = json_pack("{s:s,s:i,s:i,s:s,s:o}", "stage", stage, "done", done, "total", total,
	    "what", what, "ok", done == total ? json_null() : json_true());

	progress_report(p, j);
	json_decref(j);
}

static void
progress_is_one_line_that_goes_away(void **state)
{
	struct progress p;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	say_init("ioscan", stderr);
	progress_init(&p, out, true, 40);
	progress_end(&p);
	report(&p, "discovery", 1, 2, "192.0.2.1:3260,1");
	report(&p, "session", 0, 3, "a\033b");
	report(&p, "session", 1, 1, "it");
	progress_end(&p);
	progress_end(&p);
	fclose(out);
	assert_string_equal(text, "\r\033[Kioscan: discovery 1/2  192.0.2.1:3260,1"
				  "\r\033[Kioscan: discovery 1/2  session 0/3  a\\x"
				  "\r\033[Kioscan: discovery 1/2  session 1/1  wai"
				  "\r\033[K");
	free(text);
}

static void
what_is_waited_for_is_named_with_how_long_and_why(void **state)
{
	struct progress p;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_t *report = json_pack("{s:s, s:b, s:i, s:s}", "what", "c0t0d1", "is_there", 0,
	    "waited_ms", 7512, "why", "session 0 is transient");

	(void)state;
	progress_init(&p, out, true, 60);
	progress_wait(&p, report);
	progress_end(&p);
	fclose(out);
	json_decref(report);
	assert_non_null(strstr(text, ": waits for c0t0d1 (7 s): session 0 is transient"));
	assert_string_equal(text + len - 4, "\r\033[K");
	free(text);
}

static void
progress_is_silent_where_there_is_no_terminal(void **state)
{
	struct progress p;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	progress_init(&p, out, false, 80);
	report(&p, "luns", 1, 2, "x");
	progress_end(&p);
	fclose(out);
	assert_string_equal(text, "");
	free(text);
}

static void
progress_for_a_program_is_an_object_a_line(void **state)
{
	struct progress p;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	say_init("ioscan", out);
	progress_init_told(&p);
	report(&p, "session", 1, 3, "a\033b");
	progress_end(&p);
	say_init("ioscan", stderr);
	fclose(out);
	assert_string_equal(text, "{\"progress\":{\"stage\":\"session\",\"done\":1,\"total\":3,"
				  "\"what\":\"a\\u001Bb\",\"ok\":true}}\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_full_listing_has_the_guides_header_and_line),
		cmocka_unit_test(columns_grow_with_long_paths_and_instances),
		cmocka_unit_test(the_short_listing_has_path_class_and_description),
		cmocka_unit_test(the_compact_listing_keeps_every_fields_position),
		cmocka_unit_test(filters_restrict_the_listing),
		cmocka_unit_test(nothing_to_list_prints_nothing),
		cmocka_unit_test(progress_is_one_line_that_goes_away),
		cmocka_unit_test(what_is_waited_for_is_named_with_how_long_and_why),
		cmocka_unit_test(progress_is_silent_where_there_is_no_terminal),
		cmocka_unit_test(progress_for_a_program_is_an_object_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
