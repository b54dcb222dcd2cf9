/* Whom the driver takes for its daemon, and what it takes from it. */
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "ipc/helpertest.h"
#include "sys/daemon.h"
#include "sys/identity.h"
#include "sys/log.h"
#include "sys/sock.h"

static void
a_second_daemon_is_refused_while_the_first_lives(void **state)
{
	int fd;

	(void)state;
	helpertest_start_daemon();
	helpertest_turn_until(&helpertest.daemon_came, 1);
	fd = helpertest_by_hand("{\"daemon\":\"iswd\",\"version\":\"x\",\"pid\":7}");
	helpertest_expect_closed(fd);
	assert_int_equal(helpertest.daemon_went, 0);
	assert_int_equal(helper_server_pid(helpertest.server), getpid());
}

/*
 * In a child that becomes another user, with a lock of the pid file (F_WRLCK, F_RDLCK) or
 * without (F_UNLCK): announce the daemon, and end with 0 when the driver hangs up.
 */
static pid_t
stranger(uid_t uid, short lock)
{
	static const char text[] = "{\"daemon\":\"iswd\",\"version\":\"x\",\"pid\":7}";
	struct flock whole = { .l_type = lock, .l_whence = SEEK_SET };
	pid_t pid = fork(), owner;
	char byte;
	int fd;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (lock == F_WRLCK && daemon_pid_open(helpertest.pid_path, &owner) < 0)
		_exit(2);
	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(3);
	if (lock == F_RDLCK) {
		fd = open(helpertest.pid_path, O_RDONLY);
		if (fd < 0 || fcntl(fd, F_SETLK, &whole) < 0)
			_exit(6);
	}
	fd = sock_connect(helpertest.path, SOCK_SEQPACKET);
	if (fd < 0 || (sock_send(fd, text, strlen(text), -1) < 0 && errno != EPIPE))
		_exit(4);
	_exit(sock_recv(fd, &byte, 1, NULL) > 0 ? 5 : 0);
}

static int has_ended;
static struct loop_fd watch;

static void
child_ended(struct loop_fd *f, uint32_t events)
{
	(void)events;
	has_ended = 1;
	loop_unwatch(helpertest.loop, f);
}

/* The exit status of a child, while our loop turns. */
static int
end_of(pid_t pid)
{
	int st;

	has_ended = 0;
	watch = (struct loop_fd){ .fd = pidfd_open(pid, 0), .ready = child_ended };
	assert_int_equal(loop_watch(helpertest.loop, &watch, 1), 0); /* EPOLLIN */
	helpertest_turn_until(&has_ended, 1);
	close(watch.fd);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static void
only_the_daemon_s_own_user_with_the_lock_of_the_pid_file_is_the_daemon(void **state)
{
	struct daemon_identity who;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || identity_of("iswd", &who) != 0)
		skip();
	/* The doors stand open, so that it is the last lock that is tried. */
	assert_int_equal(chmod(helpertest.dir, 0755), 0);
	assert_int_equal(chmod(helpertest.path, 0666), 0);
	pid = stranger(who.uid, F_WRLCK);
	helpertest_turn_until(&helpertest.daemon_came, 1);
	assert_int_equal(helper_server_pid(helpertest.server), pid);
	kill(pid, SIGKILL);
	helpertest_turn_until(&helpertest.daemon_went, 1);
	assert_int_equal(end_of(pid), -1);
	/* The file is still there; who has no lock of it is refused. */
	assert_int_equal(end_of(stranger(who.uid, F_UNLCK)), 0);
	/* Another user's lock is none, whatever he has come by. */
	assert_int_equal(end_of(stranger(12345, F_WRLCK)), 0);
	assert_int_equal(chmod(helpertest.pid_path, 0644), 0);
	assert_int_equal(end_of(stranger(who.uid, F_RDLCK)), 0);
	assert_int_equal(end_of(stranger(12345, F_RDLCK)), 0);
	assert_int_equal(chmod(helpertest.pid_path, 0666), 0);
	assert_int_equal(end_of(stranger(who.uid, F_UNLCK)), 0);
	assert_int_equal(helpertest.daemon_came, 1);
	assert_int_equal(unlink(helpertest.pid_path), 0);
}

static void
socket_is_closed_to_others_by_its_mode_and_its_directory_s(void **state)
{
	pid_t pid = fork();
	int st;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct stat file;

		if (stat(helpertest.path, &file) < 0 || (file.st_mode & 07) != 0)
			_exit(1);
		if (geteuid() != 0)
			_exit(0);
		if (setresuid(12345, 12345, 12345) < 0)
			_exit(2);
		_exit(sock_connect(helpertest.path, SOCK_SEQPACKET) == -EACCES ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
}

static void
a_descriptor_that_is_no_connection_is_not_taken(void **state)
{
	int tag = 1, pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	helpertest_start_daemon();
	for (int i = 0; i < 3; i++) {
		int pass = i == 0   ? open("/dev/null", O_RDWR | O_CLOEXEC)
			   : i == 1 ? dup(pair[0])
				    : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		helpertest_ask(&tag, HELPERTEST_PATIENCE_US);
		helpertest_turn_until(&helpertest.n_calls, i + 1);
		helper_call_reply(helpertest.calls[i], NULL, pass);
		helpertest_turn_until(&helpertest.n_answers, i + 1);
		assert_int_equal(helpertest.answers[i].err, -EPROTO);
		assert_int_equal(helpertest.answers[i].fd, -1);
	}
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HELPERTEST_CASE(a_second_daemon_is_refused_while_the_first_lives),
		HELPERTEST_CASE(
		    only_the_daemon_s_own_user_with_the_lock_of_the_pid_file_is_the_daemon),
		HELPERTEST_CASE(socket_is_closed_to_others_by_its_mode_and_its_directory_s),
		HELPERTEST_CASE(a_descriptor_that_is_no_connection_is_not_taken),
	};

	log_init("test", LOG_TO_STDERR, LOG_LVL_CRIT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
