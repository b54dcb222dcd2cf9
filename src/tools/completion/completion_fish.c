/* How fish completes: each option with the condition that a verb stands there that it fits. */
#include <string.h>

#include "tools/completion/completion.h"

/* Verbs of a set, as __fish_contains_opt has them. */
static void
put_verbs(const struct cmdline_tool *t, cmdline_set set)
{
	for (size_t v = 0; v < t->n_options; v++) {
		if ((set & CMDLINE_BIT(v)) == 0)
			continue;
		if (t->options[v].letter != 0)
			printf(" -s %c", t->options[v].letter);
		else
			printf(" %s", t->options[v].name);
	}
}

static cmdline_set
verbs_of(const struct cmdline_tool *t, size_t option)
{
	cmdline_set set = 0;

	for (size_t v = 0; v < t->n_options; v++)
		if (t->options[v].role == CMDLINE_VERB &&
		    (completion_fits(t, v) & CMDLINE_BIT(option)) != 0)
			set |= CMDLINE_BIT(v);
	return set;
}

static void
put_condition(const struct cmdline_tool *t, size_t i)
{
	cmdline_set verbs = cmdline_verbs(t);

	if (verbs == 0 || (completion_common(t) & CMDLINE_BIT(i)) != 0)
		return;
	fputs(" -n '", stdout);
	if ((verbs & CMDLINE_BIT(i)) != 0) {
		fputs("not __fish_contains_opt", stdout);
		/* One that has an argument stands before what is typed. */
		put_verbs(t, t->options[i].arg == CMDLINE_NONE ? verbs : verbs & ~CMDLINE_BIT(i));
	} else {
		fputs("__fish_contains_opt", stdout);
		put_verbs(t, verbs_of(t, i));
	}
	putchar('\'');
}

/* A quoted text: within single quotes fish knows a backslash before these two. */
static void
put_text(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

/* What a command of sh lists, quoted twice. */
static void
put_list(const char *before, const char *list)
{
	printf(" -a '(%ssh -c \\'", before);
	for (; *list != '\0'; list++)
		if (*list == '\'' || *list == '\\')
			printf("\\\\\\%c", *list);
		else
			putchar(*list);
	fputs("\\')'", stdout);
}

/* An argument that may be missing: fish knows only that it is attached, here it may be apart. */
static void
put_maybe(const struct cmdline_tool *t)
{
	for (size_t i = 0; i < t->n_options; i++) {
		const struct cmdline_option *o = &t->options[i];

		if (o->arg != CMDLINE_NUMBER_MAYBE || completion_list(o) == NULL)
			continue;
		printf("complete -c %s -n 'contains -- (commandline -cpo)[-1] -%c --%s'", t->name,
		    o->letter, o->name);
		put_list("", completion_list(o));
		putchar('\n');
	}
}

void
completion_fish(const struct cmdline_tool *t)
{
	size_t keys = completion_keys(t);

	printf("# How fish completes %s; made from its tables.\ncomplete -c %s -f\n", t->name,
	    t->name);
	for (size_t i = 0; i < t->n_options; i++) {
		const struct cmdline_option *o = &t->options[i];

		printf("complete -c %s", t->name);
		put_condition(t, i);
		if (o->letter != 0)
			printf(" -s %c", o->letter);
		if (o->name != NULL)
			printf(" -l %s", o->name);
		if (completion_is_file(o))
			fputs(" -r -F", stdout);
		else if (completion_is_dir(o))
			fputs(" -x -a '(__fish_complete_directories)'", stdout);
		else if (o->arg != CMDLINE_NONE && o->arg != CMDLINE_NUMBER_MAYBE)
			fputs(" -x", stdout);
		if (completion_list(o) != NULL)
			put_list("", completion_list(o));
		fputs(" -d ", stdout);
		put_text(o->help);
		putchar('\n');
	}
	put_maybe(t);
	if (keys < t->n_options) {
		printf("complete -c %s -n 'set -l w (commandline -cpo); test (count $w) -ge 3; and "
		       "test $w[-2] = -%c'",
		    t->name, t->options[keys].letter);
		put_list("K=(commandline -cpo)[-1] ", completion_values());
		putchar('\n');
	}
	if (completion_operands(t) != NULL) {
		printf("complete -c %s", t->name);
		put_list("", completion_operands(t));
		putchar('\n');
	}
}
