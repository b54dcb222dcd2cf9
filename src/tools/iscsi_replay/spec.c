#include "tools/iscsi_replay/spec.h"

#define O(id) CMDLINE_BIT(OPT_##id)

static const struct cmdline_option options[] = {
#define OPT(id, ...) CMDLINE_OPTION(__VA_ARGS__),
#include "tools/iscsi_replay/opts.def"
};

static const struct cmdline_form forms[] = {
#define FORM(id, ...) CMDLINE_FORM(__VA_ARGS__),
#include "tools/iscsi_replay/forms.def"
};

const struct cmdline_tool iscsi_replay_spec = {
	.name = "iscsi-replay",
	.options = options,
	.n_options = OPT_COUNT,
	.forms = forms,
	.n_forms = sizeof(forms) / sizeof(forms[0]),
};
