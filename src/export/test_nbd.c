#include <sys/stat.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/be.h"
#include "export/nbdtest.h"

static uint8_t data[NBDTEST_BYTES], back[NBDTEST_BYTES];

static void
fill(uint64_t seed)
{
	for (size_t i = 0; i < sizeof data; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		data[i] = (uint8_t)(seed >> 56);
	}
}

/* A write, and its answer. */
static uint32_t
write_at(struct nbdtest *t, int fd, unsigned flags, uint64_t offset, uint32_t n)
{
	nbdtest_request(t, fd, NBD_COMMAND_WRITE, flags, 77, offset, n);
	nbdtest_send(t, fd, data + offset, n);
	return nbdtest_answer(t, fd, 77);
}

static void
read_at(struct nbdtest *t, int fd, uint64_t offset, uint32_t n)
{
	nbdtest_request(t, fd, NBD_COMMAND_READ, 0, 78, offset, n);
	assert_int_equal(nbdtest_answer(t, fd, 78), NBD_OK);
	assert_true(nbdtest_receive(t, fd, back, n));
}

static void
what_is_written_is_read_again(void **state)
{
	static const struct {
		uint32_t offset, n;
	} rows[] = { { 0, 512 }, { 4096, 65536 }, { 1, 1 }, { 511, 2 }, { 700, 9000 },
		{ NBDTEST_BYTES - 1, 1 }, { 0, NBDTEST_BYTES }, { 3, NBDTEST_BYTES - 5 } };
	struct nbdtest t;
	int fd;

	(void)state;
	for (uint32_t block = 512; block <= 65536; block *= 8) {
		nbdtest_begin(&t, block);
		t.m->dev.max_io_bytes = 65536 * 2;
		fd = nbdtest_open(&t, false);
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			fill(block + i);
			memcpy(back, t.m->mem, sizeof back);
			memcpy(back + rows[i].offset, data + rows[i].offset, rows[i].n);
			assert_int_equal(write_at(&t, fd, 0, rows[i].offset, rows[i].n), NBD_OK);
			assert_memory_equal(t.m->mem, back, sizeof back);
			read_at(&t, fd, rows[i].offset, rows[i].n);
			assert_memory_equal(back, data + rows[i].offset, rows[i].n);
		}
		close(fd);
		nbdtest_end(&t);
	}
}

static void
reads_come_in_chunks_where_that_was_agreed(void **state)
{
	struct nbdtest t;
	uint8_t head[28];
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fill(1);
	memcpy(t.m->mem, data, sizeof data);
	fd = nbdtest_open(&t, true);
	nbdtest_request(&t, fd, NBD_COMMAND_READ, NBD_COMMAND_FLAG_DF, 5, 1024, 2048);
	assert_true(nbdtest_receive(&t, fd, head, 28));
	assert_int_equal(be_get32(head), 0x668e33ef);
	assert_int_equal(be_get16(head + 4), 1);
	assert_int_equal(be_get16(head + 6), NBD_CHUNK_OFFSET_DATA);
	assert_int_equal(be_get32(head + 16), 2056);
	assert_int_equal(be_get64(head + 20), 1024);
	assert_true(nbdtest_receive(&t, fd, back, 2048));
	assert_memory_equal(back, data + 1024, 2048);

	t.m->fail[BLK_READ] = -EIO;
	nbdtest_request(&t, fd, NBD_COMMAND_READ, 0, 6, 1024, 2048);
	assert_true(nbdtest_receive(&t, fd, head, 26));
	assert_int_equal(be_get16(head + 6), NBD_CHUNK_ERROR);
	assert_int_equal(be_get32(head + 20), NBD_EIO);
	t.m->fail[BLK_READ] = 0;
	assert_int_equal(write_at(&t, fd, 0, 0, 512), NBD_OK); /* these are simple */
	close(fd);
	nbdtest_end(&t);
}

static void
an_answer_leaves_only_after_the_device_has_answered(void **state)
{
	static const unsigned commands[] = { NBD_COMMAND_WRITE, NBD_COMMAND_FLUSH, NBD_COMMAND_TRIM,
		NBD_COMMAND_WRITE_ZEROES };
	struct nbdtest t;
	uint8_t byte;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_open(&t, false);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		bool has_range = commands[i] != NBD_COMMAND_FLUSH;

		t.m->hold = true;
		nbdtest_request(&t, fd, commands[i], 0, 100 + i, 0, has_range ? 4096 : 0);
		if (commands[i] == NBD_COMMAND_WRITE)
			nbdtest_send(&t, fd, data, 4096);
		nbdtest_turns(&t, 10);
		assert_int_equal(t.m->queued, 1);
		assert_int_equal(recv(fd, &byte, 1, 0), -1);
		assert_int_equal(errno, EAGAIN);
		memdev_release(t.m);
		assert_int_equal(nbdtest_answer(&t, fd, 100 + i), NBD_OK);
	}
	close(fd);
	nbdtest_end(&t);
}

