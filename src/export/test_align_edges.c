/* Writes of part of a block whose old bytes cannot be had, and devices that take odd sizes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/align.h"
#include "export/memdev.h"

#define SIZE  (64u << 10)
#define BLOCK 512u
#define ROOM  4096u

struct io {
	struct align_io a;
	struct loop *loop;
	unsigned *left;
	uint8_t scratch[2 * ROOM];
	uint8_t mem[SIZE + 2 * ROOM];
};

static void
done(struct align_io *a)
{
	struct io *io = LIST_ENTRY(a, struct io, a);

	if (--*io->left == 0)
		loop_stop(io->loop);
}

static struct io *
begin(struct align_disk *disk, struct memdev *m, unsigned *left, uint64_t offset, uint64_t len,
    int fill)
{
	struct io *io = calloc(1, sizeof *io);

	assert_non_null(io);
	memset(io->mem, fill, sizeof io->mem);
	io->loop = m->loop;
	io->left = left;
	io->a = (struct align_io){ .op = BLK_WRITE,
		.offset = offset,
		.len = len,
		.buf = io->mem + ROOM,
		.scratch = io->scratch,
		.done = done };
	(*left)++;
	align_submit(disk, &io->a);
	return io;
}

static struct memdev *
device(struct loop *loop, uint32_t block_bytes, struct align_disk *disk)
{
	struct memdev *m = memdev_new(loop, "d", SIZE, block_bytes);

	assert_non_null(m);
	for (unsigned i = 0; i < SIZE; i++)
		m->mem[i] = (uint8_t)(i * 31 >> 3);
	align_init(disk, &m->dev);
	return m;
}

/* Either edge block is bad, and the answers come in any order: garbage is never merged. */
static void
an_edge_that_cannot_be_read_leaves_both_edges_as_they_were(void **state)
{
	(void)state;
	for (unsigned world = 0; world < 64; world++) {
		struct loop *loop = loop_new();
		struct align_disk disk;
		struct memdev *m = device(loop, BLOCK, &disk);
		uint8_t before[SIZE];
		unsigned left = 0;
		struct io *io;

		memcpy(before, m->mem, SIZE);
		m->bad_from = world % 2 == 0 ? BLOCK : 4 * BLOCK;
		m->bad_to = m->bad_from + 1;
		m->reorder_seed = world / 2; /* 0: in order */
		io = begin(&disk, m, &left, BLOCK + 100, 3 * BLOCK, 0xee);
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(io->a.result, -EIO);
		assert_memory_equal(m->mem, before, SIZE);
		assert_int_equal(m->submitted[BLK_WRITE], 0);
		free(io);
		memdev_free(m);
		loop_free(loop);
	}
}

/* The block is written by three, one after another, in the order in which they came. */
static void
writes_of_parts_of_one_block_keep_their_order(void **state)
{
	(void)state;
	for (unsigned world = 1; world < 64; world++) {
		struct loop *loop = loop_new();
		struct align_disk disk;
		struct memdev *m = device(loop, BLOCK, &disk);
		struct io *io[6];
		unsigned left = 0;

		m->reorder_seed = world;
		for (int k = 0; k < 6; k++)
			io[k] = begin(&disk, m, &left, 10, 20, k + 1);
		assert_int_equal(loop_run(loop), 0);
		for (unsigned at = 10; at < 30; at++)
			assert_int_equal(m->mem[at], 6);
		for (unsigned k = 0; k < 6; k++) {
			assert_int_equal(io[k]->a.result, 0);
			free(io[k]);
		}
		memdev_free(m);
		loop_free(loop);
	}
}

/*
 * The second waits for the first, the third for the second only; the fourth has
 * nothing to do with them, and its end must not let the third pass.
 */
static void
a_write_does_not_overtake_one_that_waits_for_the_same_block(void **state)
{
	(void)state;
	for (unsigned world = 1; world < 64; world++) {
		struct loop *loop = loop_new();
		struct align_disk disk;
		struct memdev *m = device(loop, BLOCK, &disk);
		struct io *io[4];
		unsigned left = 0;

		m->reorder_seed = world;
		io[0] = begin(&disk, m, &left, 10, 20, 1);
		io[1] = begin(&disk, m, &left, 100, 2 * BLOCK, 2);
		io[2] = begin(&disk, m, &left, 2 * BLOCK + 20, 50, 3);
		io[3] = begin(&disk, m, &left, 9 * BLOCK + 10, 20, 4);
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(m->mem[2 * BLOCK + 19], 2);
		for (unsigned at = 20; at < 70; at++)
			assert_int_equal(m->mem[2 * BLOCK + at], 3);
		for (unsigned k = 0; k < 4; k++)
			free(io[k]);
		memdev_free(m);
		loop_free(loop);
	}
}

/* memdev refuses (asserts) pieces that are no whole blocks. */
static void
pieces_are_whole_blocks_whatever_a_device_takes_at_most(void **state)
{
	static const struct {
		uint32_t block, most;
	} rows[] = { { 512, 1000 }, { 512, 513 }, { 512, 8191 }, { 4096, 6000 }, { 4096, 12287 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct loop *loop = loop_new();
		struct align_disk disk;
		struct memdev *m = device(loop, rows[i].block, &disk);
		unsigned left = 0;
		struct io *io;

		m->dev.max_io_bytes = rows[i].most;
		io = begin(&disk, m, &left, 0, SIZE, 0x5a);
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(io->a.result, 0);
		for (unsigned at = 0; at < SIZE; at++)
			assert_int_equal(m->mem[at], 0x5a);
		assert_true(m->largest_bytes <= rows[i].most);
		free(io);
		memdev_free(m);
		loop_free(loop);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edge_that_cannot_be_read_leaves_both_edges_as_they_were),
		cmocka_unit_test(writes_of_parts_of_one_block_keep_their_order),
		cmocka_unit_test(a_write_does_not_overtake_one_that_waits_for_the_same_block),
		cmocka_unit_test(pieces_are_whole_blocks_whatever_a_device_takes_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
