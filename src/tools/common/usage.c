#include "tools/common/usage.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/say.h"
#include "tools/common/status.h"

/* How the pieces of a form are written: for a terminal, or as mdoc macros. */
enum style { PLAIN, MDOC };

static void put_form(
    FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, enum style style);
static void put_options(FILE *out, const struct cmdline_tool *t);
static void manual_synopsis(FILE *out, const struct cmdline_tool *t);
static void manual_forms(FILE *out, const struct cmdline_tool *t);
static void manual_options(FILE *out, const struct cmdline_tool *t);
static void manual_exit(FILE *out);

void
usage_form(FILE *out, const struct cmdline_tool *tool, const struct cmdline_form *form)
{
	put_form(out, tool, form, PLAIN);
}

void
usage_print(FILE *out, const struct cmdline_tool *tool)
{
	for (size_t i = 0; i < tool->n_forms; i++) {
		fputs(i == 0 ? "usage: " : "       ", out);
		put_form(out, tool, &tool->forms[i], PLAIN);
		fprintf(out, "\n               %s\n", tool->forms[i].help);
	}
	fprintf(out, "       %s --help | --version\n\noptions:\n", tool->name);
	put_options(out, tool);
}

int
usage_manual(FILE *out, FILE *page, const struct cmdline_tool *tool)
{
	char line[4096];

	while (fgets(line, sizeof(line), page) != NULL) {
		if (strchr(line, '\n') == NULL && !feof(page))
			return -1;
		if (strcmp(line, "@SYNOPSIS@\n") == 0)
			manual_synopsis(out, tool);
		else if (strcmp(line, "@FORMS@\n") == 0)
			manual_forms(out, tool);
		else if (strcmp(line, "@OPTIONS@\n") == 0)
			manual_options(out, tool);
		else if (strcmp(line, "@EXIT@\n") == 0)
			manual_exit(out);
		else if (strcmp(line, "@EXTRA@\n") == 0 && tool->manual_extra != NULL)
			tool->manual_extra(out);
		else
			fputs(line, out);
	}
	return ferror(page) || fflush(out) != 0 || ferror(out) ? -1 : 0;
}

/* An argument's name may be several words, one for each argument. */
static void
put_words(FILE *out, const char *words)
{
	while (*words != '\0') {
		int n = (int)strcspn(words, " ");

		fprintf(out, strncmp(words, "...", 3) == 0 ? " %.*s" : " <%.*s>", n, words);
		words += n + (words[n] == ' ');
	}
}

/* "-S [ssn_inst]"; `needed`: the form needs what is optional elsewhere. */
static void
put_option(FILE *out, const struct cmdline_option *o, bool needed, enum style style)
{
	char buf[32];
	bool maybe = o->arg == CMDLINE_NUMBER_MAYBE && !needed;
	bool is_one = o->arg_name == NULL || strchr(o->arg_name, ' ') == NULL;
	const char *more = o->arg == CMDLINE_LIST && is_one ? " ..." : "";

	cmdline_option_name(o, buf);
	if (style == PLAIN) {
		fputs(buf, out);
		if (!is_one)
			put_words(out, o->arg_name);
		else if (o->arg_name != NULL)
			fprintf(out, maybe ? " [<%s>]" : " <%s>%s", o->arg_name, more);
		return;
	}
	fprintf(out, "Fl %s", buf + 1);
	if (o->arg_name != NULL)
		fprintf(out, maybe ? " Oo Ar %s Oc" : " Ar %s%s", o->arg_name, more);
}

/* An option, or the alternatives it is one of, in brackets. */
static void
put_may(FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, size_t i,
    uint64_t set, enum style style)
{
	const char *gap = "";

	fputs(style == PLAIN ? " [" : ".Op ", out);
	for (; i < t->n_options; i++) {
		if ((set & CMDLINE_BIT(i)) == 0)
			continue;
		fputs(gap, out);
		put_option(out, &t->options[i], (f->with_arg & CMDLINE_BIT(i)) != 0, style);
		gap = " | ";
	}
	fputs(style == PLAIN ? "]" : "\n", out);
}

static void
put_operand(FILE *out, const struct cmdline_form *f, enum style style)
{
	if (f->operand[0] == '\0')
		return;
	if (style == PLAIN)
		fprintf(out, " %s", f->operand);
	else if (f->operand[0] == '[')
		fprintf(out, ".Op Pa %.*s\n", (int)strcspn(f->operand + 1, "]"), f->operand + 1);
	else
		fprintf(out, ".Ar %s\n", f->operand);
}

static void
put_form(FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, enum style style)
{
	uint64_t done = 0;

	fprintf(out, style == PLAIN ? "%s" : ".Nm %s\n", t->name);
	if (t->operand_first)
		put_operand(out, f, style);
	for (size_t i = 0; i < t->n_options; i++)
		if ((f->must & CMDLINE_BIT(i)) != 0) {
			fputs(style == PLAIN ? " " : ".", out);
			put_option(out, &t->options[i], (f->with_arg & CMDLINE_BIT(i)) != 0, style);
			fputs(style == PLAIN ? "" : "\n", out);
		}
	for (size_t i = 0; i < t->n_options; i++) {
		uint64_t set = CMDLINE_BIT(i);

		if ((f->may & ~done & set) == 0)
			continue;
		for (size_t g = 0; g < t->n_one_of; g++)
			if ((t->one_of[g] & CMDLINE_BIT(i)) != 0)
				set |= t->one_of[g] & f->may;
		done |= set;
		put_may(out, t, f, i, set, style);
	}
	if (!t->operand_first)
		put_operand(out, f, style);
}

static void
put_options(FILE *out, const struct cmdline_tool *t)
{
	for (size_t i = 0; i < t->n_options; i++) {
		char *left = NULL;
		size_t len;
		FILE *f = say_need(open_memstream(&left, &len));

		put_option(f, &t->options[i], false, PLAIN);
		say_need(fclose(f) == 0 ? left : NULL);
		/* What is longer than its column has the line for itself. */
		if (len > 21)
			fprintf(out, "  %s\n%25s%s\n", left, "", t->options[i].help);
		else
			fprintf(out, "  %-22s %s\n", left, t->options[i].help);
		free(left);
	}
}

static void
manual_synopsis(FILE *out, const struct cmdline_tool *t)
{
	for (size_t i = 0; i < t->n_forms; i++)
		put_form(out, t, &t->forms[i], MDOC);
	fprintf(out, ".Nm %s\n.Fl -help | Fl -version\n", t->name);
}

static void
manual_forms(FILE *out, const struct cmdline_tool *t)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < t->n_forms; i++) {
		const struct cmdline_form *f = &t->forms[i];

		if (f->must == 0 && f->may == 0 && f->operand[0] == '\0')
			continue;
		fputs(".It Xo\n", out);
		put_form(out, t, f, MDOC);
		fprintf(out, ".Xc\n%s.\n", f->help);
	}
	fputs(".El\n", out);
}

static void
manual_options(FILE *out, const struct cmdline_tool *t)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (size_t i = 0; i < t->n_options; i++) {
		const struct cmdline_option *o = &t->options[i];

		fputs(".It ", out);
		put_option(out, o, false, MDOC);
		/* A sentence of its own here; a line of a list in the usage. */
		fprintf(out, "\n%c%s.\n", toupper((unsigned char)o->help[0]), o->help + 1);
	}
	fputs(".El\n", out);
}

static void
manual_exit(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
#define STATUS(id, number, meaning) fprintf(out, ".It %d\n%s\n", number, meaning);
#include "tools/common/status.def"
	fputs(".El\n", out);
}
