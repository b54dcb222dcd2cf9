/* The program, against a driver that is this test.  usage: test_iswd PATH-OF-iswd */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

#include "ipc/helper.h"
#include "iswd/test_net.h"
#include "sys/paths.h"
#include "sys/sock.h"

#define PATIENCE_US 60000000

static const char *program;
static char root[] = "/tmp/test-iswd-XXXXXX";
static struct paths paths;
static struct loop *loop;
static struct helper_server *driver;
static pid_t daemon_pid;
static unsigned pending;

/* Start a program of the root; `nofile`: its limit of descriptors, 0: as it is. */
static pid_t
spawn(const char *option, rlim_t nofile)
{
	const struct rlimit few = { nofile, nofile };
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (nofile > 0)
		(void)setrlimit(RLIMIT_NOFILE, &few);
	execl(program, program, "--root", root, option, (char *)NULL);
	_exit(127);
}

static int
run(const char *option)
{
	int st;

	assert_true(waitpid(spawn(option, 0), &st, 0) > 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static void
state_changed(void *user, pid_t pid)
{
	(void)user;
	(void)pid;
	loop_stop(loop);
}

static void
driver_start(void)
{
	assert_int_equal(helper_server_new(loop, paths.iswd_sock, paths.iswd_pid, "iswd",
			     state_changed, NULL, &driver),
	    0);
}

static void
wait_for_daemon(pid_t pid)
{
	while (helper_server_pid(driver) != pid)
		assert_int_equal(loop_run(loop), 0);
}

static int
setup_few(rlim_t nofile)
{
	pending = 0;
	loop = loop_new();
	driver_start();
	daemon_pid = spawn("--foreground", nofile);
	wait_for_daemon(daemon_pid);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return setup_few(0);
}

static int
teardown(void **state)
{
	int st;

	(void)state;
	helper_server_free(driver);
	driver = NULL;
	loop_free(loop);
	if (daemon_pid > 0) {
		kill(daemon_pid, SIGTERM);
		assert_int_equal(waitpid(daemon_pid, &st, 0), daemon_pid);
		assert_true(WIFEXITED(st));
		assert_int_equal(WEXITSTATUS(st), 0);
	}
	return 0;
}

struct asked {
	int64_t id;
	unsigned calls;
	int err, fd;
	char why[512], local[80], peer[80];
};

static void
answered(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct asked *a = user;

	a->calls++;
	a->err = err;
	a->fd = fd;
	if (err < 0)
		snprintf(a->why, sizeof a->why, "%s", why);
	else
		snprintf(a->local, sizeof a->local, "%s",
		    json_string_value(json_object_get(result, "local"))),
		    snprintf(a->peer, sizeof a->peer, "%s",
			json_string_value(json_object_get(result, "peer")));
	if (--pending == 0)
		loop_stop(loop);
}

static void
ask_op(struct asked *a, const char *op, json_t *args)
{
	assert_non_null(args);
	*a = (struct asked){ .fd = -1 };
	a->id = helper_server_request(
	    driver, op, args, loop_now_update(loop) + PATIENCE_US, answered, a);
	assert_true(a->id > 0);
	pending++;
}

static void
ask(struct asked *a, const char *address, int port, int timeout_ms)
{
	ask_op(a, "connect",
	    json_pack(
		"{s:s, s:i, s:i}", "address", address, "port", port, "timeout_ms", timeout_ms));
}

static void
answers(void)
{
	while (pending > 0)
		assert_int_equal(loop_run(loop), 0);
}

static void
connected_socket_is_handed_over(void **state)
{
	static const char *const address[] = { "127.0.0.1", "::1" };

	(void)state;
	for (int i = 0; i < (test_net_has_ipv6() ? 2 : 1); i++) {
		uint16_t port;
		int listener = test_net_listen(address[i], 8, &port), peer;
		struct asked a;
		char want[80], c = 0;

		ask(&a, address[i], port, 10000);
		answers();
		assert_int_equal(a.err, 0);
		assert_true(a.fd >= 0);
		snprintf(want, sizeof want, i == 0 ? "%s:%u" : "[%s]:%u", address[i], port);
		assert_string_equal(a.peer, want);
		assert_int_equal(strncmp(a.local, want, strlen(want) - 5), 0);
		assert_true(fcntl(a.fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(a.fd, F_GETFD) & FD_CLOEXEC);
		peer = accept(listener, NULL, NULL);
		assert_int_equal(send(a.fd, "x", 1, 0), 1);
		assert_int_equal(recv(peer, &c, 1, MSG_WAITALL), 1);
		/* Nobody else holds it: closing it is the end of the connection. */
		close(a.fd);
		assert_int_equal(recv(peer, &c, 1, 0), 0);
		close(peer);
		close(listener);
	}
}

static void
failures_have_their_errno_and_a_sentence(void **state)
{
	struct test_net_hole hole;
	struct asked refused, silent, source, interface, control;
	uint16_t port;
	int holder = test_net_refusing(&port);

	(void)state;
	test_net_hole_open(&hole);
	ask(&refused, "127.0.0.1", port, 10000);
	ask(&silent, "127.0.0.1", hole.port, 30);
	ask_op(&source, "connect",
	    json_pack("{s:s, s:i, s:i, s:s}", "address", "127.0.0.1", "port", 1, "timeout_ms",
		10000, "source", "192.0.2.77"));
	ask_op(&interface, "connect",
	    json_pack("{s:s, s:i, s:i, s:s}", "address", "127.0.0.1", "port", 1, "timeout_ms",
		10000, "interface", "nosuchif0"));
	ask_op(&control, "connect",
	    json_pack("{s:s, s:i, s:i, s:s}", "address", "127.0.0.1", "port", 1, "timeout_ms",
		10000, "congestion_control", "nosuch"));
	answers();
	assert_int_equal(refused.err, -ECONNREFUSED);
	assert_non_null(strstr(refused.why, "cannot connect to 127.0.0.1:"));
	assert_non_null(strstr(refused.why, "nothing listens"));
	assert_int_equal(silent.err, -ETIMEDOUT);
	assert_non_null(strstr(silent.why, "no answer"));
	assert_int_equal(source.err, -EADDRNOTAVAIL);
	assert_non_null(strstr(source.why, "192.0.2.77"));
	assert_true(interface.err == -ENODEV || interface.err == -EPERM);
	assert_non_null(strstr(interface.why, "nosuchif0"));
	assert_true(control.err == -ENOENT || control.err == -EPERM);
	assert_non_null(strstr(control.why, "using the congestion control nosuch: "));
	close(holder);
	test_net_hole_close(&hole);
}

static unsigned
sockets_of_daemon(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++) {
		char path[64], target[64] = "";

		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)daemon_pid, fd);
		n += readlink(path, target, sizeof target - 1) > 0 &&
		     strncmp(target, "socket:", 7) == 0;
	}
	return n;
}

