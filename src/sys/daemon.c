#include "sys/daemon.h"

#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A pid file holds one number; what is longer is not ours. */
#define PID_TEXT_BYTES 32

static _Noreturn void wait_for_daemon(int fd, pid_t child);
static int detach(int ready_fd);
static int lock_whole(int fd, struct flock *lock);

int
daemon_start(struct daemon *ret, bool foreground)
{
	int pipe_fd[2], err;
	pid_t pid;

	*ret = (struct daemon){ .ready_fd = -1 };
	if (foreground)
		return 0;
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	(void)fflush(
	    NULL); /* what is buffered must not be printed twice; its loss shows elsewhere */
	pid = fork();
	if (pid < 0) {
		err = -errno;
		(void)close(pipe_fd[0]); /* the first error counts */
		(void)close(pipe_fd[1]);
		return err;
	}
	if (pid > 0) {
		(void)close(pipe_fd[1]); /* else we would wait for ourselves */
		wait_for_daemon(pipe_fd[0], pid);
	}
	(void)close(pipe_fd[0]); /* the waiting process's end */
	ret->ready_fd = pipe_fd[1];
	return detach(pipe_fd[1]);
}

void
daemon_ready(struct daemon *d)
{
	(void)daemon_notify("READY=1"); /* a service manager that is gone does not matter */
	if (d->ready_fd < 0)
		return;
	/* One NUL: no sentence, all is well.  A waiter that was killed needs no word. */
	while (write(d->ready_fd, "", 1) < 0 && errno == EINTR)
		;
	(void)close(d->ready_fd);
	d->ready_fd = -1;
	(void)dup2(STDOUT_FILENO, STDERR_FILENO); /* /dev/null since detach() */
}

void
daemon_failed(struct daemon *d, const char *program, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	if (d->ready_fd < 0) {
		fprintf(stderr, "%s: %s\n", program, text);
		return;
	}
	/* The standard error is still the waiting process's. */
	dprintf(STDERR_FILENO, "%s: %s\n", program, text);
	while (write(d->ready_fd, "!", 1) < 0 && errno == EINTR)
		;
	(void)close(d->ready_fd);
	d->ready_fd = -1;
}

/* Is it a file that only root and we can write and lock? */
static bool
is_own_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       (st->st_mode & 022) == 0;
}

/* Ours alone, locked, and still the file of that name.  0, or -EAGAIN: try again. */
static int
pid_take(const char *path, int fd, pid_t *ret_owner)
{
	struct stat here, there;
	struct flock lock;
	int err;

	if (fchmod(fd, 0600) < 0)
		return -errno;
	err = lock_whole(fd, &lock);
	if (err == -EEXIST && lock.l_type == F_RDLCK) {
		/* From when the file could be read by others; a daemon's would have kept this one
		 * out. */
		(void)unlink(path); /* what comes in its place is looked at again */
		return -EAGAIN;
	}
	if (err == -EEXIST)
		*ret_owner = lock.l_pid > 0 ? lock.l_pid : 0;
	if (err < 0)
		return err;
	/* The owner before us may have removed the file between our open and our lock. */
	if (fstat(fd, &here) < 0 || lstat(path, &there) < 0 || here.st_ino != there.st_ino ||
	    here.st_dev != there.st_dev)
		return -EAGAIN;
	return ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0 ? -errno : 0;
}

int
daemon_pid_open(const char *path, pid_t *ret_owner)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		struct stat st;
		int err;

		if (fd < 0)
			return -errno;
		err = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
		if (err == 0)
			err = pid_take(path, fd, ret_owner);
		if (err == 0)
			return fd;
		(void)close(fd); /* not ours, or a file nobody can see any more */
		if (err != -EAGAIN)
			return err;
	}
}

void
daemon_pid_close(const char *path, int fd)
{
	(void)unlink(path); /* a file left behind does no harm */
	(void)close(fd);
}

pid_t
daemon_pid_owner(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	pid_t owner;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0 || fcntl(fd, F_GETLK, &lock) < 0)
		owner = -errno;
	else if (!is_own_file(&st))
		owner = -EPERM;
	else
		owner = lock.l_type == F_WRLCK ? lock.l_pid : 0;
	(void)close(fd); /* only read */
	return owner;
}

int
daemon_signals(const int *signals)
{
	struct sigaction now;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (; *signals != 0; signals++)
		/* A shell's background job is not meant by ^C, and has it ignored. */
		if (sigaction(*signals, NULL, &now) < 0 ||
		    (now.sa_handler != SIG_IGN && sigaddset(&set, *signals) < 0))
			return -errno;
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int
daemon_signal_next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do
		n = read(fd, &info, sizeof info);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == sizeof info ? (int)info.ssi_signo : -EAGAIN;
}

/* sd_notify(3): one datagram to the socket that the environment names; '@' is the abstract space.
 */
int
daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len;
	ssize_t n;
	int fd, err;

	if (path == NULL)
		return 0;
	len = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof un.sun_path)
		return -EINVAL;
	memcpy(un.sun_path, path, len);
	if (path[0] == '@')
		un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	err = n < 0 ? -errno : 0;
	(void)close(fd); /* a datagram is gone once it is sent */
	return err;
}

/* The process that a user or a script started: it lives until the daemon knows how it went. */
static _Noreturn void
wait_for_daemon(int fd, pid_t child)
{
	char byte = '!';
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	/* The middle process has ended; it is reaped so that nobody inherits a zombie. */
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != 1)
		dprintf(STDERR_FILENO, "%s: ended before it was ready; its log may say why\n",
		    program_invocation_short_name);
	_exit(n == 1 && byte == '\0' ? 0 : 1);
}

/* A session without a terminal, in a process that leads none and so can never get one again. */
static int
detach(int ready_fd)
{
	int null_fd, err;
	pid_t pid;

	if (setsid() < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0)
		_exit(0);
	if (chdir("/") < 0)
		return -errno;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return -errno;
	err = dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ? -errno : 0;
	if (null_fd > STDERR_FILENO && null_fd != ready_fd)
		(void)close(null_fd); /* duplicated */
	return err;
}

/* -EEXIST with the owner in *lock when another process holds it. */
static int
lock_whole(int fd, struct flock *lock)
{
	for (;;) {
		*lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
		if (fcntl(fd, F_SETLK, lock) == 0)
			return 0;
		if (errno != EACCES && errno != EAGAIN)
			return -errno;
		if (fcntl(fd, F_GETLK, lock) < 0)
			return -errno;
		if (lock->l_type != F_UNLCK)
			return -EEXIST;
		/* It was let go between the two calls. */
	}
}