static void
errors_of_the_device_are_the_clients(void **state)
{
	static const struct {
		int result;
		uint32_t error;
	} rows[] = { { -EIO, 5 }, { -ENOSPC, 28 }, { -EROFS, 1 }, { -EOPNOTSUPP, 95 },
		{ -ENXIO, 108 }, { -ESHUTDOWN, 108 }, { -EAGAIN, 5 } };
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_open(&t, false);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t op = 0; op < MEMDEV_OPS; op++)
			t.m->fail[op] = rows[i].result;
		assert_int_equal(write_at(&t, fd, 0, 0, 512), rows[i].error);
		assert_int_equal(write_at(&t, fd, 0, 1, 512), rows[i].error);
		nbdtest_request(&t, fd, NBD_COMMAND_READ, 0, 1, 0, 512);
		assert_int_equal(nbdtest_answer(&t, fd, 1), rows[i].error);
		nbdtest_request(&t, fd, NBD_COMMAND_FLUSH, 0, 2, 0, 0);
		assert_int_equal(nbdtest_answer(&t, fd, 2), rows[i].error);
		nbdtest_request(&t, fd, NBD_COMMAND_TRIM, 0, 3, 0, 512);
		assert_int_equal(nbdtest_answer(&t, fd, 3), rows[i].error);
		nbdtest_request(&t, fd, NBD_COMMAND_WRITE_ZEROES, 0, 4, 0, 512);
		assert_int_equal(nbdtest_answer(&t, fd, 4), rows[i].error);
		nbdtest_request(
		    &t, fd, NBD_COMMAND_WRITE_ZEROES, NBD_COMMAND_FLAG_NO_HOLE, 5, 0, 512);
		assert_int_equal(nbdtest_answer(&t, fd, 5), rows[i].error);
	}
	close(fd);
	nbdtest_end(&t);
}

static void
fua_reaches_the_device(void **state)
{
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_open(&t, false);
	assert_int_equal(write_at(&t, fd, 0, 0, 512), NBD_OK);
	assert_int_equal(t.m->fua_count, 0);
	assert_int_equal(write_at(&t, fd, NBD_COMMAND_FLAG_FUA, 0, 512), NBD_OK);
	assert_int_equal(t.m->fua_count, 1);
	assert_int_equal(write_at(&t, fd, NBD_COMMAND_FLAG_FUA, 1, 512), NBD_OK);
	assert_int_equal(t.m->fua_count, 2);
	assert_int_equal(t.m->submitted[BLK_FLUSH], 0);
	/* These have none of their own: a flush behind them does it, and its error counts. */
	nbdtest_request(&t, fd, NBD_COMMAND_TRIM, NBD_COMMAND_FLAG_FUA, 3, 0, 512);
	assert_int_equal(nbdtest_answer(&t, fd, 3), NBD_OK);
	assert_int_equal(t.m->submitted[BLK_FLUSH], 1);
	t.m->fail[BLK_FLUSH] = -EIO;
	nbdtest_request(&t, fd, NBD_COMMAND_WRITE_ZEROES, NBD_COMMAND_FLAG_FUA, 4, 0, 512);
	assert_int_equal(nbdtest_answer(&t, fd, 4), NBD_EIO);
	assert_int_equal(t.m->submitted[BLK_FLUSH], 2);
	nbdtest_request(&t, fd, NBD_COMMAND_WRITE_ZEROES,
	    NBD_COMMAND_FLAG_FUA | NBD_COMMAND_FLAG_NO_HOLE, 5, 0, 600000);
	assert_int_equal(nbdtest_answer(&t, fd, 5), NBD_OK);
	assert_true(t.m->fua_count > 2); /* each of its writes has it */
	close(fd);
	nbdtest_end(&t);
}

