/* What clients do that they should not. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/be.h"
#include "export/nbdtest.h"

static uint8_t data[LIMIT_NBD_IO_BYTES + 1];

/* Another client is served all the while. */
static void
assert_others_are_served(struct nbdtest *t)
{
	int fd = nbdtest_open(t, false);

	nbdtest_request(t, fd, NBD_COMMAND_READ, 0, 1, 0, 512);
	assert_int_equal(nbdtest_answer(t, fd, 1), NBD_OK);
	assert_true(nbdtest_receive(t, fd, data, 512));
	close(fd);
	nbdtest_turns(t, 5);
}

/* A whole life of a client, in bytes: negotiation, a write, a read, a flush. */
static size_t
make_life(uint8_t *p)
{
	static const uint8_t negotiation[] = "\0\0\0\3IHAVEOPT\0\0\0\10\0\0\0\0"
					     "IHAVEOPT\0\0\0\7\0\0\0\6\0\0\0\0\0\0";
	static const unsigned commands[] = { NBD_COMMAND_WRITE, NBD_COMMAND_READ,
		NBD_COMMAND_FLUSH };
	size_t n = sizeof negotiation - 1;

	memcpy(p, negotiation, n);
	for (size_t i = 0; i < 3; i++) {
		memset(p + n, 0, NBD_REQUEST_BYTES);
		be_put32(p + n, 0x25609513);
		be_put16(p + n + 6, (uint16_t)commands[i]);
		be_put32(p + n + 24, commands[i] == NBD_COMMAND_FLUSH ? 0 : 512);
		n += NBD_REQUEST_BYTES;
		if (commands[i] == NBD_COMMAND_WRITE) {
			memset(p + n, 0x55, 512);
			n += 512;
		}
	}
	return n;
}

static void
a_client_may_go_away_after_any_byte(void **state)
{
	struct nbdtest t;
	uint8_t life[1024];
	size_t n = make_life(life), written = 0;

	(void)state;
	nbdtest_begin(&t, 512);
	for (size_t cut = 0; cut <= n; cut++) {
		int fd = nbdtest_connect(&t, "c0t0d0");

		nbdtest_send(&t, fd, life, cut);
		close(fd);
		nbdtest_turns(&t, 6);
		assert_null(nbdtest_conn(&t));
		written += cut >= n - 2 * NBD_REQUEST_BYTES;
	}
	assert_int_equal(t.m->submitted[BLK_WRITE], written); /* and no half of one */
	assert_others_are_served(&t);
	nbdtest_end(&t);
}

static void
any_bit_that_is_wrong_harms_nobody_else(void **state)
{
	struct nbdtest t;
	uint8_t life[1024];
	size_t n = make_life(life);

	(void)state;
	nbdtest_begin(&t, 512);
	for (size_t bit = 0; bit < n * 8; bit++) {
		int fd;

		if (bit / 8 >= 4 + 16 + 22 + 28 && bit / 8 < 4 + 16 + 22 + 28 + 512)
			continue; /* data */
		fd = nbdtest_connect(&t, "c0t0d0");
		life[bit / 8] ^= (uint8_t)(1 << bit % 8);
		nbdtest_send(&t, fd, life, n);
		life[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)shutdown(fd, SHUT_WR);
		while (nbdtest_receive(&t, fd, data, 1))
			;
		close(fd);
		nbdtest_turns(&t, 4);
		assert_null(nbdtest_conn(&t));
	}
	assert_others_are_served(&t);
	nbdtest_end(&t);
}

static void
who_says_nothing_is_closed_after_a_while(void **state)
{
	struct nbdtest t;
	struct nbd_conn *c;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_connect(&t, "c0t0d0");
	nbdtest_flags(&t, fd, 3);
	c = nbdtest_conn(&t);
	assert_true(c->late.armed);
	assert_true(c->late.at_us <= loop_now_update(t.loop) + LIMIT_NBD_NEGOTIATE_MS * 1000ull);
	agenda_set(loop_agenda(t.loop), &c->late, 0); /* it is over */
	assert_true(nbdtest_is_ended(&t, fd));
	close(fd);
	/* Who has the disk has all the time there is. */
	fd = nbdtest_open(&t, false);
	assert_false(nbdtest_conn(&t)->late.armed);
	close(fd);
	nbdtest_end(&t);
}

