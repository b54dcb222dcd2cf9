#include "base/be.h"
#include "scsi/luns.h"
#include "scsi/test_bytes.h"

#define OUT_MAX 8
static struct luns_entry got[LIMIT_LUNS];
static struct luns_out out[OUT_MAX];

/* A REPORT LUNS answer of these addresses, given by their first four bytes. */
static struct luns_report
report_as(const uint32_t *first, size_t count, bool only_primary)
{
	uint8_t *data = calloc(1, 8 + 8 * count);
	struct luns_report r;

	assert_non_null(data);
	be_put32(data, (uint32_t)(8 * count));
	for (size_t i = 0; i < count; i++)
		be_put32(data + 8 + 8 * i, first[i]);
	assert_true(luns_parse(data, 8 + 8 * count, only_primary, got, out, OUT_MAX, &r));
	free(data);
	return r;
}

static struct luns_report
report(const uint32_t *first, size_t count)
{
	return report_as(first, count, true);
}

static void
every_single_level_address_survives_decoding_and_encoding(void **state)
{
	unsigned single = 0;

	(void)state;
	for (unsigned first = 0; first < 0x10000; first++) {
		uint8_t wire[8] = { (uint8_t)(first >> 8), (uint8_t)first }, again[8];
		enum luns_mode mode;
		uint32_t lun;

		if (luns_decode(wire, &mode, &lun) != LUNS_SINGLE)
			continue;
		single++;
		assert_true(luns_encode(mode, lun, again));
		assert_memory_equal(wire, again, 8);
	}
	/* 256 peripheral, 16384 flat, 16384 logical unit, 256 of D2h with a high byte. */
	assert_int_equal(single, 256 + 16384 + 16384 + 256);
}

static void
expect_kind(const uint8_t wire[8], enum luns_kind kind)
{
	enum luns_mode mode;
	uint32_t lun;

	assert_int_equal(luns_decode(wire, &mode, &lun), kind);
}

