#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lu/fake_path.h"
#include "scsi/sense.h"

/* Slots for requests; one more is left for questions. */
#define SLOTS 4

struct world {
	struct fake_path f;
	struct lu *u;
	struct lu_info info;
};

static const struct lu_ops ops;

static struct lu_info
plain_info(void)
{
	return fake_info(5, 0x5000000000000001);
}

static void
start(struct world *w, struct lu_info info)
{
	fake_path_init(&w->f, SLOTS + 1);
	w->info = info;
	w->u = lu_new(&w->f.path, &info, "c0t0d5", &ops, w);
	assert_int_equal(lu_state(w->u), LU_SAME);
	fake_path_add(&w->f, w->u);
}

static void
end(struct world *w)
{
	lu_close(w->u, -ENXIO);
	fake_path_turn(&w->f);
	assert_true(lu_is_idle(w->u));
	lu_free(w->u);
	fake_path_fini(&w->f);
}

static void
ask(struct world *w, struct fake_req *a, enum blk_op op, uint64_t offset, uint64_t len, bool fua)
{
	fake_submit(w->u, a, op, offset, len, fua);
}

/* The command with this operation code is the only one out, and it is answered GOOD. */
static void
expect_good(struct world *w, uint8_t opcode)
{
	assert_int_equal(w->f.n, 1);
	assert_int_equal(fake_path_req(&w->f, 0)->cdb[0], opcode);
	fake_path_good(&w->f, 0);
}

static void
expect_end(struct world *w, const struct fake_req *a, int result)
{
	fake_path_turn(&w->f);
	assert_int_equal(a->done, 1);
	assert_int_equal(a->r.result, result);
}

static void
a_read_goes_to_its_lun_and_blocks(void **state)
{
	struct world w;
	struct fake_req a;
	struct req *r;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_READ, 4096, 8192, false);
	r = fake_path_req(&w.f, 0);
	assert_int_equal(r->lun[1], 5);
	assert_int_equal(r->cdb[0], CDB_READ_10);
	assert_int_equal(be_get32(r->cdb + 2), 8);
	assert_int_equal(be_get16(r->cdb + 7), 16);
	assert_ptr_equal(r->data, a.r.buf);
	assert_int_equal(r->data_len, 8192);
	fake_path_good(&w.f, 0);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
a_short_read_is_an_error(void **state)
{
	struct world w;
	struct fake_req a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_READ, 0, 4096, false);
	fake_path_req(&w.f, 0)->data_got = 4095;
	fake_path_answer(&w.f, 0);
	expect_end(&w, &a, -EIO);
	end(&w);
}

static void
a_write_that_says_good_and_left_something_out_is_an_error(void **state)
{
	struct world w;
	struct fake_req a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 0, 4096, false);
	fake_path_req(&w.f, 0)->underflow = true;
	fake_path_req(&w.f, 0)->residual = 512;
	fake_path_answer(&w.f, 0);
	expect_end(&w, &a, -EIO);
	end(&w);
}

static void
a_large_disk_needs_sixteen_byte_commands(void **state)
{
	struct lu_info info = plain_info();
	struct world w;
	struct fake_req a;

	(void)state;
	info.capacity.blocks = 1ull << 40;
	info.capacity.bytes = info.capacity.blocks * 512;
	start(&w, info);
	ask(&w, &a, BLK_WRITE, 512ull << 33, 512, false);
	assert_int_equal(be_get64(fake_path_req(&w.f, 0)->cdb + 2), 1ull << 33);
	expect_good(&w, CDB_WRITE_16);
	expect_end(&w, &a, 0);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	expect_good(&w, CDB_SYNC_CACHE_16);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
fua_is_the_bit_where_the_target_has_it(void **state)
{
	struct world w;
	struct fake_req a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 0, 512, true);
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[1] & 0x08, 0x08);
	expect_good(&w, CDB_WRITE_10);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
fua_is_a_flush_behind_where_the_target_has_no_bit(void **state)
{
	struct lu_info info = plain_info();
	struct world w;
	struct fake_req a;

	(void)state;
	info.mode.has_fua = false;
	start(&w, info);
	ask(&w, &a, BLK_WRITE, 0, 512, true);
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[1] & 0x08, 0);
	expect_good(&w, CDB_WRITE_10);
	assert_int_equal(a.done, 0);
	expect_good(&w, CDB_SYNC_CACHE_10);
	expect_end(&w, &a, 0);
	end(&w);
}

