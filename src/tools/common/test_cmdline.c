#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/common/cmdline.h"
#include "tools/common/say.h"
#include "tools/common/usage.h"

/* A tool of the test's own, with every kind of argument. */
enum { OPT_v, OPT_w, OPT_m, OPT_n, OPT_t, OPT_e, OPT_l, OPT_s, OPT_long };

static const struct cmdline_option options[] = {
	CMDLINE_OPTION('v', NULL, VERB, NONE, NULL, 0, 0, "first verb"),
	CMDLINE_OPTION('w', NULL, VERB, NONE, NULL, 0, 0, "second verb"),
	CMDLINE_OPTION('m', "many", MODIFIER, NUMBER_MAYBE, "maybe", 0, 99, "perhaps a number"),
	CMDLINE_OPTION('n', NULL, MODIFIER, NUMBER, "num", 1, 4096, "a number"),
	CMDLINE_OPTION('t', NULL, MODIFIER, TEXT, "text", 0, 0, "a text"),
	CMDLINE_OPTION('e', NULL, MODIFIER, WORDS, "words", 0, 0, "a text, empty perhaps"),
	CMDLINE_OPTION('l', NULL, MODIFIER, LIST, "word", 0, 0, "words"),
	CMDLINE_OPTION('s', NULL, MODIFIER, TEXTS, "site", 0, 0, "a site"),
	CMDLINE_OPTION(0, "long", MODIFIER, NONE, NULL, 0, 0, "a long name"),
#define OPT(id, ...) CMDLINE_OPTION(__VA_ARGS__),
#include "tools/common/common.def"
};

#define O(id) CMDLINE_BIT(OPT_##id)
#define ALL   O(m) | O(n) | O(t) | O(e) | O(l) | O(s) | O(long)

static const struct cmdline_form forms[] = {
	{ "[file]", 0, 1, O(v), ALL, 0, "Do the first" },
	{ "", 0, 0, O(w) | O(m), O(n) | O(s), O(m), "Do the second", O(s) },
};
static const cmdline_set one_of[] = { O(t) | O(e) };
static const struct cmdline_tool tool = {
	.name = "tool",
	.operand_first = true,
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.forms = forms,
	.n_forms = 2,
	.one_of = one_of,
	.n_one_of = 1,
};

static struct cmdline line;
static char *said, *shown;
static char copy[512], *words[32];

/* Parse a line whose words are separated by blanks; '' is an empty word. */
static enum cmdline_result
parse(const char *text)
{
	size_t said_len, shown_len;
	enum cmdline_result r;
	FILE *err, *out;
	char *save = copy;
	int n = 1;

	cmdline_fini(&line);
	free(said);
	free(shown);
	err = open_memstream(&said, &said_len);
	out = open_memstream(&shown, &shown_len);
	assert_true(strlen(text) < sizeof(copy));
	memcpy(copy, text, strlen(text) + 1);
	words[0] = "tool";
	for (char *w; (w = strsep(&save, " ")) != NULL;)
		if (w[0] != '\0')
			words[n++] = strcmp(w, "''") == 0 ? w + 2 : w;
	words[n] = NULL;
	say_init("tool", err);
	r = cmdline_parse(&line, &tool, n, words, out);
	fclose(err);
	fclose(out);
	return r;
}

static void
wrong(const char *text, const char *sentence)
{
	assert_int_equal(parse(text), CMDLINE_WRONG);
	assert_string_equal(said, sentence);
}

static void
options_may_be_combined_or_apart(void **state)
{
	static const char *const lines[] = { "-vm3n5", "-v -m 3 -n 5", "-n5 -m3 -v", "-n 5 -vm 3",
		"-m3vn5" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i]), CMDLINE_GO);
		assert_ptr_equal(line.form, &forms[0]);
		assert_int_equal(line.given, O(v) | O(m) | O(n));
		assert_int_equal(line.values[OPT_m].number, 3);
		assert_int_equal(line.values[OPT_n].number, 5);
		assert_int_equal(line.n_operands, 0);
	}
}

