#include "sys/fusermount.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/sock.h"

#define FUSERMOUNT    "fusermount3"
#define NAME_BYTES    64
#define OPTIONS_BYTES 256
/* Where the child has its end. */
#define CHANNEL_FD 3

struct question {
	char name[NAME_BYTES];       /* of the directory below base */
	char options[OPTIONS_BYTES]; /* "": unmount */
};

/* A process has one child for this, as it has one user. */
static struct {
	pthread_mutex_t lock; /* one question at a time */
	int fd;               /* -1: there is no child */
	char *base;
} there = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* ---- the child ---- */

static int
ended_well(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int
spawn(char *const argv[], char *const env[], pid_t *ret_pid)
{
	int err = posix_spawnp(ret_pid, FUSERMOUNT, NULL, NULL, argv, env);

	return -err;
}

/* A descriptor that fusermount3 sent before it ended, or -EPERM. */
static int
take_descriptor(int fd)
{
	char byte;
	int got = -1;

	return sock_recv(fd, &byte, 1, &got) > 0 && got >= 0 ? got : -EPERM;
}

static int
do_mount(const struct question *q)
{
	char *argv[] = { (char *)FUSERMOUNT, (char *)"-o", (char *)q->options, (char *)"--",
		(char *)q->name, NULL };
	char variable[32], path[] = "PATH=/usr/bin:/bin:/usr/sbin:/sbin";
	char *env[] = { variable, path, NULL };
	int pair[2], fd, err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	(void)snprintf(variable, sizeof variable, "_FUSE_COMMFD=%d", pair[1]); /* fits */
	err = fcntl(pair[1], F_SETFD, 0) < 0 ? -errno : spawn(argv, env, &pid);
	(void)close(pair[1]); /* its end is its own, so that ours ends with it */
	if (err == 0) {
		fd = take_descriptor(pair[0]);
		err = ended_well(pid);
		if (err == 0 && fd < 0)
			err = fd;
		if (err < 0 && fd >= 0)
			(void)close(fd); /* of a mount that failed */
	}
	(void)close(pair[0]); /* all was said */
	return err < 0 ? err : fd;
}

static int
do_unmount(const struct question *q)
{
	char *argv[] = { (char *)FUSERMOUNT, (char *)"-u", (char *)"-z", (char *)"-q", (char *)"--",
		(char *)q->name, NULL };
	char path[] = "PATH=/usr/bin:/bin:/usr/sbin:/sbin";
	char *env[] = { path, NULL };
	pid_t pid;
	int err = spawn(argv, env, &pid);

	return err < 0 ? err : ended_well(pid);
}

/* A name and not a way: nothing that leads elsewhere. */
static bool
is_good(const struct question *q)
{
	size_t len = strnlen(q->name, sizeof q->name);

	return len > 0 && len < sizeof q->name && strspn(q->name, "0123456789") == len &&
	       strnlen(q->options, sizeof q->options) < sizeof q->options;
}

static _Noreturn void
serve(int channel, const char *base)
{
	struct question q;
	ssize_t n;

	/* What ends the driver ends this process, by the end of the channel, and nothing before. */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)prctl(PR_SET_NAME, "iscsi-mount");
	if (chdir(base) < 0 || dup2(channel, CHANNEL_FD) < 0 ||
	    close_range(CHANNEL_FD + 1, ~0u, 0) < 0 || fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC) < 0)
		_exit(1);
	while ((n = sock_recv(CHANNEL_FD, &q, sizeof q, NULL)) > 0) {
		int answer = -EINVAL, fd = -1;

		if (n == sizeof q && is_good(&q))
			answer = q.options[0] != '\0' ? do_mount(&q) : do_unmount(&q);
		if (answer > 0) {
			fd = answer;
			answer = 0;
		}
		if (sock_send(CHANNEL_FD, &answer, sizeof answer, fd) < 0)
			break;
		if (fd >= 0)
			(void)close(fd); /* the driver's now */
	}
	_exit(0);
}

/* ---- the driver ---- */

int
fusermount_start(const char *base)
{
	int pair[2], err = 0;
	pid_t pid;

	there.base = realpath(base, NULL);
	if (there.base == NULL)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]); /* the driver's */
		serve(pair[1], base);
	}
	if (pid < 0)
		err = -errno;
	(void)close(pair[1]); /* the child's */
	if (err < 0)
		(void)close(pair[0]); /* nobody is there */
	else
		there.fd = pair[0];
	return err;
}

bool
fusermount_is_there(void)
{
	return there.fd >= 0;
}

/* 0 or a descriptor, or a negative errno. */
static int
ask(const char *path, const char *options)
{
	struct question q = { 0 };
	size_t len = strlen(there.base);
	int answer = -EPIPE, fd = -1;
	ssize_t n;

	if (strncmp(path, there.base, len) != 0 || path[len] != '/' ||
	    strlen(path + len + 1) >= sizeof q.name || strlen(options) >= sizeof q.options)
		return -EINVAL;
	memcpy(q.name, path + len + 1, strlen(path + len + 1));
	memcpy(q.options, options, strlen(options));
	(void)pthread_mutex_lock(&there.lock); /* cannot fail: it is a plain one */
	n = sock_send(there.fd, &q, sizeof q, -1);
	if (n > 0)
		n = sock_recv(there.fd, &answer, sizeof answer, &fd);
	(void)pthread_mutex_unlock(&there.lock); /* as above */
	if (n != sizeof answer)
		answer = -EPIPE;
	if (answer < 0 && fd >= 0)
		(void)close(fd); /* not asked for */
	if (answer < 0 || fd == -EMFILE)
		return answer < 0 ? answer : fd;
	return fd >= 0 ? fd : 0;
}

int
fusermount_mount(const char *path, const char *options)
{
	int fd = ask(path, options);

	return fd == 0 ? -EPERM : fd;
}

int
fusermount_unmount(const char *path)
{
	return ask(path, "");
}
