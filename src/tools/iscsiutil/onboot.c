#include "tools/iscsiutil/onboot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sys/paths.h"
#include "tools/common/result.h"
#include "tools/common/say.h"

bool
onboot_needs_iradd(enum ipc_op op, const json_t *args)
{
	if (op == IPC_OP_radius_set)
		return result_text(args, "server")[0] != '\0';
	return op == IPC_OP_auth_set && strcasecmp(result_text(args, "method"), "CHAP_BI") == 0 &&
	       result_text(args, "target_secret")[0] == '\0';
}

void
onboot_iradd(const struct cmdline *line)
{
	struct paths paths;
	int fd;

	if (paths_init(&paths, cmdline_common(line, CMDLINE_COMMON_root)->text) != 0)
		return;
	fd = open(paths.iradd_boot, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0 && close(fd) == 0)
		say_note(
		    "iradd is started with the initiator from now on; 'iscsi start' starts it");
	else if (errno != EEXIST)
		say_note("iradd will not be started with the initiator: cannot write %s: %s",
		    paths.iradd_boot, strerror(errno));
	paths_fini(&paths);
}
