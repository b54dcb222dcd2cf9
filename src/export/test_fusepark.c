/* Which requests wait for a device that was taken over, and how many may: a mount that no kernel
 * knows. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <errno.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/fuseint.h"

#define MOUNTS 2

struct mount {
	struct export ex;
	struct fuse_node awaited, there;
	struct blk_dev dev;
	struct fuse_node *nodes[2];
	unsigned played;
};

static struct loop *loop;
static struct mount *mounts[MOUNTS];
static uint8_t request[LIMIT_FUSE_IO_BYTES];

static void
played(struct agenda_work *w)
{
	LIST_ENTRY(w, struct mount, ex.play)->played++;
}

static struct mount *
new_mount(void)
{
	struct mount *m = calloc(1, sizeof *m);

	assert_int_equal(fusepool_join(&m->ex.pool), 0);
	m->ex.loop = loop;
	list_init(&m->ex.parked);
	list_init(&m->ex.unparked);
	agenda_work_init(&m->ex.play, played);
	m->ex.fd.fd = eventfd(0, EFD_NONBLOCK);
	m->ex.nodes = m->nodes;
	m->ex.node_slots = 2;
	m->ex.awaited = 1;
	m->nodes[0] = &m->awaited;
	m->nodes[1] = &m->there;
	m->awaited = (struct fuse_node){ .name = "d0", .ino = 2, .is_awaited = true };
	m->there = (struct fuse_node){ .name = "d1", .ino = 3, .disk.dev = &m->dev };
	return m;
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	for (unsigned i = 0; i < MOUNTS; i++)
		mounts[i] = new_mount();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MOUNTS; i++) {
		fusepark_abandon(&mounts[i]->ex, EIO);
		close(mounts[i]->ex.fd.fd);
		fusepool_leave(mounts[i]->ex.pool);
		free(mounts[i]);
	}
	loop_free(loop);
	return 0;
}

static enum fusepark
park(struct mount *m, uint32_t opcode, uint64_t ino, size_t bytes, uint64_t unique)
{
	struct fuse_in_header in = {
		.opcode = opcode, .nodeid = ino, .len = (uint32_t)bytes, .unique = unique
	};

	memcpy(request, &in, sizeof in);
	return fusepark(&m->ex, request, bytes, (unsigned)unique);
}

static enum fusepark
look_up(struct mount *m, const char *name, uint64_t parent)
{
	memcpy(request + sizeof(struct fuse_in_header), name, strlen(name) + 1);
	return park(m, FUSE_LOOKUP, parent, sizeof(struct fuse_in_header) + strlen(name) + 1, 2);
}

static void
what_needs_the_device_waits_and_nothing_else(void **state)
{
	static const uint32_t waits[] = { FUSE_READ, FUSE_WRITE, FUSE_FSYNC, FUSE_OPEN,
		FUSE_GETATTR, FUSE_SETATTR, FUSE_STATFS, FUSE_FALLOCATE };
	static const uint32_t goes[] = { FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT, FUSE_FLUSH,
		FUSE_RELEASE };
	struct mount *m = mounts[0];

	(void)state;
	for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		assert_int_equal(park(m, waits[i], 2, 80, 2), FUSEPARK_WAITS);
		assert_int_equal(park(m, waits[i], 3, 80, 2), FUSEPARK_GO);
		assert_int_equal(park(m, waits[i], 4, 80, 2), FUSEPARK_GO);
		assert_int_equal(park(m, waits[i], FUSE_ROOT_ID, 80, 2), FUSEPARK_GO);
	}
	for (unsigned i = 0; i < sizeof goes / sizeof goes[0]; i++)
		assert_int_equal(park(m, goes[i], 2, 80, 2), FUSEPARK_GO);
	assert_int_equal(look_up(m, "d0", FUSE_ROOT_ID), FUSEPARK_WAITS);
	assert_int_equal(look_up(m, "d1", FUSE_ROOT_ID), FUSEPARK_GO);
	assert_int_equal(look_up(m, "d00", FUSE_ROOT_ID), FUSEPARK_GO);
	assert_int_equal(park(m, FUSE_READ, 2, 8, 2), FUSEPARK_GO); /* it is cut off */
	fusepark_resolved(&m->ex, &m->awaited);
	assert_int_equal(park(m, FUSE_READ, 2, 80, 2), FUSEPARK_GO);
}

static void
what_waited_comes_back_in_order_as_it_was(void **state)
{
	struct mount *m = mounts[0];
	struct fuse_in_header in;
	unsigned record;

	(void)state;
	for (uint64_t i = 1; i <= 100; i++) {
		memset(request, (int)i, 200);
		assert_int_equal(park(m, FUSE_WRITE, 2, 80 + i, i), FUSEPARK_WAITS);
	}
	assert_int_equal(fusepark_take(&m->ex, request, &record), 0);
	fusepark_resolved(&m->ex, &m->awaited);
	for (uint64_t i = 1; i <= 100; i++) {
		assert_int_equal(fusepark_take(&m->ex, request, &record), 80 + i);
		memcpy(&in, request, sizeof in);
		assert_int_equal(in.unique, i);
		assert_int_equal(record, i);
		assert_int_equal(request[79 + i], i);
	}
	assert_int_equal(fusepark_take(&m->ex, request, &record), 0);
}

static void
one_mount_has_its_limit_and_a_thread_has_one(void **state)
{
	struct mount *m = mounts[0];
	unsigned record;
	size_t bytes = 0;

	(void)state;
	for (unsigned i = 0; i < LIMIT_FUSE_PARKED; i++)
		assert_int_equal(park(m, FUSE_READ, 2, 80, 2), FUSEPARK_WAITS);
	assert_int_equal(park(m, FUSE_READ, 2, 80, 2), FUSEPARK_FULL);
	while (park(mounts[1], FUSE_WRITE, 2, sizeof request, 2) == FUSEPARK_WAITS)
		bytes += sizeof request;
	assert_in_range(bytes + LIMIT_FUSE_PARKED * 80, LIMIT_FUSE_PARKED_BYTES - sizeof request,
	    LIMIT_FUSE_PARKED_BYTES);
	/* What is taken out is room again. */
	fusepark_resolved(&mounts[1]->ex, &mounts[1]->awaited);
	assert_true(fusepark_take(&mounts[1]->ex, request, &record) > 0);
	mounts[1]->awaited.is_awaited = true;
	mounts[1]->ex.awaited = 1;
	assert_int_equal(park(mounts[1], FUSE_WRITE, 2, sizeof request, 2), FUSEPARK_WAITS);
	assert_int_equal(park(mounts[1], FUSE_WRITE, 2, sizeof request, 2), FUSEPARK_FULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(what_needs_the_device_waits_and_nothing_else),
		TEST(what_waited_comes_back_in_order_as_it_was),
		TEST(one_mount_has_its_limit_and_a_thread_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
