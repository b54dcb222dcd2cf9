#include "scsi/test_bytes.h"
#include "scsi/vpd.h"

/* Designation descriptors: code set, association and type, length, bytes. */
#define NAA6                                                                                       \
	0x01, 0x03, 0, 16, 0x60, 0x01, 0x40, 0x5a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78, 0x9a, \
	    0xbc, 0xde, 0xf0, 0x12
#define NAA5      0x01, 0x03, 0, 8, 0x50, 0x01, 0x40, 0x5a, 0xbc, 0xde, 0xf0, 0x12
#define NAA3      0x01, 0x03, 0, 8, 0x30, 0, 0, 1, 0, 0, 0, 1
#define NAA6_ZERO 0x01, 0x03, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define NAA5_PORT 0x01, 0x13, 0, 8, 0x50, 9, 9, 9, 9, 9, 9, 9
#define EUI8      0x01, 0x02, 0, 8, 0x00, 0x17, 0x38, 0, 0, 0, 0, 0x2a
#define T10       0x02, 0x01, 0, 14, 'I', 'E', 'T', ' ', ' ', ' ', ' ', ' ', '0', '0', '1', '%', ' ', ' '
#define T10_BARE  0x02, 0x01, 0, 10, 'I', 'E', 'T', ' ', ' ', ' ', ' ', ' ', ' ', ' '
#define NAME      0x03, 0x08, 0, 8, 'i', 'q', 'n', '.', 'x', ':', '1', 0

static void
expect_identity(const uint8_t *list, size_t n, const char *want)
{
	uint8_t page[256] = { 0x00, 0x83, 0, (uint8_t)n };
	char text[VPD_DESIGNATOR_BYTES];

	memcpy(page + 4, list, n);
	if (want == NULL) {
		assert_int_equal(vpd_designator(page, n + 4, 0, text), VPD_NOTHING);
		return;
	}
	assert_int_equal(vpd_designator(page, n + 4, 0, text), VPD_OK);
	assert_string_equal(text, want);
}

#define EXPECT_IDENTITY(want, ...) \
	expect_identity(           \
	    (const uint8_t[]){ __VA_ARGS__ }, sizeof(const uint8_t[]){ __VA_ARGS__ }, want)

static void
the_best_name_of_the_logical_unit_wins_wherever_it_stands(void **state)
{
	const char *naa6 = "naa.6001405abcdef0123456789abcdef012";

	(void)state;
	EXPECT_IDENTITY(naa6, NAA6);
	EXPECT_IDENTITY(naa6, T10, NAA5, NAA6, EUI8);
	EXPECT_IDENTITY(naa6, NAA6, T10, NAA5);
	EXPECT_IDENTITY("naa.5001405abcdef012", EUI8, NAA5, NAA3);
	EXPECT_IDENTITY("eui.001738000000002a", NAME, EUI8, T10);
	EXPECT_IDENTITY("name.iqn.x:1", T10, NAME);
	EXPECT_IDENTITY("t10.IET     001%25", NAA3, T10);
	EXPECT_IDENTITY("naa.3000000100000001", NAA3);
}

static void
names_of_ports_and_empty_names_do_not_count(void **state)
{
	(void)state;
	EXPECT_IDENTITY("t10.IET     001%25", NAA5_PORT, T10);
	EXPECT_IDENTITY("naa.3000000100000001", NAA6_ZERO, NAA3);
	EXPECT_IDENTITY(NULL, NAA5_PORT, NAA6_ZERO, T10_BARE);
	/* NAA 6 has 16 bytes, an EUI-64 8, 12 or 16, and both are binary. */
	EXPECT_IDENTITY(NULL, 1, 3, 0, 8, 0x60, 1, 2, 3, 4, 5, 6, 7);
	EXPECT_IDENTITY(NULL, 1, 2, 0, 7, 1, 2, 3, 4, 5, 6, 7);
	EXPECT_IDENTITY(NULL, 2, 3, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7);
}

