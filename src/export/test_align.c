/* Byte access over a device in memory, on a loop of this thread. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/align.h"
#include "export/memdev.h"

#define SIZE   (64u << 10)
#define ROOM   4096u
#define IO_MAX (SIZE + 2 * ROOM)

struct io {
	struct align_io a;
	struct world *w;
	bool is_done;
	uint8_t scratch[2 * ROOM];
	uint8_t mem[IO_MAX];
};

struct world {
	struct loop *loop;
	struct memdev *m;
	struct align_disk disk;
	unsigned outstanding;
};

static void
world_init(struct world *w, uint32_t block_bytes)
{
	w->outstanding = 0;
	w->loop = loop_new();
	assert_non_null(w->loop);
	w->m = memdev_new(w->loop, "d", SIZE, block_bytes);
	assert_non_null(w->m);
	for (unsigned i = 0; i < SIZE; i++)
		w->m->mem[i] = (uint8_t)(i * 31 >> 3);
	align_init(&w->disk, &w->m->dev);
}

static void
world_fini(struct world *w)
{
	memdev_free(w->m);
	loop_free(w->loop);
}

static void
io_done(struct align_io *a)
{
	struct io *io = LIST_ENTRY(a, struct io, a);

	assert_false(io->is_done);
	io->is_done = true;
	if (--io->w->outstanding == 0)
		loop_stop(io->w->loop);
}

static struct io *
begin(struct world *w, enum blk_op op, uint64_t offset, uint64_t len, int fill)
{
	struct io *io = calloc(1, sizeof *io);

	assert_non_null(io);
	memset(io->mem, fill, sizeof io->mem);
	io->w = w;
	io->a = (struct align_io){ .op = op,
		.offset = offset,
		.len = len,
		.buf = io->mem + ROOM,
		.scratch = io->scratch,
		.done = io_done };
	w->outstanding++;
	align_submit(&w->disk, &io->a);
	return io;
}

static void
wait_all(struct world *w)
{
	if (w->outstanding > 0)
		assert_int_equal(loop_run(w->loop), 0);
}

/* One at a time; gives the result, and the data of a read. */
static int
run(struct world *w, enum blk_op op, uint64_t offset, uint64_t len, int fill, uint8_t *ret)
{
	struct io *io = begin(w, op, offset, len, fill);
	int result;

	wait_all(w);
	assert_true(io->is_done);
	result = io->a.result;
	if (ret != NULL)
		memcpy(ret, io->mem + ROOM, len);
	free(io);
	return result;
}

static uint64_t
random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

static void
every_byte_range_reads_and_writes_what_it_says(void **state)
{
	static const uint32_t blocks[] = { 512, 4096 };
	static uint8_t model[SIZE], got[SIZE];
	uint64_t x = 4711;

	(void)state;
	for (unsigned b = 0; b < 2; b++) {
		struct world w;

		world_init(&w, blocks[b]);
		memcpy(model, w.m->mem, SIZE);
		w.m->dev.max_io_bytes = 8192;
		for (unsigned i = 0; i < 1500; i++) {
			uint64_t off = random_next(&x) % SIZE;
			uint64_t most = i % 3 == 0 ? 600 : SIZE;
			uint64_t len = 1 + random_next(&x) % most;

			if (len > SIZE - off)
				len = SIZE - off;
			if (i % 2 == 0) {
				assert_int_equal(
				    run(&w, BLK_WRITE, off, len, (int)(i & 0xff), NULL), 0);
				memset(model + off, (int)(i & 0xff), len);
			} else if (i % 7 == 0) {
				assert_int_equal(run(&w, BLK_WRITE_ZEROES, off, len, 1, NULL), 0);
				memset(model + off, 0, len);
			}
			assert_memory_equal(w.m->mem, model, SIZE);
			off = random_next(&x) % SIZE;
			len = 1 + random_next(&x) % (SIZE - off);
			assert_int_equal(run(&w, BLK_READ, off, len, 0xee, got), 0);
			assert_memory_equal(got, model + off, len);
		}
		assert_true(w.m->largest_bytes <= 8192);
		assert_true(list_empty(&w.disk.running) && w.disk.partial_count == 0);
		world_fini(&w);
	}
}

