/* How bash completes.  What is listed is never expanded: it may be a target's name. */
#include "tools/completion/completion.h"

/* "-T|--target" */
static void
put_names(const struct cmdline_option *o, const char *between)
{
	if (o->letter != 0)
		printf("-%c", o->letter);
	if (o->letter != 0 && o->name != NULL)
		fputs(between, stdout);
	if (o->name != NULL)
		printf("--%s", o->name);
}

/* What stands behind an option. */
static void
put_arguments(const struct cmdline_tool *t)
{
	puts("\tcase $prev in");
	for (size_t i = 0; i < t->n_options; i++) {
		const struct cmdline_option *o = &t->options[i];
		const char *list = completion_list(o);
		bool is_maybe = o->arg == CMDLINE_NUMBER_MAYBE;

		if (o->arg == CMDLINE_NONE || (is_maybe && list == NULL))
			continue;
		putchar('\t');
		put_names(o, "|");
		if (completion_is_file(o) || completion_is_dir(o))
			printf(") compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < "
			       "<(compgen -%c -- \"$cur\"); return ;;\n",
			    completion_is_dir(o) ? 'd' : 'f');
		else if (is_maybe)
			printf(") if [[ $cur != -* ]]; then _%s_list \"$(%s)\"; return; fi ;;\n",
			    t->name, list);
		else if (list != NULL)
			printf(") _%s_list \"$(%s)\"; return ;;\n", t->name, list);
		else
			puts(") return ;;");
	}
	puts("\tesac");
}

/* All options of a set, one a line. */
static void
put_words(const struct cmdline_tool *t, cmdline_set set)
{
	for (size_t i = 0; i < t->n_options; i++)
		if ((set & CMDLINE_BIT(i)) != 0) {
			put_names(&t->options[i], "\n");
			putchar('\n');
		}
}

static void
put_verbs(const struct cmdline_tool *t)
{
	puts("\tfor word in \"${words[@]:1:cword-1}\"; do\n\t\tcase $word in");
	for (size_t v = 0; v < t->n_options; v++) {
		if (t->options[v].role != CMDLINE_VERB)
			continue;
		fputs("\t\t", stdout);
		put_names(&t->options[v], "*|");
		printf("%s) fit='", t->options[v].name == NULL ? "*" : "");
		put_words(t, completion_fits(t, v) | completion_common(t));
		puts("' ;;");
	}
	puts("\t\tesac\n\tdone");
}

static void
put_head(const struct cmdline_tool *t)
{
	printf("# How bash completes %s; made from its tables.\n"
	       "_%s_list() {\n"
	       "\tlocal word\n"
	       "\twhile IFS= read -r word; do\n"
	       "\t\tif [[ -n $word && $word == \"$cur\"* ]]; then COMPREPLY+=(\"$word\"); fi\n"
	       "\tdone <<<\"$1\"\n"
	       "\tif declare -F __ltrim_colon_completions >/dev/null; then "
	       "__ltrim_colon_completions \"$cur\"; fi\n"
	       "}\n"
	       "_%s() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word fit= "
	       "cword=$COMP_CWORD\n"
	       "\tlocal -a words=(\"${COMP_WORDS[@]}\")\n"
	       "\tif declare -F _get_comp_words_by_ref >/dev/null; then "
	       "_get_comp_words_by_ref -n : cur prev words cword; fi\n"
	       "\tCOMPREPLY=()\n"
	       "\t# --root=/x is three words.\n"
	       "\tif [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then "
	       "prev=${words[cword-2]}; fi\n"
	       "\t# -pS is -p and -S.\n"
	       "\tif [[ $prev =~ ^-[[:alpha:]]+$ ]]; then prev=-${prev: -1}; fi\n",
	    t->name, t->name, t->name);
}

void
completion_bash(const struct cmdline_tool *t)
{
	cmdline_set verbs = cmdline_verbs(t);
	const char *operands = completion_operands(t);
	size_t keys = completion_keys(t);

	put_head(t);
	put_arguments(t);
	if (keys < t->n_options)
		printf("\tif [[ $cword -ge 3 && ${words[cword-2]} == -%c ]]; then local K=$prev; "
		       "_%s_list \"$(%s)\"; return; fi\n",
		    t->options[keys].letter, t->name, completion_values());
	if (verbs != 0)
		put_verbs(t);
	fputs("\t[ -n \"$fit\" ] || fit='", stdout);
	put_words(t, verbs != 0 ? verbs | completion_common(t) : ~UINT64_C(0));
	printf("'\n\t_%s_list \"$fit", t->name);
	if (operands != NULL)
		printf("\n$(%s)", operands);
	printf("\"\n}\ncomplete -F _%s %s\n", t->name, t->name);
}
