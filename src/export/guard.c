#include "export/guard.h"

#include <sys/mount.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/mounts.h"

static bool
cut(const struct mounts_row *row, void *user)
{
	const char *base = user;

	if (strncmp(row->path, base, strlen(base)) == 0)
		umount2(row->path, MNT_FORCE | MNT_DETACH);
	return false;
}

static void
watch(int fd, const char *base, unsigned seconds)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	pid_t parent = getppid();

	/* What ends the test, timeout(1) or a terminal, must not end its guard first. */
	setsid();
	signal(SIGTERM, SIG_IGN);
	/* Nothing of the parent's may live on in this process, least of all /dev/fuse. */
	dup2(fd, 3);
	p.fd = 3;
	close_range(4, ~0u, 0);
	if (poll(&p, 1, (int)seconds * 1000) != 0)
		_exit(0); /* the parent has closed its end */
	fprintf(stderr, "guard: the test did not end within %u seconds\n", seconds);
	for (int i = 0; i < 8; i++)
		mounts_each(cut, (void *)base);
	if (getppid() == parent)
		kill(parent, SIGKILL);
	_exit(1);
}

void
guard_begin(struct guard *g, const char *base, unsigned seconds)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	g->pid = fork();
	if (g->pid < 0)
		abort();
	if (g->pid == 0) {
		close(fds[1]);
		watch(fds[0], base, seconds);
	}
	close(fds[0]);
	g->fd = fds[1];
}

void
guard_end(struct guard *g)
{
	close(g->fd);
	waitpid(g->pid, NULL, 0);
}