static void
neighbours_in_one_block_do_not_lose_each_others_bytes(void **state)
{
	struct world w;
	struct io *ios[96];

	(void)state;
	world_init(&w, 4096);
	w.m->reorder_seed = 99;
	for (unsigned round = 1; round <= 40; round++) {
		/* Pieces of 333 bytes over 8 blocks, by different requests, in a mixed order. */
		for (unsigned i = 0; i < 96; i++)
			ios[i] = begin(&w, BLK_WRITE, (i * 37 % 96) * 333ull, 333,
			    (int)((i * 37 % 96 + round) & 0xff));
		wait_all(&w);
		for (unsigned i = 0; i < 96; i++) {
			assert_int_equal(ios[i]->a.result, 0);
			free(ios[i]);
			for (unsigned k = 0; k < 333; k++)
				assert_int_equal(w.m->mem[i * 333 + k], (uint8_t)(i + round));
		}
	}
	world_fini(&w);
}

static void
a_whole_block_write_waits_for_a_partial_one_of_the_same_block(void **state)
{
	struct world w;
	struct io *partial, *whole, *other;

	(void)state;
	world_init(&w, 512);
	w.m->hold = true;
	partial = begin(&w, BLK_WRITE, 10, 20, 0x11);
	whole = begin(&w, BLK_WRITE, 0, 512, 0x22);
	other = begin(&w, BLK_WRITE, 512, 512, 0x33);
	/* The partial one reads its block, the other block's write is on its way, the third waits.
	 */
	assert_int_equal(w.m->submitted[BLK_READ], 1);
	assert_int_equal(w.m->submitted[BLK_WRITE], 1);
	memdev_release(w.m);
	wait_all(&w);
	assert_int_equal(w.m->mem[15], 0x22);
	assert_int_equal(w.m->mem[512], 0x33);
	free(partial), free(whole), free(other);
	world_fini(&w);
}

static void
whole_block_writes_do_not_wait_for_each_other(void **state)
{
	struct world w;
	struct io *a, *b;

	(void)state;
	world_init(&w, 512);
	w.m->hold = true;
	a = begin(&w, BLK_WRITE, 0, 1024, 1);
	b = begin(&w, BLK_WRITE, 512, 1024, 2);
	assert_int_equal(w.m->submitted[BLK_WRITE], 2);
	memdev_release(w.m);
	wait_all(&w);
	free(a), free(b);
	world_fini(&w);
}

static void
the_first_error_is_the_result_and_stops_the_rest(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 512);
	w.m->dev.max_io_bytes = 512;
	w.m->bad_from = 512;
	w.m->bad_to = 513;
	assert_int_equal(run(&w, BLK_READ, 0, SIZE, 0, NULL), -EIO);
	/* The first eight were on their way when the second failed; one more had followed the
	 * first. */
	assert_true(w.m->submitted[BLK_READ] <= SPLIT_PIECES + 1);
	/* Neither an edge that cannot be read nor one that cannot be written is success. */
	assert_int_equal(run(&w, BLK_WRITE, 600, 1, 0, NULL), -EIO);
	assert_int_equal(run(&w, BLK_WRITE, 100, 500, 0, NULL), -EIO);
	w.m->bad_to = 0;
	w.m->fail[BLK_WRITE] = -ENOSPC;
	assert_int_equal(run(&w, BLK_WRITE, 600, 1, 0, NULL), -ENOSPC);
	assert_int_equal(run(&w, BLK_WRITE_ZEROES, 600, 2000, 0, NULL), -ENOSPC);
	w.m->fail[BLK_WRITE] = 0;
	w.m->fail[BLK_WRITE_ZEROES] = -EOPNOTSUPP;
	assert_int_equal(run(&w, BLK_WRITE_ZEROES, 600, 2000, 0, NULL), -EOPNOTSUPP);
	w.m->fail[BLK_FLUSH] = -EIO;
	assert_int_equal(run(&w, BLK_FLUSH, 0, 0, 0, NULL), -EIO);
	/* And the next write of the same block does not wait for ever. */
	w.m->fail[BLK_WRITE_ZEROES] = 0;
	assert_int_equal(run(&w, BLK_WRITE, 600, 1, 0x55, NULL), 0);
	assert_int_equal(w.m->mem[600], 0x55);
	world_fini(&w);
}