/* As much as the server takes. */
static unsigned
flood(struct nbdtest *t, int fd, unsigned command, uint32_t length)
{
	uint8_t b[NBD_REQUEST_BYTES] = { 0x25, 0x60, 0x95, 0x13, 0, 0, 0, (uint8_t)command };
	unsigned sent = 0, idle = 0;

	be_put32(b + 24, length);
	while (idle < 20) {
		if (send(fd, b, sizeof b, MSG_NOSIGNAL) == sizeof b) {
			sent++;
			idle = 0;
		} else {
			idle++;
		}
		nbdtest_turns(t, 1);
	}
	return sent;
}

static void
who_does_not_read_costs_only_itself(void **state)
{
	struct nbdtest t;
	struct nbd_conn *c;
	unsigned long done;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_open(&t, true);
	c = nbdtest_conn(&t);
	(void)flood(&t, fd, NBD_COMMAND_READ, 1 << 19);
	done = t.m->submitted[BLK_READ];
	assert_true(c->ops <= LIMIT_NBD_CONN_OPS);
	assert_true(c->carries <= LIMIT_NBD_CONN_BYTES && c->touched <= 2 * LIMIT_NBD_CONN_BYTES);
	assert_true(c->ops > 4);
	nbdtest_turns(&t, 50);
	assert_int_equal(t.m->submitted[BLK_READ], done); /* nothing more is read of it */
	assert_int_equal(c->fd.events & 1, 0);
	assert_others_are_served(&t);
	/* When it reads, it goes on. */
	for (unsigned i = 0; i < 100; i++) {
		uint8_t head[28];

		assert_true(nbdtest_receive(&t, fd, head, sizeof head));
		assert_true(nbdtest_receive(&t, fd, data, 1 << 19));
	}
	assert_true(t.m->submitted[BLK_READ] > done);
	close(fd);
	nbdtest_turns(&t, 5);
	assert_null(nbdtest_conn(&t));
	nbdtest_end(&t);
}

static void
requests_that_the_device_has_are_limited(void **state)
{
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	t.m->hold = true;
	fd = nbdtest_open(&t, false);
	(void)flood(&t, fd, NBD_COMMAND_FLUSH, 0);
	assert_int_equal(t.m->queued, LIMIT_NBD_CONN_OPS);
	close(fd);
	nbdtest_turns(&t, 5);
	assert_non_null(nbdtest_conn(&t)); /* until the device has answered */
	assert_int_equal(nbd_export.openers(t.ex, &t.m->dev), 0);
	memdev_release(t.m);
	nbdtest_turns(&t, 5);
	assert_null(nbdtest_conn(&t));
	nbdtest_end(&t);
}

static void
connections_are_limited_those_of_the_dead_too(void **state)
{
	int fds[LIMIT_NBD_CONNS];
	struct nbdtest t;

	(void)state;
	nbdtest_begin(&t, 512);
	t.m->hold = true;
	for (unsigned i = 0; i < LIMIT_NBD_CONNS; i++) {
		fds[i] = nbdtest_open(&t, false);
		nbdtest_request(&t, fds[i], NBD_COMMAND_FLUSH, 0, i, 0, 0);
	}
	assert_int_equal(nbdtest_connect(&t, "c0t0d0"), -1);
	close(fds[0]);
	nbdtest_turns(&t, 5);
	assert_int_equal(nbdtest_connect(&t, "c0t0d0"), -1);
	memdev_release(t.m);
	nbdtest_turns(&t, 5);
	assert_others_are_served(&t);
	for (unsigned i = 1; i < LIMIT_NBD_CONNS; i++) {
		assert_int_equal(nbdtest_answer(&t, fds[i], i), NBD_OK);
		close(fds[i]);
	}
	nbdtest_end(&t);
}

