/* ioscan's command line: the tables of opts.def and forms.def. */
#ifndef IOSCAN_SPEC_H
#define IOSCAN_SPEC_H

#include "tools/common/cmdline.h"

enum opt {
#define OPT(id, ...) OPT_##id,
#include "tools/ioscan/opts.def"
	OPT_COUNT
};

enum form {
#define FORM(id, ...) FORM_##id,
#include "tools/ioscan/forms.def"
	FORM_COUNT
};

extern const struct cmdline_tool ioscan_spec;

#endif