static void
zeros_are_zeros_with_holes_and_without(void **state)
{
	static const struct {
		uint32_t offset, n;
	} rows[] = { { 0, 512 }, { 1, 600000 }, { 100, 50 }, { 4000, 262144 },
		{ 0, NBDTEST_BYTES } };
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 4096);
	fd = nbdtest_open(&t, false);
	for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		unsigned flags = i % 2 != 0 ? NBD_COMMAND_FLAG_NO_HOLE : 0;
		unsigned long before = t.m->submitted[BLK_WRITE_ZEROES];

		fill(i);
		memcpy(t.m->mem, data, sizeof data);
		memset(data + rows[i / 2].offset, 0, rows[i / 2].n);
		nbdtest_request(
		    &t, fd, NBD_COMMAND_WRITE_ZEROES, flags, i, rows[i / 2].offset, rows[i / 2].n);
		assert_int_equal(nbdtest_answer(&t, fd, i), NBD_OK);
		assert_memory_equal(t.m->mem, data, sizeof data);
		if (flags != 0)
			assert_int_equal(t.m->submitted[BLK_WRITE_ZEROES], before);
	}
	close(fd);
	nbdtest_end(&t);
}

static void
only_whole_blocks_are_trimmed(void **state)
{
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 4096);
	fill(3);
	memcpy(t.m->mem, data, sizeof data);
	fd = nbdtest_open(&t, false);
	nbdtest_request(&t, fd, NBD_COMMAND_TRIM, 0, 1, 1, 4096);
	assert_int_equal(nbdtest_answer(&t, fd, 1), NBD_OK);
	assert_int_equal(t.m->submitted[BLK_DISCARD], 0);
	nbdtest_request(&t, fd, NBD_COMMAND_TRIM, 0, 2, 1, 12288);
	assert_int_equal(nbdtest_answer(&t, fd, 2), NBD_OK);
	assert_int_equal(t.m->submitted[BLK_DISCARD], 1);
	assert_memory_equal(t.m->mem, data, 4096);
	assert_int_equal(t.m->mem[4096], 0xdc);
	assert_int_equal(t.m->mem[12287], 0xdc);
	assert_memory_equal(t.m->mem + 12288, data + 12288, sizeof data - 12288);
	close(fd);
	nbdtest_end(&t);
}

static void
a_write_protected_disk_takes_no_writes(void **state)
{
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	t.m->dev.read_only = true;
	fd = nbdtest_open(&t, false);
	assert_int_equal(write_at(&t, fd, 0, 0, 8192), NBD_EPERM);
	nbdtest_request(&t, fd, NBD_COMMAND_TRIM, 0, 1, 0, 512);
	assert_int_equal(nbdtest_answer(&t, fd, 1), NBD_EPERM);
	nbdtest_request(&t, fd, NBD_COMMAND_FLUSH, 0, 2, 0, 0);
	assert_int_equal(nbdtest_answer(&t, fd, 2), NBD_OK);
	read_at(&t, fd, 0, 512);
	assert_int_equal(t.m->submitted[BLK_WRITE] + t.m->submitted[BLK_FLUSH], 0);
	close(fd);
	nbdtest_end(&t);
}

static void
nothing_beyond_the_end_is_asked_of_the_device(void **state)
{
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_open(&t, false);
	read_at(&t, fd, NBDTEST_BYTES - 512, 512);
	t.m->dev.size_bytes =
	    NBDTEST_BYTES / 2 + 100; /* it shrank, and its end is no whole block */
	nbd_export.changed(t.ex, &t.m->dev);
	nbdtest_request(&t, fd, NBD_COMMAND_READ, 0, 1, NBDTEST_BYTES / 2, 1);
	assert_int_equal(nbdtest_answer(&t, fd, 1), NBD_EINVAL);
	nbdtest_request(&t, fd, NBD_COMMAND_WRITE, 0, 2, NBDTEST_BYTES / 2 - 1, 2);
	nbdtest_send(&t, fd, data, 2);
	assert_int_equal(nbdtest_answer(&t, fd, 2), NBD_ENOSPC);
	assert_int_equal(t.m->submitted[BLK_READ], 1);
	assert_int_equal(t.m->submitted[BLK_WRITE], 0);
	read_at(&t, fd, NBDTEST_BYTES / 2 - 512, 512);
	close(fd);
	t.m->dev.size_bytes = NBDTEST_BYTES; /* memdev unmaps what it has mapped */
	nbdtest_end(&t);
}

static void
requests_are_answered_by_their_cookies_in_any_order(void **state)
{
	struct nbdtest t;
	bool is_answered[64] = { false };
	uint8_t head[16];
	uint64_t cookie;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	t.m->reorder_seed = 4711;
	fill(9);
	memcpy(t.m->mem, data, sizeof data);
	fd = nbdtest_open(&t, false);
	for (unsigned i = 0; i < 64; i++)
		nbdtest_request(&t, fd, NBD_COMMAND_READ, 0, i, i * 4096, 4096);
	for (unsigned i = 0; i < 64; i++) {
		assert_true(nbdtest_receive(&t, fd, head, sizeof head));
		assert_int_equal(be_get32(head + 4), NBD_OK);
		cookie = be_get64(head + 8);
		assert_true(cookie < 64 && !is_answered[cookie]);
		is_answered[cookie] = true;
		assert_true(nbdtest_receive(&t, fd, back, 4096));
		assert_memory_equal(back, data + cookie * 4096, 4096);
	}
	close(fd);
	nbdtest_end(&t);
}

