#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/log.h"
#include "sys/opt.h"

static struct {
	bool foreground, json;
	const char *root;
	long count;
	enum log_level level;
	struct opt_list names;
} got;

static const struct opt rows[] = {
	{ 'f', "foreground", OPT_FLAG, &got.foreground, NULL, "stay in the foreground" },
	{ 'n', "count", OPT_INT, &got.count, "N", "how many", 1, 10 },
	{ 0, "level", OPT_LEVEL, &got.level, "LEVEL", "how much to log" },
	{ 0, "name", OPT_LIST, &got.names, "NAME", "a name; may be repeated" },
	OPT_ROW_ROOT(got.root),
	OPT_ROW_JSON(got.json),
};
static struct opt_program program = { "prog", "does nothing", "[FILE...]", rows,
	sizeof rows / sizeof rows[0] };
static char text[4096];
static int operand;

/* Parse argv[1..]; what is printed on stream fd (1, 2) ends in `text`. */
static enum opt_result
parse_words(int fd, int argc, char **argv)
{
	int was = dup(fd);
	FILE *f = tmpfile();
	enum opt_result result;
	size_t n;

	memset(&got, 0, sizeof got);
	operand = -1;
	assert_non_null(f);
	fflush(stdout);
	assert_true(dup2(fileno(f), fd) >= 0);
	result = opt_parse(&program, argc, argv, &operand);
	fflush(stdout);
	assert_true(dup2(was, fd) >= 0);
	close(was);
	rewind(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	fclose(f);
	return result;
}

static enum opt_result
parse(int fd, char *a, char *b, char *c, char *d)
{
	char *argv[] = { "prog", a, b, c, d, NULL };
	int argc = 1;

	while (argc < 5 && argv[argc] != NULL)
		argc++;
	return parse_words(fd, argc, argv);
}

static void
options_may_stand_anywhere_and_operands_come_last(void **state)
{
	(void)state;
	assert_int_equal(parse(2, "file", "--count=3", "-f", "--root=/r"), OPT_GO);
	assert_true(got.foreground);
	assert_int_equal(got.count, 3);
	assert_string_equal(got.root, "/r");
	assert_int_equal(operand, 4);
	assert_int_equal(parse(2, "--level", "debug", "--", "-f"), OPT_GO);
	assert_int_equal(got.level, LOG_LVL_DEBUG);
	assert_false(got.foreground);
	assert_string_equal(text, "");
}

static void
the_usage_has_every_row(void **state)
{
	(void)state;
	assert_int_equal(parse(1, "--help", NULL, NULL, NULL), OPT_DONE);
	assert_non_null(strstr(text, "usage: prog [options] [FILE...]\ndoes nothing\n"));
	assert_non_null(strstr(text, "  -f, --foreground             stay in the foreground\n"));
	assert_non_null(strstr(text, "  -n, --count N "));
	assert_non_null(strstr(text, "  --root DIR "));
	assert_non_null(strstr(text, "  --version "));
	for (const char *p = text, *end; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		assert_non_null(end);
		assert_true(end - p < 80);
	}
	assert_int_equal(parse(1, "-h", NULL, NULL, NULL), OPT_DONE);
	assert_non_null(strstr(text, "  -h, --help                   print this\n"));
	assert_int_equal(parse(1, "--version", NULL, NULL, NULL), OPT_DONE);
	assert_non_null(strstr(text, "prog (OpenISW) " OPENISW_VERSION "\n"));
}

static void
a_list_keeps_every_word_in_order_up_to_its_limit(void **state)
{
	char *argv[OPT_LIST_MAX + 3] = { "prog" };
	int argc = 1;

	(void)state;
	assert_int_equal(parse(2, "--name", "a", "--name=b", NULL), OPT_GO);
	assert_int_equal(got.names.n, 2);
	assert_string_equal(got.names.words[0], "a");
	assert_string_equal(got.names.words[1], "b");
	while (argc < OPT_LIST_MAX + 2)
		argv[argc++] = "--name=x";
	assert_int_equal(parse_words(2, argc, argv), OPT_WRONG);
	assert_non_null(strstr(text, "16 times at most"));
	assert_int_equal(got.names.n, OPT_LIST_MAX);
}

static void
what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_int_equal(parse(2, "--bogus", NULL, NULL, NULL), OPT_WRONG);
	assert_non_null(strstr(text, "'--bogus'"));
	assert_int_equal(parse(2, "-x", NULL, NULL, NULL), OPT_WRONG);
	assert_non_null(strstr(text, "'-x'"));
	assert_int_equal(parse(2, "--count", "11", NULL, NULL), OPT_WRONG);
	assert_non_null(strstr(text, "'11'"));
	assert_non_null(strstr(text, "from 1 to 10"));
	assert_int_equal(parse(2, "-n", "3x", NULL, NULL), OPT_WRONG);
	assert_int_equal(parse(2, "-n", "99999999999999999999", NULL, NULL), OPT_WRONG);
	assert_int_equal(parse(2, "-n", NULL, NULL, NULL), OPT_WRONG);
	assert_non_null(strstr(text, "'-n' needs an argument"));
	assert_int_equal(parse(2, "--root", NULL, NULL, NULL), OPT_WRONG);
	assert_non_null(strstr(text, "'--root' needs an argument"));
	assert_int_equal(parse(2, "--json=1", NULL, NULL, NULL), OPT_WRONG);
	assert_non_null(strstr(text, "takes no argument"));
	assert_int_equal(parse(2, "--level", "loud", NULL, NULL), OPT_WRONG);
	assert_non_null(strstr(text, "panic alert"));
}

static void
operands_are_refused_where_none_are_taken(void **state)
{
	(void)state;
	program.operands = NULL;
	assert_int_equal(parse(2, "-f", "stray", NULL, NULL), OPT_WRONG);
	assert_non_null(strstr(text, "'stray'"));
	program.operands = "[FILE...]";
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere_and_operands_come_last),
		cmocka_unit_test(the_usage_has_every_row),
		cmocka_unit_test(a_list_keeps_every_word_in_order_up_to_its_limit),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(operands_are_refused_where_none_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
