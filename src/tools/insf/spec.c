#include "tools/insf/spec.h"

#define O(id) CMDLINE_BIT(OPT_##id)

static const struct cmdline_option options[] = {
#define OPT(id, ...) CMDLINE_OPTION(__VA_ARGS__),
#include "tools/insf/opts.def"
};

static const struct cmdline_form forms[] = {
#define FORM(id, ...) CMDLINE_FORM(__VA_ARGS__),
#include "tools/insf/forms.def"
};

static const cmdline_set one_of[] = { O(C) | O(d), O(v) | O(q) };

const struct cmdline_tool insf_spec = {
	.name = "insf",
	.options = options,
	.n_options = OPT_COUNT,
	.forms = forms,
	.n_forms = FORM_COUNT,
	.one_of = one_of,
	.n_one_of = 2,
};