static void
a_flush_covers_what_was_answered_on_all_connections(void **state)
{
	struct nbdtest t;
	uint8_t byte;
	int a, b;

	(void)state;
	nbdtest_begin(&t, 512);
	a = nbdtest_open(&t, false);
	b = nbdtest_open(&t, false);
	assert_int_equal(write_at(&t, a, 0, 0, 512), NBD_OK);
	t.m->hold = true;
	nbdtest_request(&t, b, NBD_COMMAND_FLUSH, 0, 9, 0, 0);
	nbdtest_turns(&t, 10);
	assert_int_equal(t.m->submitted[BLK_FLUSH], 1); /* the device's own, not a connection's */
	assert_int_equal(recv(b, &byte, 1, 0), -1);
	memdev_release(t.m);
	assert_int_equal(nbdtest_answer(&t, b, 9), NBD_OK);
	close(a);
	close(b);
	nbdtest_end(&t);
}

static void
who_ends_gets_what_is_due_before(void **state)
{
	struct nbdtest t;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	fd = nbdtest_open(&t, false);
	t.m->hold = true;
	nbdtest_request(&t, fd, NBD_COMMAND_WRITE, 0, 1, 0, 512);
	nbdtest_send(&t, fd, data, 512);
	nbdtest_request(&t, fd, NBD_COMMAND_DISC, 0, 2, 0, 0);
	nbdtest_request(&t, fd, NBD_COMMAND_READ, 0, 3, 0, 512); /* too late */
	nbdtest_turns(&t, 5);
	memdev_release(t.m);
	assert_int_equal(nbdtest_answer(&t, fd, 1), NBD_OK);
	assert_true(nbdtest_is_ended(&t, fd));
	nbdtest_turns(&t, 5);
	assert_int_equal(t.let_go, 1);
	assert_int_equal(t.m->submitted[BLK_READ], 0);
	close(fd);
	nbdtest_end(&t);
}

static void
clients_that_have_negotiated_are_openers(void **state)
{
	struct nbdtest t;
	pid_t pids[4] = { 0 };
	int early, a, b;

	(void)state;
	nbdtest_begin(&t, 512);
	early = nbdtest_connect(&t, "c0t0d0");
	assert_int_equal(nbd_export.openers(t.ex, &t.m->dev), 0);
	a = nbdtest_open(&t, false);
	b = nbdtest_open(&t, false);
	assert_int_equal(nbd_export.openers(t.ex, &t.m->dev), 2);
	assert_int_equal(nbd_export.users(t.ex, &t.m->dev, pids, 4), 2);
	assert_int_equal(pids[0], getpid());
	assert_int_equal(pids[1], getpid());
	assert_int_equal(nbd_export.users(t.ex, &t.m->dev, pids, 1), 1);
	assert_int_equal(nbd_export.remove(t.ex, &t.m->dev, false), -EBUSY);
	close(a);
	nbdtest_turns(&t, 5);
	assert_int_equal(nbd_export.openers(t.ex, &t.m->dev), 1);
	assert_int_equal(t.let_go, 0);
	close(b);
	nbdtest_turns(&t, 5);
	assert_int_equal(nbd_export.openers(t.ex, &t.m->dev), 0);
	assert_int_equal(t.let_go, 1);
	assert_int_equal(nbd_export.remove(t.ex, &t.m->dev, false), 0);
	close(early);
	nbdtest_end(&t);
}

static void
a_sealed_disk_takes_no_clients_until_it_is_unsealed(void **state)
{
	static const uint8_t go[6];
	struct nbdtest t;
	uint8_t buf[512];
	uint32_t n;
	int early, fd;

	(void)state;
	nbdtest_begin(&t, 512);
	early = nbdtest_connect(&t, "c0t0d0");
	nbdtest_flags(&t, early, 3);
	nbd_export.seal(t.ex, &t.m->dev, true);
	assert_int_equal(nbdtest_connect(&t, "c0t0d0"), -1);
	nbdtest_option(&t, early, NBD_OPTION_GO, go, sizeof go);
	assert_int_equal(
	    nbdtest_reply(&t, early, NBD_OPTION_GO, buf, &n), (uint32_t)NBD_REPLY_ERR_SHUTDOWN);
	assert_int_equal(nbd_export.openers(t.ex, &t.m->dev), 0);
	nbd_export.seal(t.ex, &t.m->dev, false);
	fd = nbdtest_open(&t, false);
	close(fd);
	close(early);
	nbdtest_end(&t);
}

