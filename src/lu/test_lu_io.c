#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "driver/iscsial/disk.h"
#include "driver/iscsial/fake_port.h"
#include "scsi/sense.h"

#define SLOTS 4

struct world {
	struct fake_port f;
	struct iopool *pool;
	struct disk *d;
	struct lun_info info;
	unsigned looks;
};

struct asked {
	struct blk_req r;
	unsigned done;
};

static uint8_t buffer[DISK_IO_BYTES_MAX];

static void
look(void *user, struct disk *d)
{
	struct world *w = user;

	assert_ptr_equal(d, w->d);
	w->looks++;
}

static const struct disk_ops ops = { .look = look };

static struct lun_info
plain_info(void)
{
	struct lun_info i = { .number = 5, .is_present = true, .is_disk = true, .is_sized = true };

	i.wire[1] = 5;
	i.capacity.blocks = 2048;
	i.capacity.block_bytes = 512;
	i.capacity.bytes = 1 << 20;
	i.has_mode = i.mode.has_caching = i.mode.is_write_cache_enabled = i.mode.has_fua = true;
	return i;
}

static void
start(struct world *w, struct lun_info info)
{
	fake_port_init(&w->f);
	w->pool = iopool_new(SLOTS);
	w->info = info;
	w->looks = 0;
	w->d = disk_new(&w->f.port, w->pool, &info, "c0t0d5", &ops, w);
}

static void
end(struct world *w)
{
	disk_off(w->d, -ENXIO);
	fake_port_turn(&w->f);
	assert_true(disk_is_idle(w->d));
	disk_free(w->d);
	iopool_free(w->pool);
	fake_port_fini(&w->f);
}

static void
done(struct blk_req *r)
{
	struct asked *a = r->user;

	a->done++;
}

static void
ask(struct world *w, struct asked *a, enum blk_op op, uint64_t offset, uint64_t len, bool fua)
{
	struct blk_dev *b = disk_blk(w->d);

	*a = (struct asked){ .r = { .op = op,
				 .offset = offset,
				 .len = len,
				 .buf = buffer,
				 .fua = fua,
				 .done = done,
				 .result = 1 } };
	a->r.user = a;
	b->submit(b, &a->r);
	assert_int_equal(a->done, 0); /* never from inside submit */
}

/* The command with this operation code is the only one out, and it is answered GOOD. */
static void
expect_good(struct world *w, uint8_t opcode)
{
	assert_int_equal(w->f.n, 1);
	assert_int_equal(fake_port_req(&w->f, 0)->cdb[0], opcode);
	fake_port_good(&w->f, 0);
}

static void
expect_end(struct world *w, const struct asked *a, int result)
{
	fake_port_turn(&w->f);
	assert_int_equal(a->done, 1);
	assert_int_equal(a->r.result, result);
}

static void
a_read_goes_to_its_lun_and_blocks(void **state)
{
	struct world w;
	struct asked a;
	struct req *r;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_READ, 4096, 8192, false);
	r = fake_port_req(&w.f, 0);
	assert_int_equal(r->lun[1], 5);
	assert_int_equal(r->cdb[0], CDB_READ_10);
	assert_int_equal(be_get32(r->cdb + 2), 8);
	assert_int_equal(be_get16(r->cdb + 7), 16);
	assert_ptr_equal(r->data, buffer);
	assert_int_equal(r->data_len, 8192);
	fake_port_good(&w.f, 0);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
a_short_read_is_an_error(void **state)
{
	struct world w;
	struct asked a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_READ, 0, 4096, false);
	fake_port_req(&w.f, 0)->data_got = 4095;
	fake_port_answer(&w.f, 0);
	expect_end(&w, &a, -EIO);
	end(&w);
}

static void
a_large_disk_needs_sixteen_byte_commands(void **state)
{
	struct lun_info info = plain_info();
	struct world w;
	struct asked a;

	(void)state;
	info.capacity.blocks = 1ull << 40;
	info.capacity.bytes = info.capacity.blocks * 512;
	start(&w, info);
	ask(&w, &a, BLK_WRITE, 512ull << 33, 512, false);
	assert_int_equal(be_get64(fake_port_req(&w.f, 0)->cdb + 2), 1ull << 33);
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
	struct asked a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 0, 512, true);
	assert_int_equal(fake_port_req(&w.f, 0)->cdb[1] & 0x08, 0x08);
	expect_good(&w, CDB_WRITE_10);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
