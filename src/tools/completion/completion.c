/* Build step: how shells complete a tool's words, from its tables.  completion bash|zsh|fish >file
 */
#include <stdio.h>
#include <string.h>

#include "tools/common/cmdline.h"

extern const struct cmdline_tool COMPLETION_TOOL;

#define DEVICES "ls \"${OPENISW_ROOT:-}/dev/dsk\" 2>/dev/null"

/* What an argument may be, by its name in opts.def: a command of the shell that lists it. */
static const struct {
	const char *arg, *list;
} lists[] = {
	{ "target-name", "iscsiutil -p -O 2>/dev/null | sed -n \"s/^Target iSCSI Name *: //p\"" },
	{ "ssn_inst", "iscsiutil -p -S 2>/dev/null | sed -n \"s/^Session Instance *: //p\"" },
	{ "device", DEVICES },
	{ "hw_path", "ioscan -k 2>/dev/null | sed -n \"s/^\\(255[^ ]*\\).*/\\1/p\"" },
	{ "class", "echo disk ctl tape ext_bus target iscsi" },
	{ "dbg_level", "echo panic alert crit err warn note info debug" },
	{ "chap-authentication-type", "echo CHAP_UNI CHAP_BI default" },
	{ "message-id", "echo all" },
};

static const char *
list_of(const struct cmdline_option *o)
{
	for (size_t i = 0; o->arg_name != NULL && i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(lists[i].arg, o->arg_name) == 0)
			return lists[i].list;
	return NULL;
}

static bool
is_file(const struct cmdline_option *o)
{
	return o->arg_name != NULL &&
	       (strcmp(o->arg_name, "file") == 0 || strcmp(o->arg_name, "directory_name") == 0);
}

static bool
is_dir(const struct cmdline_option *o)
{
	return o->arg_name != NULL && strcmp(o->arg_name, "dir") == 0;
}

/* A word of its own may be the name of a disk. */
static bool
takes_devices(const struct cmdline_tool *t)
{
	for (size_t i = 0; i < t->n_forms; i++)
		if (strncmp(t->forms[i].operand, "device_file", strlen("device_file")) == 0)
			return true;
	return false;
}

/* "-T --target" */
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

/* Within single quotes, and `special` characters with a backslash. */
static void
put_quoted(const char *text, const char *special)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			fputs("'\\''", stdout);
			continue;
		}
		if (strchr(special, *text) != NULL)
			putchar('\\');
		putchar(*text);
	}
}

/* ---- bash ---- */

static void
bash_values(const struct cmdline_tool *t)
{
	puts("\tcase $prev in");
	for (size_t i = 0; i < t->n_options; i++) {
		const struct cmdline_option *o = &t->options[i];

		if (o->arg == CMDLINE_NONE)
			continue;
		putchar('\t');
		put_names(o, "|");
		if (is_file(o) || is_dir(o))
			printf(") COMPREPLY=($(compgen -%c -- \"$cur\")); return ;;\n",
			    is_dir(o) ? 'd' : 'f');
		else if (list_of(o) != NULL)
			printf(") _%s_list \"$(%s)\"; return ;;\n", t->name, list_of(o));
		else
			puts(") return ;;");
	}
	puts("\tesac");
}

/* All options of a set but the verbs; 0: all. */
static void
bash_words(const struct cmdline_tool *t, uint64_t set)
{
	for (size_t i = 0; i < t->n_options; i++) {
		bool is_common = i >= t->n_options - CMDLINE_COMMON_COUNT;

		if (!is_common && (set & CMDLINE_BIT(i)) == 0)
			continue;
		putchar(' ');
		put_names(&t->options[i], " ");
	}
}

static void
bash_verbs(const struct cmdline_tool *t)
{
	for (size_t v = 0; v < t->n_options; v++) {
		uint64_t set = 0;

		if (t->options[v].role != CMDLINE_VERB)
			continue;
		for (size_t f = 0; f < t->n_forms; f++)
			if ((t->forms[f].must & CMDLINE_BIT(v)) != 0)
				set |= t->forms[f].must | t->forms[f].may;
		fputs("\t\t", stdout);
		put_names(&t->options[v], "|");
		fputs(") words='", stdout);
		bash_words(t, set & ~cmdline_verbs(t));
		puts("' ;;");
	}
}

