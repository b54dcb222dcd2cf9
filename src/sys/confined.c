#include "sys/confined.h"

#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool
confined_begin(struct confined *c)
{
	(void)snprintf(c->dir, sizeof c->dir, "/tmp/test-confine-XXXXXX"); /* fits */
	if (mkdtemp(c->dir) == NULL)
		return false;
	(void)snprintf(c->path, sizeof c->path, "%s/file", c->dir); /* fits */
	return true;
}

void
confined_end(struct confined *c)
{
	(void)unlink(c->path);
	(void)rmdir(c->dir);
}

int
confined_made(int fd)
{
	return fd >= 0 ? 0 : errno;
}

/* Ends without what atexit() has: the child is not the test. */
static _Noreturn void
child(enum confine_profile profile, const struct confine_cfg *cfg, bool settled, int (*try)(void))
{
	char note[CONFINE_NOTE_BYTES];

	(void)signal(SIGABRT, SIG_DFL); /* cmocka has one */
	(void)signal(SIGSYS, SIG_DFL);
	if (confine_enter(profile, cfg, note) < 0) {
		(void)fprintf(stderr, "%s\n", note);
		_exit(NOT_CONFINED);
	}
	if (settled && confine_settle() < 0)
		_exit(NOT_CONFINED);
	_exit(try());
}

int
confined_outcome(
    enum confine_profile profile, const struct confine_cfg *cfg, bool settled, int (*try)(void))
{
	pid_t pid = fork();
	int st;

	if (pid == 0)
		child(profile, cfg, settled, try);
	if (pid < 0 || waitpid(pid, &st, 0) != pid)
		return WRONG;
	return WIFEXITED(st) ? WEXITSTATUS(st) : SIGNALLED + WTERMSIG(st);
}

static int
nothing(void)
{
	return 0;
}

bool
confined_works(void)
{
	const struct confine_cfg cfg = { .strict = true };

	return confined_outcome(CONFINE_ISWD, &cfg, false, nothing) != NOT_CONFINED;
}
