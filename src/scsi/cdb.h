/*
 * Command descriptor blocks, SPC-4 and SBC-3.  Every builder fills all of
 * cdb[CDB_BYTES]: what the command does not use is zero, as RFC 7143, section
 * 11.3.5, asks for CDBs shorter than 16 bytes.  Allocation lengths are what the
 * caller's buffer holds, in bytes.
 */
#ifndef SCSI_CDB_H
#define SCSI_CDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CDB_BYTES 16

/* Operation codes; those that share one are told apart by a service action (cdb.def). */
enum cdb_op {
#define CDB_OP(id, opcode, sa, kind, name) CDB_##id = (opcode),
#include "scsi/cdb.def"
};

/* Flags of the commands that move blocks. */
enum cdb_flag {
	CDB_FUA = 1 << 0,    /* cdb_read, cdb_write: the medium, not the cache */
	CDB_DPO = 1 << 1,    /* cdb_read, cdb_write: not worth keeping in the cache */
	CDB_FORM_16 = 1 << 2 /* the 16-byte form even where 10 bytes would do */
};

/* The name for people, "READ(10)"; "unknown command" when cdb.def has no row.  Static text. */
const char *cdb_name(const uint8_t cdb[CDB_BYTES]);
/* How many bytes the command has: 6, 10, 12 or 16, by its group code. */
size_t cdb_len(const uint8_t cdb[CDB_BYTES]);
/*
 * "READ(10) of 8 blocks at 2048" for a log: NUL-terminated, cut off at n bytes.
 * Returns the length.  n must not be 0.
 */
size_t cdb_describe(char *buf, size_t n, const uint8_t cdb[CDB_BYTES]);

void cdb_test_unit_ready(uint8_t cdb[CDB_BYTES]);
void cdb_inquiry(uint8_t cdb[CDB_BYTES], uint16_t alloc_bytes);
/* INQUIRY with EVPD: a vital product data page. */
void cdb_inquiry_vpd(uint8_t cdb[CDB_BYTES], uint8_t page, uint16_t alloc_bytes);
/* SELECT REPORT 00h: every LUN but the well-known ones. At least 16 bytes (SPC-4, 6.33). */
void cdb_report_luns(uint8_t cdb[CDB_BYTES], uint32_t alloc_bytes);
void cdb_read_capacity_10(uint8_t cdb[CDB_BYTES]);
void cdb_read_capacity_16(uint8_t cdb[CDB_BYTES], uint32_t alloc_bytes);
/* Current values of a mode page (3Fh: all), without block descriptors. */
void cdb_mode_sense_6(uint8_t cdb[CDB_BYTES], uint8_t page, uint8_t alloc_bytes);
void cdb_mode_sense_10(uint8_t cdb[CDB_BYTES], uint8_t page, uint16_t alloc_bytes);

/*
 * The 10-byte form where the address and the length fit it, else the 16-byte
 * form.  `flags`: enum cdb_flag.  blocks == 0 moves nothing (it is not 256).
 */
void cdb_read(uint8_t cdb[CDB_BYTES], uint64_t lba, uint32_t blocks, unsigned flags);
void cdb_write(uint8_t cdb[CDB_BYTES], uint64_t lba, uint32_t blocks, unsigned flags);
/* blocks == 0: to the end of the medium.  Answers when it is done (IMMED is 0). */
void cdb_sync_cache(uint8_t cdb[CDB_BYTES], uint64_t lba, uint32_t blocks, unsigned flags);
/*
 * One block of data for all blocks.  `unmap` lets the target deallocate them
 * when they then read as that data.  blocks == 0 means to the end of the
 * medium, so a caller whose length is 0 must not send it.
 */
void cdb_write_same_16(uint8_t cdb[CDB_BYTES], uint64_t lba, uint32_t blocks, bool unmap);

/* A run of blocks for UNMAP. */
struct cdb_extent {
	uint64_t lba;
	uint32_t blocks;
};
/* The parameter list of UNMAP with `count` descriptors. */
#define CDB_UNMAP_LIST_BYTES(count) (8 + 16 * (size_t)(count))
/* At most this many fit the 16-bit length fields. */
#define CDB_UNMAP_EXTENTS_MAX 4095
void cdb_unmap(uint8_t cdb[CDB_BYTES], uint16_t list_bytes);
/* Write that list.  Its length, or 0 when it does not fit into n bytes or the format. */
size_t cdb_unmap_list(void *buf, size_t n, const struct cdb_extent *extents, size_t count);

/* is_extended: the header that tells how long transitions take (SPC-4, 6.37). */
void cdb_report_target_ports(uint8_t cdb[CDB_BYTES], uint32_t alloc_bytes, bool is_extended);
void cdb_set_target_ports(uint8_t cdb[CDB_BYTES], uint32_t list_bytes);

/* START makes the unit ready, else it stops; `immed`: answer at once. */
void cdb_start_stop(uint8_t cdb[CDB_BYTES], bool start, bool load_eject, bool immed);

#endif
