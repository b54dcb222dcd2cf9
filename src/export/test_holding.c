/* What a driver says to its holder, against one that is this test. */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/holding.h"
#include "export/sockstate.h"
#include "sys/held.h"
#include "sys/sock.h"

#define LEFT_MAX 4

struct world {
	char dir[64], path[80];
	int listener, fd;
	struct held_msg left[LEFT_MAX]; /* what it answers LIST with */
	struct sockstate of[LEFT_MAX];  /* of those that are sockets; without a name: rubbish */
	size_t n_left;
	struct loop *loop;
	struct holding *h;
};

static void
listen_here(struct world *w)
{
	w->listener = sock_listen(w->path, SOCK_SEQPACKET, 0600);
	assert_true(w->listener >= 0);
}

static int
begin(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->fd = w->listener = -1;
	(void)snprintf(w->dir, sizeof w->dir, "/tmp/test-holding-XXXXXX"); /* fits */
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->path, sizeof w->path, "%s/sock", w->dir); /* fits */
	w->loop = loop_new();
	*state = w;
	return 0;
}

static int
end(void **state)
{
	struct world *w = *state;

	holding_unwatch(w->h);
	holding_free(w->h);
	loop_free(w->loop);
	if (w->fd >= 0)
		close(w->fd);
	if (w->listener >= 0)
		close(w->listener);
	(void)unlink(w->path); /* it may never have been there */
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

/* Anything that can be told apart: a file's inode. */
static struct export_held
make_held(void)
{
	const struct export_held held = { .device_fd = memfd_create("device", MFD_CLOEXEC),
		.state_fd = memfd_create("state", MFD_CLOEXEC) };

	assert_true(held.device_fd >= 0 && held.state_fd >= 0);
	return held;
}

static bool
is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

static void
close_held(const struct export_held *held)
{
	close(held->device_fd);
	close(held->state_fd);
}

static struct held_msg
hear(struct world *w, const struct export_held *same)
{
	struct held_msg m;
	int fds[HELD_FDS];

	assert_int_equal(sock_recv_fds(w->fd, &m, sizeof m, fds, HELD_FDS), sizeof m);
	assert_int_equal(m.op == HELD_PUT, fds[0] >= 0 && fds[1] >= 0);
	if (m.op != HELD_PUT)
		return m;
	assert_true(
	    same == NULL || (is_same(fds[0], same->device_fd) && is_same(fds[1], same->state_fd)));
	close(fds[0]);
	close(fds[1]);
	return m;
}

/* The holder, while a driver starts: it answers the one question. */
static void *
answer(void *arg)
{
	struct world *w = arg;
	struct held_msg m, last = { .op = HELD_END, .key = (uint32_t)w->n_left },
			   odd = { .op = 99 };
	struct export_held held;
	int fds[HELD_FDS];

	w->fd = sock_accept(w->listener); /* which blocks here */
	if (w->fd < 0)
		return NULL;
	(void)fcntl(w->fd, F_SETFL, 0); /* as does what follows */
	if (sock_recv_fds(w->fd, &m, sizeof m, fds, HELD_FDS) != sizeof m || m.op != HELD_LIST)
		return NULL;
	for (size_t i = 0; i < w->n_left; i++) {
		held = make_held();
		if (w->of[i].name[0] != '\0') {
			close(held.state_fd);
			held.state_fd = sockstate_make(&w->of[i]);
		}
		fds[0] = held.device_fd;
		fds[1] = held.state_fd;
		(void)!sock_send_fds(w->fd, &w->left[i], sizeof m, fds, HELD_FDS);
		close_held(&held);
	}
	(void)!sock_send(w->fd, &odd, sizeof odd, -1);
	(void)!sock_send(w->fd, &last, sizeof last, -1);
	return w;
}

static int
start(struct world *w)
{
	pthread_t holder;
	void *ended;
	int err;

	listen_here(w);
	assert_int_equal(pthread_create(&holder, NULL, answer, w), 0);
	err = holding_new(w->path, &w->h);
	assert_int_equal(pthread_join(holder, &ended), 0);
	assert_ptr_equal(ended, w);
	return err;
}

static void
leave_socket(struct world *w, uint32_t key, uint32_t session, const char *name)
{
	w->left[w->n_left] = (struct held_msg){ .op = HELD_ITEM, .key = HELD_SOCKET | key };
	w->of[w->n_left] =
	    (struct sockstate){ .session = session, .file_dev = 11 + key, .file_ino = 22 + key };
	(void)snprintf(w->of[w->n_left].name, sizeof w->of[0].name, "%s", name); /* fits */
	w->n_left++;
}

static void
what_was_left_is_taken_once(void **state)
{
	struct world *w = *state;
	struct export_held held;
	const uint32_t *keys;
	size_t n;

	w->left[0] = (struct held_msg){ .op = HELD_ITEM, .key = 9 };
	w->left[1] = (struct held_msg){ .op = HELD_ITEM, .key = 3 };
	w->n_left = 2;
	assert_int_equal(start(w), 0);
	keys = holding_left(w->h, &n);
	assert_int_equal(n, 2);
	assert_true(keys[0] == 3 && keys[1] == 9);
	assert_false(holding_take(w->h, 4, &held));
	assert_true(holding_take(w->h, 3, &held));
	assert_true(fcntl(held.device_fd, F_GETFD) == FD_CLOEXEC);
	close_held(&held);
	assert_false(holding_take(w->h, 3, &held));
	holding_drop(w->h, 9);
	assert_int_equal(hear(w, NULL).key, 9);
	assert_false(holding_take(w->h, 9, &held));
}

/* Whoever finds nothing would make something new in its place. */
static void
what_was_left_is_taken_also_where_there_are_no_descriptors(void **state)
{
	struct world *w = *state;
	struct export_held held;
	struct export_socket s;
	struct rlimit was, none;

	leave_socket(w, 1, 7, "c1t0d0");
	w->left[w->n_left++] = (struct held_msg){ .op = HELD_ITEM, .key = 9 };
	assert_int_equal(start(w), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_true(holding_take(w->h, 9, &held));
	assert_true(holding_take_socket(w->h, 7, "c1t0d0", &s));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(fcntl(held.device_fd, F_GETFD) == FD_CLOEXEC);
	assert_true(fcntl(held.state_fd, F_GETFD) == FD_CLOEXEC);
	assert_true(fcntl(s.fd, F_GETFD) == FD_CLOEXEC);
	close_held(&held);
	close(s.fd);
}

static void
a_holder_that_miscounts_or_ends_is_not_believed(void **state)
{
	struct world *w = *state;

	w->left[0] = (struct held_msg){ .op = HELD_END, .key = 7 };
	w->n_left = 1;
	assert_true(start(w) < 0);
	assert_null(w->h);
}

static void
what_is_put_and_dropped_is_said(void **state)
{
	struct world *w = *state;
	struct export_held held = make_held();
	struct held_msg m;

	assert_int_equal(start(w), 0);
	assert_int_equal(holding_pid(w->h), getpid());
	holding_put(w->h, 5, &held);
	m = hear(w, &held);
	assert_true(m.op == HELD_PUT && m.key == 5);
	holding_drop(w->h, 6); /* nobody has it */
	holding_drop(w->h, 5);
	m = hear(w, NULL);
	assert_true(m.op == HELD_DROP && m.key == 5);
	close_held(&held);
}

struct waiting {
	struct loop_fd f;
	struct loop *loop;
};

static void
ready(struct loop_fd *f, uint32_t events)
{
	(void)events;
	loop_stop(LIST_ENTRY(f, struct waiting, f)->loop);
}

static void
run_until_readable(struct world *w, int fd)
{
	struct waiting wait = { .f = { .fd = fd, .ready = ready }, .loop = w->loop };

	assert_int_equal(loop_watch(w->loop, &wait.f, EPOLLIN), 0);
	assert_int_equal(loop_run(w->loop), 0);
	loop_unwatch(w->loop, &wait.f);
}

static void
the_next_holder_is_given_all_and_has_the_rest_forgotten(void **state)
{
	struct world *w = *state;
	struct export_held a = make_held(), b = make_held(), c = make_held();
	struct held_msg m;
	uint64_t life;

	assert_int_equal(start(w), 0);
	assert_int_equal(holding_watch(w->h, w->loop), 0);
	holding_put(w->h, 1, &a);
	holding_put(w->h, 2, &b);
	life = hear(w, &a).life;
	(void)hear(w, &b);
	close(w->fd);
	close(w->listener);
	/* Nobody hears this, and nobody waits for it. */
	holding_drop(w->h, 1);
	holding_put(w->h, 3, &c);
	close_held(&b); /* what is held does not depend on it */
	b = (struct export_held){ -1, -1 };
	listen_here(w);
	run_until_readable(w, w->listener);
	w->fd = sock_accept(w->listener);
	assert_true(w->fd >= 0);
	run_until_readable(w, w->fd);
	m = hear(w, NULL);
	assert_true(m.op == HELD_PUT && m.key == 2 && m.life != life);
	life = m.life;
	m = hear(w, &c);
	assert_true(m.op == HELD_PUT && m.key == 3 && m.life == life);
	m = hear(w, NULL);
	assert_true(m.op == HELD_FORGET && m.life == life);
	assert_int_equal(holding_pid(w->h), getpid());
	close_held(&a);
	close_held(&c);
}

static void
without_a_holder_everything_works_until_one_comes(void **state)
{
	struct world *w = *state;
	struct export_held a = make_held(), taken;
	size_t n;

	assert_int_equal(holding_new(w->path, &w->h), 0);
	(void)holding_left(w->h, &n);
	assert_int_equal(n, 0);
	assert_false(holding_take(w->h, 1, &taken));
	assert_int_equal(holding_pid(w->h), 0);
	holding_put(w->h, 1, &a);
	assert_int_equal(holding_watch(w->h, w->loop), 0);
	listen_here(w);
	run_until_readable(w, w->listener);
	w->fd = sock_accept(w->listener);
	run_until_readable(w, w->fd);
	assert_int_equal(hear(w, &a).key, 1);
	assert_int_equal(hear(w, NULL).op, HELD_FORGET);
	close_held(&a);
}

/* ---- sockets ---- */

static void
sockets_that_were_left_are_taken_by_session_and_name(void **state)
{
	struct world *w = *state;
	struct export_socket s;
	struct export_held held;
	size_t n;

	leave_socket(w, 1, 7, "c1t0d0");
	leave_socket(w, 2, 7, "c1t0d1");
	w->left[w->n_left++] = (struct held_msg){ .op = HELD_ITEM, .key = 9 };
	assert_int_equal(start(w), 0);
	assert_int_equal(holding_left(w->h, &n)[0], 9);
	assert_int_equal(n, 1); /* sockets are no mounts */
	assert_false(holding_take(w->h, 7, &held));
	assert_true(holding_has_socket(w->h, 7, NULL) && holding_has_socket(w->h, 7, "c1t0d1"));
	assert_false(holding_has_socket(w->h, 8, NULL) || holding_has_socket(w->h, 7, "c1t0d2"));
	assert_false(holding_take_socket(w->h, 8, "c1t0d1", &s));
	assert_true(holding_take_socket(w->h, 7, "c1t0d1", &s));
	assert_true(s.file_dev == 13 && s.file_ino == 24);
	assert_true(fcntl(s.fd, F_GETFD) == FD_CLOEXEC);
	close(s.fd);
	assert_false(holding_take_socket(w->h, 7, "c1t0d1", &s));
	assert_true(holding_has_socket(w->h, 7, NULL));
	holding_drop_socket(w->h, 7, "c1t0d0"); /* not ours: nobody took it */
	holding_drop_socket(w->h, 7, "c1t0d1");
	assert_int_equal(hear(w, NULL).key, HELD_SOCKET | 2);
}

static bool
is_first(uint32_t session, const char *name, void *user)
{
	(void)user;
	assert_true(session == 7 || session == 8);
	return strcmp(name, "c1t0d0") == 0;
}

static void
sockets_that_nobody_keeps_or_knows_end(void **state)
{
	struct world *w = *state;
	struct export_socket s;

	leave_socket(w, 1, 7, "c1t0d0");
	leave_socket(w, 2, 8, "c2t0d0");
	leave_socket(w, 3, 7, ""); /* what is kept of it cannot be read */
	leave_socket(w, 4, 7, "c1t0d4");
	assert_int_equal(start(w), 0);
	assert_true(holding_take_socket(w->h, 7, "c1t0d4", &s));
	holding_keep_sockets(w->h, is_first, NULL);
	assert_int_equal(hear(w, NULL).key, HELD_SOCKET | 3);
	assert_int_equal(hear(w, NULL).key, HELD_SOCKET | 2);
	/* Whoever has been taken is not asked for. */
	holding_drop_socket(w->h, 7, "c1t0d4");
	assert_int_equal(hear(w, NULL).key, HELD_SOCKET | 4);
	assert_true(holding_has_socket(w->h, 7, "c1t0d0"));
	close(s.fd);
}

/* What a new one is given is no key that was left, and tells whose it is. */
static void
sockets_are_put_with_what_a_successor_has_to_know(void **state)
{
	struct world *w = *state;
	struct export_held held = make_held();
	const struct export_socket s = { .fd = held.device_fd, .file_dev = 3, .file_ino = 4 };
	struct sockstate of;
	struct held_msg m;
	int fds[HELD_FDS];

	leave_socket(w, 6, 7, "c1t0d0");
	assert_int_equal(start(w), 0);
	for (uint32_t i = 0; i < 2; i++) {
		holding_put_socket(w->h, 5, i == 0 ? "c3t0d0" : "c3t0d1", &s);
		assert_int_equal(sock_recv_fds(w->fd, &m, sizeof m, fds, HELD_FDS), sizeof m);
		assert_true(m.op == HELD_PUT && m.key == (HELD_SOCKET | (7 + i)));
		assert_true(is_same(fds[0], s.fd) && sockstate_read(fds[1], &of));
		assert_true(of.session == 5 && of.file_dev == 3 && of.file_ino == 4);
		assert_string_equal(of.name, i == 0 ? "c3t0d0" : "c3t0d1");
		assert_true(ftruncate(fds[1], 0) < 0); /* nobody changes it */
		close(fds[0]);
		close(fds[1]);
	}
	holding_drop_socket(w->h, 5, "c3t0d1");
	assert_int_equal(hear(w, NULL).key, HELD_SOCKET | 8);
	close_held(&held);
}

/* Each byte of what is kept that matters: any other one is another version's, or damage. */
static void
a_damaged_state_is_none(void **state)
{
	struct sockstate of = { .session = 1, .name = "c1t0d0" }, got;
	uint8_t b[128];
	ssize_t n;
	int fd = sockstate_make(&of), copy;

	(void)state;
	assert_true(sockstate_read(fd, &got));
	n = pread(fd, b, sizeof b, 0);
	assert_true(n > 0 && n < (ssize_t)sizeof b);
	for (ssize_t i = 0; i <= n; i++) { /* cut short at each byte */
		copy = memfd_create("copy", MFD_CLOEXEC);
		assert_int_equal(pwrite(copy, b, (size_t)i, 0), i);
		assert_int_equal(sockstate_read(copy, &got), i == n);
		close(copy);
	}
	for (ssize_t i = 0; i < 12; i++) { /* the magic number and the version */
		copy = memfd_create("copy", MFD_CLOEXEC);
		b[i] ^= 1;
		assert_int_equal(pwrite(copy, b, (size_t)n, 0), n);
		b[i] ^= 1;
		assert_false(sockstate_read(copy, &got));
		close(copy);
	}
	close(fd);
	memset(of.name, 'x', sizeof of.name); /* it has no end */
	fd = sockstate_make(&of);
	assert_false(sockstate_read(fd, &got));
	close(fd);
	(void)snprintf(of.name, sizeof of.name, "../c1t0d0"); /* fits */
	fd = sockstate_make(&of);
	assert_false(sockstate_read(fd, &got));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_left_is_taken_once, begin, end),
		cmocka_unit_test_setup_teardown(
		    what_was_left_is_taken_also_where_there_are_no_descriptors, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_holder_that_miscounts_or_ends_is_not_believed, begin, end),
		cmocka_unit_test_setup_teardown(what_is_put_and_dropped_is_said, begin, end),
		cmocka_unit_test_setup_teardown(
		    the_next_holder_is_given_all_and_has_the_rest_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(
		    without_a_holder_everything_works_until_one_comes, begin, end),
		cmocka_unit_test_setup_teardown(
		    sockets_that_were_left_are_taken_by_session_and_name, begin, end),
		cmocka_unit_test_setup_teardown(sockets_that_nobody_keeps_or_knows_end, begin, end),
		cmocka_unit_test_setup_teardown(
		    sockets_are_put_with_what_a_successor_has_to_know, begin, end),
		cmocka_unit_test(a_damaged_state_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
