/* The pieces of a usage text, which manual.c writes as mdoc; nobody else includes it. */
#ifndef TOOLS_USAGE_IMPL_H
#define TOOLS_USAGE_IMPL_H

#include "tools/common/usage.h"

/* For a terminal, or as mdoc macros. */
enum usage_style { USAGE_PLAIN, USAGE_MDOC };

void usage_put_form(
    FILE *out, const struct cmdline_tool *t, const struct cmdline_form *f, enum usage_style style);
/* "-S [ssn_inst]"; `needed`: the form needs what is optional elsewhere. */
void usage_put_option(
    FILE *out, const struct cmdline_option *o, bool needed, enum usage_style style);

#endif
