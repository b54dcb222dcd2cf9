#include "tools/rmsf/spec.h"

#define O(id) CMDLINE_BIT(OPT_##id)

static const struct cmdline_option options[] = {
#define OPT(id, ...) CMDLINE_OPTION(__VA_ARGS__),
#include "tools/rmsf/opts.def"
};

static const struct cmdline_form forms[] = {
#define FORM(id, ...) CMDLINE_FORM(__VA_ARGS__),
#include "tools/rmsf/forms.def"
};

const struct cmdline_tool rmsf_spec = {
	.name = "rmsf",
	.options = options,
	.n_options = OPT_COUNT,
	.forms = forms,
	.n_forms = FORM_COUNT,
};