static void
levels_and_odd_formats_are_told_apart(void **state)
{
	(void)state;
	expect_kind((const uint8_t[8]){ 0, 5 }, LUNS_SINGLE);
	expect_kind((const uint8_t[8]){ 0, 5, 0, 1 }, LUNS_MULTI);
	expect_kind((const uint8_t[8]){ 1, 5 }, LUNS_MULTI);
	expect_kind((const uint8_t[8]){ 0x41, 5 }, LUNS_SINGLE);
	expect_kind((const uint8_t[8]){ 0x41, 5, 0, 0, 0, 0, 0, 1 }, LUNS_MULTI);
	expect_kind((const uint8_t[8]){ 0xc1, 1 }, LUNS_WELL_KNOWN);
	expect_kind((const uint8_t[8]){ 0xd2, 1, 2, 3 }, LUNS_SINGLE);
	expect_kind((const uint8_t[8]){ 0xd2, 1, 2, 3, 4 }, LUNS_MULTI);
	expect_kind((const uint8_t[8]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, LUNS_ODD);
}

static void
a_mode_encodes_only_what_it_can_say(void **state)
{
	uint8_t wire[8];

	(void)state;
	assert_true(luns_encode(LUNS_PERIPHERAL, 255, wire));
	assert_false(luns_encode(LUNS_PERIPHERAL, 256, wire));
	assert_true(luns_encode(LUNS_FLAT, 256, wire));
	assert_memory_equal(wire, ((const uint8_t[8]){ 0x41, 0 }), 8);
	assert_false(luns_encode(LUNS_FLAT, 0x4000, wire));
	assert_true(luns_encode(LUNS_EXTENDED, 0x010203, wire));
	assert_memory_equal(wire, ((const uint8_t[8]){ 0xd2, 1, 2, 3 }), 8);
	assert_false(luns_encode(LUNS_EXTENDED, 0x1000000, wire));
}

static void
the_mode_of_most_luns_is_primary_and_the_others_are_unclaimed(void **state)
{
	/* Peripheral 0, 1, 9; flat 256; several levels; well-known. */
	static const uint32_t mixed[] = { 0x00090000, 0x00000000, 0x41000000, 0x00010000,
		0x00050001, 0xc1010000 };
	struct luns_report r = report(mixed, 6);

	(void)state;
	assert_int_equal(r.primary, LUNS_PERIPHERAL);
	assert_int_equal(r.claimed, 3);
	assert_int_equal(r.unclaimed, 2);
	assert_int_equal(r.well_known, 1);
	assert_int_equal(r.doubles, 0);
	assert_false(r.is_incomplete);
	assert_int_equal(got[0].number, 0);
	assert_int_equal(got[1].number, 1);
	assert_int_equal(got[2].number, 9);
}

static void
of_equally_many_the_first_mode_is_primary(void **state)
{
	static const uint32_t even[] = { 0x40010000, 0x00010000 };
	static const uint32_t flat[] = { 0x40010000, 0x00010000, 0x40020000 };
	struct luns_report r = report(even, 2);

	(void)state;
	assert_int_equal(r.primary, LUNS_PERIPHERAL);
	assert_int_equal(r.unclaimed, 1);
	r = report(flat, 3);
	assert_int_equal(r.primary, LUNS_FLAT);
	assert_int_equal(r.claimed, 2);
	assert_int_equal(r.unclaimed, 1);
}

static void
all_single_level_modes_are_claimed_together(void **state)
{
	/* Peripheral 0 and 1; flat 1, 256 and 2; logical unit 3; extended 16384. */
	static const uint32_t mixed[] = { 0xd2004000, 0x41000000, 0x00000000, 0x40010000,
		0x00010000, 0x80030000, 0x40020000 };
	struct luns_report r = report_as(mixed, 7, false);
	static const struct luns_entry want[] = { { 0, { 0, 0 } }, { 1, { 0, 1 } },
		{ 2, { 0x40, 2 } }, { 3, { 0x80, 3 } }, { 256, { 0x41, 0 } },
		{ 16384, { 0xd2, 0, 0x40, 0 } } };

	(void)state;
	assert_int_equal(r.claimed, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(got[i].number, want[i].number);
		assert_memory_equal(got[i].wire, want[i].wire, LUNS_WIRE_BYTES);
	}
	/* Number 1 comes in two modes: the first counts, whatever the list's order. */
	assert_int_equal(r.unclaimed, 1);
	assert_int_equal(out[0].why, LUNS_OUT_SAME_NUMBER);
	assert_int_equal(out[0].wire[0], 0x40);
	assert_int_equal(r.doubles, 0);
}

static void
what_is_left_out_is_named(void **state)
{
	static const uint32_t odd[] = { 0x00050001, 0xe1000000, 0xd2008000, 0x40010000, 0x00000000,
		0x00010000 };
	static const enum luns_why why[] = { LUNS_OUT_MULTI, LUNS_OUT_ODD, LUNS_OUT_NOT_PRIMARY,
		LUNS_OUT_NOT_PRIMARY };
	static const enum luns_why all[] = { LUNS_OUT_MULTI, LUNS_OUT_ODD, LUNS_OUT_BEYOND,
		LUNS_OUT_SAME_NUMBER };
	struct luns_report r = report_as(odd, 6, true);

	(void)state;
	assert_int_equal(r.unclaimed, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(out[i].why, why[i]);
		assert_int_equal(be_get32(out[i].wire), odd[i]);
		assert_true(strlen(luns_why_text(out[i].why)) > 0);
	}
	r = report_as(odd, 6, false);
	assert_int_equal(r.unclaimed, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(out[i].why, all[i]);
}

static void
a_lun_named_twice_is_one_lun(void **state)
{
	static const uint32_t twice[] = { 0x00010000, 0x00010000, 0x00020000 };
	struct luns_report r = report(twice, 3);

	(void)state;
	assert_int_equal(r.claimed, 2);
	assert_int_equal(r.doubles, 1);
}

static void
each_address_is_counted_once(void **state)
{
	/* Another form of LUN 1, twice, a well-known unit, and LUN 1 twice. */
	static const uint32_t many[] = { 0x40010000, 0x40010000, 0xc1010000, 0x00010000,
		0x00010000 };
	struct luns_report r = report_as(many, 5, false);

	(void)state;
	assert_int_equal(r.claimed, 1);
	assert_int_equal(r.unclaimed, 2);
	assert_int_equal(r.well_known, 1);
	assert_int_equal(r.doubles, 1);
}

static void
luns_beyond_the_map_or_the_limit_are_unclaimed(void **state)
{
	static const uint32_t far[] = { 0xd2000005, 0xd2007fff, 0xd2008000 };
	static uint32_t many[LIMIT_LUNS + 10];
	struct luns_report r = report(far, 3);

	(void)state;
	assert_int_equal(r.claimed, 2);
	assert_int_equal(r.unclaimed, 1);
	for (uint32_t i = 0; i < LIMIT_LUNS + 10; i++)
		many[i] = 0xd2000000 + i;
	r = report(many, LIMIT_LUNS + 10);
	assert_int_equal(r.claimed, LIMIT_LUNS);
	assert_int_equal(r.unclaimed, 10);
}

static void
a_length_that_lies_is_believed_only_as_far_as_bytes_came(void **state)
{
	uint8_t data[8 + 16] = { [3] = 24, [8 + 1] = 1, [8 + 9] = 2 };
	struct luns_report r;

	(void)state;
	assert_true(luns_parse(data, sizeof data, false, got, out, OUT_MAX, &r));
	assert_true(r.is_incomplete);
	assert_int_equal(r.bytes_wanted, 32);
	assert_int_equal(r.claimed, 2);
	be_put32(data, 0xffffffff);
	assert_true(luns_parse(data, sizeof data, false, got, out, OUT_MAX, &r));
	assert_true(r.is_incomplete);
	assert_int_equal(r.bytes_wanted, 0xffffffff);
	assert_int_equal(r.claimed, 2);
	be_put32(data, 15);
	assert_true(luns_parse(data, sizeof data, false, got, out, OUT_MAX, &r));
	assert_false(r.is_incomplete);
	assert_int_equal(r.claimed, 1);
	be_put32(data, 0);
	assert_true(luns_parse(data, sizeof data, false, got, out, OUT_MAX, &r));
	assert_int_equal(r.claimed, 0);
	assert_false(luns_parse(data, 7, false, got, out, OUT_MAX, &r));
}

static void
the_guides_map_has_128_luns_a_bus_and_8_a_target(void **state)
{
	struct luns_path p;

	(void)state;
	assert_true(luns_path(0, &p));
	assert_true(p.bus == 0 && p.target == 0 && p.lun == 0);
	assert_true(luns_path(13, &p));
	assert_true(p.bus == 0 && p.target == 1 && p.lun == 5);
	assert_true(luns_path(127, &p));
	assert_true(p.bus == 0 && p.target == 15 && p.lun == 7);
	assert_true(luns_path(128 + 8, &p));
	assert_true(p.bus == 1 && p.target == 1 && p.lun == 0);
	assert_true(luns_path(32767, &p));
	assert_true(p.bus == 255 && p.target == 15 && p.lun == 7);
	assert_false(luns_path(32768, &p));
}

static void
parse(const uint8_t *p, size_t n)
{
	struct luns_report r;

	if (luns_parse(p, n, false, got, out, OUT_MAX, &r))
		assert_true(n >= 8 && r.claimed <= (n - 8) / 8);
}

static void
hostile_lists_do_no_harm(void **state)
{
	static const uint8_t data[] = { 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
		0, 0, 0, 0, 0x40, 3, 0, 0, 0, 0, 0, 0, 0xd2, 0, 0, 4, 0, 0, 0, 0 };

	(void)state;
	test_hostile(data, sizeof data, parse);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_single_level_address_survives_decoding_and_encoding),
		cmocka_unit_test(levels_and_odd_formats_are_told_apart),
		cmocka_unit_test(a_mode_encodes_only_what_it_can_say),
		cmocka_unit_test(the_mode_of_most_luns_is_primary_and_the_others_are_unclaimed),
		cmocka_unit_test(of_equally_many_the_first_mode_is_primary),
		cmocka_unit_test(all_single_level_modes_are_claimed_together),
		cmocka_unit_test(what_is_left_out_is_named),
		cmocka_unit_test(a_lun_named_twice_is_one_lun),
		cmocka_unit_test(each_address_is_counted_once),
		cmocka_unit_test(luns_beyond_the_map_or_the_limit_are_unclaimed),
		cmocka_unit_test(a_length_that_lies_is_believed_only_as_far_as_bytes_came),
		cmocka_unit_test(the_guides_map_has_128_luns_a_bus_and_8_a_target),
		cmocka_unit_test(hostile_lists_do_no_harm),
	};

	return cmocka_run_group_tests_name("luns", tests, NULL, NULL);
}
