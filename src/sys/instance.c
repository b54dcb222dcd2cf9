#include "sys/instance.h"

#include <sys/pidfd.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/daemon.h"

/* Whoever may not look or signal is told so; everything else is a failure. */
static int
exit_of(int err)
{
	return err == -EACCES || err == -EPERM ? INSTANCE_EXIT_DENIED : INSTANCE_EXIT_FAILED;
}

int
instance_status(const char *program, const char *pid_path)
{
	pid_t pid = daemon_pid_owner(pid_path);

	if (pid < 0) {
		fprintf(stderr,
		    "%s: cannot tell whether it runs: %s: %s; root and its own user can\n", program,
		    pid_path, strerror(-pid));
		return exit_of(pid);
	}
	if (pid == 0) {
		printf("%s is not running\n", program);
		return INSTANCE_EXIT_NOT_RUNNING;
	}
	printf("%s is running (pid %d)\n", program, (int)pid);
	return INSTANCE_EXIT_OK;
}

/* Send a signal and wait for the end: 1 gone, 0 still there, or a negative errno. */
static int
signal_and_wait(int pidfd, int sig, int patience_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	if (pidfd_send_signal(pidfd, sig, NULL, 0) < 0)
		return errno == ESRCH ? 1 : -errno;
	do
		n = poll(&p, 1, patience_ms);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int
end_process(const char *program, pid_t pid, int pidfd, int patience_ms)
{
	int gone = signal_and_wait(pidfd, SIGTERM, patience_ms);

	if (gone != 0)
		return gone;
	fprintf(stderr, "%s: pid %d does not end within %d ms of being asked to; killing it\n",
	    program, (int)pid, patience_ms);
	gone = signal_and_wait(pidfd, SIGKILL, patience_ms);
	return gone != 0 ? gone : -ETIME;
}

/* A daemon that has become another user cannot remove its pid file. */
static void
remove_pid_file(const char *pid_path)
{
	pid_t successor;
	int fd = daemon_pid_open(pid_path, &successor);

	if (fd >= 0)
		daemon_pid_close(pid_path, fd);
}

int
instance_stop(const char *program, const char *pid_path, int patience_ms)
{
	pid_t pid = daemon_pid_owner(pid_path);
	int pidfd, ret;

	if (pid == 0)
		return INSTANCE_EXIT_OK;
	pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (pidfd < 0)
		ret = pid < 0 ? pid : errno == ESRCH ? 1 : -errno;
	else if (daemon_pid_owner(pid_path) != pid)
		ret = 1; /* it ended; the number may be somebody else's by now */
	else
		ret = end_process(program, pid, pidfd, patience_ms);
	if (pidfd >= 0)
		close(pidfd);
	if (ret > 0)
		remove_pid_file(pid_path);
	if (ret < 0)
		fprintf(
		    stderr, "%s: cannot stop it (pid %d): %s\n", program, (int)pid, strerror(-ret));
	return ret < 0 ? exit_of(ret) : INSTANCE_EXIT_OK;
}
