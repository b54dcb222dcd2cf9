/*
 * A command's line: options in any order, combined or apart (-pVS, -p -V -S),
 * as the guide writes them.  One table of options and one of forms (which
 * options make sense together) give the parser, the usage and the manual.
 */
#ifndef TOOLS_CMDLINE_H
#define TOOLS_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum cmdline_arg {
	CMDLINE_NONE,
	CMDLINE_NUMBER_MAYBE, /* -S, -S 3, -S3 */
	CMDLINE_NUMBER,       /* -P 3260, -P3260 */
	CMDLINE_TEXT,         /* -I host, -Ihost, --root=DIR, --ro DIR */
	CMDLINE_TEXTS,        /* the same; several times where the form allows it: -I a -I b */
	CMDLINE_WORDS,        /* a text that may be empty: -A "" */
	CMDLINE_LIST,         /* one or more words, up to the next option */
};

enum cmdline_role {
	CMDLINE_VERB,     /* says what to do; one a line */
	CMDLINE_MODIFIER, /* says to what, or how */
};

/*
 * A set of options, one bit each: an integer, so that tables of forms are constant
 * expressions.  CMDLINE_OPTIONS_MAX is more than 64, hence no standard type.
 */
__extension__ typedef unsigned __int128 cmdline_set;
#define CMDLINE_OPTIONS_MAX 128
#define CMDLINE_BIT(i)      ((cmdline_set)1 << (i))

/* How many options the set has. */
static inline unsigned
cmdline_count(cmdline_set set)
{
	return (unsigned)(__builtin_popcountll((unsigned long long)set) +
			  __builtin_popcountll((unsigned long long)(set >> 64)));
}

/* The first of them; the set is not empty. */
static inline unsigned
cmdline_first(cmdline_set set)
{
	return cmdline_count((set & -set) - 1);
}

/* One option: a row of a tool's opts.def. */
struct cmdline_option {
	char letter;      /* 0: only the long name */
	const char *name; /* NULL: only the letter; else arg is no LIST */
	enum cmdline_role role;
	enum cmdline_arg arg;
	const char *arg_name; /* "tcp-port"; of a list "nas-host nas-secret", "key value ..."; NULL
				 for CMDLINE_NONE */
	long min, max;        /* of a number */
	const char *help;     /* one line, no full stop */
};

/* One way to write the command: a row of a tool's forms.def.  Sets have one bit an option. */
struct cmdline_form {
	const char *operand; /* as the usage shows it, "[/dev/iscsi]"; "" when none is taken */
	int operands_min, operands_max;
	cmdline_set must, may; /* options; the common ones are always allowed */
	cmdline_set with_arg;  /* those whose optional argument is needed here */
	const char *help;      /* one line, no full stop */
	cmdline_set many;      /* those TEXTS that may be given several times */
};

/* The rows of opts.def and forms.def, without their id, as initialisers. */
#define CMDLINE_OPTION(letter, name, role, arg, arg_name, min, max, help)             \
	{                                                                             \
		letter, name, CMDLINE_##role, CMDLINE_##arg, arg_name, min, max, help \
	}
#define CMDLINE_FORM(...)   \
	{                   \
		__VA_ARGS__ \
	}

struct cmdline_tool {
	const char *name;
	bool operand_first; /* the usage shows operands before the options */
	const struct cmdline_option *options;
	size_t n_options; /* up to CMDLINE_OPTIONS_MAX; the last CMDLINE_COMMON_COUNT are
			     common.def's */
	const struct cmdline_form *forms;
	size_t n_forms;
	const cmdline_set *one_of; /* sets of which at most one option may be given */
	size_t n_one_of;
	void (*manual_extra)(
	    FILE *out); /* writes what replaces @EXTRA@ in the manual; may be NULL */
};

/* Bits of options.  Every tool's opts.def ends with common.def, in this order. */
enum cmdline_common {
#define OPT(id, ...) CMDLINE_COMMON_##id,
#include "tools/common/common.def"
	CMDLINE_COMMON_COUNT
};

struct cmdline_value {
	bool given, has_arg;
	long number;      /* a number's value */
	const char *text; /* a text's value, the first of several; borrowed from argv */
	char **list;      /* a list's words, borrowed from argv; all of TEXTS */
	int list_count;
};

/* A parsed line. */
struct cmdline {
	const struct cmdline_tool *tool;
	const struct cmdline_form *form;
	cmdline_set given;
	struct cmdline_value values[CMDLINE_OPTIONS_MAX];
	const char **operands; /* the caller frees the array with cmdline_fini() */
	int n_operands;
};

enum cmdline_result {
	CMDLINE_GO,    /* form, given, values and operands are valid */
	CMDLINE_DONE,  /* --help or --version was printed to `out` */
	CMDLINE_WRONG, /* a sentence was printed (say.h): exit with STATUS_USAGE */
};

/* Parse.  cmdline_fini() in every case. */
enum cmdline_result cmdline_parse(
    struct cmdline *ret, const struct cmdline_tool *tool, int argc, char **argv, FILE *out);
void cmdline_fini(struct cmdline *c);

/* A common option's value. */
const struct cmdline_value *cmdline_common(const struct cmdline *c, enum cmdline_common id);
/* The index of a common option among the tool's. */
size_t cmdline_common_index(const struct cmdline_tool *tool, enum cmdline_common id);

/* "<login-key> <login-val> ...": its argument, for people; the caller frees it.  It has one. */
char *cmdline_argument(const struct cmdline_option *o);
/* Whether this word stands among the options. */
bool cmdline_has(int argc, char *const *argv, const char *word);
/* The bits of the options that say what to do. */
cmdline_set cmdline_verbs(const struct cmdline_tool *tool);
/* "-I", or "--force" where there is no letter. */
const char *cmdline_option_name(const struct cmdline_option *o, char buf[static 32]);

#endif
