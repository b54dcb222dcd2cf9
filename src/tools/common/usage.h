/* The usage text and the manual's parts, from a tool's tables. */
#ifndef TOOLS_USAGE_H
#define TOOLS_USAGE_H

#include <stdio.h>

#include "tools/common/cmdline.h"

/* "iscsiutil [/dev/iscsi] -a -I <ip-address> [-P <tcp-port>]", without a newline. */
void usage_form(FILE *out, const struct cmdline_tool *tool, const struct cmdline_form *form);
/* All forms, all options. */
void usage_print(FILE *out, const struct cmdline_tool *tool);

/*
 * Copy an mdoc page; a line that is @SYNOPSIS@, @FORMS@, @OPTIONS@,
 * @EXIT@ or @EXTRA@ is replaced by what the tables say.  0, or -1 when a line is longer than
 * 4,095 bytes or a stream failed.
 */
int usage_manual(FILE *out, FILE *page, const struct cmdline_tool *tool);

#endif
