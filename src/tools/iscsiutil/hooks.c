#include "tools/iscsiutil/hooks.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/say.h"

void
hooks_init(struct hooks *h, const char *dir, long long now_ms)
{
	*h = (struct hooks){
		.dir = dir, .tokens_ms = HOOKS_BURST * HOOKS_PACE_MS, .filled_ms = now_ms
	};
}

bool
hooks_may(struct hooks *h, long long now_ms)
{
	long long more = now_ms - h->filled_ms, most = HOOKS_BURST * HOOKS_PACE_MS;

	h->filled_ms = now_ms;
	h->tokens_ms = (int)(h->tokens_ms + more < most ? h->tokens_ms + more : most);
	if (h->tokens_ms < HOOKS_PACE_MS)
		return false;
	h->tokens_ms -= HOOKS_PACE_MS;
	return true;
}

/* ---- which ---- */

static bool
is_ours(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int
has_plain_name(const struct dirent *e)
{
	size_t n =
	    strspn(e->d_name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && e->d_name[n] == '\0';
}

/* Its path, or NULL: it is none, or is not run, which is said. */
static char *
program(const char *dir, const char *name)
{
	char *path = say_format("%s/%s", dir, name);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0) {
		if (is_ours(&st))
			return path;
		say_note(
		    "%s is not run: it belongs to somebody else, or others may write it", path);
	}
	free(path);
	return NULL;
}

static bool
is_safe(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		say_note("%s: %s", dir, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		say_note("%s is no directory", dir);
	else if (!is_ours(&st))
		say_note(
		    "nothing in %s is run: it belongs to somebody else, or others may write it",
		    dir);
	else
		return true;
	return false;
}

/* ---- running ---- */

/* What a program reads: -1 with errno. */
static int
as_file(const char *text)
{
	int fd = memfd_create("event", MFD_CLOEXEC);
	size_t n = strlen(text);

	if (fd >= 0 && (write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static _Noreturn void
become(const char *path, int input, char *const environment[])
{
	char *const argv[] = { (char *)(uintptr_t)path, NULL };
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)setpgid(0, 0);
	(void)alarm(HOOKS_SECONDS); /* exec(2) keeps it */
	if (dup2(input, STDIN_FILENO) >= 0)
		(void)execve(path, argv, environment);
	_exit(127);
}

static bool
start(struct hooks *h, const char *path, const char *text, char *const environment[])
{
	pid_t *free_one = NULL;
	int input;
	pid_t pid;

	for (size_t i = 0; i < HOOKS_AT_ONCE && free_one == NULL; i++)
		if (h->running[i] == 0)
			free_one = &h->running[i];
	if (free_one == NULL) {
		say_note("%s is not started: %d programs run already", path, HOOKS_AT_ONCE);
		return false;
	}
	input = as_file(text);
	pid = input >= 0 ? fork() : -1;
	if (pid == 0)
		become(path, input, environment);
	if (pid < 0)
		say_note("%s is not started: %s", path, strerror(errno));
	else
		*free_one = pid;
	if (input >= 0)
		close(input);
	return pid > 0;
}

unsigned
hooks_run(struct hooks *h, const char *text, char *const environment[])
{
	struct dirent **names = NULL;
	unsigned started = 0;
	int n;

	hooks_reap(h);
	n = is_safe(h->dir) ? scandir(h->dir, &names, has_plain_name, alphasort) : 0;
	for (int i = 0; i < n; i++) {
		char *path = program(h->dir, names[i]->d_name);

		if (path != NULL)
			started += start(h, path, text, environment);
		free(path);
		free(names[i]);
	}
	free(names);
	return started;
}

void
hooks_reap(struct hooks *h)
{
	int status;

	for (size_t i = 0; i < HOOKS_AT_ONCE; i++) {
		if (h->running[i] == 0 || waitpid(h->running[i], &status, WNOHANG) != h->running[i])
			continue;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
			say_note("a program of %s took more than %d seconds and was ended", h->dir,
			    HOOKS_SECONDS);
		else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			say_note("a program of %s ended with %s %d", h->dir,
			    WIFEXITED(status) ? "exit status" : "signal",
			    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		h->running[i] = 0;
	}
}