static void
the_longest_names_have_room(void **state)
{
	uint8_t page[4 + 4 + 255] = { 0, 0x83, 1, 3, 0x02, 0x01, 0, 255 };
	char text[VPD_DESIGNATOR_BYTES], serial[VPD_SERIAL_BYTES];

	(void)state;
	memset(page + 8, 0xff, 255);
	assert_int_equal(vpd_designator(page, sizeof page, 0, text), VPD_OK);
	assert_int_equal(strlen(text), 4 + 3 * 255);
	page[1] = 0x80;
	memset(page + 4, 0xff, 259);
	assert_int_equal(vpd_serial(page, sizeof page, serial), VPD_OK);
	assert_int_equal(strlen(serial), 3 * 252);
	memset(page + 4, 'x', 259);
	assert_int_equal(vpd_serial(page, sizeof page, serial), VPD_OK);
	assert_int_equal(strlen(serial), 252);
}

static void
a_truncated_page_names_nothing_but_its_length(void **state)
{
	const uint8_t page[] = { 0, 0x83, 0, 12, NAA5 };
	char text[VPD_DESIGNATOR_BYTES] = "untouched";

	(void)state;
	for (size_t n = 4; n < sizeof page; n++) {
		assert_int_equal(vpd_designator(page, n, 0, text), VPD_TRUNCATED);
		assert_int_equal(vpd_page_bytes(page, n), sizeof page);
	}
	assert_int_equal(vpd_page_bytes(page, 3), 0);
	assert_int_equal(vpd_designator(page, 3, 0, text), VPD_SHORT);
	assert_string_equal(text, "untouched");
	assert_int_equal(vpd_serial(page, sizeof page, text), VPD_WRONG_PAGE);
}

static void
a_descriptor_longer_than_the_page_is_left_out(void **state)
{
	(void)state;
	EXPECT_IDENTITY("naa.3000000100000001", NAA3, 0x01, 0x03, 0, 16, 0x60, 1, 2);
	EXPECT_IDENTITY(NULL, 0x01, 0x03, 0, 255, 0x60);
	EXPECT_IDENTITY(NULL, 0x01, 0x03, 0);
}

static void
supported_pages_are_a_set(void **state)
{
	const uint8_t page[] = { 0, 0x00, 0, 5, 0x00, 0x80, 0x83, 0xb0, 0xff };
	struct vpd_pages pages;
	unsigned count = 0;

	(void)state;
	assert_int_equal(vpd_pages(page, sizeof page, &pages), VPD_OK);
	for (unsigned i = 0; i < 256; i++)
		count += vpd_has(&pages, (uint8_t)i);
	assert_int_equal(count, 5);
	assert_true(vpd_has(&pages, VPD_IDENTIFICATION) && vpd_has(&pages, 0xff));
	assert_false(vpd_has(&pages, VPD_PROVISIONING));
}

static void
serial_numbers_lose_their_blanks(void **state)
{
	const uint8_t page[] = { 0, 0x80, 0, 8, ' ', ' ', 'A', ' ', 'b', 1, ' ', 0 };
	const uint8_t blank[] = { 0, 0x80, 0, 4, ' ', ' ', 0, 0 };
	char serial[VPD_SERIAL_BYTES];

	(void)state;
	assert_int_equal(vpd_serial(page, sizeof page, serial), VPD_OK);
	assert_string_equal(serial, "A b%01");
	assert_int_equal(vpd_serial(blank, sizeof blank, serial), VPD_NOTHING);
}

