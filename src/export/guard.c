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

#include "export/loopjob.h"
#include "export/mounts.h"

struct cutting {
	const char *base;
	bool is_fuse; /* these, or all others */
	int flags;
};

static bool
cut(const struct mounts_row *row, void *user)
{
	const struct cutting *c = user;

	if (strncmp(row->path, c->base, strlen(c->base)) == 0 &&
	    (strncmp(row->type, "fuse", 4) == 0) == c->is_fuse)
		umount2(row->path, c->flags);
	return false;
}

/* What fails is in a worse state than this can mend. */
static void
clean_up(const char *base)
{
	static struct loopdev_job sweep = { .what = LOOPDEV_SWEEP };

	mounts_each(cut, &(struct cutting){ base, false, MNT_DETACH });
	/* From here on nothing waits for an answer.  The mount stays while loop devices use it. */
	mounts_each(cut, &(struct cutting){ base, true, MNT_FORCE });
	snprintf(sweep.file, sizeof sweep.file, "%s/", base);
	loopjob_run(&sweep);
	free(sweep.numbers);
	mounts_each(cut, &(struct cutting){ base, true, MNT_DETACH });
}

static void
watch(int fd, const char *base, unsigned seconds)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	pid_t parent = getppid();
	char byte;

	/* What ends the test, timeout(1) or a terminal, must not end its guard first. */
	setsid();
	signal(SIGTERM, SIG_IGN);
	/* Nothing of the parent's may live on in this process, least of all /dev/fuse. */
	dup2(fd, 3);
	p.fd = 3;
	close_range(4, ~0u, 0);
	if (poll(&p, 1, (int)seconds * 1000) == 0)
		fprintf(stderr, "guard: the test did not end within %u seconds\n", seconds);
	else if (read(3, &byte, 1) == 1)
		_exit(0); /* it ended well */
	clean_up(base);
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
	if (write(g->fd, "", 1) != 1)
		abort();
	close(g->fd);
	waitpid(g->pid, NULL, 0);
}
