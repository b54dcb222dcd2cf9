#include "scsi/cdb.h"
#include "scsi/test_bytes.h"

static void
expect(const uint8_t cdb[CDB_BYTES], const char *hex, const char *text)
{
	char got[2 * CDB_BYTES + 1], said[80];

	for (size_t i = 0; i < CDB_BYTES; i++) {
		got[2 * i] = "0123456789abcdef"[cdb[i] >> 4];
		got[2 * i + 1] = "0123456789abcdef"[cdb[i] & 15];
	}
	got[2 * CDB_BYTES] = '\0';
	assert_string_equal(got, hex);
	assert_int_equal(cdb_describe(said, sizeof said, cdb), strlen(text));
	assert_string_equal(said, text);
}

static void
enquiries_have_their_fields_where_t10_puts_them(void **state)
{
	uint8_t c[CDB_BYTES];

	(void)state;
	memset(c, 0xee, sizeof c);
	cdb_test_unit_ready(c);
	expect(c, "00000000000000000000000000000000", "TEST UNIT READY");
	cdb_inquiry(c, 0x1234);
	expect(c, "12000012340000000000000000000000", "INQUIRY");
	cdb_inquiry_vpd(c, 0x83, 252);
	expect(c, "12018300fc0000000000000000000000", "INQUIRY of page 83h");
	cdb_report_luns(c, 0x20008);
	expect(c, "a0000000000000020008000000000000", "REPORT LUNS");
	cdb_read_capacity_10(c);
	expect(c, "25000000000000000000000000000000", "READ CAPACITY(10)");
	cdb_read_capacity_16(c, 32);
	expect(c, "9e100000000000000000000000200000", "READ CAPACITY(16)");
	cdb_mode_sense_6(c, 0x3f, 192);
	expect(c, "1a083f00c00000000000000000000000", "MODE SENSE(6)");
	cdb_mode_sense_10(c, 0x08, 0x0200);
	expect(c, "5a080800000000020000000000000000", "MODE SENSE(10)");
	cdb_start_stop(c, true, false, true);
	expect(c, "1b010000010000000000000000000000", "START STOP UNIT");
	cdb_start_stop(c, false, true, false);
	expect(c, "1b000000020000000000000000000000", "START STOP UNIT");
}

static void
reads_and_writes_take_ten_bytes_while_they_fit(void **state)
{
	uint8_t c[CDB_BYTES];

	(void)state;
	cdb_read(c, 2048, 8, 0);
	expect(c, "28000000080000000800000000000000", "READ(10) of 8 blocks at 2048");
	cdb_read(c, 0xffffffffu, 0xffff, CDB_DPO);
	expect(c, "2810ffffffff00ffff00000000000000", "READ(10) of 65535 blocks at 4294967295");
	cdb_read(c, 0x100000000u, 1, 0);
	expect(c, "88000000000100000000000000010000", "READ(16) of 1 block at 4294967296");
	cdb_read(c, 0, 0x10000, 0);
	expect(c, "88000000000000000000000100000000", "READ(16) of 65536 blocks at 0");
	cdb_read(c, 1, 1, CDB_FORM_16);
	expect(c, "88000000000000000001000000010000", "READ(16) of 1 block at 1");
	cdb_write(c, 0x11223344, 0x5566, CDB_FUA);
	expect(c, "2a081122334400556600000000000000", "WRITE(10) of 21862 blocks at 287454020");
	cdb_write(c, 0x1122334455667788u, 0x99aabbcc, CDB_FUA | CDB_DPO);
	expect(c, "8a18112233445566778899aabbcc0000",
	    "WRITE(16) of 2578103244 blocks at 1234605616436508552");
}

static void
other_commands_on_blocks(void **state)
{
	uint8_t c[CDB_BYTES];

	(void)state;
	cdb_sync_cache(c, 0, 0, 0);
	expect(c, "35000000000000000000000000000000", "SYNCHRONIZE CACHE(10) of 0 blocks at 0");
	cdb_sync_cache(c, 1, 0x10000, 0);
	expect(c, "91000000000000000001000100000000", "SYNCHRONIZE CACHE(16) of 65536 blocks at 1");
	cdb_write_same_16(c, 7, 9, true);
	expect(c, "93080000000000000007000000090000", "WRITE SAME(16) of 9 blocks at 7");
	cdb_unmap(c, 24);
	expect(c, "42000000000000001800000000000000", "UNMAP");
}

