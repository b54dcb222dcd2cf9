/* Build step: fill a manual page with what a tool's tables say.  manual < page.in > page */
#include <stdio.h>

#include "tools/common/usage.h"

extern const struct cmdline_tool MANUAL_TOOL;

int
main(void)
{
	if (usage_manual(stdout, stdin, &MANUAL_TOOL) != 0) {
		fprintf(stderr, "the manual page cannot be made: a line is too long, or the output "
				"cannot be written\n");
		return 1;
	}
	return 0;
}
