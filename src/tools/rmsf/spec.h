/* rmsf's command line: the tables of opts.def and forms.def. */
#ifndef RMSF_SPEC_H
#define RMSF_SPEC_H

#include "tools/common/cmdline.h"

enum opt {
#define OPT(id, ...) OPT_##id,
#include "tools/rmsf/opts.def"
	OPT_COUNT
};

enum form {
#define FORM(id, ...) FORM_##id,
#include "tools/rmsf/forms.def"
	FORM_COUNT
};

extern const struct cmdline_tool rmsf_spec;

#endif