fua_is_a_flush_behind_where_the_target_has_no_bit(void **state)
{
	struct lun_info info = plain_info();
	struct world w;
	struct asked a;

	(void)state;
	info.mode.has_fua = false;
	start(&w, info);
	ask(&w, &a, BLK_WRITE, 0, 512, true);
	assert_int_equal(fake_port_req(&w.f, 0)->cdb[1] & 0x08, 0);
	expect_good(&w, CDB_WRITE_10);
	assert_int_equal(a.done, 0);
	expect_good(&w, CDB_SYNC_CACHE_10);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
fua_fails_when_its_flush_fails(void **state)
{
	struct lun_info info = plain_info();
	struct world w;
	struct asked a;

	(void)state;
	info.mode.has_fua = false;
	start(&w, info);
	ask(&w, &a, BLK_WRITE, 0, 512, true);
	expect_good(&w, CDB_WRITE_10);
	fake_port_check(&w.f, 0, SENSE_KEY_MEDIUM_ERROR, 0x0c, 0x00);
	expect_end(&w, &a, -EIO);
	end(&w);
}

static void
a_flush_needs_no_command_only_when_the_cache_is_known_to_be_off(void **state)
{
	struct lun_info info = plain_info();
	struct world w;
	struct asked a;

	(void)state;
	info.mode.is_write_cache_enabled = false;
	start(&w, info);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	assert_int_equal(w.f.n, 0);
	expect_end(&w, &a, 0);
	info.has_mode = false;
	assert_false(disk_update(w.d, &info) && disk_blk(w.d)->read_only);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	expect_good(&w, CDB_SYNC_CACHE_10);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
a_cache_that_is_on_and_cannot_be_flushed_is_an_error(void **state)
{
	struct world w;
	struct asked a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	fake_port_check(&w.f, 0, SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
	expect_end(&w, &a, -EIO);
	end(&w);
}

static void
a_target_without_cache_and_without_flush_is_not_asked_twice(void **state)
{
	struct lun_info info = plain_info();
	struct world w;
	struct asked a;

	(void)state;
	info.has_mode = false;
	start(&w, info);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	fake_port_check(&w.f, 0, SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
	expect_end(&w, &a, 0);
	ask(&w, &a, BLK_FLUSH, 0, 0, false);
	assert_int_equal(w.f.n, 0);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
a_write_protected_disk_refuses_writes_without_asking(void **state)
{
	struct lun_info info = plain_info();
	struct world w;
	struct asked a;

	(void)state;
	info.mode.is_write_protected = true;
	start(&w, info);
	assert_true(disk_blk(w.d)->read_only);
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
	struct asked a;

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
unit_attention_sends_the_same_command_again(void **state)
{
	struct world w;
	struct asked a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 512, 512, false);
	fake_port_check(&w.f, 0, SENSE_KEY_UNIT_ATTENTION, 0x29, 0x00);
	assert_int_equal(be_get32(fake_port_req(&w.f, 0)->cdb + 2), 1);
	expect_good(&w, CDB_WRITE_10);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
a_changed_unit_is_looked_at_before_anything_more_is_sent(void **state)
{
	struct world w;
	struct asked a, b;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 0, 512, false);
	fake_port_check(&w.f, 0, SENSE_KEY_UNIT_ATTENTION, 0x3f, 0x03);
	ask(&w, &b, BLK_WRITE, 512, 512, false);
	fake_port_turn(&w.f);
	assert_int_equal(w.looks, 1);
	assert_int_equal(w.f.n, 0);
	assert_false(disk_update(w.d, &w.info));
	assert_int_equal(w.f.n, 2);
	fake_port_good(&w.f, 0);
	fake_port_good(&w.f, 0);
	expect_end(&w, &a, 0);
	expect_end(&w, &b, 0);
	end(&w);
}

static void
a_unit_that_is_another_one_gets_no_io(void **state)
{
	struct world w;
	struct asked a, b;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 0, 512, false);
	fake_port_check(&w.f, 0, SENSE_KEY_UNIT_ATTENTION, 0x3f, 0x03);
	ask(&w, &b, BLK_WRITE, 512, 512, false);
	disk_off(w.d, -EIO);
	assert_int_equal(w.f.n, 0);
	expect_end(&w, &a, -EIO);
	expect_end(&w, &b, -EIO);
	ask(&w, &a, BLK_READ, 0, 512, false);
	assert_int_equal(w.f.n, 0);
	expect_end(&w, &a, -EIO);
	end(&w);
}

static void
more_requests_than_slots_wait_and_none_is_lost(void **state)
{
	struct asked a[3 * SLOTS];
	struct world w;

	(void)state;
	start(&w, plain_info());
	for (size_t i = 0; i < 3 * SLOTS; i++)
		ask(&w, &a[i], BLK_READ, 512 * i, 512, false);
	assert_int_equal(w.f.n, SLOTS);
	for (size_t i = 0; i < 3 * SLOTS; i++) {
		assert_int_equal(be_get32(fake_port_req(&w.f, 0)->cdb + 2), i);
		fake_port_good(&w.f, 0);
	}
	for (size_t i = 0; i < 3 * SLOTS; i++)
		expect_end(&w, &a[i], 0);
	end(&w);
}

static void
two_disks_share_the_slots_in_turn(void **state)
{
	struct asked a[2 * SLOTS], b;
	struct world w;
	struct disk *other;
	struct lun_info info = plain_info();

	(void)state;
	start(&w, info);
	info.wire[1] = 6;
	other = disk_new(&w.f.port, w.pool, &info, "c0t0d6", &ops, &w);
	for (size_t i = 0; i < 2 * SLOTS; i++)
		ask(&w, &a[i], BLK_READ, 0, 512, false);
	b = (struct asked){ .r = { .op = BLK_READ, .len = 512, .buf = buffer, .done = done } };
	b.r.user = &b;
	disk_blk(other)->submit(disk_blk(other), &b.r);
	fake_port_good(&w.f, 0);
	fake_port_good(&w.f, 0);
	/* The second free slot is the other disk's, although the first has more waiting. */
	assert_int_equal(fake_port_req(&w.f, SLOTS - 1)->lun[1], 6);
	while (w.f.n > 0)
		fake_port_good(&w.f, 0);
	expect_end(&w, &b, 0);
	disk_free(other);
	end(&w);
}

static void
a_discard_is_cut_into_what_the_target_takes(void **state)
{
	struct lun_info info = plain_info();
	struct world w;
	struct asked a;

	(void)state;
	info.provision.unmap = true;
	info.limits.unmap_blocks_max = 100;
	info.limits.unmap_extents_max = 1;
	start(&w, info);
	assert_true(disk_blk(w.d)->can_discard);
	ask(&w, &a, BLK_DISCARD, 512, 250 * 512, false);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *list = fake_port_req(&w.f, 0)->data;

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
	struct asked a;

	(void)state;
	start(&w, plain_info());
	assert_false(disk_blk(w.d)->can_discard);
	ask(&w, &a, BLK_DISCARD, 0, 512, false);
	expect_end(&w, &a, -EOPNOTSUPP);
	end(&w);
}

static void
zeros_are_written_where_write_same_is_not_known(void **state)
{
	struct world w;
	struct asked a;
	const struct req *r;
	uint64_t blocks = 0;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE_ZEROES, 0, 1 << 20, false);
	assert_int_equal(fake_port_req(&w.f, 0)->cdb[0], CDB_WRITE_SAME_16);
	fake_port_check(&w.f, 0, SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00);
	while (w.f.n > 0) {
		r = fake_port_req(&w.f, 0);
		assert_int_equal(r->cdb[0], CDB_WRITE_10);
		assert_int_equal(be_get32(r->cdb + 2), blocks);
		for (uint32_t i = 0; i < r->data_len; i++)
			assert_int_equal(r->data[i], 0);
		blocks += be_get16(r->cdb + 7);
		fake_port_good(&w.f, 0);
	}
	assert_int_equal(blocks, 2048);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
an_offline_session_fails_at_once_while_it_is_given_up(void **state)
{
	struct world w;
	struct asked a;

	(void)state;
	start(&w, plain_info());
	disk_fail_fast(w.d, true);
	ask(&w, &a, BLK_READ, 0, 512, false);
	assert_int_equal(w.f.n, 0);
	expect_end(&w, &a, -EIO);
	disk_fail_fast(w.d, false);
	ask(&w, &a, BLK_READ, 0, 512, false);
	expect_good(&w, CDB_READ_10);
	expect_end(&w, &a, 0);
	end(&w);
}

static void
a_request_handed_back_offline_is_an_io_error(void **state)
{
	struct world w;
	struct asked a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 0, 512, false);
	fake_port_req(&w.f, 0)->result = REQ_OFFLINE;
	fake_port_answer(&w.f, 0);
	expect_end(&w, &a, -EIO);
	assert_int_equal(disk_counts(w.d).failed_offline, 1);
	end(&w);
}

static void
no_space_behind_a_thin_unit_is_told_as_such(void **state)
{
	struct world w;
	struct asked a;

	(void)state;
	start(&w, plain_info());
	ask(&w, &a, BLK_WRITE, 0, 512, false);
	fake_port_check(&w.f, 0, SENSE_KEY_DATA_PROTECT, 0x27, 0x07);
	expect_end(&w, &a, -ENOSPC);
	end(&w);
}

static void
the_target_limits_the_size_of_a_command(void **state)
{
	struct lun_info info = plain_info();
	struct world w;

	(void)state;
	start(&w, info);
	assert_int_equal(disk_blk(w.d)->max_io_bytes, DISK_IO_BYTES_MAX);
	info.limits.transfer_max = 200;
	info.capacity.bytes *= 2;
	assert_true(disk_update(w.d, &info));
	assert_int_equal(disk_blk(w.d)->max_io_bytes, 200 * 512);
	assert_int_equal(disk_blk(w.d)->size_bytes, 2 << 20);
	end(&w);
}

static void
a_full_queue_is_cut_and_grows_back(void **state)
{
	struct asked a[SLOTS], late;
	struct world w;

	(void)state;
	start(&w, plain_info());
	for (int i = 0; i < SLOTS; i++)
		ask(&w, &a[i], BLK_READ, 0, 512, false);
	assert_int_equal(w.f.n, SLOTS);
	fake_port_req(&w.f, 0)->status = SENSE_STATUS_TASK_SET_FULL;
	fake_port_answer(&w.f, 0);
	ask(&w, &late, BLK_READ, 0, 512, false);
	fake_port_good(&w.f, 0);
	assert_int_equal(w.f.n, 2); /* three are in hand, which is all the unit takes now */
	fake_port_good(&w.f, 0);
	assert_int_equal(w.f.n, 2); /* the late one went out */
	while (w.f.n < 3)
		fake_port_turn(&w.f); /* until the refused one is tried again */
	for (int i = 0; i < 3; i++)
		fake_port_good(&w.f, 0);
	/* Five good answers since: the queue is as long as it was. */
	for (int i = 0; i < SLOTS; i++)
		ask(&w, &a[i], BLK_READ, 0, 512, false);
	assert_int_equal(w.f.n, SLOTS);
	for (int i = 0; i < SLOTS; i++)
		fake_port_good(&w.f, 0);
	expect_end(&w, &late, 0);
	end(&w);
}

static void
a_replaced_unit_gets_nothing_that_waited_for_the_session(void **state)
{
	struct asked sent, unsent;
	struct world w;

	(void)state;
	start(&w, plain_info());
	ask(&w, &sent, BLK_WRITE, 0, 512, false);
	ask(&w, &unsent, BLK_WRITE, 512, 512, false);
	w.f.unsent = 1;
	disk_off(w.d, -EIO);
	expect_end(&w, &unsent, -EIO);
	assert_int_equal(sent.done, 0);
	fake_port_good(&w.f, 0);
	expect_end(&w, &sent, 0);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_replaced_unit_gets_nothing_that_waited_for_the_session),
		cmocka_unit_test(a_full_queue_is_cut_and_grows_back),
		cmocka_unit_test(a_read_goes_to_its_lun_and_blocks),
		cmocka_unit_test(a_short_read_is_an_error),
		cmocka_unit_test(a_large_disk_needs_sixteen_byte_commands),
		cmocka_unit_test(fua_is_the_bit_where_the_target_has_it),
		cmocka_unit_test(fua_is_a_flush_behind_where_the_target_has_no_bit),
		cmocka_unit_test(fua_fails_when_its_flush_fails),
		cmocka_unit_test(a_flush_needs_no_command_only_when_the_cache_is_known_to_be_off),
		cmocka_unit_test(a_cache_that_is_on_and_cannot_be_flushed_is_an_error),
		cmocka_unit_test(a_target_without_cache_and_without_flush_is_not_asked_twice),
		cmocka_unit_test(a_write_protected_disk_refuses_writes_without_asking),
		cmocka_unit_test(io_outside_the_disk_or_between_blocks_fails),
		cmocka_unit_test(unit_attention_sends_the_same_command_again),
		cmocka_unit_test(a_changed_unit_is_looked_at_before_anything_more_is_sent),
		cmocka_unit_test(a_unit_that_is_another_one_gets_no_io),
		cmocka_unit_test(more_requests_than_slots_wait_and_none_is_lost),
		cmocka_unit_test(two_disks_share_the_slots_in_turn),
		cmocka_unit_test(a_discard_is_cut_into_what_the_target_takes),
		cmocka_unit_test(discard_is_refused_where_the_target_cannot),
		cmocka_unit_test(zeros_are_written_where_write_same_is_not_known),
		cmocka_unit_test(an_offline_session_fails_at_once_while_it_is_given_up),
		cmocka_unit_test(a_request_handed_back_offline_is_an_io_error),
		cmocka_unit_test(no_space_behind_a_thin_unit_is_told_as_such),
		cmocka_unit_test(the_target_limits_the_size_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
