/* Build step: fill a manual page with what a tool's tables say.  manual < page.in > page */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/common/status.h"
#include "tools/common/usage_impl.h"

extern const struct cmdline_tool MANUAL_TOOL;

static void
manual_synopsis(FILE *out, const struct cmdline_tool *t)
{
	for (size_t i = 0; i < t->n_forms; i++)
		usage_put_form(out, t, &t->forms[i], USAGE_MDOC);
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
		usage_put_form(out, t, f, USAGE_MDOC);
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
		usage_put_option(out, o, USAGE_LISTED, USAGE_MDOC);
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
#include "sys/exit.def"
	fputs(".El\n", out);
}

/*
 * Copy an mdoc page; a line that is @SYNOPSIS@, @FORMS@, @OPTIONS@,
 * @EXIT@ or @EXTRA@ is replaced by what the tables say.  0, or -1 when a line is longer than
 * 4,095 bytes or a stream failed.
 */
static int
fill(FILE *out, FILE *page, const struct cmdline_tool *tool)
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

int
main(void)
{
	if (fill(stdout, stdin, &MANUAL_TOOL) != 0) {
		fprintf(stderr, "the manual page cannot be made: a line is too long, or the output "
				"cannot be written\n");
		return 1;
	}
	return 0;
}
