/* iscsiutil's command line: the tables of opts.def and forms.def. */
#ifndef ISCSIUTIL_SPEC_H
#define ISCSIUTIL_SPEC_H

#include "base/limits.h"
#include "tools/common/cmdline.h"

enum opt {
#define OPT(id, ...) OPT_##id,
#include "tools/iscsiutil/opts.def"
	OPT_COUNT
};

enum form {
#define FORM(id, ...) FORM_##id,
#include "tools/iscsiutil/forms.def"
	FORM_COUNT
};

extern const struct cmdline_tool iscsiutil_spec;

#endif
