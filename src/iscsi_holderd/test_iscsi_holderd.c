/* The program, against a driver that is this test.  usage: test_iscsi_holderd PATH-OF-iscsi_holderd
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/held.h"
#include "sys/paths.h"
#include "sys/sock.h"

static const char *program;
static char root[] = "/tmp/test-holder-XXXXXX";
static struct paths paths;

static int
run(const char *option)
{
	pid_t pid = fork();
	int st;

	assert_true(pid >= 0);
	if (pid == 0) {
		execl(program, program, "--root", root, option, (char *)NULL);
		_exit(127);
	}
	assert_true(waitpid(pid, &st, 0) == pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int
start(void **state)
{
	(void)state;
	return run("--debug=err");
}

static int
stop(void **state)
{
	(void)state;
	return run("--stop");
}

static int
connect_to_it(void)
{
	int fd = sock_connect(paths.holder_sock, SOCK_SEQPACKET);

	assert_true(fd >= 0);
	return fd;
}

static void
say(int fd, enum held_op op, uint32_t key, uint64_t life, const int *fds)
{
	struct held_msg m = { .op = op, .key = key, .life = life };

	assert_int_equal(
	    sock_send_fds(fd, &m, sizeof m, fds, fds != NULL ? HELD_FDS : 0), sizeof m);
}

/* A pipe whose ends are the two descriptors, with the key's digits in it. */
static void
put(int fd, uint32_t key, uint64_t life)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], &key, sizeof key), sizeof key);
	say(fd, HELD_PUT, key, life, ends);
	close(ends[0]);
	close(ends[1]);
}

/* What it has: keys as bits; each pair is the one that was given under its key. */
static uint64_t
list(int fd)
{
	uint64_t keys = 0;
	struct held_msg m;
	uint32_t n = 0, inside;
	int fds[HELD_FDS];

	say(fd, HELD_LIST, 0, 0, NULL);
	for (;;) {
		assert_int_equal(sock_recv_fds(fd, &m, sizeof m, fds, HELD_FDS), sizeof m);
		if (m.op == HELD_END)
			break;
		assert_int_equal(m.op, HELD_ITEM);
		assert_true(fds[0] >= 0 && fds[1] >= 0 && m.key < 64);
		assert_int_equal(read(fds[0], &inside, sizeof inside), sizeof inside);
		assert_int_equal(inside, m.key);
		/* Back in, for the next one. */
		assert_int_equal(write(fds[1], &inside, sizeof inside), sizeof inside);
		close(fds[0]);
		close(fds[1]);
		assert_false(keys >> m.key & 1);
		keys |= 1ull << m.key;
		n++;
	}
	assert_int_equal(m.key, n);
	return keys;
}

static void
what_a_dead_driver_gave_the_next_one_finds(void **state)
{
	int first = connect_to_it(), second;

	(void)state;
	put(first, 3, 1);
	put(first, 5, 1);
	put(first, 5, 1);
	say(first, HELD_DROP, 3, 1, NULL);
	say(first, HELD_DROP, 60, 1, NULL);
	put(first, 9, 1);
	close(first); /* as it ends that is killed: nothing of it is lost that was sent */
	second = connect_to_it();
	assert_int_equal(list(second), 1u << 5 | 1u << 9);
	assert_int_equal(list(second), 1u << 5 | 1u << 9);
	say(second, HELD_DROP, 5, 1, NULL);
	assert_int_equal(list(second), 1u << 9);
	close(second);
}

static void
who_has_sent_all_has_the_rest_forgotten(void **state)
{
	int fd = connect_to_it();

	(void)state;
	put(fd, 1, 1);
	put(fd, 2, 1);
	put(fd, 2, 2);
	put(fd, 4, 2);
	say(fd, HELD_FORGET, 0, 2, NULL);
	assert_int_equal(list(fd), 1u << 2 | 1u << 4);
	close(fd);
}

/* Its end of a pair tells when nobody has the other one any more. */
static void
what_is_dropped_is_closed(void **state)
{
	int fd = connect_to_it(), pair[2], fds[HELD_FDS];
	struct pollfd p = { .events = POLLIN };

	(void)state;
	assert_int_equal(pipe(pair), 0);
	fds[0] = fds[1] = pair[1];
	say(fd, HELD_PUT, 7, 1, fds);
	close(pair[1]);
	p.fd = pair[0];
	assert_int_equal(poll(&p, 1, 0), 0);
	say(fd, HELD_DROP, 7, 1, NULL);
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_true((p.revents & POLLHUP) != 0);
	close(pair[0]);
	close(fd);
}

static void
what_makes_no_sense_is_passed_over_or_ends_the_connection(void **state)
{
	int fd = connect_to_it(), one[1] = { STDERR_FILENO };
	char large[256] = { 0 };
	struct held_msg m = { .op = HELD_PUT, .key = 11 };
	struct pollfd p = { .events = POLLIN };

	(void)state;
	put(fd, 1, 1);
	say(fd, (enum held_op)77, 1, 1, NULL); /* a newer driver's */
	assert_true(sock_send(fd, large, sizeof large, STDERR_FILENO) > 0);
	assert_true(sock_send(fd, large, 3, STDERR_FILENO) > 0);
	assert_int_equal(list(fd), 1u << 1);
	/* One descriptor is not two. */
	assert_int_equal(sock_send_fds(fd, &m, sizeof m, one, 1), sizeof m);
	p.fd = fd;
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_true((p.revents & POLLHUP) != 0);
	close(fd);
	fd = connect_to_it();
	assert_int_equal(list(fd), 1u << 1);
	close(fd);
}

static void
somebody_else_gets_nothing(void **state)
{
	int fd = connect_to_it(), st;
	struct stat sock;
	pid_t pid;

	(void)state;
	assert_int_equal(stat(paths.holder_sock, &sock), 0);
	assert_int_equal(sock.st_mode & 07777, 0600);
	put(fd, 1, 1);
	if (geteuid() != 0)
		skip();
	/* Even where the file lets him. */
	assert_int_equal(chmod(paths.holder_sock, 0666), 0);
	assert_int_equal(chmod(root, 0755), 0);
	pid = fork();
	if (pid == 0) {
		struct held_msg m = { .op = HELD_LIST };
		int got[HELD_FDS], other;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		other = sock_connect(paths.holder_sock, SOCK_SEQPACKET);
		if (other < 0)
			_exit(3);
		(void)sock_send(other, &m, sizeof m, -1); /* it may be closed by now */
		_exit(sock_recv_fds(other, &m, sizeof m, got, HELD_FDS) > 0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
	/* And the driver is still connected. */
	assert_int_equal(list(fd), 1u << 1);
	close(fd);
}

static void
there_is_one_a_root(void **state)
{
	(void)state;
	assert_int_equal(run("--status"), 0);
	assert_int_equal(run("--foreground"), 1);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_a_dead_driver_gave_the_next_one_finds, start, stop),
		cmocka_unit_test_setup_teardown(
		    who_has_sent_all_has_the_rest_forgotten, start, stop),
		cmocka_unit_test_setup_teardown(what_is_dropped_is_closed, start, stop),
		cmocka_unit_test_setup_teardown(
		    what_makes_no_sense_is_passed_over_or_ends_the_connection, start, stop),
		cmocka_unit_test_setup_teardown(somebody_else_gets_nothing, start, stop),
		cmocka_unit_test_setup_teardown(there_is_one_a_root, start, stop),
	};
	int failed;

	if (argc != 2 || mkdtemp(root) == NULL || paths_init(&paths, root) < 0)
		return 2;
	program = argv[1];
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		failed = 1;
	paths_fini(&paths);
	return failed;
}