static void
a_write_that_is_too_long_is_refused_or_ends_it(void **state)
{
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_open(&t, false);
	nbdtest_request(&t, fd, NBD_COMMAND_WRITE, 0, 1, 0, sizeof data);
	nbdtest_send(&t, fd, data, sizeof data);
	assert_int_not_equal(nbdtest_answer(&t, fd, 1), NBD_OK);
	nbdtest_request(&t, fd, NBD_COMMAND_FLUSH, 0, 2, 0, 0);
	assert_int_equal(nbdtest_answer(&t, fd, 2), NBD_OK);
	assert_int_equal(t.m->submitted[BLK_WRITE], 0);
	nbdtest_request(&t, fd, NBD_COMMAND_WRITE, 0, 3, 0, UINT32_MAX);
	assert_true(nbdtest_is_ended(&t, fd));
	close(fd);
	assert_others_are_served(&t);
	nbdtest_end(&t);
}

static void
a_disk_that_is_taken_away_by_force_ends_its_clients(void **state)
{
	struct nbdtest t;
	uint8_t byte;
	int fd, early;

	(void)state;
	nbdtest_begin(&t, 512);
	early = nbdtest_connect(&t, "c0t0d0");
	fd = nbdtest_open(&t, false);
	t.m->hold = true;
	nbdtest_request(&t, fd, NBD_COMMAND_WRITE, 0, 1, 0, 512);
	nbdtest_send(&t, fd, data, 512);
	nbdtest_request(&t, fd, NBD_COMMAND_WRITE, 0, 2, 1, 100); /* it waits for the first one */
	nbdtest_send(&t, fd, data, 100);
	nbdtest_turns(&t, 5);
	assert_int_equal(t.m->queued, 1);
	assert_int_equal(nbd_export.remove(t.ex, &t.m->dev, true), 0);
	assert_int_equal(recv(fd, &byte, 1, 0), 0); /* and no answer before that */
	assert_true(nbdtest_is_ended(&t, early));
	/* The name is free at once, and what comes late is nobody's. */
	assert_int_equal(nbd_export.add(t.ex, &t.m->dev), 0);
	memdev_release(t.m);
	nbdtest_turns(&t, 5);
	assert_int_equal(t.let_go, 0);
	assert_int_equal(t.m->answered[BLK_WRITE], 1);
	assert_others_are_served(&t);
	close(fd);
	close(early);
	nbdtest_end(&t);
}

static void
an_exporter_stops_when_the_device_has_answered(void **state)
{
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_open(&t, false);
	t.m->hold = true;
	nbdtest_request(&t, fd, NBD_COMMAND_READ, 0, 1, 0, 512);
	nbdtest_turns(&t, 5);
	nbd_export.stop(t.ex);
	assert_true(nbdtest_is_ended(&t, fd));
	nbdtest_turns(&t, 5);
	assert_false(t.is_stopped);
	memdev_release(t.m);
	nbdtest_turns(&t, 5);
	assert_true(t.is_stopped);
	assert_int_equal(t.let_go, 0);
	t.ex = NULL;
	close(fd);
	nbdtest_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_may_go_away_after_any_byte),
		cmocka_unit_test(any_bit_that_is_wrong_harms_nobody_else),
		cmocka_unit_test(who_says_nothing_is_closed_after_a_while),
		cmocka_unit_test(who_does_not_read_costs_only_itself),
		cmocka_unit_test(requests_that_the_device_has_are_limited),
		cmocka_unit_test(connections_are_limited_those_of_the_dead_too),
		cmocka_unit_test(a_write_that_is_too_long_is_refused_or_ends_it),
		cmocka_unit_test(a_disk_that_is_taken_away_by_force_ends_its_clients),
		cmocka_unit_test(an_exporter_stops_when_the_device_has_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
