#include "ipc/helper_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/instance.h"
#include "sys/opt.h"

static int
failed(const char *program, const char *what, const char *path)
{
	fprintf(stderr, "%s: cannot %s %s: %s; the owner of the initiator's root can\n", program,
	    what, path, strerror(errno));
	return INSTANCE_EXIT_FAILED;
}

static int
enable(const struct paths *paths, const char *program, const char *mark)
{
	char why[BENEATH_WHY_BYTES];
	int fd;

	if (paths_mkdirs(paths, why) < 0) {
		fprintf(stderr, "%s: %s\n", program, why);
		return INSTANCE_EXIT_FAILED;
	}
	fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || close(fd) < 0)
		return failed(program, "write", mark);
	printf("%s will be started on boot; it is not started now\n", program);
	return INSTANCE_EXIT_OK;
}

static int
disable(const char *program, const char *mark)
{
	if (unlink(mark) < 0 && errno != ENOENT)
		return failed(program, "remove", mark);
	printf("%s will not be started on boot\n", program);
	return INSTANCE_EXIT_OK;
}

static int
show(const char *program, const char *mark)
{
	if (access(mark, F_OK) == 0) {
		puts("start on boot: enabled");
		return INSTANCE_EXIT_OK;
	}
	if (errno != ENOENT)
		return failed(program, "look for", mark);
	puts("start on boot: disabled");
	return INSTANCE_EXIT_NOT_RUNNING;
}

bool
helper_boot_is_asked(const struct helper_boot *b)
{
	return b->enable || b->disable || b->show;
}

int
helper_boot_act(
    const struct helper_boot *b, const struct paths *paths, const char *program, const char *mark)
{
	if (b->enable + b->disable + b->show > 1) {
		fprintf(stderr, "%s: -a, -r and -g exclude each other; see '%s --help'\n", program,
		    program);
		return INSTANCE_EXIT_USAGE;
	}
	if (b->enable)
		return enable(paths, program, mark);
	if (b->disable)
		return disable(program, mark);
	return show(program, mark);
}
