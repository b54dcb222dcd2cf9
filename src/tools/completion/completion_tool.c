/* Build step, for a command: completion_tool bash|zsh|fish >file */
#include "tools/completion/completion.h"

extern const struct cmdline_tool COMPLETION_TOOL;

int
main(int argc, char **argv)
{
	return argc == 2 ? completion_write(&COMPLETION_TOOL, argv[1]) : 2;
}