static void
an_optional_number_may_be_missing(void **state)
{
	(void)state;
	assert_int_equal(parse("-v -m"), CMDLINE_GO);
	assert_true(line.values[OPT_m].given);
	assert_false(line.values[OPT_m].has_arg);
	assert_int_equal(parse("-m -v"), CMDLINE_GO);
	assert_false(line.values[OPT_m].has_arg);
	assert_int_equal(parse("-mv"), CMDLINE_GO);
	assert_false(line.values[OPT_m].has_arg);
	/* A path behind it is an operand, not a bad number. */
	assert_int_equal(parse("-vm /dev/x"), CMDLINE_GO);
	assert_false(line.values[OPT_m].has_arg);
	assert_string_equal(line.operands[0], "/dev/x");
}

static void
numbers_are_checked(void **state)
{
	(void)state;
	wrong("-v -n 0",
	    "tool: -n 0: not a valid <num>. Next: give -n a whole number from 1 to 4096.\n");
	wrong("-v -n 4097",
	    "tool: -n 4097: not a valid <num>. Next: give -n a whole number from 1 to 4096.\n");
	wrong("-v -n 99999999999999999999", "tool: -n 99999999999999999999: not a valid <num>. "
					    "Next: give -n a whole number from 1 to "
					    "4096.\n");
	wrong("-v -n 0x10",
	    "tool: -n 0x10: not a valid <num>. Next: give -n a whole number from 1 to 4096.\n");
	wrong("-v -n+1",
	    "tool: -n +1: not a valid <num>. Next: give -n a whole number from 1 to 4096.\n");
	wrong("-v -m 100",
	    "tool: -m 100: not a valid <maybe>. Next: give -m a whole number from 0 to 99.\n");
	wrong("-v -m x",
	    "tool: -m x: not a valid <maybe>. Next: give -m a whole number from 0 to 99.\n");
	wrong("-v -n -t", "tool: -n needs <num>, but '-t' follows it. Next: write -n <num>.\n");
	wrong("-v -n", "tool: -n needs <num>, but none follows it. Next: write -n <num>.\n");
	assert_int_equal(parse("-v -n 4096 -m 0"), CMDLINE_GO);
	assert_int_equal(line.values[OPT_n].number, 4096);
	assert_true(line.values[OPT_m].has_arg);
}

static void
a_text_may_follow_attached_or_apart(void **state)
{
	(void)state;
	assert_int_equal(parse("-v -t some"), CMDLINE_GO);
	assert_string_equal(line.values[OPT_t].text, "some");
	assert_int_equal(parse("-vtsome"), CMDLINE_GO);
	assert_string_equal(line.values[OPT_t].text, "some");
	assert_int_equal(parse("-v -t-dash"), CMDLINE_GO);
	assert_string_equal(line.values[OPT_t].text, "-dash");
	assert_int_equal(parse("-v -t -"), CMDLINE_GO);
	assert_string_equal(line.values[OPT_t].text, "-");
	wrong("-v -t ''", "tool: -t needs <text>, but none follows it. Next: write -t <text>.\n");
	assert_int_equal(parse("-v -e ''"), CMDLINE_GO);
	assert_true(line.values[OPT_e].has_arg);
	assert_string_equal(line.values[OPT_e].text, "");
}

static void
a_list_ends_at_the_next_option(void **state)
{
	(void)state;
	assert_int_equal(parse("-v -l one two -n 7"), CMDLINE_GO);
	assert_int_equal(line.values[OPT_l].list_count, 2);
	assert_string_equal(line.values[OPT_l].list[0], "one");
	assert_string_equal(line.values[OPT_l].list[1], "two");
	wrong("-v -l", "tool: -l needs <word>, but none follows it. Next: write -l <word>.\n");
	wrong("-v -l /dev/iscsi one",
	    "tool: -l needs <word>, but '/dev/iscsi' follows it. Next: write -l <word>.\n");
	wrong("-v -lone",
	    "tool: -lone: a list of words follows -l. Next: write -l <word>, with a space "
	    "between.\n");
}

static void
what_may_be_given_several_times_is_all_kept_in_order(void **state)
{
	(void)state;
	assert_int_equal(parse("-s one -w -m 1 -stwo -s three"), CMDLINE_GO);
	assert_int_equal(line.values[OPT_s].list_count, 3);
	assert_string_equal(line.values[OPT_s].text, "one");
	assert_string_equal(line.values[OPT_s].list[1], "two");
	assert_string_equal(line.values[OPT_s].list[2], "three");
	assert_int_equal(parse("-v -s one"), CMDLINE_GO);
	assert_int_equal(line.values[OPT_s].list_count, 1);
	wrong("-v -s one -s two",
	    "tool: -s is given twice: only one value can count. Next: give -s once.\n");
}

