/* How zsh completes: a list of _arguments' for each verb. */
#include "tools/completion/completion.h"

static void
put_option(const struct cmdline_tool *t, size_t i)
{
	const struct cmdline_option *o = &t->options[i];
	/* Attached or apart; after a long name also behind an equal sign. */
	const char *apart = o->arg == CMDLINE_NONE ? "" : "+",
		   *long_apart = o->arg == CMDLINE_NONE ? "" : "=";
	/* What may be there several times is offered again. */
	bool is_many = o->arg == CMDLINE_TEXTS;
	const char *again = is_many ? "*" : "";

	printf("\to%zu=(", i);
	if (o->letter != 0 && o->name != NULL && is_many)
		printf("'*'{-%c%s,--%s%s}'[", o->letter, apart, o->name, long_apart);
	else if (o->letter != 0 && o->name != NULL)
		printf("'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter, apart,
		    o->name, long_apart);
	else if (o->letter != 0)
		printf("'%s-%c%s[", again, o->letter, apart);
	else
		printf("'%s--%s%s[", again, o->name, long_apart);
	completion_put_quoted(o->help, "[]:\\");
	putchar(']');
	if (o->arg != CMDLINE_NONE) {
		fputs(o->arg == CMDLINE_NUMBER_MAYBE ? "::" : ":", stdout);
		completion_put_quoted(o->arg_name, ":\\");
		if (completion_is_file(o) || completion_is_dir(o))
			fputs(completion_is_dir(o) ? ":_files -/" : ":_files", stdout);
		else if (completion_list(o) != NULL)
			printf(":_%s_list_%zu", t->name, i);
		else
			fputs(": ", stdout);
	}
	puts("')");
}

static void
put_lists(const struct cmdline_tool *t)
{
	const char *operands = completion_operands(t);
	size_t keys = completion_keys(t);

	for (size_t i = 0; i < t->n_options; i++)
		if (completion_list(&t->options[i]) != NULL)
			printf("_%s_list_%zu() { compadd -- ${(f)\"$(%s)\"} }\n", t->name, i,
			    completion_list(&t->options[i]));
	printf("_%s_operand() {\n", t->name);
	if (keys < t->n_options)
		printf("\tif [[ $CURRENT -ge 4 && $words[CURRENT-2] == -%c ]]; then\n"
		       "\t\tlocal K=$words[CURRENT-1]\n\t\tcompadd -- "
		       "${(f)\"$(%s)\"}\n\t\treturn\n\tfi\n",
		    t->options[keys].letter, completion_values());
	if (operands != NULL)
		printf("\tcompadd -- ${(f)\"$(%s)\"}\n", operands);
	else
		puts("\t_message 'no more words'");
	puts("}");
}

static void
put_set(const struct cmdline_tool *t, cmdline_set set)
{
	for (size_t i = 0; i < t->n_options; i++)
		if ((set & CMDLINE_BIT(i)) != 0)
			printf(" \"$o%zu[@]\"", i);
}

static void
put_verbs(const struct cmdline_tool *t)
{
	puts("\tfor word in ${words[2,CURRENT-1]}; do\n\t\tcase $word in");
	for (size_t v = 0; v < t->n_options; v++) {
		const struct cmdline_option *o = &t->options[v];

		if (o->role != CMDLINE_VERB)
			continue;
		if (o->letter != 0)
			printf("\t\t(-%c*", o->letter);
		else
			printf("\t\t(--%s", o->name);
		fputs(") fit=(", stdout);
		/* The verb itself, too, whose argument may be what is typed. */
		put_set(t, completion_fits(t, v) | completion_common(t) | CMDLINE_BIT(v));
		puts(") ;;");
	}
	puts("\t\tesac\n\tdone");
}

void
completion_zsh(const struct cmdline_tool *t)
{
	cmdline_set verbs = cmdline_verbs(t);

	printf("#compdef %s\n# How zsh completes %s; made from its tables.\n", t->name, t->name);
	put_lists(t);
	printf("_%s() {\n\tlocal word\n\tlocal -a fit", t->name);
	for (size_t i = 0; i < t->n_options; i++)
		printf(" o%zu", i);
	putchar('\n');
	for (size_t i = 0; i < t->n_options; i++)
		put_option(t, i);
	fputs("\tfit=(", stdout);
	put_set(t, verbs != 0 ? verbs | completion_common(t) : ~UINT64_C(0));
	puts(")");
	if (verbs != 0)
		put_verbs(t);
	printf("\t_arguments -s -S \"$fit[@]\" '*:operand:_%s_operand'\n}\n_%s \"$@\"\n", t->name,
	    t->name);
}
