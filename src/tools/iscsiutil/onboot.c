#include "tools/iscsiutil/onboot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sys/paths.h"
#include "tools/common/result.h"
#include "tools/common/say.h"

static bool
needs_iradd(enum ipc_op op, const json_t *args)
{
	if (op == IPC_OP_radius_set)
		return result_text(args, "server")[0] != '\0';
	return op == IPC_OP_auth_set && strcasecmp(result_text(args, "method"), "CHAP_BI") == 0 &&
	       result_text(args, "target_secret")[0] == '\0';
}

static bool
needs_iisnsd(enum ipc_op op, const json_t *args)
{
	return op == IPC_OP_isns_add ||
	       (op == IPC_OP_isns_set && result_text(args, "servers")[0] != '\0');
}

unsigned
onboot_needs(enum ipc_op op, const json_t *args)
{
	return (needs_iradd(op, args) ? ONBOOT_IRADD : 0) |
	       (needs_iisnsd(op, args) ? ONBOOT_IISNSD : 0);
}

static void
mark(const char *program, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd >= 0 && close(fd) == 0)
		say_note("%s is started with the initiator from now on; 'iscsi start' starts it",
		    program);
	else if (errno != EEXIST)
		say_note("%s will not be started with the initiator: cannot write %s: %s", program,
		    path, strerror(errno));
}

void
onboot_mark(const struct cmdline *line, unsigned needed)
{
	struct paths paths;

	if (needed == 0 || paths_init(&paths, cmdline_common(line, CMDLINE_COMMON_root)->text) != 0)
		return;
	if ((needed & ONBOOT_IRADD) != 0)
		mark("iradd", paths.iradd_boot);
	if ((needed & ONBOOT_IISNSD) != 0)
		mark("iisnsd", paths.iisnsd_boot);
	paths_fini(&paths);
}
