#include "scsi/cdb.h"

#include "scsi/print.h"

/* Where the fields of the 10-byte and of the 16-byte commands end. */
#define LBA_10_MAX    UINT32_MAX
#define BLOCKS_10_MAX UINT16_MAX

/* Byte 1 of READ and WRITE. */
#define BYTE1_DPO 0x10
#define BYTE1_FUA 0x08

enum kind { PLAIN, BLOCKS };

struct row {
	uint8_t opcode;
	int8_t service_action;
	enum kind kind;
	const char *name;
};

static const struct row rows[] = {
#define CDB_OP(id, opcode, sa, kind, name) { opcode, sa, kind, name },
#include "scsi/cdb.def"
};

static const struct row *
find(const uint8_t cdb[CDB_BYTES])
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].opcode == cdb[0] &&
		    (rows[i].service_action < 0 || rows[i].service_action == (cdb[1] & 0x1f)))
			return &rows[i];
	return NULL;
}

const char *
cdb_name(const uint8_t cdb[CDB_BYTES])
{
	const struct row *row = find(cdb);

	return row != NULL ? row->name : "unknown command";
}

/* SPC-4, section 4.2.5.1: the group code is the opcode's three high bits. */
size_t
cdb_len(const uint8_t cdb[CDB_BYTES])
{
	static const uint8_t len[8] = { 6, 10, 10, 16, 16, 12, 16, 16 };

	return len[cdb[0] >> 5];
}

static void
describe_blocks(struct put *w, const uint8_t cdb[CDB_BYTES])
{
	uint64_t lba = 0;
	uint32_t blocks = 0;

	switch (cdb_len(cdb)) {
	case 6:
		lba = be_get24(cdb + 1) & 0x1fffff;
		blocks = cdb[4] != 0 ? cdb[4] : 256;
		break;
	case 10:
		lba = be_get32(cdb + 2);
		blocks = be_get16(cdb + 7);
		break;
	case 12:
		lba = be_get32(cdb + 2);
		blocks = be_get32(cdb + 6);
		break;
	case 16:
		lba = be_get64(cdb + 2);
		blocks = be_get32(cdb + 10);
		break;
	}
	put_str(w, " of ");
	print_dec(w, blocks);
	put_str(w, blocks == 1 ? " block at " : " blocks at ");
	print_dec(w, lba);
}

size_t
cdb_describe(char *buf, size_t n, const uint8_t cdb[CDB_BYTES])
{
	struct put w = print_begin(buf, n);
	const struct row *row = find(cdb);

	put_str(&w, cdb_name(cdb));
	if (row == NULL) {
		put_str(&w, " ");
		print_hex(&w, cdb[0], 2);
		put_str(&w, "h");
	} else if (row->kind == BLOCKS) {
		describe_blocks(&w, cdb);
	} else if (cdb[0] == CDB_INQUIRY && (cdb[1] & 1) != 0) {
		put_str(&w, " of page ");
		print_hex(&w, cdb[2], 2);
		put_str(&w, "h");
	}
	return print_end(&w);
}

static void
start(uint8_t cdb[CDB_BYTES], enum cdb_op op)
{
	memset(cdb, 0, CDB_BYTES);
	cdb[0] = (uint8_t)op;
}

void
cdb_test_unit_ready(uint8_t cdb[CDB_BYTES])
{
	start(cdb, CDB_TEST_UNIT_READY);
}

void
cdb_inquiry(uint8_t cdb[CDB_BYTES], uint16_t alloc_bytes)
{
	start(cdb, CDB_INQUIRY);
	be_put16(cdb + 3, alloc_bytes);
}

void
cdb_inquiry_vpd(uint8_t cdb[CDB_BYTES], uint8_t page, uint16_t alloc_bytes)
{
	cdb_inquiry(cdb, alloc_bytes);
	cdb[1] = 0x01; /* EVPD */
	cdb[2] = page;
}

void
cdb_report_luns(uint8_t cdb[CDB_BYTES], uint32_t alloc_bytes)
{
	start(cdb, CDB_REPORT_LUNS);
	be_put32(cdb + 6, alloc_bytes);
}

void
cdb_read_capacity_10(uint8_t cdb[CDB_BYTES])
{
	start(cdb, CDB_READ_CAPACITY_10);
}

void
cdb_read_capacity_16(uint8_t cdb[CDB_BYTES], uint32_t alloc_bytes)
{
	start(cdb, CDB_READ_CAPACITY_16);
	cdb[1] = 0x10;
	be_put32(cdb + 10, alloc_bytes);
}

