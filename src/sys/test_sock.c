#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/sock.h"

static char dir[64], path[512];

static int
make_dir(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/openisw-sock-XXXXXX", sizeof dir - 1);
	if (mkdtemp(dir) == NULL)
		return -1;
	return snprintf(path, sizeof path, "%s/s", dir) > 0 ? 0 : -1;
}

static int
remove_dir(void **state)
{
	(void)state;
	(void)unlink(path); /* most tests leave their socket */
	return rmdir(dir);
}

static void
a_socket_has_exactly_the_wanted_mode(void **state)
{
	mode_t was = umask(0077);
	struct stat st;
	int fd = sock_listen(path, SOCK_STREAM, 0666);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	umask(was);
	close(fd);
}

static void
a_socket_left_behind_is_replaced_but_a_living_one_is_not(void **state)
{
	int fd = sock_listen(path, SOCK_STREAM, 0600), other;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sock_listen(path, SOCK_STREAM, 0600), -EADDRINUSE);
	assert_int_equal(sock_listen(path, SOCK_SEQPACKET, 0600), -EADDRINUSE);
	close(fd);
	assert_int_equal(sock_connect(path, SOCK_STREAM), -ECONNREFUSED);
	other = sock_listen(path, SOCK_STREAM, 0600);
	assert_true(other >= 0);
	close(other);
}

static void
a_directory_that_is_open_takes_a_socket_by_its_name(void **state)
{
	mode_t was = umask(0022);
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, peer;
	struct stat st;

	(void)state;
	assert_true(at >= 0);
	fd = sock_listen_at(at, "s", SOCK_STREAM, 0600);
	assert_true(fd >= 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	peer = sock_connect(path, SOCK_STREAM);
	assert_true(peer >= 0);
	assert_int_equal(sock_listen_at(at, "s", SOCK_STREAM, 0600), -EADDRINUSE);
	close(peer);
	close(fd);
	fd = sock_listen_at(at, "s", SOCK_STREAM, 0600); /* nobody is there any more */
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_int_equal(sock_listen_at(at, "s", SOCK_STREAM, 0600), -EEXIST);
	close(at);
	umask(was);
}

static void
a_file_that_is_no_socket_is_left_alone(void **state)
{
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	fclose(f);
	assert_int_equal(sock_listen(path, SOCK_STREAM, 0600), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
}

static void
nobody_there_is_told_apart(void **state)
{
	(void)state;
	assert_int_equal(sock_connect(path, SOCK_STREAM), -ENOENT);
}

static void
a_path_longer_than_the_kernel_s_limit_works(void **state)
{
	char deep[300], sock[320];
	struct stat st;
	int fd, c, a;

	(void)state;
	assert_true(snprintf(deep, sizeof deep, "%s/%0200d", dir, 0) > 0);
	assert_int_equal(mkdir(deep, 0700), 0);
	assert_true(snprintf(sock, sizeof sock, "%s/s", deep) > 0);
	assert_int_equal(sock_connect(sock, SOCK_STREAM), -ENOENT);
	fd = sock_listen(sock, SOCK_STREAM | SOCK_NONBLOCK, 0640);
	assert_true(fd >= 0);
	assert_int_equal(stat(sock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	c = sock_connect(sock, SOCK_STREAM);
	assert_true(c >= 0);
	a = sock_accept(fd);
	assert_true(a >= 0);
	assert_int_equal(sock_accept(fd), -EAGAIN);
	close(a);
	close(c);
	close(fd);
	assert_int_equal(unlink(sock), 0);
	assert_int_equal(rmdir(deep), 0);
}

static void
the_peer_is_who_the_kernel_says(void **state)
{
	struct sock_peer peer;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(sock_peer(pair[0], &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	close(pair[0]);
	close(pair[1]);
}

static void
a_descriptor_travels_with_its_message(void **state)
{
	int pair[2], pass = open("/dev/null", O_RDONLY), got = -2;
	struct stat want, have;
	char buf[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(sock_send(pair[0], "hello", 5, pass), 5);
	assert_int_equal(sock_recv(pair[1], buf, sizeof buf, &got), 5);
	assert_true(got >= 0 && got != pass);
	assert_int_equal(fcntl(got, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fstat(pass, &want), 0);
	assert_int_equal(fstat(got, &have), 0);
	assert_int_equal(have.st_rdev, want.st_rdev);
	close(got);
	assert_int_equal(sock_send(pair[0], "x", 1, -1), 1);
	assert_int_equal(sock_recv(pair[1], buf, sizeof buf, &got), 1);
	assert_int_equal(got, -1);
	close(pass);
	close(pair[0]);
	close(pair[1]);
}

/* The number a new descriptor would get: grows when one is leaked. */
static int
next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void
descriptors_that_nobody_wants_are_closed(void **state)
{
	int pair[2], pass, before, got;
	char buf[4];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pass = open("/dev/null", O_RDONLY);
	before = next_fd();
	assert_int_equal(sock_send(pair[0], "abc", 3, pass), 3);
	assert_int_equal(sock_recv(pair[1], buf, sizeof buf, NULL), 3);
	assert_int_equal(next_fd(), before);
	assert_int_equal(sock_send(pair[0], "too long", 8, pass), 8);
	assert_int_equal(sock_recv(pair[1], buf, sizeof buf, &got), -EMSGSIZE);
	assert_int_equal(got, -1);
	assert_int_equal(next_fd(), before);
	close(pass);
	close(pair[0]);
	assert_int_equal(sock_recv(pair[1], buf, sizeof buf, &got), 0);
	assert_int_equal(sock_send(pair[1], "x", 1, -1), -EPIPE);
	close(pair[1]);
}

static void
a_descriptor_that_there_is_no_room_for_is_told(void **state)
{
	int pair[2], fd = 0;
	struct rlimit before, none;
	char byte;
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(sock_send(pair[0], "x", 1, pair[0]), 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	n = sock_recv(pair[1], &byte, 1, &fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(n, 1);
	assert_int_equal(fd, -EMFILE);
	close(pair[0]);
	close(pair[1]);
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(a_socket_has_exactly_the_wanted_mode),
		WITH_DIR(a_socket_left_behind_is_replaced_but_a_living_one_is_not),
		WITH_DIR(a_directory_that_is_open_takes_a_socket_by_its_name),
		WITH_DIR(a_file_that_is_no_socket_is_left_alone),
		WITH_DIR(nobody_there_is_told_apart),
		WITH_DIR(a_path_longer_than_the_kernel_s_limit_works),
		cmocka_unit_test(the_peer_is_who_the_kernel_says),
		cmocka_unit_test(a_descriptor_travels_with_its_message),
		cmocka_unit_test(descriptors_that_nobody_wants_are_closed),
		cmocka_unit_test(a_descriptor_that_there_is_no_room_for_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
