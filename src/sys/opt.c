#include "sys/opt.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/log.h"

/* More rows than any of our programs has. */
#define ROWS_MAX 32
/* getopt's values for the rows begin behind the characters. */
#define ROW_VALUE     256
#define HELP_VALUE    1000
#define VERSION_VALUE 1001
/* Where the help begins in the usage, and where its lines end. */
#define HELP_COLUMN 31
#define WIDTH       79

static bool take(const struct opt_program *program, const struct opt *o, const char *arg);
static void describe(const struct opt *o, char *out, size_t cap);
static void print_usage(const struct opt_program *program);
static void complain(const struct opt_program *program, int value, char *const argv[]);

enum opt_result
opt_parse(const struct opt_program *program, int argc, char **argv, int *ret_operand)
{
	struct option longs[ROWS_MAX + 3] = { { "help", no_argument, NULL, HELP_VALUE },
		{ "version", no_argument, NULL, VERSION_VALUE } };
	char shorts[ROWS_MAX * 2 + 3] = ":h";
	size_t n_longs = 2, n_shorts = 2;
	int value;

	assert(program->n_opts <= ROWS_MAX);
	for (size_t i = 0; i < program->n_opts; i++) {
		const struct opt *o = &program->opts[i];
		bool has_arg = o->kind != OPT_FLAG;

		if (o->name != NULL)
			longs[n_longs++] =
			    (struct option){ o->name, has_arg ? required_argument : no_argument,
				    NULL, ROW_VALUE + (int)i };
		if (o->short_name != 0) {
			shorts[n_shorts++] = o->short_name;
			if (has_arg)
				shorts[n_shorts++] = ':';
		}
	}
	optind = 0; /* glibc: start anew, also for a second call in one process */
	opterr = 0;
	while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct opt *o = NULL;

		if (value == HELP_VALUE || value == 'h') {
			print_usage(program);
			return OPT_DONE;
		}
		if (value == VERSION_VALUE) {
			printf("%s (OpenISW) %s\n", program->name, OPENISW_VERSION);
			return OPT_DONE;
		}
		for (size_t i = 0; i < program->n_opts && o == NULL; i++)
			if (value == ROW_VALUE + (int)i ||
			    (value != 0 && value == program->opts[i].short_name))
				o = &program->opts[i];
		if (o == NULL) {
			complain(program, value, argv);
			return OPT_WRONG;
		}
		if (!take(program, o, optarg))
			return OPT_WRONG;
	}
	if (program->operands == NULL && optind < argc) {
		fprintf(stderr,
		    "%s: '%s' is one word too many: %s takes options only; see '%s --help'\n",
		    program->name, argv[optind], program->name, program->name);
		return OPT_WRONG;
	}
	*ret_operand = optind;
	return OPT_GO;
}

/* False, with a sentence, when the argument is not what the row wants. */
static bool
take(const struct opt_program *program, const struct opt *o, const char *arg)
{
	struct opt_list *list;
	char *end;
	char name[64];
	long n;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->ret = true;
		return true;
	case OPT_STRING:
		*(const char **)o->ret = arg;
		return true;
	case OPT_LIST:
		list = o->ret;
		if (list->n < OPT_LIST_MAX) {
			list->words[list->n++] = arg;
			return true;
		}
		describe(o, name, sizeof name);
		fprintf(stderr, "%s: %s may be given %d times at most\n", program->name, name,
		    OPT_LIST_MAX);
		return false;
	case OPT_INT:
		errno = 0;
		n = strtol(arg, &end, 10);
		if (errno == 0 && end != arg && *end == '\0' && n >= o->min && n <= o->max) {
			*(long *)o->ret = n;
			return true;
		}
		describe(o, name, sizeof name);
		fprintf(stderr, "%s: '%s' does not fit %s: a number from %ld to %ld is needed\n",
		    program->name, arg, name, o->min, o->max);
		return false;
	case OPT_LEVEL:
		if (log_level_parse(arg, o->ret))
			return true;
		describe(o, name, sizeof name);
		fprintf(stderr, "%s: '%s' does not fit %s: a level is 0 to 7 or one of",
		    program->name, arg, name);
#define LEVEL(id, number, word, ...) fprintf(stderr, " " word);
#include "sys/log.def"
		fprintf(stderr, "\n");
		return false;
	}
	return false;
}

/* "-f, --foreground", "--root DIR" */
static void
describe(const struct opt *o, char *out, size_t cap)
{
	char brief[8] = "";

	if (o->short_name != 0)
		(void)snprintf(brief, sizeof brief, "-%c", o->short_name); /* fits */
	if (snprintf(out, cap, "%s%s%s%s%s%s", brief,
		brief[0] != '\0' && o->name != NULL ? ", " : "", o->name != NULL ? "--" : "",
		o->name != NULL ? o->name : "", o->arg != NULL ? " " : "",
		o->arg != NULL ? o->arg : "") < 0)
		out[0] = '\0';
}

/* A text that begins at HELP_COLUMN and goes on there. */
static void
put_wrapped(const char *text)
{
	size_t column = HELP_COLUMN;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + n > WIDTH) {
			printf("\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)n, text);
		column += n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

static void
print_usage(const struct opt_program *program)
{
	static const struct opt always[] = {
		{ .short_name = 'h', .name = "help", .help = "print this" },
		{ .name = "version", .help = "print the version" },
	};

	printf("usage: %s [options]%s%s\n%s\n\n", program->name,
	    program->operands != NULL ? " " : "",
	    program->operands != NULL ? program->operands : "", program->summary);
	for (size_t i = 0; i < program->n_opts + 2; i++) {
		const struct opt *o =
		    i < program->n_opts ? &program->opts[i] : &always[i - program->n_opts];
		char name[64];

		describe(o, name, sizeof name);
		/* What is longer than its column has the line for itself. */
		if (strlen(name) > HELP_COLUMN - 3)
			printf("  %s\n%*s", name, HELP_COLUMN, "");
		else
			printf("  %-*s ", HELP_COLUMN - 3, name);
		put_wrapped(o->help);
	}
}

/* getopt says only '?' or ':'; a person wants to know which word it was. */
static void
complain(const struct opt_program *program, int value, char *const argv[])
{
	const char *word = argv[optind - 1];

	if (value == ':') {
		if (optopt > 0 && optopt < ROW_VALUE)
			fprintf(stderr, "%s: option '-%c' needs an argument; see '%s --help'\n",
			    program->name, optopt, program->name);
		else
			fprintf(stderr, "%s: option '%s' needs an argument; see '%s --help'\n",
			    program->name, word, program->name);
		return;
	}
	if (optopt > 0 && optopt < ROW_VALUE)
		fprintf(stderr, "%s: there is no option '-%c'; see '%s --help'\n", program->name,
		    optopt, program->name);
	else if (optopt >= ROW_VALUE)
		fprintf(stderr, "%s: option '%s' takes no argument; see '%s --help'\n",
		    program->name, word, program->name);
	else
		fprintf(stderr, "%s: unknown or ambiguous option '%s'; see '%s --help'\n",
		    program->name, word, program->name);
}
