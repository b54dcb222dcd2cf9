/* iscsidiag's command line: the tables of opts.def and forms.def. */
#ifndef ISCSIDIAG_SPEC_H
#define ISCSIDIAG_SPEC_H

#include "tools/common/cmdline.h"

enum opt {
#define OPT(id, ...) OPT_##id,
#include "tools/iscsidiag/opts.def"
	OPT_COUNT
};

enum form {
#define FORM(id, ...) FORM_##id,
#include "tools/iscsidiag/forms.def"
	FORM_COUNT
};

extern const struct cmdline_tool iscsidiag_spec;

#endif