/*
 * Whichever edge cannot be read, in whichever order the answers come, nothing
 * is written: what lies in its place in memory is no block of the disk.
 */
static void
an_edge_that_cannot_be_read_is_never_merged(void **state)
{
	static uint8_t before[SIZE];

	(void)state;
	for (unsigned seed = 0; seed < 40; seed++)
		for (unsigned edge = 0; edge < 2; edge++)
			for (unsigned zeroes = 0; zeroes < 2; zeroes++) {
				struct world w;
				unsigned long writes;

				world_init(&w, 512);
				w.m->reorder_seed = seed;
				memcpy(before, w.m->mem, SIZE);
				w.m->bad_from = edge == 0 ? 512 : 2560;
				w.m->bad_to = w.m->bad_from + 512;
				writes = w.m->submitted[BLK_WRITE];
				assert_int_equal(run(&w, zeroes ? BLK_WRITE_ZEROES : BLK_WRITE, 700,
						     2000, 0x5a, NULL),
				    -EIO);
				assert_int_equal(w.m->submitted[BLK_WRITE], writes);
				assert_memory_equal(w.m->mem, before, SIZE);
				world_fini(&w);
			}
}

/* The device asserts it. */
static void
pieces_are_whole_blocks_whatever_the_device_takes(void **state)
{
	static uint8_t model[SIZE];
	uint64_t x = 815;

	(void)state;
	for (uint32_t most = 4096; most < 4096 + 3 * 512; most += 100) {
		struct world w;

		world_init(&w, 512);
		memcpy(model, w.m->mem, SIZE);
		w.m->dev.max_io_bytes = most;
		for (unsigned i = 0; i < 60; i++) {
			uint64_t off = random_next(&x) % SIZE;
			uint64_t len = 1 + random_next(&x) % (SIZE - off);

			assert_int_equal(run(&w, BLK_WRITE, off, len, (int)i, NULL), 0);
			memset(model + off, (int)i, len);
			assert_memory_equal(w.m->mem, model, SIZE);
		}
		world_fini(&w);
	}
}

/* A request that passed, or was told to wait its turn. */
struct passing {
	struct blk_req r;
	struct world *w;
	uint8_t mem[512];
};

static void
passing_done(struct blk_req *r)
{
	struct passing *p = LIST_ENTRY(r, struct passing, r);

	align_passed(&p->w->disk, r->op);
	if (--p->w->outstanding == 0)
		loop_stop(p->w->loop);
}

static bool
pass(struct world *w, struct passing *p, uint64_t offset, int fill)
{
	if (!align_pass(&w->disk, BLK_WRITE, offset, sizeof p->mem))
		return false;
	memset(p->mem, fill, sizeof p->mem);
	p->w = w;
	p->r = (struct blk_req){ .op = BLK_WRITE,
		.offset = offset,
		.len = sizeof p->mem,
		.buf = p->mem,
		.done = passing_done };
	w->outstanding++;
	w->m->dev.submit(&w->m->dev, &p->r);
	return true;
}

static void
what_passes_and_what_is_merged_lose_nothing_of_each_other(void **state)
{
	struct passing first = { 0 }, second = { 0 };
	struct io *partial;
	struct world w;

	(void)state;
	world_init(&w, 512);
	w.m->hold = true;
	assert_true(pass(&w, &first, 0, 0x11));
	partial = begin(&w, BLK_WRITE, 10, 20, 0x22);
	/* Its block is being written: it must not read it yet. */
	assert_int_equal(w.m->submitted[BLK_READ], 0);
	/* And nothing passes that it might wait for, for ever. */
	assert_false(pass(&w, &second, 512, 0x33));
	memdev_release(w.m);
	wait_all(&w);
	assert_int_equal(partial->a.result, 0);
	assert_int_equal(w.m->mem[9], 0x11);
	assert_int_equal(w.m->mem[10], 0x22);
	assert_int_equal(w.m->mem[30], 0x11);
	assert_true(pass(&w, &second, 512, 0x33));
	wait_all(&w);
	assert_int_equal(w.disk.passed_count, 0);
	free(partial);
	world_fini(&w);
}

