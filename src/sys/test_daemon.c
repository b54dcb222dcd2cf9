#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/daemon.h"

static char dir[64], path[128], text[1024];

static int
make_dir(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/openisw-daemon-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL)
		return -1;
	return snprintf(path, sizeof path, "%s/p", dir) > 0 ? 0 : -1;
}

static int
remove_dir(void **state)
{
	(void)state;
	(void)unlink(path); /* some tests leave it */
	return rmdir(dir);
}

/*
 * Start a daemon that runs `body`; what the caller's standard error gets ends in
 * `text`.  Returns the exit status its starter sees.
 */
static int
start(void (*body)(struct daemon *d))
{
	FILE *f = tmpfile();
	int status;
	size_t n;
	pid_t pid;

	assert_non_null(f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct daemon d;

		if (dup2(fileno(f), STDERR_FILENO) < 0 || daemon_start(&d, false) < 0)
			_exit(99);
		body(&d);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	rewind(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	fclose(f);
	return WEXITSTATUS(status);
}

static void
becomes_ready(struct daemon *d)
{
	pid_t owner;
	int fd = daemon_pid_open(path, &owner);

	if (fd < 0 || getsid(0) == getpid() || tcgetpgrp(STDIN_FILENO) >= 0)
		daemon_failed(d, "prog", "fd %d", fd);
	daemon_ready(d);
	dprintf(STDERR_FILENO, "nobody may see this\n");
	pause();
}

static void
fails(struct daemon *d)
{
	daemon_failed(d, "prog", "no %s here", "room");
}

static void
dies(struct daemon *d)
{
	(void)d;
	raise(SIGKILL);
}

static void
the_starter_returns_when_the_daemon_is_ready(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(start(becomes_ready), 0);
	pid = daemon_pid_owner(path);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_string_equal(text, "");
}

static void
the_starter_fails_with_the_daemon_s_sentence(void **state)
{
	(void)state;
	assert_int_equal(start(fails), 1);
	assert_string_equal(text, "prog: no room here\n");
}

static void
the_starter_fails_when_the_daemon_dies_without_a_word(void **state)
{
	(void)state;
	assert_int_equal(start(dies), 1);
	assert_non_null(strstr(text, "ended before it was ready"));
}

static void
a_second_start_is_refused_with_the_owner_s_pid(void **state)
{
	int to_child[2], to_us[2], fd;
	pid_t pid, owner = 0;
	char byte, number[32];

	(void)state;
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(to_us), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(to_child[1]);
		fd = daemon_pid_open(path, &owner);
		if (write(to_us[1], fd >= 0 ? "y" : "n", 1) != 1 || read(to_child[0], &byte, 1) < 0)
			_exit(1);
		_exit(0); /* without removing the file, as after kill -9 */
	}
	close(to_child[0]);
	assert_int_equal(read(to_us[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(daemon_pid_open(path, &owner), -EEXIST);
	assert_int_equal(owner, pid);
	assert_int_equal(daemon_pid_owner(path), pid);
	close(to_child[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(daemon_pid_owner(path), 0);
	fd = daemon_pid_open(path, &owner);
	assert_true(fd >= 0);
	memset(number, 0, sizeof number);
	assert_true(pread(fd, number, sizeof number - 1, 0) > 0);
	assert_int_equal(strtol(number, NULL, 10), getpid());
	daemon_pid_close(path, fd);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(daemon_pid_owner(path), 0);
	close(to_us[0]);
	close(to_us[1]);
}

/* In a process of its own: hold a lock of the file for reading.  It ends when *ret_end is closed.
 */
static pid_t
reader(int *ret_end)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int end[2], locked[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(end), 0);
	assert_int_equal(pipe(locked), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(path, O_RDONLY);

		close(end[1]);
		if (fd < 0 || fcntl(fd, F_SETLK, &whole) < 0 || write(locked[1], "y", 1) != 1 ||
		    read(end[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(end[0]);
	close(locked[1]);
	assert_int_equal(read(locked[0], &byte, 1), 1);
	close(locked[0]);
	*ret_end = end[1];
	return pid;
}

static void
who_only_reads_the_pid_file_is_no_owner_and_keeps_nobody_out(void **state)
{
	int end, fd, st;
	struct stat file;
	pid_t pid, owner = 0;

	(void)state;
	/* As an earlier version made it, for everybody to read and so to lock. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
	pid = reader(&end);
	assert_int_equal(daemon_pid_owner(path), 0);
	fd = daemon_pid_open(path, &owner);
	assert_true(fd >= 0);
	assert_int_equal(owner, 0);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0600);
	close(end);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	daemon_pid_close(path, fd);
}

static void
a_pid_file_that_others_can_write_says_nothing(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0 && fchmod(fd, 0666) == 0);
	assert_int_equal(daemon_pid_owner(path), -EPERM);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(daemon_pid_owner(path), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchown(fd, 12345, 12345), 0);
		assert_int_equal(daemon_pid_owner(path), -EPERM);
	}
	close(fd);
}

static void
a_link_in_the_pid_file_s_place_is_not_followed(void **state)
{
	pid_t owner;

	(void)state;
	assert_int_equal(symlink("/tmp/openisw-daemon-there-is-none", path), 0);
	assert_int_equal(daemon_pid_open(path, &owner), -ELOOP);
	assert_int_equal(daemon_pid_owner(path), -ELOOP);
	assert_int_equal(access("/tmp/openisw-daemon-there-is-none", F_OK), -1);
}

static void
signals_come_from_a_descriptor(void **state)
{
	static const int wanted[] = { SIGUSR1, SIGUSR2, 0 };
	int fd = daemon_signals(wanted);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(daemon_signal_next(fd), -EAGAIN);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_int_equal(daemon_signal_next(fd), SIGUSR2);
	assert_int_equal(daemon_signal_next(fd), -EAGAIN);
	close(fd);
}

static void
a_signal_that_was_ignored_stays_so(void **state)
{
	static const int wanted[] = { SIGHUP, SIGWINCH, 0 };
	int fd;

	(void)state;
	assert_ptr_not_equal(signal(SIGHUP, SIG_IGN), SIG_ERR);
	fd = daemon_signals(wanted);
	assert_true(fd >= 0);
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(raise(SIGWINCH), 0);
	assert_int_equal(daemon_signal_next(fd), SIGWINCH);
	assert_int_equal(daemon_signal_next(fd), -EAGAIN);
	close(fd);
}

static void
systemd_is_told(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct daemon d = { .ready_fd = -1 };
	char buf[32] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(daemon_notify("READY=1"), 0);
	memcpy(un.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	daemon_ready(&d);
	assert_int_equal(recv(fd, buf, sizeof buf - 1, MSG_DONTWAIT), 7);
	assert_string_equal(buf, "READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(daemon_notify("READY=1"), -EINVAL);
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(the_starter_returns_when_the_daemon_is_ready),
		WITH_DIR(the_starter_fails_with_the_daemon_s_sentence),
		WITH_DIR(the_starter_fails_when_the_daemon_dies_without_a_word),
		WITH_DIR(a_second_start_is_refused_with_the_owner_s_pid),
		WITH_DIR(who_only_reads_the_pid_file_is_no_owner_and_keeps_nobody_out),
		WITH_DIR(a_pid_file_that_others_can_write_says_nothing),
		WITH_DIR(a_link_in_the_pid_file_s_place_is_not_followed),
		WITH_DIR(signals_come_from_a_descriptor),
		WITH_DIR(a_signal_that_was_ignored_stays_so),
		WITH_DIR(systemd_is_told),
	};

	unsetenv("NOTIFY_SOCKET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
