#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "iswd/opening.h"
#include "iswd/test_net.h"

static struct loop *loop;
static unsigned pending;

struct result {
	struct opening o;
	int err, fd;
	unsigned calls;
};

static void
note(struct opening *o, int err, int fd)
{
	struct result *r = LIST_ENTRY(o, struct result, o);

	r->err = err;
	r->fd = fd;
	r->calls++;
	if (--pending == 0)
		loop_stop(loop);
}

static int
setup(void **state)
{
	(void)state;
	pending = 0;
	loop = loop_new();
	return loop != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static struct literal
literal(const char *text, uint16_t port)
{
	struct literal l;
	char why[256];

	assert_int_equal(literal_parse(&l, text, port, "", why, sizeof why), 0);
	return l;
}

static int
start(struct result *r, const struct opening_args *a)
{
	int err;

	*r = (struct result){ .o.done = note, .fd = -1 };
	err = opening_start(&r->o, loop, a);
	assert_int_equal(r->calls, 0);
	pending += err == 0;
	return err;
}

/* Open and wait. */
static struct result
open_one(const struct opening_args *a)
{
	struct result r;
	int err = start(&r, a);

	if (err < 0)
		r.err = err;
	else
		assert_int_equal(loop_run(loop), 0);
	return r;
}

static int
get(int fd, int level, int option)
{
	int v = -1;
	socklen_t len = sizeof v;

	assert_int_equal(getsockopt(fd, level, option, &v, &len), 0);
	return v;
}

static void
socket_is_connected_and_tuned(void **state)
{
	static const char *const address[] = { "127.0.0.1", "::1" };

	(void)state;
	for (int i = 0; i < (test_net_has_ipv6() ? 2 : 1); i++) {
		uint16_t port;
		int listener = test_net_listen(address[i], 8, &port);
		struct opening_args a = { .peer = literal(address[i], port),
			.timeout_us = 60000000 };
		struct result r = open_one(&a);

		assert_int_equal(r.err, 0);
		assert_true(fcntl(r.fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(r.fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(get(r.fd, IPPROTO_TCP, TCP_NODELAY), 1);
		assert_int_equal(get(r.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
		assert_int_equal(get(r.fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
		assert_int_equal(get(r.fd, IPPROTO_TCP, TCP_KEEPINTVL), 5);
		assert_int_equal(get(r.fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
		assert_int_equal(get(r.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 45000);
		int peer = accept(listener, NULL, NULL);
		assert_true(peer >= 0);
		assert_int_equal(send(r.fd, "x", 1, 0), 1);
		char c;
		assert_int_equal(recv(peer, &c, 1, MSG_WAITALL), 1);
		close(peer);
		close(r.fd);
		close(listener);
	}
}

static void
port_nobody_listens_at_refuses(void **state)
{
	struct opening_args a = { .timeout_us = 60000000 };
	uint16_t port;
	int holder = test_net_refusing(&port);
	struct result r;

	(void)state;
	a.peer = literal("127.0.0.1", port);
	r = open_one(&a);
	assert_int_equal(r.err, -ECONNREFUSED);
	assert_int_equal(r.fd, -1);
	close(holder);
}

static void
silence_ends_at_the_deadline_and_not_before(void **state)
{
	struct test_net_hole hole;
	struct opening_args a = { .timeout_us = 30000 };
	struct result r;
	uint64_t began = loop_now_update(loop);

	(void)state;
	test_net_hole_open(&hole);
	a.peer = literal("127.0.0.1", hole.port);
	r = open_one(&a);
	assert_int_equal(r.err, -ETIMEDOUT);
	assert_int_equal(r.o.step, OPENING_CONNECT);
	assert_true(loop_now_update(loop) - began >= 30000);
	test_net_hole_close(&hole);
}

static void
cancelled_opening_is_silent_and_closes_its_socket(void **state)
{
	struct test_net_hole hole;
	struct opening_args a = { .timeout_us = 60000000 }, b;
	struct result r, other;
	uint16_t port;
	int holder = test_net_refusing(&port), fd;

	(void)state;
	test_net_hole_open(&hole);
	a.peer = literal("127.0.0.1", hole.port);
	assert_int_equal(start(&r, &a), 0);
	fd = r.o.sock.fd;
	opening_cancel(&r.o);
	pending--;
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	b = a;
	b.peer = literal("127.0.0.1", port);
	other = open_one(&b);
	assert_int_equal(other.err, -ECONNREFUSED);
	assert_int_equal(r.calls, 0);
	close(holder);
	test_net_hole_close(&hole);
}

static void
two_hundred_open_at_once(void **state)
{
	static struct result r[200];
	struct opening_args a = { .timeout_us = 60000000 };
	uint16_t port;
	int listener = test_net_listen("127.0.0.1", 256, &port);

	(void)state;
	a.peer = literal("127.0.0.1", port);
	for (int i = 0; i < 200; i++)
		assert_int_equal(start(&r[i], &a), 0);
	assert_int_equal(loop_run(loop), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(r[i].calls, 1);
		assert_int_equal(r[i].err, 0);
		close(r[i].fd);
	}
	close(listener);
}

static void
source_address_is_the_local_end(void **state)
{
	static const char *const pairs[][2] = { { "127.0.0.1", "127.0.0.77" }, { "::1", "::1" } };

	(void)state;
	for (int i = 0; i < (test_net_has_ipv6() ? 2 : 1); i++) {
		struct literal local = { .len = sizeof local.addr };
		char text[LITERAL_BYTES], want[LITERAL_BYTES];
		uint16_t port;
		int listener = test_net_listen(pairs[i][0], 8, &port);
		struct opening_args a = { .peer = literal(pairs[i][0], port),
			.source = literal(pairs[i][1], 0),
			.timeout_us = 60000000 };
		struct result r = open_one(&a);

		assert_int_equal(r.err, 0);
		assert_int_equal(getsockname(r.fd, (struct sockaddr *)&local.addr, &local.len), 0);
		literal_print(&local, text);
		literal_print(&a.source, want);
		/* All but the port, which was left to the kernel. */
		assert_memory_equal(text, want, strlen(want) - 1);
		close(r.fd);
		close(listener);
	}
}

static void
source_that_is_not_of_this_host_is_refused_at_that_step(void **state)
{
	struct opening_args a = { .peer = literal("127.0.0.1", 1),
		.source = literal("192.0.2.77", 0),
		.timeout_us = 60000000 };
	struct result r = open_one(&a);

	(void)state;
	assert_int_equal(r.err, -EADDRNOTAVAIL);
	assert_int_equal(r.o.step, OPENING_SOURCE);
	assert_int_equal(r.calls, 0);
}

static void
interface_binds_or_says_that_there_is_none(void **state)
{
	uint16_t port;
	int listener = test_net_listen("127.0.0.1", 8, &port);
	struct opening_args a = {
		.peer = literal("127.0.0.1", port), .interface = "lo", .timeout_us = 60000000
	};
	struct result r = open_one(&a);

	(void)state;
	/* Before Linux 5.7 an ordinary user may not. */
	assert_true(r.err == 0 || (r.err == -EPERM && r.o.step == OPENING_INTERFACE));
	if (r.err == 0) {
		char name[IF_NAMESIZE] = "";
		socklen_t len = sizeof name;

		assert_int_equal(getsockopt(r.fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
		assert_string_equal(name, "lo");
		close(r.fd);
	}
	memcpy(a.interface, "nosuchif0", 10);
	r = open_one(&a);
	assert_true(r.err == -ENODEV || r.err == -EPERM);
	assert_int_equal(r.o.step, OPENING_INTERFACE);
	close(listener);
}

static void
congestion_control_is_what_was_asked_for_or_nothing(void **state)
{
	uint16_t port;
	int listener = test_net_listen("127.0.0.1", 8, &port);
	struct opening_args a = { .peer = literal("127.0.0.1", port),
		.congestion_control = "reno",
		.timeout_us = 60000000 };
	struct result r = open_one(&a);
	char name[16] = "";
	socklen_t len = sizeof name;

	(void)state;
	assert_int_equal(r.err, 0); /* each kernel has it, and everybody may use it */
	assert_int_equal(getsockopt(r.fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	assert_string_equal(name, "reno");
	close(r.fd);
	memcpy(a.congestion_control, "nosuch", 7);
	r = open_one(&a);
	assert_true(r.err == -ENOENT || r.err == -EPERM);
	assert_int_equal(r.o.step, OPENING_CONGESTION_CONTROL);
	close(listener);
}

static void
no_descriptor_left_is_an_error_and_leaks_nothing(void **state)
{
	struct rlimit before, low;
	struct opening_args a = { .peer = literal("127.0.0.1", 1), .timeout_us = 60000000 };
	struct result r;
	int next = dup(0);

	(void)state;
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &low);
	r = open_one(&a);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(r.err, -EMFILE);
	assert_int_equal(r.o.step, OPENING_SOCKET);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(socket_is_connected_and_tuned),
		T(port_nobody_listens_at_refuses),
		T(silence_ends_at_the_deadline_and_not_before),
		T(cancelled_opening_is_silent_and_closes_its_socket),
		T(two_hundred_open_at_once),
		T(source_address_is_the_local_end),
		T(source_that_is_not_of_this_host_is_refused_at_that_step),
		T(interface_binds_or_says_that_there_is_none),
		T(congestion_control_is_what_was_asked_for_or_nothing),
		T(no_descriptor_left_is_an_error_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
