#include "tools/ioscan/spec.h"

#include "tools/ioscan/list.h"

#define O(id) CMDLINE_BIT(OPT_##id)

static const struct cmdline_option options[] = {
#define OPT(id, ...) CMDLINE_OPTION(__VA_ARGS__),
#include "tools/ioscan/opts.def"
};

static const struct cmdline_form forms[] = {
#define FORM(id, ...) CMDLINE_FORM(__VA_ARGS__),
#include "tools/ioscan/forms.def"
};

static const cmdline_set one_of[] = { O(k) | O(u), O(C) | O(d) };

const struct cmdline_tool ioscan_spec = {
	.name = "ioscan",
	.options = options,
	.n_options = OPT_COUNT,
	.forms = forms,
	.n_forms = FORM_COUNT,
	.one_of = one_of,
	.n_one_of = 2,
	.manual_extra = list_manual,
};
