#include "scsi/capacity.h"

#include "base/checked.h"
#include "base/cursor.h"

const char *
capacity_result_text(enum capacity_result r)
{
	switch (r) {
	case CAPACITY_OK:
		return "the capacity is known";
	case CAPACITY_SHORT:
		return "the target sent too few bytes for a capacity";
	case CAPACITY_ASK_16:
		return "the disk is too large for READ CAPACITY(10)";
	case CAPACITY_BAD_BLOCK:
		return "the block length is not a power of two from 512 to 65536 bytes";
	case CAPACITY_TOO_LARGE:
		return "the disk has more bytes than a file can have";
	}
	return "unknown";
}

static enum capacity_result
measure(struct capacity *cap, uint64_t last_lba)
{
	uint32_t block = cap->block_bytes;

	if (block < CAPACITY_BLOCK_BYTES_MIN || block > CAPACITY_BLOCK_BYTES_MAX ||
	    (block & (block - 1)) != 0)
		return CAPACITY_BAD_BLOCK;
	if (checked_add(last_lba, UINT64_C(1), &cap->blocks) ||
	    checked_mul(cap->blocks, (uint64_t)block, &cap->bytes) || cap->bytes > INT64_MAX)
		return CAPACITY_TOO_LARGE;
	return CAPACITY_OK;
}

enum capacity_result
capacity_parse_10(const void *bytes, size_t n, struct capacity *ret_cap)
{
	struct cursor c = cursor_over(bytes, n);
	struct capacity cap = { 0 };
	uint32_t last_lba = cursor_be32(&c);
	enum capacity_result r;

	cap.block_bytes = cap.physical_bytes = cursor_be32(&c);
	if (c.failed)
		return CAPACITY_SHORT;
	if (last_lba == UINT32_MAX)
		return CAPACITY_ASK_16;
	r = measure(&cap, last_lba);
	if (r == CAPACITY_OK)
		*ret_cap = cap;
	return r;
}

/* The first 12 bytes are needed; those of an older standard end there, and the rest counts as 0. */
enum capacity_result
capacity_parse_16(const void *bytes, size_t n, struct capacity *ret_cap)
{
	struct cursor c = cursor_over(bytes, n);
	struct capacity cap = { 0 };
	uint64_t last_lba = cursor_be64(&c);
	enum capacity_result r;
	uint8_t protection, exponent;
	uint16_t lowest;

	cap.block_bytes = cursor_be32(&c);
	if (c.failed)
		return CAPACITY_SHORT;
	protection = cursor_u8(&c);
	exponent = cursor_u8(&c) & 0xf;
	lowest = cursor_be16(&c);
	r = measure(&cap, last_lba);
	if (r != CAPACITY_OK)
		return r;
	cap.is_protected = (protection & 0x01) != 0;
	cap.protection_type = (uint8_t)(cap.is_protected ? (protection >> 1 & 7) + 1 : 0);
	cap.physical_bytes = cap.block_bytes << exponent;
	cap.is_provisioned = (lowest & 0x8000) != 0;
	cap.reads_zeros = (lowest & 0x4000) != 0;
	cap.lowest_aligned = lowest & 0x3fff;
	*ret_cap = cap;
	return CAPACITY_OK;
}
