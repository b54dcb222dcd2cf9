#include "base/be.h"
#include "scsi/capacity.h"
#include "scsi/test_bytes.h"

static enum capacity_result
parse_10(uint32_t last_lba, uint32_t block, struct capacity *ret_cap)
{
	uint8_t b[CAPACITY_10_BYTES];

	be_put32(b, last_lba);
	be_put32(b + 4, block);
	return capacity_parse_10(b, sizeof b, ret_cap);
}

static enum capacity_result
parse_16(uint64_t last_lba, uint32_t block, struct capacity *ret_cap)
{
	uint8_t b[CAPACITY_16_BYTES] = { [12] = 0x05, [13] = 0x03, [14] = 0xc0, [15] = 0x07 };

	be_put64(b, last_lba);
	be_put32(b + 8, block);
	return capacity_parse_16(b, sizeof b, ret_cap);
}

static void
short_form_counts_blocks_from_the_last_address(void **state)
{
	struct capacity cap;

	(void)state;
	assert_int_equal(parse_10(524287, 512, &cap), CAPACITY_OK);
	assert_true(cap.blocks == 524288 && cap.bytes == 256u << 20 && cap.physical_bytes == 512);
	assert_int_equal(parse_10(0xfffffffe, 4096, &cap), CAPACITY_OK);
	assert_true(cap.bytes == UINT64_C(0xffffffff) * 4096);
	assert_int_equal(parse_10(0xffffffff, 512, &cap), CAPACITY_ASK_16);
}

static void
long_form_tells_provisioning_protection_and_physical_blocks(void **state)
{
	struct capacity cap;

	(void)state;
	assert_int_equal(parse_16(0x1ffffffff, 512, &cap), CAPACITY_OK);
	assert_true(cap.blocks == 0x200000000u && cap.bytes == UINT64_C(1) << 42);
	assert_int_equal(cap.physical_bytes, 4096);
	assert_int_equal(cap.lowest_aligned, 7);
	assert_true(cap.is_provisioned && cap.reads_zeros && cap.is_protected);
	assert_int_equal(cap.protection_type, 3);
}

static void
block_lengths_nobody_can_serve_are_refused(void **state)
{
	static const uint32_t bad[] = { 0, 1, 256, 511, 520, 528, 4160, 131072, 0x80000000 };
	struct capacity cap = { .blocks = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(parse_10(99, bad[i], &cap), CAPACITY_BAD_BLOCK);
		assert_int_equal(parse_16(99, bad[i], &cap), CAPACITY_BAD_BLOCK);
	}
	assert_int_equal(cap.blocks, 77);
	for (uint32_t block = 512; block <= 65536; block *= 2)
		assert_int_equal(parse_16(99, block, &cap), CAPACITY_OK);
}

static void
sizes_that_overflow_are_refused(void **state)
{
	struct capacity cap = { .blocks = 77 };

	(void)state;
	assert_int_equal(parse_16(UINT64_MAX, 512, &cap), CAPACITY_TOO_LARGE);
	assert_int_equal(parse_16(UINT64_MAX / 512, 512, &cap), CAPACITY_TOO_LARGE);
	assert_int_equal(parse_16((UINT64_C(1) << 54) - 1, 512, &cap), CAPACITY_TOO_LARGE);
	assert_int_equal(cap.blocks, 77);
	assert_int_equal(parse_16((UINT64_C(1) << 54) - 2, 512, &cap), CAPACITY_OK);
}

static void
parse_both(const uint8_t *p, size_t n)
{
	struct capacity cap = { 0 };

	assert_int_equal(capacity_parse_10(p, n, &cap) == CAPACITY_SHORT, n < 8);
	assert_int_equal(capacity_parse_16(p, n, &cap) == CAPACITY_SHORT, n < 12);
	assert_true(cap.bytes <= INT64_MAX);
}

static void
hostile_capacities_do_no_harm(void **state)
{
	const uint8_t b[CAPACITY_16_BYTES] = {
		[7] = 0xff, [10] = 2, [12] = 1, [13] = 3, [14] = 0xff
	};

	(void)state;
	test_hostile(b, sizeof b, parse_both);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_form_counts_blocks_from_the_last_address),
		cmocka_unit_test(long_form_tells_provisioning_protection_and_physical_blocks),
		cmocka_unit_test(block_lengths_nobody_can_serve_are_refused),
		cmocka_unit_test(sizes_that_overflow_are_refused),
		cmocka_unit_test(hostile_capacities_do_no_harm),
	};

	return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