static void
cancelled_request_is_given_up(void **state)
{
	struct test_net_hole hole;
	struct asked silent, next;
	unsigned before = sockets_of_daemon();
	uint16_t port;
	int holder;

	(void)state;
	if (before == 0) /* it has the driver's: only root may look into a private process */
		skip();
	holder = test_net_refusing(&port);
	test_net_hole_open(&hole);
	ask(&silent, "127.0.0.1", hole.port, 50000);
	pending--; /* it is not waited for */
	ask(&next, "127.0.0.1", port, 10000);
	answers();
	assert_int_equal(sockets_of_daemon(), before + 1);
	assert_true(helper_server_cancel(driver, silent.id));
	/* When this one is answered, the one before it was taken. */
	ask(&next, "127.0.0.1", port, 10000);
	answers();
	assert_int_equal(sockets_of_daemon(), before);
	assert_int_equal(silent.calls, 0);
	close(holder);
	test_net_hole_close(&hole);
}

static void
two_hundred_at_once_and_one_that_hangs(void **state)
{
	static struct asked a[200];
	struct test_net_hole hole;
	struct asked silent;
	uint16_t port;
	int listener = test_net_listen("127.0.0.1", 256, &port);

	(void)state;
	test_net_hole_open(&hole);
	ask(&silent, "127.0.0.1", hole.port, 50000);
	for (int i = 0; i < 200; i++)
		ask(&a[i], "127.0.0.1", port, 20000);
	pending--;
	answers();
	assert_int_equal(silent.calls, 0);
	assert_true(helper_server_cancel(driver, silent.id));
	for (int i = 0; i < 200; i++) {
		assert_int_equal(a[i].err, 0);
		assert_int_equal(a[i].calls, 1);
		close(a[i].fd);
	}
	close(listener);
	test_net_hole_close(&hole);
}

static void
more_than_descriptors_allow_are_refused(void **state)
{
	enum { ASKED = 40, SERVED = 32 };
	static struct asked a[ASKED];
	struct test_net_hole hole;
	unsigned refused = 0;

	(void)state;
	teardown(NULL);
	setup_few(SERVED + 32);
	test_net_hole_open(&hole);
	for (int i = 0; i < ASKED; i++)
		ask(&a[i], "127.0.0.1", hole.port, 50000);
	pending = ASKED - SERVED;
	answers();
	for (int i = 0; i < ASKED; i++) {
		refused += a[i].err == -EAGAIN;
		if (a[i].calls == 0)
			assert_true(helper_server_cancel(driver, a[i].id));
	}
	assert_int_equal(refused, ASKED - SERVED);
	test_net_hole_close(&hole);
}

