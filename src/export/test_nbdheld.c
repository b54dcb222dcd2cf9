/* The socket of a disk outlives its process: whoever connects meanwhile is served by the next one.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/nbdtest.h"
#include "sys/sock.h"

struct world {
	struct nbdtest t;
	struct export_socket kept; /* fd -1: nothing is */
	unsigned held, dropped, taken;
};

static void
on_started(void *user, int err)
{
	(void)user;
	assert_int_equal(err, 0);
}

static void
on_stopped(void *user)
{
	((struct nbdtest *)user)->is_stopped = true;
}

static void
on_hold(void *user, const char *name, const struct export_socket *s)
{
	struct world *w = user;

	assert_string_equal(name, "c0t0d0");
	assert_int_equal(w->kept.fd, -1);
	w->kept = *s;
	w->kept.fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
	w->held++;
}

static void
on_drop(void *user, const char *name)
{
	struct world *w = user;

	assert_string_equal(name, "c0t0d0");
	assert_true(w->kept.fd >= 0);
	close(w->kept.fd);
	w->kept.fd = -1;
	w->dropped++;
}

static bool
on_take(void *user, const char *name, struct export_socket *ret)
{
	struct world *w = user;

	assert_string_equal(name, "c0t0d0");
	if (w->kept.fd < 0)
		return false;
	*ret = w->kept;
	ret->fd = fcntl(w->kept.fd, F_DUPFD_CLOEXEC, 0);
	w->taken++;
	return true;
}

static const struct export_events events = { .started = on_started,
	.hold_socket = on_hold,
	.drop_socket = on_drop,
	.take_socket = on_take,
	.stopped = on_stopped };

static void
start(struct world *w)
{
	assert_int_equal(nbd_export.start(w->t.loop, w->t.dir, &events, w, &w->t.ex), 0);
}

/* A process before this one has made a socket for the disk, and is dead: it is held. */
static int
begin(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	char path[128];
	struct stat st;

	assert_non_null(w);
	w->t.loop = loop_new();
	(void)snprintf(w->t.base, sizeof w->t.base, "/tmp/nbdheld.XXXXXX"); /* fits */
	assert_non_null(mkdtemp(w->t.base));
	(void)snprintf(w->t.dir, sizeof w->t.dir, "%s/7", w->t.base);
	assert_int_equal(mkdir(w->t.dir, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/c0t0d0", w->t.dir);
	w->kept.fd = sock_listen(path, SOCK_STREAM | SOCK_NONBLOCK, 0600);
	assert_true(w->kept.fd >= 0);
	assert_int_equal(lstat(path, &st), 0);
	w->kept.file_dev = st.st_dev;
	w->kept.file_ino = st.st_ino;
	w->t.m = memdev_new(w->t.loop, "c0t0d0", NBDTEST_BYTES, 512);
	assert_non_null(w->t.m);
	*state = w;
	return 0;
}

/* Nothing is left: no file, no descriptor that is held. */
static int
end(void **state)
{
	struct world *w = *state;

	nbdtest_end(&w->t);
	assert_int_equal(w->kept.fd, -1);
	assert_int_equal(w->dropped, w->held + 1); /* the first one nobody told of */
	free(w);
	return 0;
}

static int
knock(const struct world *w)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/c0t0d0", w->t.dir);
	return sock_connect(path, SOCK_STREAM | SOCK_NONBLOCK);
}

static void
is_greeted(struct world *w, int fd)
{
	uint8_t greeting[NBDNEG_GREETING];

	assert_true(fd >= 0);
	assert_true(nbdtest_receive(&w->t, fd, greeting, sizeof greeting));
	close(fd);
}

static void
who_connects_meanwhile_is_served_by_the_next_process(void **state)
{
	struct world *w = *state;
	int early = knock(w);

	assert_true(early >= 0);
	start(w);
	assert_int_equal(nbd_export.add(w->t.ex, &w->t.m->dev), 0);
	assert_true(w->taken == 1 && w->held == 0 && w->dropped == 0);
	is_greeted(w, early);
	is_greeted(w, knock(w));
	nbdtest_turns(&w->t, 4);
	assert_int_equal(nbd_export.remove(w->t.ex, &w->t.m->dev, true), 0);
	assert_int_equal(w->dropped, 1);
	assert_true(knock(w) < 0);
}

static void
a_new_socket_is_held_until_its_disk_is_removed_or_the_exporter_stops(void **state)
{
	struct world *w = *state;

	close(w->kept.fd);
	w->kept.fd = -1;
	w->dropped++; /* this is how the first one went */
	start(w);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(nbd_export.add(w->t.ex, &w->t.m->dev), 0);
		assert_true(w->held == i && w->kept.fd >= 0 && w->taken == 0);
		is_greeted(w, knock(w));
		if (i == 3)
			break; /* the exporter is stopped with it */
		nbdtest_turns(&w->t, 4);
		assert_int_equal(nbd_export.remove(w->t.ex, &w->t.m->dev, false), 0);
		assert_true(w->dropped == i + 1 && w->kept.fd < 0);
	}
}

/* Somebody has put another file there: whoever connects finds the next process all the
 * same. */
static void
a_socket_that_nobody_finds_any_more_is_replaced(void **state)
{
	struct world *w = *state;
	int lost = knock(w), other;
	char path[128];

	(void)snprintf(path, sizeof path, "%s/c0t0d0", w->t.dir);
	assert_int_equal(unlink(path), 0);
	other = sock_listen(path, SOCK_STREAM, 0600);
	assert_true(other >= 0);
	close(other); /* its file stays */
	start(w);
	assert_int_equal(nbd_export.add(w->t.ex, &w->t.m->dev), 0);
	assert_true(w->taken == 1 && w->dropped == 1 && w->held == 1);
	is_greeted(w, knock(w));
	assert_true(nbdtest_is_ended(&w->t, lost)); /* it does not wait for ever */
	close(lost);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    who_connects_meanwhile_is_served_by_the_next_process, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_new_socket_is_held_until_its_disk_is_removed_or_the_exporter_stops, begin,
		    end),
		cmocka_unit_test_setup_teardown(
		    a_socket_that_nobody_finds_any_more_is_replaced, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