/* Found by tests/sim, seed 1281. */
static void
fua_that_was_sent_without_the_bit_has_its_flush_although_the_bit_is_known_now(void **state)
{
	struct lu_info info = plain_info();
	struct world w;
	struct fake_req a;

	(void)state;
	info.mode.has_fua = false;
	start(&w, info);
	ask(&w, &a, BLK_WRITE, 0, 512, true);
	info.mode.has_fua = true;
	lunpath_learned(lu_first_path(w.u), &info);
	expect_good(&w, CDB_WRITE_10);
	assert_int_equal(a.done, 0);
	expect_good(&w, CDB_SYNC_CACHE_10);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
fua_fails_when_its_flush_fails(void **state)
{
	struct lu_info info = plain_info();
	struct world w;
	struct fake_req a;

	(void)state;
	info.mode.has_fua = false;
	start(&w, info);
	ask(&w, &a, BLK_WRITE, 0, 512, true);
	expect_good(&w, CDB_WRITE_10);
	fake_path_check(&w.f, 0, SENSE_KEY_MEDIUM_ERROR, 0x0c, 0x00);
	expect_end(&w, &a, -EIO);
	end(&w);
}

static void
a_flush_needs_no_command_only_when_the_cache_is_known_to_be_off(void **state)
{
	struct lu_info info = plain_info();
	struct world w;
	struct fake_req a;

	(void)state;
	info.mode.is_write_cache_enabled = false;
	start(&w, info);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	assert_int_equal(w.f.n, 0);
	expect_end(&w, &a, 0);
	info.has_mode = false;
	lu_adopt(w.u, &info);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	expect_good(&w, CDB_SYNC_CACHE_10);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
a_cache_that_is_on_and_cannot_be_flushed_is_an_error(void **state)
{
	struct world w;
	struct fake_req a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	fake_path_check(&w.f, 0, SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
	expect_end(&w, &a, -EIO);
	end(&w);
}

static void
a_target_without_cache_and_without_flush_is_not_asked_twice(void **state)
{
	struct lu_info info = plain_info();
	struct world w;
	struct fake_req a;

	(void)state;
	info.has_mode = false;
	start(&w, info);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	fake_path_check(&w.f, 0, SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
	expect_end(&w, &a, 0);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	assert_int_equal(w.f.n, 0);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
a_write_protected_disk_refuses_writes_without_asking(void **state)
{
	struct lu_info info = plain_info();
	struct world w;
	struct fake_req a;

	(void)state;
	info.mode.is_write_protected = true;
	start(&w, info);
	assert_true(lu_blk(w.u)->read_only);
	ask(&w, &a, BLK_WRITE, 0, 512, false);
	assert_int_equal(w.f.n, 0);
	expect_end(&w, &a, -EROFS);
	end(&w);
}

static void
io_outside_the_disk_or_between_blocks_fails(void **state)
{
	static const struct {
		enum blk_op op;
		uint64_t offset, len;
		int result;
	} bad[] = {
		{ BLK_READ, 1 << 20, 512, -EIO },
		{ BLK_READ, UINT64_MAX - 511, 512, -EIO },
		{ BLK_WRITE, (1 << 20) - 512, 1024, -ENOSPC },
		{ BLK_READ, 256, 512, -EIO },
		{ BLK_READ, 0, 100, -EIO },
	};
	struct world w;
	struct fake_req a;

	(void)state;
	start(&w, plain_info());
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ask(&w, &a, bad[i].op, bad[i].offset, bad[i].len, false);
		assert_int_equal(w.f.n, 0);
		expect_end(&w, &a, bad[i].result);
	}
	end(&w);
}

static void
more_requests_than_slots_wait_and_none_is_lost(void **state)
{
	struct fake_req a[3 * SLOTS];
	struct world w;

	(void)state;
	start(&w, plain_info());
	for (size_t i = 0; i < 3 * SLOTS; i++)
		ask(&w, &a[i], BLK_READ, 512 * i, 512, false);
	assert_int_equal(w.f.n, SLOTS);
	for (size_t i = 0; i < 3 * SLOTS; i++) {
		assert_int_equal(be_get32(fake_path_req(&w.f, 0)->cdb + 2), i);
		fake_path_good(&w.f, 0);
	}
	for (size_t i = 0; i < 3 * SLOTS; i++)
		expect_end(&w, &a[i], 0);
	end(&w);
}

static void
a_discard_is_cut_into_what_the_target_takes(void **state)
{
	struct lu_info info = plain_info();
	struct world w;
	struct fake_req a;

	(void)state;
	info.provision.unmap = true;
	info.limits.unmap_blocks_max = 100;
	info.limits.unmap_extents_max = 1;
	start(&w, info);
	assert_true(lu_blk(w.u)->can_discard);
	ask(&w, &a, BLK_DISCARD, 512, 250 * 512, false);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *list = fake_path_req(&w.f, 0)->data;

		assert_int_equal(be_get64(list + 8), 1 + 100 * i);
		assert_int_equal(be_get32(list + 16), i < 2 ? 100 : 50);
		expect_good(&w, CDB_UNMAP);
	}
	expect_end(&w, &a, 0);
	end(&w);
}

static void
discard_is_refused_where_the_target_cannot(void **state)
{
	struct world w;
	struct fake_req a;

	(void)state;
	start(&w, plain_info());
	assert_false(lu_blk(w.u)->can_discard);
	ask(&w, &a, BLK_DISCARD, 0, 512, false);
	expect_end(&w, &a, -EOPNOTSUPP);
	end(&w);
}

static void
zeros_are_written_where_write_same_is_not_known(void **state)
{
	struct world w;
	struct fake_req a;
	const struct req *r;
	uint64_t blocks = 0;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE_ZEROES, 0, 1 << 20, false);
	assert_int_equal(fake_path_req(&w.f, 0)->cdb[0], CDB_WRITE_SAME_16);
	fake_path_check(&w.f, 0, SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
	while (w.f.n > 0) {
		r = fake_path_req(&w.f, 0);
		assert_int_equal(r->cdb[0], CDB_WRITE_10);
		assert_int_equal(be_get32(r->cdb + 2), blocks);
		for (uint32_t i = 0; i < r->data_len; i++)
			assert_int_equal(r->data[i], 0);
		blocks += be_get16(r->cdb + 7);
		fake_path_good(&w.f, 0);
	}
	assert_int_equal(blocks, 2048);
	expect_end(&w, &a, 0);
	end(&w);
}

/* Each learns it for itself. */
static void
two_at_once_learn_that_write_same_is_not_known(void **state)
{
	struct fake_req a[2];
	struct world w;

	(void)state;
	start(&w, plain_info());
	for (size_t i = 0; i < 2; i++)
		ask(&w, &a[i], BLK_WRITE_ZEROES, 4096 * i, 4096, false);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fake_path_req(&w.f, 0)->cdb[0], CDB_WRITE_SAME_16);
		fake_path_check(&w.f, 0, SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
	}
	while (w.f.n > 0)
		fake_path_good(&w.f, 0);
	for (size_t i = 0; i < 2; i++)
		expect_end(&w, &a[i], 0);
	end(&w);
}

static void
no_space_behind_a_thin_unit_is_told_as_such(void **state)
{
	struct world w;
	struct fake_req a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 0, 512, false);
	fake_path_check(&w.f, 0, SENSE_KEY_DATA_PROTECT, 0x27, 0x07);
	expect_end(&w, &a, -ENOSPC);
	end(&w);
}

static void
the_target_limits_the_size_of_a_command(void **state)
{
	struct lu_info info = plain_info();
	struct world w;

	(void)state;
	start(&w, info);
	assert_int_equal(lu_blk(w.u)->max_io_bytes, (1u << 20));
	info.limits.transfer_max = 200;
	info.capacity.bytes *= 2;
	lu_adopt(w.u, &info);
	assert_int_equal(lu_blk(w.u)->max_io_bytes, 200 * 512);
	assert_int_equal(lu_blk(w.u)->size_bytes, 2 << 20);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_goes_to_its_lun_and_blocks),
		cmocka_unit_test(a_short_read_is_an_error),
		cmocka_unit_test(a_write_that_says_good_and_left_something_out_is_an_error),
		cmocka_unit_test(a_large_disk_needs_sixteen_byte_commands),
		cmocka_unit_test(fua_is_the_bit_where_the_target_has_it),
		cmocka_unit_test(fua_is_a_flush_behind_where_the_target_has_no_bit),
		cmocka_unit_test(
		    fua_that_was_sent_without_the_bit_has_its_flush_although_the_bit_is_known_now),
		cmocka_unit_test(fua_fails_when_its_flush_fails),
		cmocka_unit_test(a_flush_needs_no_command_only_when_the_cache_is_known_to_be_off),
		cmocka_unit_test(a_cache_that_is_on_and_cannot_be_flushed_is_an_error),
		cmocka_unit_test(a_target_without_cache_and_without_flush_is_not_asked_twice),
		cmocka_unit_test(a_write_protected_disk_refuses_writes_without_asking),
		cmocka_unit_test(io_outside_the_disk_or_between_blocks_fails),
		cmocka_unit_test(more_requests_than_slots_wait_and_none_is_lost),
		cmocka_unit_test(a_discard_is_cut_into_what_the_target_takes),
		cmocka_unit_test(discard_is_refused_where_the_target_cannot),
		cmocka_unit_test(zeros_are_written_where_write_same_is_not_known),
		cmocka_unit_test(two_at_once_learn_that_write_same_is_not_known),
		cmocka_unit_test(no_space_behind_a_thin_unit_is_told_as_such),
		cmocka_unit_test(the_target_limits_the_size_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
