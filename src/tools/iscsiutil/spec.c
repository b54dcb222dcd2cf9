#include "tools/iscsiutil/spec.h"

#include <assert.h>

static_assert(OPT_COUNT <= CMDLINE_OPTIONS_MAX, "a set of options has one bit each");

#define O(id) CMDLINE_BIT(OPT_##id)

static const struct cmdline_option options[] = {
#define OPT(id, ...) CMDLINE_OPTION(__VA_ARGS__),
#include "tools/iscsiutil/opts.def"
};

static const struct cmdline_form forms[] = {
#define FORM(id, ...) CMDLINE_FORM(__VA_ARGS__),
#include "tools/iscsiutil/forms.def"
};

static const cmdline_set one_of[] = { O(D) | O(O) | O(T), O(z) | O(metrics) | O(json),
	O(watch) | O(metrics) | O(json) };

const struct cmdline_tool iscsiutil_spec = {
	.name = "iscsiutil",
	.operand_first = true,
	.options = options,
	.n_options = OPT_COUNT,
	.forms = forms,
	.n_forms = FORM_COUNT,
	.one_of = one_of,
	.n_one_of = sizeof(one_of) / sizeof(one_of[0]),
};