static void
bad_arguments_are_refused_with_a_sentence(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"address\":\"127.0.0.1\",\"port\":1}",
		"{\"address\":\"127.0.0.1\",\"timeout_ms\":1000}",
		"{\"address\":\"localhost\",\"port\":1,\"timeout_ms\":1000}",
		"{\"address\":\"\",\"port\":1,\"timeout_ms\":1000}",
		"{\"address\":7,\"port\":1,\"timeout_ms\":1000}",
		"{\"address\":\"127.0.0.1\",\"port\":0,\"timeout_ms\":1000}",
		"{\"address\":\"127.0.0.1\",\"port\":65536,\"timeout_ms\":1000}",
		"{\"address\":\"127.0.0.1\",\"port\":\"1\",\"timeout_ms\":1000}",
		"{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":0}",
		"{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":-1}",
		"{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":1e3}",
		"{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":9000000000}",
		"{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":1000,\"source\":\"::1\"}",
		"{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":1000,\"source\":\"home\"}",
		"{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":1000,\"interface\":\"a/b\"}",
		"{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":1000,\"congestion_control\":"
		"\"a b\"}",
		("{\"address\":\"127.0.0.1\",\"port\":1,\"timeout_ms\":1000,"
		 "\"interface\":\"0123456789abcdef\"}"),
		"{\"address\":\"fe80::1\",\"port\":1,\"timeout_ms\":1000}",
		"{\"address\":\"0.0.0.0\",\"port\":1,\"timeout_ms\":1000}",
	};
	struct asked a;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ask_op(&a, "connect", json_loads(bad[i], 0, NULL));
		answers();
		if (a.err != -EINVAL || a.why[0] == '\0')
			fail_msg("%s: %d %s", bad[i], a.err, a.why);
	}
	ask_op(&a, "resolve", json_object());
	answers();
	assert_int_equal(a.err, -EOPNOTSUPP);
}

static void
daemon_finds_a_restarted_driver(void **state)
{
	struct test_net_hole hole;
	struct asked a;
	unsigned before = sockets_of_daemon();
	uint16_t port;
	int holder = test_net_refusing(&port);

	(void)state;
	test_net_hole_open(&hole);
	for (int i = 0; i < 3; i++) {
		/* One is open when the driver goes; it is given up with it. */
		ask(&a, "127.0.0.1", hole.port, 50000);
		helper_server_free(driver);
		pending = 0;
		driver_start();
		wait_for_daemon(daemon_pid);
		ask(&a, "127.0.0.1", port, 10000);
		answers();
		assert_int_equal(a.err, -ECONNREFUSED);
		assert_int_equal(sockets_of_daemon(), before);
	}
	close(holder);
	test_net_hole_close(&hole);
}

static void
request_survives_the_death_of_the_daemon(void **state)
{
	uint16_t port;
	int holder = test_net_refusing(&port);
	struct test_net_hole hole;
	struct asked a, b;
	int st;

	(void)state;
	test_net_hole_open(&hole);
	ask(&a, "127.0.0.1", hole.port, 100);
	kill(daemon_pid, SIGKILL);
	assert_int_equal(waitpid(daemon_pid, &st, 0), daemon_pid);
	ask(&b, "127.0.0.1", port, 10000);
	daemon_pid = spawn("--foreground", 0);
	answers();
	assert_int_equal(helper_server_pid(driver), daemon_pid);
	assert_int_equal(a.err, -ETIMEDOUT);
	assert_int_equal(b.err, -ECONNREFUSED);
	close(holder);
	test_net_hole_close(&hole);
}

/* A driver without manners: datagrams as they are. */
static int
accept_daemon(int listener)
{
	char hello[1024];
	int fd = accept(listener, NULL, NULL), none;

	assert_true(fd >= 0);
	assert_true(sock_recv(fd, hello, sizeof hello, &none) > 0);
	return fd;
}

