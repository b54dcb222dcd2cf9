#include <stdlib.h>
#include <string.h>

#include "tools/common/say.h"
#include "tools/common/usage_impl.h"

static void put_options(FILE *out, const struct cmdline_tool *t);

void
usage_form(FILE *out, const struct cmdline_tool *tool, const struct cmdline_form *form)
{
	usage_put_form(out, tool, form, USAGE_PLAIN);
}

void
usage_print(FILE *out, const struct cmdline_tool *tool)
{
	for (size_t i = 0; i < tool->n_forms; i++) {
		fputs(i == 0 ? "usage: " : "       ", out);
		usage_put_form(out, tool, &tool->forms[i], USAGE_PLAIN);
		fprintf(out, "\n               %s\n", tool->forms[i].help);
	}
	fprintf(out, "       %s --help | --version\n\noptions:\n", tool->name);
	put_options(out, tool);
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

void
usage_put_option(FILE *out, const struct cmdline_option *o, bool needed, enum usage_style style)
{
	char buf[32];
	bool maybe = o->arg == CMDLINE_NUMBER_MAYBE && !needed;
	bool is_one = o->arg_name == NULL || strchr(o->arg_name, ' ') == NULL;
	const char *more = o->arg == CMDLINE_LIST && is_one ? " ..." : "";

	cmdline_option_name(o, buf);
	if (style == USAGE_PLAIN) {
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
    uint64_t set, enum usage_style style)
{
	const char *gap = "";

	fputs(style == USAGE_PLAIN ? " [" : ".Op ", out);
	for (; i < t->n_options; i++) {
		if ((set & CMDLINE_BIT(i)) == 0)
			continue;
		fputs(gap, out);
		usage_put_option(out, &t->options[i], (f->with_arg & CMDLINE_BIT(i)) != 0, style);
		gap = " | ";
	}
	fputs(style == USAGE_PLAIN ? "]" : "\n", out);
}

static void
put_operand(FILE *out, const struct cmdline_form *f, enum usage_style style)
{
	if (f->operand[0] == '\0')
		return;
	if (style == USAGE_PLAIN)
		fprintf(out, " %s", f->operand);
	else if (f->operand[0] == '[')
		fprintf(out, ".Op Pa %.*s\n", (int)strcspn(f->operand + 1, "]"), f->operand + 1);
	else
		fprintf(out, ".Ar %s\n", f->operand);
}

void
usage_put_form(
    FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, enum usage_style style)
{
	uint64_t done = 0;

	fprintf(out, style == USAGE_PLAIN ? "%s" : ".Nm %s\n", t->name);
	if (t->operand_first)
		put_operand(out, f, style);
	for (size_t i = 0; i < t->n_options; i++)
		if ((f->must & CMDLINE_BIT(i)) != 0) {
			fputs(style == USAGE_PLAIN ? " " : ".", out);
			usage_put_option(
			    out, &t->options[i], (f->with_arg & CMDLINE_BIT(i)) != 0, style);
			fputs(style == USAGE_PLAIN ? "" : "\n", out);
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

		usage_put_option(f, &t->options[i], false, USAGE_PLAIN);
		say_need(fclose(f) == 0 ? left : NULL);
		/* What is longer than its column has the line for itself. */
		if (len > 21)
			fprintf(out, "  %s\n%25s%s\n", left, "", t->options[i].help);
		else
			fprintf(out, "  %-22s %s\n", left, t->options[i].help);
		free(left);
	}
}