static void
long_names_and_the_common_options_are_known(void **state)
{
	(void)state;
	assert_int_equal(parse("--root /a --long -v"), CMDLINE_GO);
	assert_string_equal(cmdline_common(&line, CMDLINE_COMMON_root)->text, "/a");
	assert_true(line.values[OPT_long].given);
	assert_int_equal(parse("-v --root=/b --json"), CMDLINE_GO);
	assert_string_equal(cmdline_common(&line, CMDLINE_COMMON_root)->text, "/b");
	assert_true(cmdline_common(&line, CMDLINE_COMMON_json)->given);
	wrong("-v --root",
	    "tool: --root needs <dir>, but none follows it. Next: write --root <dir>.\n");
	wrong("-v --root=",
	    "tool: --root needs <dir>, but none follows it. Next: write --root <dir>.\n");
	wrong("-v --long=1",
	    "tool: --long takes no value, but '1' follows it. Next: write --long alone.\n");
	wrong("-v --lont",
	    "tool: unknown option --lont: this command has no such option. Next: run 'tool "
	    "--help' for what there is.\n");
	wrong("-vz",
	    "tool: unknown option -z: this command has no such option. Next: run 'tool --help' "
	    "for what there is.\n");
}

static void
long_names_may_be_short_where_only_one_begins_so(void **state)
{
	(void)state;
	assert_int_equal(parse("-v --lo --ro=/c --j"), CMDLINE_GO);
	assert_true(line.values[OPT_long].given);
	assert_string_equal(cmdline_common(&line, CMDLINE_COMMON_root)->text, "/c");
	assert_true(cmdline_common(&line, CMDLINE_COMMON_json)->given);
	assert_int_equal(parse("--v"), CMDLINE_DONE);
	wrong("-v --=x",
	    "tool: unknown option --: this command has no such option. Next: run 'tool --help' "
	    "for what there is.\n");
}

static void
a_long_name_takes_a_number_too(void **state)
{
	static const char *const lines[] = { "-v --many 7", "-v --many=7", "-v --ma 7 file" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i]), CMDLINE_GO);
		assert_int_equal(line.values[OPT_m].number, 7);
	}
	assert_int_equal(parse("-v --many"), CMDLINE_GO);
	assert_false(line.values[OPT_m].has_arg);
	wrong("-v --many=x",
	    "tool: -m x: not a valid <maybe>. Next: give -m a whole number from 0 to 99.\n");
}

static void
a_number_with_a_dash_is_a_word(void **state)
{
	(void)state;
	wrong("-v -m -1",
	    "tool: -m -1: not a valid <maybe>. Next: give -m a whole number from 0 to 99.\n");
	wrong("-v -n -5",
	    "tool: -n -5: not a valid <num>. Next: give -n a whole number from 1 to 4096.\n");
	assert_int_equal(parse("-v -l NOPInterval -5 -n 7"), CMDLINE_GO);
	assert_int_equal(line.values[OPT_l].list_count, 2);
	assert_string_equal(line.values[OPT_l].list[1], "-5");
}

static void
help_and_version_win_over_an_incomplete_line(void **state)
{
	static const char *const lines[] = { "--help", "-h", "-n 5 --he", "-v -w -h" };

	(void)state;
	assert_int_equal(parse("-w --version"), CMDLINE_DONE);
	assert_string_equal(shown, "tool (OpenISW) " OPENISW_VERSION "\n");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i]), CMDLINE_DONE);
		assert_string_equal(shown, "usage: tool <verb> [<option> ...]\n"
					   "       tool --help | --version\n"
					   "\n"
					   "verbs:\n"
					   "  -v                     first verb\n"
					   "  -w                     second verb\n"
					   "\n"
					   "'tool <verb> --help' tells its options, 'man tool' "
					   "all of it.\n");
	}
}

#define COMMON                                                                             \
	"  --root <dir>           the initiator's root directory (default:\n"              \
	"                         $OPENISW_ROOT, or /)\n"                                  \
	"  --json                 print the driver's answer, and what is wrong, as JSON\n" \
	"  -h, --help             print the usage, of one verb where one is given\n"       \
	"  --version              print the version\n"

