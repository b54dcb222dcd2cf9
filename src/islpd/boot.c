#include "islpd/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/instance.h"
#include "sys/opt.h"

static int
failed(const char *what, const char *path)
{
	fprintf(stderr, "islpd: cannot %s %s: %s; the owner of the initiator's root can\n", what,
	    path, strerror(errno));
	return INSTANCE_EXIT_FAILED;
}

static int
enable(const struct paths *paths)
{
	char why[BENEATH_WHY_BYTES];
	int fd;

	if (paths_mkdirs(paths, why) < 0) {
		fprintf(stderr, "islpd: %s\n", why);
		return INSTANCE_EXIT_FAILED;
	}
	fd = open(paths->islpd_boot, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return failed("write", paths->islpd_boot);
	if (close(fd) < 0)
		return failed("write", paths->islpd_boot);
	puts("islpd will be started on boot; it is not started now");
	return INSTANCE_EXIT_OK;
}

static int
disable(const struct paths *paths)
{
	if (unlink(paths->islpd_boot) < 0 && errno != ENOENT)
		return failed("remove", paths->islpd_boot);
	puts("islpd will not be started on boot");
	return INSTANCE_EXIT_OK;
}

static int
show(const struct paths *paths)
{
	if (access(paths->islpd_boot, F_OK) == 0) {
		puts("start on boot: enabled");
		return INSTANCE_EXIT_OK;
	}
	if (errno != ENOENT)
		return failed("look for", paths->islpd_boot);
	puts("start on boot: disabled");
	return INSTANCE_EXIT_NOT_RUNNING;
}

int
boot_act(const struct boot *b, const struct paths *paths)
{
	if (b->enable + b->disable + b->show > 1) {
		fprintf(stderr, "islpd: -a, -r and -g exclude each other; see 'islpd --help'\n");
		return INSTANCE_EXIT_USAGE;
	}
	if (b->enable)
		return enable(paths);
	if (b->disable)
		return disable(paths);
	return show(paths);
}
