#include "tools/iscsidiag/spec.h"

static void manual_extra(FILE *out);

#define O(id) CMDLINE_BIT(OPT_##id)

static const struct cmdline_option options[] = {
#define OPT(id, ...) CMDLINE_OPTION(__VA_ARGS__),
#include "tools/iscsidiag/opts.def"
};

static const struct cmdline_form forms[] = {
#define FORM(id, ...) CMDLINE_FORM(__VA_ARGS__),
#include "tools/iscsidiag/forms.def"
};

const struct cmdline_tool iscsidiag_spec = {
	.name = "iscsidiag",
	.options = options,
	.n_options = OPT_COUNT,
	.forms = forms,
	.n_forms = FORM_COUNT,
	.manual_extra = manual_extra,
};

/* The sections, from their own table. */
static void
manual_extra(FILE *out)
{
	fputs(".Bl -enum -compact\n", out);
#define STEP(id, title, ...) fprintf(out, ".It\n%s\n", title);
#define ASK(id, title, ...)  fprintf(out, ".It\n%s\n", title);
#include "tools/iscsidiag/steps.def"
	fputs(".El\n", out);
}
