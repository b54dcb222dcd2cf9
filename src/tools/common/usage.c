#include <stdlib.h>
#include <string.h>

#include "tools/common/say.h"
#include "tools/common/usage_impl.h"
#include "tools/common/wrap.h"

#define WIDTH       79
#define HELP_COLUMN 25 /* where the help of an option begins */

static void put_verbs(FILE *out, const struct cmdline_tool *t, const char *start);
static void put_options(FILE *out, const struct cmdline_tool *t, cmdline_set which);

void
usage_form(FILE *out, const struct cmdline_tool *tool, const struct cmdline_form *form)
{
	usage_put_form(out, tool, form, USAGE_PLAIN);
}

/* One form as text, which the caller frees. */
static char *
form_text(const struct cmdline_tool *t, const struct cmdline_form *form)
{
	char *text = NULL;
	size_t len;
	FILE *f = say_need(open_memstream(&text, &len));

	usage_form(f, t, form);
	return say_need(fclose(f) == 0 ? text : NULL);
}

/*
 * The forms of this verb (0: those without one); *start stands before the next line of the usage.
 * What they take.
 */
static cmdline_set
put_forms(FILE *out, const struct cmdline_tool *t, cmdline_set wanted, const char **start)
{
	cmdline_set verbs = cmdline_verbs(t), which = 0;

	for (size_t i = 0; i < t->n_forms; i++) {
		const struct cmdline_form *f = &t->forms[i];
		char *text;

		if ((f->must & verbs) != wanted)
			continue;
		text = form_text(t, f);
		which |= f->must | f->may;
		fputs(*start, out);
		wrap_put(out, text, strlen(*start), strlen(*start) + strlen(t->name) + 1, WIDTH);
		fprintf(out, "%15s", "");
		wrap_put(out, f->help, 15, 15, WIDTH);
		*start = "       ";
		free(text);
	}
	return which;
}

void
usage_print(FILE *out, const struct cmdline_tool *tool, cmdline_set given)
{
	const char *start = "usage: ";
	cmdline_set verbs = cmdline_verbs(tool), which;
	cmdline_set verb = cmdline_count(given & verbs) == 1 ? given & verbs : 0;

	which = put_forms(out, tool, verb, &start);
	if (verbs != 0 && verb == 0) {
		put_verbs(out, tool, start);
		return;
	}
	if (verbs == 0)
		fprintf(out, "       %s --help | --version\n", tool->name);
	fputs("\noptions:\n", out);
	put_options(out, tool, which | ~((CMDLINE_BIT(cmdline_common_index(tool, 0))) - 1));
}

static void
put_verbs(FILE *out, const struct cmdline_tool *t, const char *start)
{
	fprintf(out, "%s%s <verb> [<option> ...]\n       %s --help | --version\n\nverbs:\n", start,
	    t->name, t->name);
	put_options(out, t, cmdline_verbs(t));
	fprintf(
	    out, "\n'%s <verb> --help' tells its options, 'man %s' all of it.\n", t->name, t->name);
}

void
usage_put_option(
    FILE *out, const struct cmdline_option *o, enum usage_place place, enum usage_style style)
{
	const char *also =
	    place == USAGE_LISTED && o->letter != 0 && o->name != NULL ? o->name : NULL;
	char buf[32], *words;
	bool maybe = o->arg == CMDLINE_NUMBER_MAYBE && place != USAGE_NEEDED;
	bool is_one = o->arg_name == NULL || strchr(o->arg_name, ' ') == NULL;
	const char *more = o->arg == CMDLINE_LIST && is_one ? " ..." : "";

	cmdline_option_name(o, buf);
	if (style == USAGE_PLAIN) {
		fputs(buf, out);
		if (also != NULL)
			fprintf(out, ", --%s", also);
		if (o->arg_name == NULL)
			return;
		words = cmdline_argument(o);
		fprintf(out, maybe ? " [%s]" : " %s%s", words, more);
		free(words);
		return;
	}
	fprintf(out, "Fl %s", buf + 1);
	if (also != NULL)
		fprintf(out, " , Fl -%s", also);
	if (o->arg_name != NULL)
		fprintf(out, maybe ? " Oo Ar %s Oc" : " Ar %s%s", o->arg_name, more);
}

