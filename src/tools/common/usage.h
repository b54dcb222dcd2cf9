/* The usage text, from a tool's tables. */
#ifndef TOOLS_USAGE_H
#define TOOLS_USAGE_H

#include <stdio.h>

#include "tools/common/cmdline.h"

/* "iscsiutil [/dev/iscsi] -a -I <ip-address> [-P <tcp-port>]", without a newline. */
void usage_form(FILE *out, const struct cmdline_tool *tool, const struct cmdline_form *form);
/*
 * The forms and options of the verbs among `given`, for a terminal of 80 columns.  Without one:
 * where there are verbs, these; else all of it.
 */
void usage_print(FILE *out, const struct cmdline_tool *tool, cmdline_set given);

#endif