static void
hostile_datagrams_do_no_harm(void **state)
{
	static char deep[4096], wide[65536];
	const char *const bad[] = { "x", "{", "[]", "null", "{}", "\n", "\"\"", "{\"id\":1}",
		"{\"op\":\"connect\"}", "{\"id\":-1,\"op\":\"connect\",\"args\":{}}",
		"{\"id\":1e400,\"op\":\"connect\",\"args\":{}}",
		"{\"id\":\"1\",\"op\":\"connect\",\"args\":{}}", "{\"id\":1,\"op\":7,\"args\":{}}",
		"{\"id\":1,\"op\":\"connect\",\"args\":[]}",
		"{\"id\":1,\"op\":\"connect\",\"args\":null}", "{\"id\":1,\"op\":\"connect\"}",
		"{\"id\":1,\"op\":\"cancel\",\"args\":{\"of\":\"x\"}}",
		"{\"id\":1,\"op\":\"cancel\",\"args\":{\"of\":12345}}",
		"{\"id\":1,\"op\":\"cancel\"}", "{\"id\":1,\"id\":2,\"op\":\"connect\"}",
		"\xff\xfe", "{\"\xff\":1}", deep, wide };
	char answer[4096];
	int listener, fd, passed;

	(void)state;
	memset(deep, '[', sizeof deep - 1);
	memset(wide, 'a', sizeof wide - 1);
	wide[0] = wide[sizeof wide - 2] = '"';
	helper_server_free(driver);
	driver = NULL;
	listener = sock_listen(paths.iswd_sock, SOCK_SEQPACKET, 0666);
	assert_true(listener >= 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		static const char good[] =
		    "{\"id\":77,\"op\":\"connect\",\"args\":{\"address\":\"there\",\"port\":1,"
		    "\"timeout_ms\":1}}\n";

		fd = accept_daemon(listener);
		/* After a good one it does not wait long to come again, once it has hung up. */
		assert_true(sock_send(fd, good, sizeof good - 1, -1) > 0);
		assert_true(sock_recv(fd, answer, sizeof answer, &passed) > 0);
		assert_true(sock_send(fd, bad[i], strlen(bad[i]), listener) > 0);
		(void)sock_send(fd, good, sizeof good - 1, -1);
		/* It answers the good one behind, or it has hung up and comes again. */
		for (;;) {
			ssize_t n = sock_recv(fd, answer, sizeof answer - 1, &passed);

			assert_int_equal(passed, -1);
			if (n <= 0)
				break;
			answer[n] = '\0';
			if (strstr(answer, "\"id\":77") != NULL) {
				assert_non_null(strstr(answer, "EINVAL"));
				break;
			}
		}
		close(fd);
	}
	close(listener);
	driver_start();
	wait_for_daemon(daemon_pid);
}

static void
daemon_has_given_up_its_privileges(void **state)
{
	char path[64], line[256];
	unsigned long long caps;
	int found = 0, new_privs, filter;
	unsigned uid, saved_uid;
	FILE *f;

	(void)state;
	snprintf(path, sizeof path, "/proc/%d/status", (int)daemon_pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "CapEff: %llx", &caps) == 1 ||
		    sscanf(line, "CapPrm: %llx", &caps) == 1) {
			assert_int_equal(caps & ~(1ull << 13 /* CAP_NET_RAW */), 0);
			found++;
		} else if (sscanf(line, "NoNewPrivs: %d", &new_privs) == 1) {
			assert_int_equal(new_privs, 1);
			found++;
		} else if (sscanf(line, "Seccomp: %d", &filter) == 1) {
			assert_int_equal(filter, 2);
			found++;
		} else if (sscanf(line, "Uid: %*u %u %u", &uid, &saved_uid) == 2) {
			/* An ordinary user stays who he is. */
			assert_true(uid != 0 && saved_uid == uid);
			found++;
		}
	}
	fclose(f);
	assert_int_equal(found, 5);
}

static void
one_instance_a_root_is_started_seen_and_stopped(void **state)
{
	(void)state;
	assert_int_equal(run("--status"), 3);
	assert_int_equal(run("--stop"), 0);
	/* Into the background; ready when it returns. */
	assert_int_equal(run("--debug=err"), 0);
	assert_int_equal(run("--status"), 0);
	assert_int_equal(run("--debug=err"), 1);
	assert_int_equal(run("--foreground"), 1);
	assert_int_equal(run("--stop"), 0);
	assert_int_equal(run("--status"), 3);
	assert_int_equal(access(paths.iswd_pid, F_OK), -1);
	assert_int_equal(run("--debug=loud"), 2);
	assert_int_equal(run("--frobnicate"), 2);
	assert_int_equal(run("--version"), 0);
	assert_int_equal(run("--help"), 0);
}

static void
remove_root(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", root, (char *)NULL);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_instance_a_root_is_started_seen_and_stopped),
		T(connected_socket_is_handed_over),
		T(failures_have_their_errno_and_a_sentence),
		T(cancelled_request_is_given_up),
		T(two_hundred_at_once_and_one_that_hangs),
		T(more_than_descriptors_allow_are_refused),
		T(bad_arguments_are_refused_with_a_sentence),
		T(daemon_finds_a_restarted_driver),
		T(request_survives_the_death_of_the_daemon),
		T(hostile_datagrams_do_no_harm),
		T(daemon_has_given_up_its_privileges),
	};
	char why[BENEATH_WHY_BYTES];
	int ret;

	/* 0755: a directory that the user the daemon becomes can enter. */
	if (argc != 2 || mkdtemp(root) == NULL || chmod(root, 0755) < 0 ||
	    paths_init(&paths, root) < 0 || paths_mkdirs(&paths, why) < 0)
		return 2;
	program = argv[1];
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	paths_fini(&paths);
	remove_root();
	return ret;
}