static void
bash(const struct cmdline_tool *t)
{
	uint64_t verbs = cmdline_verbs(t);

	printf(
	    "# How bash completes %s; made from its tables.\n"
	    "_%s_list() {\n"
	    "\tCOMPREPLY=($(compgen -W \"$1\" -- \"$cur\"))\n"
	    "\tif declare -F __ltrim_colon_completions >/dev/null; then "
	    "__ltrim_colon_completions \"$cur\"; fi\n"
	    "}\n"
	    "_%s() {\n"
	    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word words=\n"
	    "\tif declare -F _get_comp_words_by_ref >/dev/null; then "
	    "_get_comp_words_by_ref -n : cur prev; fi\n"
	    "\tCOMPREPLY=()\n",
	    t->name, t->name, t->name);
	bash_values(t);
	if (verbs != 0) {
		puts("\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\tcase $word in");
		bash_verbs(t);
		puts("\t\tesac\n\tdone");
	}
	fputs("\t[ -n \"$words\" ] || words='", stdout);
	bash_words(t, verbs != 0 ? verbs : ~UINT64_C(0));
	printf("'\n\t_%s_list \"$words", t->name);
	if (takes_devices(t))
		printf(" $(%s)", DEVICES);
	printf("\"\n}\ncomplete -F _%s %s\n", t->name, t->name);
}

/* ---- zsh ---- */

static void
zsh_option(const struct cmdline_tool *t, const struct cmdline_option *o)
{
	/* Attached or apart; after a long name also behind an equal sign. */
	const char *apart = o->arg == CMDLINE_NONE ? "" : "+",
		   *long_apart = o->arg == CMDLINE_NONE ? "" : "=";

	if (o->letter != 0 && o->name != NULL)
		printf("\t'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter, apart,
		    o->name, long_apart);
	else if (o->letter != 0)
		printf("\t'-%c%s[", o->letter, apart);
	else
		printf("\t'--%s%s[", o->name, long_apart);
	put_quoted(o->help, "[]:\\");
	putchar(']');
	if (o->arg != CMDLINE_NONE) {
		fputs(o->arg == CMDLINE_NUMBER_MAYBE ? "::" : ":", stdout);
		put_quoted(o->arg_name, ":\\");
		if (is_file(o) || is_dir(o))
			fputs(is_dir(o) ? ":_files -/" : ":_files", stdout);
		else if (list_of(o) != NULL)
			printf(":_%s_list_%s", t->name, o->arg_name);
		else
			putchar(':');
	}
	puts("' \\");
}

static void
zsh(const struct cmdline_tool *t)
{
	printf("#compdef %s\n# How zsh completes %s; made from its tables.\n", t->name, t->name);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		printf("_%s_list_%s() { compadd -- ${(f)\"$(%s)\"} }\n", t->name, lists[i].arg,
		    lists[i].list);
	puts("_arguments -s -S \\");
	for (size_t i = 0; i < t->n_options; i++)
		zsh_option(t, &t->options[i]);
	if (takes_devices(t))
		printf("\t'*:device:_%s_list_device'\n", t->name);
	else
		puts("\t'*:operand:_files'");
}

/* ---- fish ---- */

static void
fish(const struct cmdline_tool *t)
{
	printf("# How fish completes %s; made from its tables.\n", t->name);
	for (size_t i = 0; i < t->n_options; i++) {
		const struct cmdline_option *o = &t->options[i];

		printf("complete -c %s", t->name);
		if (o->letter != 0)
			printf(" -s %c", o->letter);
		if (o->name != NULL)
			printf(" -l %s", o->name);
		if (is_file(o) || is_dir(o))
			fputs(" -r", stdout);
		else if (o->arg != CMDLINE_NONE && o->arg != CMDLINE_NUMBER_MAYBE)
			fputs(" -x", stdout);
		/* No list has a single quote, nor two backslashes: fish takes both as they are. */
		if (list_of(o) != NULL)
			printf(" -a '(sh -c \\'%s\\')'", list_of(o));
		fputs(" -d '", stdout);
		for (const char *c = o->help; *c != '\0'; c++) {
			if (*c == '\'' || *c == '\\')
				putchar('\\');
			putchar(*c);
		}
		puts("'");
	}
	if (takes_devices(t))
		printf("complete -c %s -f -a '(sh -c \\'%s\\')'\n", t->name, DEVICES);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*put)(const struct cmdline_tool *t);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

	for (size_t i = 0; argc == 2 && i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(argv[1], shells[i].name) == 0) {
			shells[i].put(&COMPLETION_TOOL);
			return fflush(stdout) != 0 || ferror(stdout);
		}
	fputs("usage: completion bash|zsh|fish\n", stderr);
	return 2;
}