static enum usage_place
place_of(const struct cmdline_form *f, size_t i)
{
	return (f->with_arg & CMDLINE_BIT(i)) != 0 ? USAGE_NEEDED : USAGE_MAYBE;
}

/* What may be given several times in this form. */
static void
put_again(FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, size_t i,
    enum usage_style style)
{
	char buf[32];

	if ((f->many & CMDLINE_BIT(i)) != 0)
		fprintf(out, style == USAGE_PLAIN ? " [-%s ...]" : " Oo Fl %s Ar ... Oc",
		    cmdline_option_name(&t->options[i], buf) + 1);
}

/* An option, or the alternatives it is one of, in brackets. */
static void
put_may(FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, size_t i,
    cmdline_set set, enum usage_style style)
{
	const char *gap = "";

	fputs(style == USAGE_PLAIN ? " [" : ".Op ", out);
	for (; i < t->n_options; i++) {
		if ((set & CMDLINE_BIT(i)) == 0)
			continue;
		fputs(gap, out);
		usage_put_option(out, &t->options[i], place_of(f, i), style);
		put_again(out, t, f, i, style);
		gap = " | ";
	}
	fputs(style == USAGE_PLAIN ? "]" : "\n", out);
}

/* What follows the operand that may be left out, "[/dev/iscsi] fail | restore"; "": nothing. */
static const char *
second_operand(const struct cmdline_form *f)
{
	const char *end = f->operand[0] == '[' ? strchr(f->operand, ']') : NULL;

	return end != NULL && end[1] != '\0' ? end + 2 : "";
}

static void
put_operand(FILE *out, const char *operand, size_t len, enum usage_style style)
{
	if (len == 0)
		return;
	if (style == USAGE_PLAIN)
		fprintf(out, " %.*s", (int)len, operand);
	else if (operand[0] == '[')
		fprintf(out, ".Op Pa %.*s\n", (int)strcspn(operand + 1, "]"), operand + 1);
	else
		fprintf(out, ".Ar %.*s\n", (int)len, operand);
}

void
usage_put_form(
    FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, enum usage_style style)
{
	const char *second = second_operand(f);
	size_t first = strlen(f->operand) - strlen(second) - (second[0] != '\0');
	cmdline_set done = 0;

	fprintf(out, style == USAGE_PLAIN ? "%s" : ".Nm %s\n", t->name);
	if (t->operand_first)
		put_operand(out, f->operand, first, style);
	for (size_t i = 0; i < t->n_options; i++)
		if ((f->must & CMDLINE_BIT(i)) != 0) {
			fputs(style == USAGE_PLAIN ? " " : ".", out);
			usage_put_option(out, &t->options[i], place_of(f, i), style);
			put_again(out, t, f, i, style);
			fputs(style == USAGE_PLAIN ? "" : "\n", out);
		}
	for (size_t i = 0; i < t->n_options; i++) {
		cmdline_set set = CMDLINE_BIT(i);

		if ((f->may & ~done & set) == 0)
			continue;
		for (size_t g = 0; g < t->n_one_of; g++)
			if ((t->one_of[g] & CMDLINE_BIT(i)) != 0)
				set |= t->one_of[g] & f->may;
		done |= set;
		put_may(out, t, f, i, set, style);
	}
	if (!t->operand_first)
		put_operand(out, f->operand, first, style);
	put_operand(out, second, strlen(second), style);
}

static void
put_options(FILE *out, const struct cmdline_tool *t, cmdline_set which)
{
	for (size_t i = 0; i < t->n_options; i++) {
		char *left = NULL;
		size_t len;
		FILE *f;

		if ((which & CMDLINE_BIT(i)) == 0)
			continue;
		f = say_need(open_memstream(&left, &len));
		usage_put_option(f, &t->options[i], USAGE_LISTED, USAGE_PLAIN);
		say_need(fclose(f) == 0 ? left : NULL);
		/* What is longer than its column has the line for itself. */
		if (len > HELP_COLUMN - 4)
			fprintf(out, "  %s\n%*s", left, HELP_COLUMN, "");
		else
			fprintf(out, "  %-*s ", HELP_COLUMN - 3, left);
		wrap_put(out, t->options[i].help, HELP_COLUMN, HELP_COLUMN, WIDTH);
		free(left);
	}
}