static void
a_socket_is_its_owners_alone_and_goes_with_its_disk(void **state)
{
	struct nbdtest t;
	char path[128];
	struct stat st;

	(void)state;
	nbdtest_begin(&t, 512);
	(void)snprintf(path, sizeof path, "%s/c0t0d0", t.dir);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(lstat(t.dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(nbd_export.add(t.ex, &t.m->dev), -EEXIST);
	assert_int_equal(nbd_export.remove(t.ex, &t.m->dev, false), 0);
	assert_int_equal(lstat(path, &st), -1);
	nbdtest_end(&t);
}

static void
a_socket_of_the_dead_is_replaced_and_nothing_else(void **state)
{
	struct nbdtest t;
	char path[128], other[128];
	struct stat st;
	int fd;

	(void)state;
	nbdtest_begin(&t, 512);
	(void)snprintf(path, sizeof path, "%s/c0t0d0", t.dir);
	(void)snprintf(other, sizeof other, "%s/other", t.base);
	assert_int_equal(nbd_export.remove(t.ex, &t.m->dev, false), 0);

	fd = sock_listen(path, SOCK_STREAM, 0600);
	assert_true(fd >= 0);
	assert_int_equal(nbd_export.add(t.ex, &t.m->dev), -EADDRINUSE);
	close(fd); /* its file stays, as of one that was killed */
	assert_int_equal(nbd_export.add(t.ex, &t.m->dev), 0);
	close(nbdtest_open(&t, false));
	nbdtest_turns(&t, 5);
	assert_int_equal(nbd_export.remove(t.ex, &t.m->dev, false), 0);

	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(nbd_export.add(t.ex, &t.m->dev), -EEXIST);
	assert_int_equal(lstat(other, &st), -1);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(nbd_export.add(t.ex, &t.m->dev), -EEXIST);
	assert_int_equal(rmdir(path), 0);
	nbdtest_end(&t);
}

static void
a_directory_that_is_a_link_is_not_entered(void **state)
{
	static const struct export_events none;
	struct nbdtest t;
	struct export *ex;
	char dir[128];

	(void)state;
	nbdtest_begin(&t, 512);
	(void)snprintf(dir, sizeof dir, "%s/8", t.base);
	assert_int_equal(symlink(t.dir, dir), 0);
	assert_int_equal(nbd_export.start(t.loop, dir, &none, NULL, &ex), -ELOOP);
	assert_int_equal(unlink(dir), 0);
	nbdtest_end(&t);
}

static void
nothing_of_it_outlives_its_process(void **state)
{
	struct export_held held = { dup(0), dup(0) };
	struct export *ex;

	(void)state;
	assert_ptr_equal(export_find("nbd"), &nbd_export);
	assert_false(nbd_export.can_hand_over());
	assert_int_equal(
	    nbd_export.take_over(NULL, "/nowhere/1", &held, NULL, NULL, &ex), -EOPNOTSUPP);
	assert_int_equal(close(held.device_fd), -1);
	assert_int_equal(close(held.state_fd), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(reads_come_in_chunks_where_that_was_agreed),
		cmocka_unit_test(an_answer_leaves_only_after_the_device_has_answered),
		cmocka_unit_test(errors_of_the_device_are_the_clients),
		cmocka_unit_test(fua_reaches_the_device),
		cmocka_unit_test(zeros_are_zeros_with_holes_and_without),
		cmocka_unit_test(only_whole_blocks_are_trimmed),
		cmocka_unit_test(a_write_protected_disk_takes_no_writes),
		cmocka_unit_test(nothing_beyond_the_end_is_asked_of_the_device),
		cmocka_unit_test(requests_are_answered_by_their_cookies_in_any_order),
		cmocka_unit_test(a_flush_covers_what_was_answered_on_all_connections),
		cmocka_unit_test(who_ends_gets_what_is_due_before),
		cmocka_unit_test(clients_that_have_negotiated_are_openers),
		cmocka_unit_test(a_sealed_disk_takes_no_clients_until_it_is_unsealed),
		cmocka_unit_test(a_socket_is_its_owners_alone_and_goes_with_its_disk),
		cmocka_unit_test(a_socket_of_the_dead_is_replaced_and_nothing_else),
		cmocka_unit_test(a_directory_that_is_a_link_is_not_entered),
		cmocka_unit_test(nothing_of_it_outlives_its_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
