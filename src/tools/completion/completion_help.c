/*
 * Build step, for a daemon and for iscsi: completion_help NAME bash|zsh|fish <usage >file
 *
 * The usage is what --help prints of the program's table: "  -f, --foreground    what it does",
 * which goes on in lines that begin further to the right.  A name without a dash is a word that the
 * program takes.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/completion/completion.h"

#define ROWS_MAX       40
#define LINE_MAX_BYTES 400

static struct cmdline_option rows[ROWS_MAX];
static size_t n_rows;
static char words[LINE_MAX_BYTES] = "printf \"%s\\n\"";
static bool has_words;

static _Noreturn void
give_up(const char *why, const char *what)
{
	fprintf(stderr, "completion_help: %s: %s\n", why, what);
	exit(1);
}

/* One text behind another; they live as long as this program. */
static char *
keep(const char *text, const char *more)
{
	static char room[65536];
	static size_t used;
	char *kept = room + used;
	int n =
	    snprintf(kept, sizeof room - used, "%s%s%s", text, text[0] != '\0' ? " " : "", more);

	if (n < 0 || (size_t)n >= sizeof room - used)
		give_up("too much text", text);
	used += (size_t)n + 1;
	return kept;
}

static void
add_word(const char *word)
{
	size_t at = strlen(words);
	int n = snprintf(words + at, sizeof words - at, " %s", word);

	if (n < 0 || (size_t)n >= sizeof words - at)
		give_up("too many words", word);
	has_words = true;
}

/* "-f, --foreground", "--root DIR".  NULL: it is there already (--phase 1, --phase 2). */
static struct cmdline_option *
add_row(char *names)
{
	struct cmdline_option o = { .role = CMDLINE_MODIFIER, .help = "" };
	char *save, *word = strtok_r(names, " ,", &save);

	for (; word != NULL; word = strtok_r(NULL, " ,", &save)) {
		if (word[0] == '-' && word[1] == '-')
			o.name = keep("", word + 2);
		else if (word[0] == '-')
			o.letter = word[1];
		else
			o.arg_name = keep("", word);
	}
	o.arg = o.arg_name != NULL ? CMDLINE_TEXT : CMDLINE_NONE;
	for (size_t i = 0; i < n_rows; i++)
		if (o.name != NULL && rows[i].name != NULL && strcmp(rows[i].name, o.name) == 0)
			return NULL;
	if (n_rows == ROWS_MAX)
		give_up("too many options", o.name);
	rows[n_rows] = o;
	return &rows[n_rows++];
}

static void
read_usage(FILE *in)
{
	char line[LINE_MAX_BYTES];
	struct cmdline_option *o = NULL;

	while (fgets(line, sizeof line, in) != NULL) {
		size_t at = strspn(line, " ");
		char *help;

		line[strcspn(line, "\n")] = '\0';
		if (at > 2 && o != NULL && line[at] != '\0')
			o->help = keep(o->help, line + at);
		if (at == 2) {
			help = strstr(line + 2, "  ");
			if (help != NULL)
				*help++ = '\0';
			o = NULL;
			if (line[2] == '-')
				o = add_row(line + 2);
			else
				add_word(line + 2);
			if (o != NULL && help != NULL)
				o->help = keep(o->help, help + strspn(help, " "));
		} else if (at < 2) {
			o = NULL;
		}
	}
}

int
main(int argc, char **argv)
{
	struct cmdline_form form = { .operand = words };
	struct cmdline_tool t = { .options = rows, .forms = &form };

	if (argc != 3)
		return 2;
	read_usage(stdin);
	if (n_rows < 4)
		give_up("this is no usage", argv[1]);
	t.name = argv[1];
	t.n_options = n_rows;
	t.n_forms = has_words;
	return completion_write(&t, argv[2]);
}
