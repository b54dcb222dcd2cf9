/* insf's command line: the tables of opts.def and forms.def. */
#ifndef INSF_SPEC_H
#define INSF_SPEC_H

#include "tools/common/cmdline.h"

enum opt {
#define OPT(id, ...) OPT_##id,
#include "tools/insf/opts.def"
	OPT_COUNT
};

enum form {
#define FORM(id, ...) FORM_##id,
#include "tools/insf/forms.def"
	FORM_COUNT
};

extern const struct cmdline_tool insf_spec;

#endif