static void
help_is_for_one_verb_and_wrapped(void **state)
{
	(void)state;
	assert_int_equal(parse("-wh"), CMDLINE_DONE);
	assert_string_equal(shown, "usage: tool -w -m <maybe> [-n <num>] [-s <site> [-s ...]]\n"
				   "               Do the second\n"
				   "\n"
				   "options:\n"
				   "  -w                     second verb\n"
				   "  -m, --many [<maybe>]   perhaps a number\n"
				   "  -n <num>               a number\n"
				   "  -s <site>              a site\n" COMMON);
	assert_int_equal(parse("-v --help"), CMDLINE_DONE);
	assert_int_equal(parse("-v -l --help"), CMDLINE_DONE);
	assert_int_equal(parse("-v -n -h"), CMDLINE_DONE);
	assert_string_equal(shown,
	    "usage: tool [file] -v [-m [<maybe>]] [-n <num>] [-t <text> | -e <words>]\n"
	    "            [-l <word> ...] [-s <site>] [--long]\n"
	    "               Do the first\n"
	    "\n"
	    "options:\n"
	    "  -v                     first verb\n"
	    "  -m, --many [<maybe>]   perhaps a number\n"
	    "  -n <num>               a number\n"
	    "  -t <text>              a text\n"
	    "  -e <words>             a text, empty perhaps\n"
	    "  -l <word> ...          words\n"
	    "  -s <site>              a site\n"
	    "  --long                 a long name\n" COMMON);
}

static void
a_line_that_fits_no_form_is_explained_by_the_nearest(void **state)
{
#define FIRST                                                                                \
	"Next: write tool [file] -v [-m [<maybe>]] [-n <num>] [-t <text> | -e <words>] [-l " \
	"<word> "                                                                            \
	"...] [-s <site>] [--long].\n"
	(void)state;
	wrong("-v -w",
	    "tool: -v -w: each of these says what to do, only one can be done. Next: run 'tool "
	    "--help' for what there is.\n");
	wrong("-w", "tool: -w needs -m, which is missing. Next: write tool -w -m <maybe> [-n "
		    "<num>] [-s <site> [-s ...]].\n");
	wrong("-w -m", "tool: -m needs <maybe> here. Next: write tool -w -m <maybe> [-n <num>] [-s "
		       "<site> [-s ...]].\n");
	wrong("-w -m 1 --long", "tool: --long has no meaning with -w -m. Next: write tool -w -m "
				"<maybe> [-n <num>] [-s <site> [-s ...]].\n");
	wrong("-v -t a -e b", "tool: -t -e: these exclude each other. " FIRST);
	wrong("-n 5", "tool: -n needs -v, which is missing. " FIRST);
	wrong("", "tool: tool needs -v, which is missing. " FIRST);
	wrong("-v a b", "tool: unexpected word 'b': no option takes it. " FIRST);
	wrong("-n 5 -v -n 6",
	    "tool: -n is given twice: only one value can count. Next: give -n once.\n");
	assert_int_equal(parse("-v -v --long --long"), CMDLINE_GO);
}

static void
two_dashes_end_the_options(void **state)
{
	(void)state;
	assert_int_equal(parse("-v -- -n"), CMDLINE_GO);
	assert_int_equal(line.n_operands, 1);
	assert_string_equal(line.operands[0], "-n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_be_combined_or_apart),
		cmocka_unit_test(an_optional_number_may_be_missing),
		cmocka_unit_test(numbers_are_checked),
		cmocka_unit_test(a_text_may_follow_attached_or_apart),
		cmocka_unit_test(a_list_ends_at_the_next_option),
		cmocka_unit_test(what_may_be_given_several_times_is_all_kept_in_order),
		cmocka_unit_test(long_names_and_the_common_options_are_known),
		cmocka_unit_test(long_names_may_be_short_where_only_one_begins_so),
		cmocka_unit_test(a_long_name_takes_a_number_too),
		cmocka_unit_test(a_number_with_a_dash_is_a_word),
		cmocka_unit_test(help_is_for_one_verb_and_wrapped),
		cmocka_unit_test(help_and_version_win_over_an_incomplete_line),
		cmocka_unit_test(a_line_that_fits_no_form_is_explained_by_the_nearest),
		cmocka_unit_test(two_dashes_end_the_options),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	cmdline_fini(&line);
	free(said);
	free(shown);
	return failed;
}
