/* What people read: sentences, tables, labels, JSON; and the small rules behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/common/args.h"
#include "tools/common/hwpath.h"
#include "tools/common/label.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/size.h"
#include "tools/common/status.h"
#include "tools/common/table.h"

static char *text;
static size_t text_len;
static FILE *out;

static int
setup(void **state)
{
	(void)state;
	out = open_memstream(&text, &text_len);
	say_init("tool", out);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fclose(out);
	free(text);
	return 0;
}

static void
expect(const char *expected)
{
	fflush(out);
	assert_string_equal(text, expected);
}

static void
a_problem_is_a_sentence_with_its_next_step(void **state)
{
	(void)state;
	say_problem("do this", "it broke: %s", "a reason");
	say_problem("Do that.", "It broke.");
	say_problem(NULL, "broken");
	say_problem("", "broken?");
	say_note("all is well");
	expect("tool: it broke: a reason. Next: do this.\n"
	       "tool: It broke. Next: Do that.\n"
	       "tool: broken.\n"
	       "tool: broken?\n"
	       "tool: all is well.\n");
}

static void
sizes_have_three_digits(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = { { 0, "0 B" }, { 512, "512 B" }, { 1023, "1023 B" }, { 1024, "1.00 KiB" },
		{ 33554432, "32.0 MiB" }, { 10737418239, "10.0 GiB" }, { 1073741823, "1.00 GiB" },
		{ 2199023255552, "2.00 TiB" }, { 107374182400, "100 GiB" },
		{ UINT64_MAX, "16.0 EiB" } };
	char got[SIZE_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_text(rows[i].bytes, got);
		assert_string_equal(got, rows[i].text);
	}
}

static void
counts_and_times_have_three_digits(void **state)
{
	static const struct {
		double n;
		const char *count, *time;
	} rows[] = { { 0, "0", "0 us" }, { 0.5, "0.5", "0 us" }, { 999, "999", "999 us" },
		{ 9999, "9999", "10.0 ms" }, { 1000, "1000", "1.00 ms" },
		{ 12345, "12.3k", "12.3 ms" }, { 999499, "999k", "999 ms" },
		{ 1500000, "1.50M", "1.50 s" }, { 999600000, "1.00G", "1000 s" },
		{ 123.4, "123", "123 us" } };
	char got[SIZE_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_count(rows[i].n, got);
		assert_string_equal(got, rows[i].count);
		size_time(rows[i].n, got);
		assert_string_equal(got, rows[i].time);
	}
}

static void
a_table_that_is_too_wide_cuts_the_beginning_of_its_last_column(void **state)
{
	static const struct table_column columns[] = { { "A", 2, 1, false },
		{ "Name", 4, 0, false } };
	struct table *t = table_new(columns, 2);

	(void)state;
	table_row(t, (const char *[]){ "1", "abcdefgh" });
	table_row(t, (const char *[]){ "2", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9g" });
	table_row(t, (const char *[]){ "3", "abc" });
	table_fit(t, 0, 4);
	table_fit(t, 8, 4);
	table_print(t, out);
	table_fit(t, 1, 4);
	table_print(t, out);
	table_free(t);
	expect("A  Name\n========\n1  ...gh\n2  ...\xc3\xa9g\n3  abc\n"
	       "A  Name\n========\n1  ...h\n2  ...g\n3  abc\n");
}

static void
a_program_reads_each_sentence_as_a_line_of_json(void **state)
{
	json_t *extra = json_pack("{s:[s], s:s}", "in_use", "c1t0d0", "code", "X");

	(void)state;
	say_as_json();
	say_problem("do this", "it broke: %s", "a\x7f\n\"reason\"");
	say_failure(IPC_ERR_BUSY, extra, NULL, "busy");
	say_note("all is well");
	expect("{\"error\":{\"code\":\"INVALID\",\"message\":\"it broke: "
	       "a\\u007f\\n\\\"reason\\\"\",\"next\":\"do this\"}}\n"
	       "{\"error\":{\"code\":\"BUSY\",\"message\":\"busy\",\"next\":null,\"in_use\":["
	       "\"c1t0d0\"]}}\n"
	       "{\"note\":\"all is well\"}\n");
	json_decref(extra);
}

static void
a_terminal_obeys_nothing_that_is_printed(void **state)
{
	(void)state;
	say_text(out, "a\033[2Jb\x7f\n\xc2\x9b"
		      "1m \xc3\xa9 \xc2\xa0.");
	expect("a\\x1b[2Jb\\x7f\\x0a\\xc2\\x9b1m \xc3\xa9 \xc2\xa0.");
}

static void
json_is_printed_without_harmful_bytes(void **state)
{
	json_t *j = json_pack("{s:s}", "a", "\x1b\x7f\xc2\x9b\xc3\xa9");

	(void)state;
	result_print(out, j);
	expect("{\n  \"a\": \"\\u001B\\u007f\\u009B\\u00E9\"\n}\n");
	json_decref(j);
}

static void
the_colon_stands_in_column_28(void **state)
{
	static const struct label rows[] = {
		{ 1, "Initiator Name", LABEL_TEXT, "name" },
		{ 2, "Not This", LABEL_TEXT, "name" },
		{ 3, "", LABEL_BLANK, "" },
		{ 1, "Empty", LABEL_TEXT, "missing" },
		{ 1, "Number", LABEL_NUMBER, "n" },
		{ 1, "No Number", LABEL_NUMBER, "missing" },
		{ 1, "Words", LABEL_WORDS, "words" },
		{ 1, "Default Words", LABEL_WORDS, "dwords" },
		{ 1, "Secret", LABEL_SECRET, "yes" },
		{ 1, "No Secret", LABEL_SECRET, "missing" },
		{ 1, "Truth", LABEL_TRUTH, "yes" },
	};
	json_t *j = json_pack("{s:s,s:i,s:[s,s],s:[s],s:b,s:b}", "name", "iqn.x", "n", 7, "words",
	    "a", "b", "dwords", "c", "dwords_is_default", 1, "yes", 1);

	(void)state;
	label_print(out, rows, sizeof(rows) / sizeof(rows[0]), 1, j);
	label_put(out, "A label that is longer than all", "v");
	expect("Initiator Name             : iqn.x\n"
	       "\n"
	       "Empty                      : \n"
	       "Number                     : 7\n"
	       "No Number                  : \n"
	       "Words                      : a,b\n"
	       "Default Words              : c (default)\n"
	       "Secret                     : set\n"
	       "No Secret                  : not set\n"
	       "Truth                      : yes\n"
	       "A label that is longer than all: v\n");
	json_decref(j);
}

static void
columns_grow_with_their_content(void **state)
{
	static const struct table_column columns[] = {
		{ "Name", 6, 2, false },
		{ "N", 1, 2, true },
		{ "Last", 0, 0, false },
	};
	struct table *t = table_new(columns, 3);

	(void)state;
	table_print(t, out);
	table_row(t, (const char *[]){ "a", "1", "x" });
	table_row(t, (const char *[]){ "\xc3\xa9-longer", "100", "the last is not padded" });
	table_line(t, 1, "below");
	table_row(t, (const char *[]){ "b", "", "" });
	table_print(t, out);
	table_free(t);
	expect("Name        N  Last\n"
	       "====================\n"
	       "a           1  x\n"
	       "\xc3\xa9-longer  100  the last is not padded\n"
	       "          below\n"
	       "b\n");
}

static void
an_answer_of_another_shape_reads_as_empty(void **state)
{
	json_t *j = json_pack("{s:i,s:s,s:[i,s],s:n}", "i", 3, "s", "x", "l", 1, "w", "n");
	char *list = result_list(j, "l"), *none = result_list(j, "s");

	(void)state;
	assert_string_equal(result_text(j, "i"), "");
	assert_string_equal(result_text(j, "n"), "");
	assert_string_equal(result_text(NULL, "n"), "");
	assert_int_equal(result_number(j, "s"), -1);
	assert_int_equal(result_number(j, "i"), 3);
	assert_false(result_is_true(j, "s"));
	assert_string_equal(list, "w");
	assert_string_equal(none, "");
	free(list);
	free(none);
	json_decref(j);
}

static void
an_ipv6_portal_has_brackets(void **state)
{
	json_t *six = json_pack("{s:s,s:i,s:i}", "address", "2001:db8::1", "port", 3260, "tpgt", 1);
	json_t *four = json_pack("{s:s,s:i,s:i}", "address", "192.0.2.1", "port", 5001, "tpgt", 0);
	char *a = result_portal(six), *b = result_portal(four);

	(void)state;
	assert_string_equal(a, "[2001:db8::1]:3260,1");
	assert_string_equal(b, "192.0.2.1:5001,0");
	free(a);
	free(b);
	json_decref(six);
	json_decref(four);
}

static void
a_hardware_path_covers_what_is_below_it(void **state)
{
	(void)state;
	assert_true(hwpath_covers("255", "255/0/0.0"));
	assert_true(hwpath_covers("255/0", "255/0"));
	assert_true(hwpath_covers("255/0/1.2", "255/0/1.2.3.4"));
	assert_false(hwpath_covers("255/0", "255"));
	assert_false(hwpath_covers("255/0/1", "255/0/10.0"));
	assert_true(hwpath_is_valid("255/0/3.0.1.2"));
	assert_true(hwpath_is_valid("0"));
	assert_false(hwpath_is_valid(""));
	assert_false(hwpath_is_valid("255/"));
	assert_false(hwpath_is_valid("/255"));
	assert_false(hwpath_is_valid("255//0"));
	assert_false(hwpath_is_valid("255/0x1"));
	assert_false(hwpath_is_valid("99999999999"));
	assert_false(hwpath_check("a"));
	expect("tool: -H a: not a hardware path: it is numbers with '/' or '.' between them. Next: "
	       "give a "
	       "path as ioscan lists it, for example 255/0/0.0.0.1.\n");
}

static void
every_error_has_its_exit_status(void **state)
{
	(void)state;
	assert_int_equal(status_of_error(IPC_ERR_INVALID), 2);
	assert_int_equal(status_of_error(IPC_ERR_NOTRUNNING), 3);
	assert_int_equal(status_of_error(IPC_ERR_DENIED), 5);
	assert_int_equal(status_of_error(IPC_ERR_NOTFOUND), 6);
	assert_int_equal(status_of_error(IPC_ERR_EXISTS), 7);
	assert_int_equal(status_of_error(IPC_ERR_BUSY), 8);
	assert_int_equal(status_of_error(IPC_ERR_TIMEOUT), 9);
	assert_int_equal(status_of_error(IPC_ERR_INTERNAL), 1);
}

static void
something_done_and_something_failed_is_partial(void **state)
{
	struct status_tally t = { 0 };

	(void)state;
	assert_int_equal(status_sum(&t), STATUS_OK);
	status_count(&t, STATUS_BUSY);
	status_count(&t, STATUS_NOT_FOUND);
	assert_int_equal(status_sum(&t), STATUS_BUSY);
	status_count(&t, STATUS_OK);
	assert_int_equal(status_sum(&t), STATUS_PARTIAL);
}

static void
text_that_is_not_utf8_is_refused(void **state)
{
	json_t *args = json_object();

	(void)state;
	assert_false(args_put_text(args, "name", "\xff"));
	assert_int_equal(json_object_size(args), 0);
	expect("tool: '\\xff' cannot be sent: it is not valid UTF-8. Next: write it in UTF-8.\n");
	json_decref(args);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_problem_is_a_sentence_with_its_next_step),
		T(sizes_have_three_digits),
		T(counts_and_times_have_three_digits),
		T(a_table_that_is_too_wide_cuts_the_beginning_of_its_last_column),
		T(a_program_reads_each_sentence_as_a_line_of_json),
		T(a_terminal_obeys_nothing_that_is_printed),
		T(json_is_printed_without_harmful_bytes),
		T(the_colon_stands_in_column_28),
		T(columns_grow_with_their_content),
		T(an_answer_of_another_shape_reads_as_empty),
		T(an_ipv6_portal_has_brackets),
		T(a_hardware_path_covers_what_is_below_it),
		T(every_error_has_its_exit_status),
		T(something_done_and_something_failed_is_partial),
		T(text_that_is_not_utf8_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
