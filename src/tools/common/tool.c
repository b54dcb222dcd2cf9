#include "tools/common/tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/codec.h"
#include "tools/common/say.h"

int
tool_main(const struct cmdline_tool *tool, tool_run *run, int argc, char **argv)
{
	enum status status = STATUS_USAGE;
	struct cmdline line;

	jsonmem_wipe();
	say_init(tool->name, stderr);
	/* Also for what is wrong with the rest of the line. */
	if (cmdline_has(argc, argv, "--json"))
		say_as_json();
	switch (cmdline_parse(&line, tool, argc, argv, stdout)) {
	case CMDLINE_GO:
		status = run(&line);
		break;
	case CMDLINE_DONE:
		status = STATUS_OK;
		break;
	case CMDLINE_WRONG:
		break;
	}
	cmdline_fini(&line);
	/* Output that got lost, on a full disk perhaps, is no success. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		say_failure(IPC_ERR_INTERNAL, NULL,
		    "see that the output can be written, then run it again",
		    "the output is not complete: %s", strerror(errno));
		if (status == STATUS_OK)
			status = STATUS_FAILED;
	}
	return (int)status;
}
