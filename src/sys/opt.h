/*
 * Options of daemons and simple tools: one table both parses and prints the
 * usage.  --help, -h and --version are always there.  (iscsiutil has a syntax of
 * its own.)
 */
#ifndef SYS_OPT_H
#define SYS_OPT_H

#include <stdbool.h>
#include <stddef.h>

enum opt_kind {
	OPT_FLAG,   /* ret: bool *, set to true */
	OPT_STRING, /* ret: const char **, borrowed from argv */
	OPT_LIST,   /* ret: struct opt_list *; may be given several times */
	OPT_INT,    /* ret: long *, checked against min..max */
	OPT_LEVEL,  /* ret: enum log_level * (log.h), a word or a number */
};

/* More than anybody types: what is longer belongs in a file. */
#define OPT_LIST_MAX 16

struct opt_list {
	const char *words[OPT_LIST_MAX]; /* borrowed from argv, in their order */
	size_t n;
};

/* One row.  Either of the names may be missing (0, NULL). */
struct opt {
	char short_name;
	const char *name;
	enum opt_kind kind;
	void *ret;        /* written only when the option is given; see opt_kind */
	const char *arg;  /* "DIR": the argument's word in the usage; NULL for flags */
	const char *help; /* what it does, one line */
	long min, max;    /* OPT_INT */
};

struct opt_program {
	const char *name;       /* "iswd" */
	const char *summary;    /* one line */
	const char *operands;   /* "[FILE...]", or NULL: none are taken */
	const struct opt *opts; /* n_opts rows */
	size_t n_opts;
};

enum opt_result {
	OPT_GO,    /* parsed: do the work */
	OPT_DONE,  /* --help or --version was printed: exit 0 */
	OPT_WRONG, /* a sentence was printed to the standard error: exit INSTANCE_EXIT_USAGE */
};

/* Row for the root that every program takes; `var` is a const char *. */
#define OPT_ROW_ROOT(var)                                                  \
	{                                                                  \
		0, "root", OPT_STRING, &(var), "DIR",                      \
		    "the initiator's root (default: $OPENISW_ROOT, or /)", \
	}
/* Row for tools; `var` is a bool. */
#define OPT_ROW_JSON(var)                                        \
	{                                                        \
		0, "json", OPT_FLAG, &(var), NULL, "print JSON", \
	}

/*
 * Parse.  Options may stand after operands; "--" ends them.  argv is reordered
 * so that operands come last; *ret_operand is the index of the first.
 */
enum opt_result opt_parse(
    const struct opt_program *program, int argc, char **argv, int *ret_operand);

#endif
