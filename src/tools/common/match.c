#include "tools/common/match.h"

#include <limits.h>
#include <stdlib.h>

#include "tools/common/say.h"
#include "tools/common/usage.h"

static cmdline_set common_bits(const struct cmdline_tool *t);
static cmdline_set without_arg(const struct cmdline *c, const struct cmdline_form *f);
static cmdline_set repeated(const struct cmdline *c, const struct cmdline_form *f);
static cmdline_set clashing(const struct cmdline *c);
static cmdline_set lowest(cmdline_set bits);
static char *names_of(const struct cmdline_tool *t, cmdline_set bits);

const struct cmdline_form *
match_nearest(const struct cmdline *c, int *ret_distance)
{
	const struct cmdline_tool *t = c->tool;
	const struct cmdline_form *best = NULL;
	cmdline_set given = c->given & ~common_bits(t), verbs = cmdline_verbs(t);
	int shortest = INT_MAX;

	for (size_t i = 0; i < t->n_forms; i++) {
		const struct cmdline_form *f = &t->forms[i];
		/* What is given is meant: leaving it out is further than adding to it. */
		int distance = cmdline_count(f->must & ~given) +
			       3 * cmdline_count(given & ~(f->must | f->may)) +
			       cmdline_count(without_arg(c, f)) + cmdline_count(repeated(c, f)) +
			       (clashing(c) != 0);

		if (c->n_operands < f->operands_min)
			distance += f->operands_min - c->n_operands;
		if (c->n_operands > f->operands_max)
			distance += c->n_operands - f->operands_max;
		/* What is to be done weighs more than any detail of it. */
		if ((given & verbs) != 0 && (f->must & verbs) != (given & verbs))
			distance += 100;
		if (distance < shortest) {
			best = f;
			shortest = distance;
		}
	}
	*ret_distance = shortest;
	return best;
}

void
match_explain(const struct cmdline *c, const struct cmdline_form *f)
{
	const struct cmdline_tool *t = c->tool;
	cmdline_set given = c->given & ~common_bits(t), verbs = given & cmdline_verbs(t);
	cmdline_set missing = f->must & ~given, extra = given & ~(f->must | f->may);
	cmdline_set bare = without_arg(c, f), many = repeated(c, f), clash = clashing(c);
	char *next = NULL, *a = names_of(t, given & ~extra), *b = NULL;
	size_t len;
	FILE *n = say_need(open_memstream(&next, &len));

	fputs("write ", n);
	usage_form(n, t, f);
	say_need(fclose(n) == 0 ? next : NULL);
	if (cmdline_count(verbs) > 1) {
		b = names_of(t, verbs);
		free(next);
		next = say_format(MATCH_HELP, t->name);
		say_problem(next, "%s: each of these says what to do, only one can be done", b);
	} else if (clash != 0) {
		b = names_of(t, clash);
		say_problem(next, "%s: these exclude each other", b);
	} else if (extra != 0) {
		b = names_of(t, lowest(extra));
		if (a[0] != '\0')
			say_problem(next, "%s has no meaning with %s", b, a);
		else
			say_problem(next, "%s has no meaning here", b);
	} else if (missing != 0) {
		b = names_of(t, lowest(missing));
		say_problem(next, "%s needs %s, which is missing", a[0] != '\0' ? a : t->name, b);
	} else if (many != 0) {
		match_twice(&t->options[cmdline_first(many)]);
	} else if (bare != 0) {
		b = names_of(t, lowest(bare));
		say_problem(
		    next, "%s needs <%s> here", b, t->options[cmdline_first(bare)].arg_name);
	} else if (c->n_operands > f->operands_max) {
		say_problem(
		    next, "unexpected word '%s': no option takes it", c->operands[f->operands_max]);
	} else {
		say_problem(next, "something is missing: %s", f->operand);
	}
	free(b);
	free(a);
	free(next);
}

void
match_twice(const struct cmdline_option *o)
{
	char buf[32], *next;

	cmdline_option_name(o, buf);
	next = say_format("give %s once", buf);
	say_problem(next, "%s is given twice: only one value can count", buf);
	free(next);
}

static cmdline_set
common_bits(const struct cmdline_tool *t)
{
	return ((CMDLINE_BIT(CMDLINE_COMMON_COUNT) - 1) << cmdline_common_index(t, 0));
}

static cmdline_set
without_arg(const struct cmdline *c, const struct cmdline_form *f)
{
	cmdline_set bits = 0;

	for (size_t i = 0; i < c->tool->n_options; i++)
		if ((f->with_arg & c->given & CMDLINE_BIT(i)) != 0 && !c->values[i].has_arg)
			bits |= CMDLINE_BIT(i);
	return bits;
}

/* Given several times, which this form does not allow. */
static cmdline_set
repeated(const struct cmdline *c, const struct cmdline_form *f)
{
	cmdline_set bits = 0;

	for (size_t i = 0; i < c->tool->n_options; i++)
		if (c->tool->options[i].arg == CMDLINE_TEXTS && c->values[i].list_count > 1 &&
		    (f->many & CMDLINE_BIT(i)) == 0)
			bits |= CMDLINE_BIT(i);
	return bits;
}

static cmdline_set
clashing(const struct cmdline *c)
{
	for (size_t i = 0; i < c->tool->n_one_of; i++) {
		cmdline_set both = c->given & c->tool->one_of[i];

		if (cmdline_count(both) > 1)
			return both;
	}
	return 0;
}

/* "-a -I", made for people; the caller frees it. */
static char *
names_of(const struct cmdline_tool *t, cmdline_set bits)
{
	char *text = NULL, buf[32];
	size_t len;
	FILE *f = say_need(open_memstream(&text, &len));
	const char *gap = "";

	for (size_t i = 0; i < t->n_options; i++)
		if ((bits & CMDLINE_BIT(i)) != 0) {
			fprintf(f, "%s%s", gap, cmdline_option_name(&t->options[i], buf));
			gap = " ";
		}
	say_need(fclose(f) == 0 ? text : NULL);
	return text;
}

static cmdline_set
lowest(cmdline_set bits)
{
	return bits & -bits;
}
