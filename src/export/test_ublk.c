/* Requests of ublk devices. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "export/ublktest.h"

/* ---- requests ---- */

static void
data_goes_to_the_unit_and_comes_from_it(void **state)
{
	struct ublktest_place *p = *state;
	uint8_t got[8192];

	ublktest_make(p);
	ublktest_fill(3, 0x11, 4096);
	assert_int_equal(ublktest_answered(p, 3, UBLK_IO_OP_WRITE, 8192, 4096), 4096);
	assert_int_equal(p->dev->mem[8192], 0x11);
	assert_int_equal(p->dev->mem[8192 + 4095], 0x11);
	assert_int_equal(p->dev->mem[8192 + 4096], 0);
	assert_int_equal(ublktest_answered(p, 9, UBLK_IO_OP_READ, 8192 - 512, 8192), 8192);
	assert_int_equal(pread(ublktest.file, got, sizeof got, ublktest_data(9)), sizeof got);
	assert_memory_equal(got, p->dev->mem + 8192 - 512, sizeof got);
}

static void
nothing_is_answered_before_the_unit_has_answered(void **state)
{
	static const uint32_t ops[] = { UBLK_IO_OP_READ, UBLK_IO_OP_WRITE, UBLK_IO_OP_FLUSH,
		UBLK_IO_OP_DISCARD, UBLK_IO_OP_WRITE_ZEROES };
	struct ublktest_place *p = *state;

	ublktest_make(p);
	for (unsigned i = 0; i < 5; i++) {
		p->dev->hold = true;
		assert_int_equal(
		    ublktest_answered(p, i, ops[i], 0, ops[i] == UBLK_IO_OP_FLUSH ? 0 : 4096),
		    UBLKTEST_UNANSWERED);
		memdev_release(p->dev);
		ublktest_turns(p);
		assert_int_equal(ublktest.answers[i], i < 2 ? 4096 : 0);
	}
	assert_int_equal(p->dev->answered[BLK_FLUSH], 1);
	assert_int_equal(p->dev->answered[BLK_DISCARD], 1);
	assert_int_equal(p->dev->answered[BLK_WRITE_ZEROES], 1);
}

static void
fua_is_on_stable_storage(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_WRITE | UBLK_IO_F_FUA, 0, 512), 512);
	assert_int_equal(p->dev->fua_count, 1);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_WRITE, 0, 512), 512);
	assert_int_equal(p->dev->fua_count, 1);
	assert_int_equal(
	    ublktest_answered(p, 0, UBLK_IO_OP_WRITE_ZEROES | UBLK_IO_F_FUA, 0, 512), 0);
	assert_int_equal(p->dev->answered[BLK_FLUSH], 1);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_DISCARD | UBLK_IO_F_FUA, 0, 512), 0);
	assert_int_equal(p->dev->answered[BLK_FLUSH], 2);
}

static void
zeros_that_must_not_be_holes_are_written(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	memset(p->dev->mem, 0xff, 2u << 20);
	assert_int_equal(
	    ublktest_answered(p, 0, UBLK_IO_OP_WRITE_ZEROES | UBLK_IO_F_NOUNMAP, 512, 1u << 20), 0);
	assert_int_equal(p->dev->answered[BLK_WRITE_ZEROES], 0);
	assert_int_equal(p->dev->mem[511], 0xff);
	for (unsigned i = 512; i < 512 + (1u << 20); i++)
		assert_int_equal(p->dev->mem[i], 0);
	assert_int_equal(p->dev->mem[512 + (1u << 20)], 0xff);
}

static void
what_fails_fails_in_words_of_the_block_layer(void **state)
{
	static const int errors[][2] = { { -EIO, -EIO }, { -ENOSPC, -ENOSPC },
		{ -EOPNOTSUPP, -EOPNOTSUPP }, { -ESHUTDOWN, -EIO }, { -EROFS, -EIO },
		{ -EAGAIN, -EIO } };
	struct ublktest_place *p = *state;

	ublktest_make(p);
	for (unsigned i = 0; i < 6; i++) {
		p->dev->fail[BLK_WRITE] = errors[i][0];
		assert_int_equal(ublktest_answered(p, 1, UBLK_IO_OP_WRITE, 0, 512), errors[i][1]);
	}
	p->dev->fail[BLK_FLUSH] = -EIO;
	assert_int_equal(ublktest_answered(p, 1, UBLK_IO_OP_FLUSH, 0, 0), -EIO);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_READ, UBLKTEST_SIZE, 512), -EIO);
	assert_int_equal(
	    ublktest_answered(p, 0, UBLK_IO_OP_WRITE, UBLKTEST_SIZE - 512, 1024), -EIO);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_READ, 0, 0), -EIO);
	assert_int_equal(
	    ublktest_answered(p, 0, UBLK_IO_OP_READ, 0, LIMIT_UBLK_IO_BYTES + 512), -EIO);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_DISCARD, UINT64_MAX << 9, 512), -EIO);
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_WRITE_SAME, 0, 512), -EOPNOTSUPP);
	p->dev->dev.block_bytes = 4096;
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_WRITE, 512, 4096), -EIO);
	assert_int_equal(p->dev->submitted[BLK_WRITE] + p->dev->submitted[BLK_READ], 0);
}

static void
what_a_unit_does_not_take_at_once_is_cut(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	p->dev->dev.max_io_bytes = 64u << 10;
	assert_int_equal(ublktest_answered(p, 0, UBLK_IO_OP_READ, 0, 1u << 20), 1 << 20);
	assert_int_equal(p->dev->submitted[BLK_READ], 16);
	assert_int_equal(p->dev->largest_bytes, 64u << 10);
}

static void
requests_beyond_the_limit_wait_and_come_in_order(void **state)
{
	struct ublktest_place *p = *state;

	ublktest_make(p);
	p->dev->hold = true;
	for (unsigned i = 0; i < 40; i++)
		ublktest_request(i, UBLK_IO_OP_READ, 0, 1u << 20);
	assert_int_equal(p->dev->queued, LIMIT_UBLK_BYTES >> 20);
	memdev_release(p->dev);
	ublktest_turns(p);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(ublktest.answers[i], 1 << 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UBLKTEST_CASE(data_goes_to_the_unit_and_comes_from_it),
		UBLKTEST_CASE(nothing_is_answered_before_the_unit_has_answered),
		UBLKTEST_CASE(fua_is_on_stable_storage),
		UBLKTEST_CASE(zeros_that_must_not_be_holes_are_written),
		UBLKTEST_CASE(what_fails_fails_in_words_of_the_block_layer),
		UBLKTEST_CASE(what_cannot_be_is_refused),
		UBLKTEST_CASE(what_a_unit_does_not_take_at_once_is_cut),
		UBLKTEST_CASE(requests_beyond_the_limit_wait_and_come_in_order),
	};

	return ublktest_run("export_ublk", tests, sizeof tests / sizeof tests[0]);
}