static void
block_limits_of_old_and_new_standards_are_read(void **state)
{
	const uint8_t page[64] = { 0, 0xb0, 0, 0x3c, 0x01, 0, 0, 8, 0, 0, 0x40, 0, 0, 0, 0x04, 0, 0,
		0, 0, 0, 0, 0x3f, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 1, 0,
		0, 0, 2 };
	const uint8_t old[16] = { 0, 0xb0, 0, 12, 0, 0, 0, 8, 0, 0, 0x40, 0, 0, 0, 0x04, 0 };
	struct vpd_limits l;

	(void)state;
	assert_int_equal(vpd_limits(page, sizeof page, &l), VPD_OK);
	assert_true(l.write_same_nonzero && l.transfer_granularity == 8);
	assert_int_equal(l.transfer_max, 0x4000);
	assert_int_equal(l.transfer_optimal, 0x400);
	assert_int_equal(l.unmap_blocks_max, 0x3fffff);
	assert_int_equal(l.unmap_extents_max, 256);
	assert_int_equal(l.unmap_granularity, 16);
	assert_true(l.has_unmap_alignment && l.unmap_alignment == 4);
	assert_true(l.write_same_max == 0x100000002u);
	assert_int_equal(vpd_limits(old, sizeof old, &l), VPD_OK);
	assert_int_equal(l.transfer_max, 0x4000);
	assert_true(l.unmap_blocks_max == 0 && l.write_same_max == 0 && !l.has_unmap_alignment);
}

static void
characteristics_and_provisioning_are_read(void **state)
{
	uint8_t b1[8] = { 0, 0xb1, 0, 4, 0x1c, 0x20 };
	const uint8_t b2[8] = { 0, 0xb2, 0, 4, 0, 0xe6, 2, 0 };
	struct vpd_characteristics ch;
	struct vpd_provisioning p;

	(void)state;
	assert_int_equal(vpd_characteristics(b1, sizeof b1, &ch), VPD_OK);
	assert_true(ch.rotation_rpm == 7200 && !ch.is_solid_state);
	b1[4] = 0;
	b1[5] = 1;
	assert_int_equal(vpd_characteristics(b1, sizeof b1, &ch), VPD_OK);
	assert_true(ch.rotation_rpm == 0 && ch.is_solid_state);
	assert_int_equal(vpd_provisioning(b2, sizeof b2, &p), VPD_OK);
	assert_true(p.unmap && p.write_same_16_unmap && p.write_same_10_unmap && p.reads_zeros &&
		    p.is_anchored_supported && p.type == VPD_THIN);
}

static void
parse_all(const uint8_t *p, size_t n)
{
	struct vpd_pages pages;
	struct vpd_limits limits;
	struct vpd_characteristics chars;
	struct vpd_provisioning prov;
	char serial[VPD_SERIAL_BYTES], text[VPD_DESIGNATOR_BYTES];

	if (vpd_designator(p, n, 0, text) == VPD_OK)
		for (const char *c = text; *c != '\0'; c++)
			assert_true(*c >= 0x20 && *c < 0x7f);
	(void)vpd_serial(p, n, serial);
	(void)vpd_pages(p, n, &pages);
	(void)vpd_limits(p, n, &limits);
	(void)vpd_characteristics(p, n, &chars);
	(void)vpd_provisioning(p, n, &prov);
	assert_int_equal(vpd_page_bytes(p, n) == 0, n < 4);
}

static void
hostile_pages_do_no_harm(void **state)
{
	static const uint8_t codes[] = { 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2 };
	uint8_t page[] = { 0, 0x83, 0, 20 + 18 + 12 + 20, NAA6, T10, NAME, NAA6_ZERO };

	(void)state;
	for (size_t i = 0; i < sizeof codes; i++) {
		page[1] = codes[i];
		page[3] = sizeof page - 4;
		test_hostile(page, sizeof page, parse_all);
		page[3] = 0;
		test_hostile(page, sizeof page, parse_all);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_name_of_the_logical_unit_wins_wherever_it_stands),
		cmocka_unit_test(names_of_ports_and_empty_names_do_not_count),
		cmocka_unit_test(the_longest_names_have_room),
		cmocka_unit_test(a_truncated_page_names_nothing_but_its_length),
		cmocka_unit_test(a_descriptor_longer_than_the_page_is_left_out),
		cmocka_unit_test(supported_pages_are_a_set),
		cmocka_unit_test(serial_numbers_lose_their_blanks),
		cmocka_unit_test(block_limits_of_old_and_new_standards_are_read),
		cmocka_unit_test(characteristics_and_provisioning_are_read),
		cmocka_unit_test(hostile_pages_do_no_harm),
	};

	return cmocka_run_group_tests_name("vpd", tests, NULL, NULL);
}