void
cdb_mode_sense_6(uint8_t cdb[CDB_BYTES], uint8_t page, uint8_t alloc_bytes)
{
	start(cdb, CDB_MODE_SENSE_6);
	cdb[1] = 0x08; /* DBD */
	cdb[2] = page & 0x3f;
	cdb[4] = alloc_bytes;
}

void
cdb_mode_sense_10(uint8_t cdb[CDB_BYTES], uint8_t page, uint16_t alloc_bytes)
{
	start(cdb, CDB_MODE_SENSE_10);
	cdb[1] = 0x08; /* DBD */
	cdb[2] = page & 0x3f;
	be_put16(cdb + 7, alloc_bytes);
}

/* Both forms of a command on blocks; byte 1 means the same in both. */
static void
on_blocks(uint8_t cdb[CDB_BYTES], enum cdb_op op_10, enum cdb_op op_16, uint64_t lba,
    uint32_t blocks, unsigned flags)
{
	if (lba <= LBA_10_MAX && blocks <= BLOCKS_10_MAX && (flags & CDB_FORM_16) == 0) {
		start(cdb, op_10);
		be_put32(cdb + 2, (uint32_t)lba);
		be_put16(cdb + 7, (uint16_t)blocks);
	} else {
		start(cdb, op_16);
		be_put64(cdb + 2, lba);
		be_put32(cdb + 10, blocks);
	}
	cdb[1] = (uint8_t)(((flags & CDB_FUA) != 0 ? BYTE1_FUA : 0) |
			   ((flags & CDB_DPO) != 0 ? BYTE1_DPO : 0));
}

void
cdb_read(uint8_t cdb[CDB_BYTES], uint64_t lba, uint32_t blocks, unsigned flags)
{
	on_blocks(cdb, CDB_READ_10, CDB_READ_16, lba, blocks, flags);
}

void
cdb_write(uint8_t cdb[CDB_BYTES], uint64_t lba, uint32_t blocks, unsigned flags)
{
	on_blocks(cdb, CDB_WRITE_10, CDB_WRITE_16, lba, blocks, flags);
}

void
cdb_sync_cache(uint8_t cdb[CDB_BYTES], uint64_t lba, uint32_t blocks, unsigned flags)
{
	on_blocks(cdb, CDB_SYNC_CACHE_10, CDB_SYNC_CACHE_16, lba, blocks, flags & CDB_FORM_16);
}

void
cdb_write_same_16(uint8_t cdb[CDB_BYTES], uint64_t lba, uint32_t blocks, bool unmap)
{
	on_blocks(cdb, CDB_WRITE_SAME_10, CDB_WRITE_SAME_16, lba, blocks, CDB_FORM_16);
	cdb[1] = unmap ? 0x08 : 0;
}

void
cdb_unmap(uint8_t cdb[CDB_BYTES], uint16_t list_bytes)
{
	start(cdb, CDB_UNMAP);
	be_put16(cdb + 7, list_bytes);
}

/* SBC-3, section 5.28.2: UNMAP DATA LENGTH counts what follows it. */
size_t
cdb_unmap_list(void *buf, size_t n, const struct cdb_extent *extents, size_t count)
{
	struct put w = put_over(buf, n);

	if (count > CDB_UNMAP_EXTENTS_MAX || n < CDB_UNMAP_LIST_BYTES(count))
		return 0;
	put_be16(&w, (uint16_t)(CDB_UNMAP_LIST_BYTES(count) - 2));
	put_be16(&w, (uint16_t)(16 * count));
	put_be32(&w, 0);
	for (size_t i = 0; i < count; i++) {
		put_be32(&w, (uint32_t)(extents[i].lba >> 32));
		put_be32(&w, (uint32_t)extents[i].lba);
		put_be32(&w, extents[i].blocks);
		put_be32(&w, 0);
	}
	return put_len(&w);
}

void
cdb_report_target_ports(uint8_t cdb[CDB_BYTES], uint32_t alloc_bytes, bool is_extended)
{
	start(cdb, CDB_REPORT_TARGET_PORTS);
	cdb[1] = is_extended ? 0x2a : 0x0a;
	be_put32(cdb + 6, alloc_bytes);
}

void
cdb_set_target_ports(uint8_t cdb[CDB_BYTES], uint32_t list_bytes)
{
	start(cdb, CDB_SET_TARGET_PORTS);
	cdb[1] = 0x0a;
	be_put32(cdb + 6, list_bytes);
}

void
cdb_start_stop(uint8_t cdb[CDB_BYTES], bool make_ready, bool load_eject, bool immed)
{
	start(cdb, CDB_START_STOP_UNIT);
	cdb[1] = immed ? 0x01 : 0;
	cdb[4] = (uint8_t)((load_eject ? 0x02 : 0) | (make_ready ? 0x01 : 0));
}