static void
commands_of_others_have_their_names(void **state)
{
	static const uint8_t sense[CDB_BYTES] = { 0x03, 1, [4] = 252 },
			     map[CDB_BYTES] = { 0x9e, 0x12, [9] = 7, [13] = 24 },
			     keys[CDB_BYTES] = { 0x5e, [7] = 0x10 },
			     verify[CDB_BYTES] = { 0x8f, [9] = 7, [13] = 9 };

	(void)state;
	expect(sense, "03010000fc0000000000000000000000", "REQUEST SENSE");
	expect(map, "9e120000000000000007000000180000", "GET LBA STATUS");
	expect(keys, "5e000000000000100000000000000000", "PERSISTENT RESERVE IN");
	expect(verify, "8f000000000000000007000000090000", "VERIFY(16) of 9 blocks at 7");
}

static void
unmap_list_holds_every_extent(void **state)
{
	static const struct cdb_extent extents[] = { { 0x0102030405060708u, 0x090a0b0c },
		{ 5, 6 } };
	static const uint8_t want[] = { 0, 38, 0, 32, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
		12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 0 };
	uint8_t buf[40];
	static struct cdb_extent many[CDB_UNMAP_EXTENTS_MAX + 1];
	static uint8_t big[CDB_UNMAP_LIST_BYTES(CDB_UNMAP_EXTENTS_MAX + 1)];

	(void)state;
	assert_int_equal(cdb_unmap_list(buf, sizeof buf, extents, 2), 40);
	assert_memory_equal(buf, want, sizeof want);
	assert_int_equal(cdb_unmap_list(buf, 39, extents, 2), 0);
	assert_int_equal(cdb_unmap_list(big, sizeof big, many, CDB_UNMAP_EXTENTS_MAX), 65528);
	assert_int_equal(cdb_unmap_list(big, sizeof big, many, CDB_UNMAP_EXTENTS_MAX + 1), 0);
}

static void
any_command_can_be_described_in_any_room(void **state)
{
	uint8_t c[CDB_BYTES];
	char buf[64];

	(void)state;
	for (unsigned op = 0; op < 256; op++)
		for (size_t n = 1; n <= sizeof buf; n++) {
			size_t len;

			memset(c, 0xff, sizeof c);
			c[0] = (uint8_t)op;
			len = cdb_describe(buf, n, c);
			assert_true(len < n && len == strlen(buf));
		}
	memset(c, 0, sizeof c);
	c[0] = 0xc1;
	expect(c, "c1000000000000000000000000000000", "unknown command C1h");
	assert_int_equal(cdb_len(c), 16);
	c[0] = CDB_READ_6;
	expect(c, "08000000000000000000000000000000", "READ(6) of 256 blocks at 0");
	assert_int_equal(cdb_len(c), 6);
	c[0] = CDB_READ_12;
	c[9] = 3;
	expect(c, "a8000000000000000003000000000000", "READ(12) of 3 blocks at 0");
	assert_int_equal(cdb_len(c), 12);
}

static void
service_actions_tell_commands_of_one_opcode_apart(void **state)
{
	uint8_t c[CDB_BYTES] = { 0x9e, 0x10 };

	(void)state;
	assert_string_equal(cdb_name(c), "READ CAPACITY(16)");
	c[1] = 0x12;
	assert_string_equal(cdb_name(c), "GET LBA STATUS");
	c[1] = 0x1f;
	assert_string_equal(cdb_name(c), "unknown command");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enquiries_have_their_fields_where_t10_puts_them),
		cmocka_unit_test(reads_and_writes_take_ten_bytes_while_they_fit),
		cmocka_unit_test(other_commands_on_blocks),
		cmocka_unit_test(commands_of_others_have_their_names),
		cmocka_unit_test(unmap_list_holds_every_extent),
		cmocka_unit_test(any_command_can_be_described_in_any_room),
		cmocka_unit_test(service_actions_tell_commands_of_one_opcode_apart),
	};

	return cmocka_run_group_tests_name("cdb", tests, NULL, NULL);
}