static void
only_whole_blocks_that_the_device_takes_pass(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 512);
	w.m->dev.max_io_bytes = 4096;
	assert_true(align_pass(&w.disk, BLK_READ, 512, 4096));
	assert_false(align_pass(&w.disk, BLK_READ, 512, 4608));
	assert_false(align_pass(&w.disk, BLK_READ, 100, 512));
	assert_false(align_pass(&w.disk, BLK_READ, 512, 100));
	assert_false(align_pass(&w.disk, BLK_WRITE, 256, 256));
	/* Zeroes are never cut. */
	assert_true(align_pass(&w.disk, BLK_WRITE_ZEROES, 0, SIZE));
	align_passed(&w.disk, BLK_WRITE_ZEROES);
	assert_true(align_pass(&w.disk, BLK_FLUSH, 0, 0));
	align_passed(&w.disk, BLK_FLUSH);
	assert_int_equal(w.disk.passed_count, 0);
	world_fini(&w);
}

static void
stable_storage_is_asked_for_in_every_piece(void **state)
{
	struct world w;
	struct io *io;

	(void)state;
	world_init(&w, 512);
	w.m->dev.max_io_bytes = 1024;
	io = begin(&w, BLK_WRITE, 512, 1, 0); /* sets up the memory */
	wait_all(&w);
	assert_int_equal(w.m->fua_count, 0);
	io->is_done = false;
	io->a.offset = 100;
	io->a.len = 4000;
	io->a.fua = true;
	w.outstanding++;
	align_submit(&w.disk, &io->a);
	wait_all(&w);
	assert_int_equal(io->a.result, 0);
	assert_int_equal(w.m->fua_count, 5); /* 0 to 4608, in pieces of 1024 */
	free(io);
	world_fini(&w);
}

static void
what_waits_when_the_device_goes_ends_with_enxio(void **state)
{
	struct world w;
	struct io *ios[3];

	(void)state;
	world_init(&w, 512);
	w.m->hold = true;
	for (unsigned i = 0; i < 3; i++)
		ios[i] = begin(&w, BLK_WRITE, 10 * i, 10, 0x77);
	align_gone(&w.disk);
	assert_false(ios[0]->is_done); /* its read is still with the device */
	assert_true(ios[1]->is_done && ios[2]->is_done);
	memdev_release(w.m);
	wait_all(&w);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ios[i]->a.result, -ENXIO);
		free(ios[i]);
	}
	assert_int_equal(w.m->submitted[BLK_WRITE], 0);
	world_fini(&w);
}

static void
pieces_that_are_left_when_the_device_goes_are_an_error(void **state)
{
	struct world w;
	struct io *io;

	(void)state;
	world_init(&w, 512);
	w.m->hold = true;
	w.m->dev.max_io_bytes = 512;
	io = begin(&w, BLK_WRITE, 0, SIZE, 1);
	assert_int_equal(w.m->submitted[BLK_WRITE], SPLIT_PIECES);
	align_gone(&w.disk);
	memdev_release(w.m);
	wait_all(&w);
	assert_int_equal(io->a.result, -ENXIO);
	assert_int_equal(w.m->submitted[BLK_WRITE], SPLIT_PIECES);
	free(io);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_range_reads_and_writes_what_it_says),
		cmocka_unit_test(neighbours_in_one_block_do_not_lose_each_others_bytes),
		cmocka_unit_test(a_whole_block_write_waits_for_a_partial_one_of_the_same_block),
		cmocka_unit_test(whole_block_writes_do_not_wait_for_each_other),
		cmocka_unit_test(the_first_error_is_the_result_and_stops_the_rest),
		cmocka_unit_test(an_edge_that_cannot_be_read_is_never_merged),
		cmocka_unit_test(pieces_are_whole_blocks_whatever_the_device_takes),
		cmocka_unit_test(what_passes_and_what_is_merged_lose_nothing_of_each_other),
		cmocka_unit_test(only_whole_blocks_that_the_device_takes_pass),
		cmocka_unit_test(stable_storage_is_asked_for_in_every_piece),
		cmocka_unit_test(what_waits_when_the_device_goes_ends_with_enxio),
		cmocka_unit_test(pieces_that_are_left_when_the_device_goes_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
