/* The pieces of a usage text, which manual.c writes as mdoc; nobody else includes it. */
#ifndef TOOLS_USAGE_IMPL_H
#define TOOLS_USAGE_IMPL_H

#include "tools/common/usage.h"

/* For a terminal, or as mdoc macros. */
enum usage_style { USAGE_PLAIN, USAGE_MDOC };

void usage_put_form(
    FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, enum usage_style style);
/* In a list, with all its names; in a form, which may need what is optional elsewhere. */
enum usage_place { USAGE_LISTED, USAGE_MAYBE, USAGE_NEEDED };

/* "-S [ssn_inst]" */
void usage_put_option(
    FILE *out, const struct cmdline_option *o, enum usage_place place, enum usage_style style);

#endif
