/* What main() of every command is. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include "tools/common/cmdline.h"
#include "tools/common/status.h"

/* Does what a valid line asks for; displays go to the standard output. */
typedef enum status tool_run(const struct cmdline *line);

/* Parse, run, and see that everything printed has arrived.  Returns the exit status. */
int tool_main(const struct cmdline_tool *tool, tool_run *run, int argc, char **argv);

#endif
