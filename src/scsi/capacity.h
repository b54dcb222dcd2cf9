/* READ CAPACITY data, SBC-3, sections 5.16 and 5.17. */
#ifndef SCSI_CAPACITY_H
#define SCSI_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPACITY_10_BYTES 8
#define CAPACITY_16_BYTES 32
/* Logical blocks we can serve: powers of two in this range. */
#define CAPACITY_BLOCK_BYTES_MIN 512
#define CAPACITY_BLOCK_BYTES_MAX 65536

struct capacity {
	uint64_t blocks, bytes;
	uint32_t block_bytes;
	uint32_t physical_bytes; /* block_bytes where the target does not say */
	uint16_t lowest_aligned; /* LBA of the first block that begins a physical one */
	bool is_provisioned;     /* LBPME: UNMAP or WRITE SAME may deallocate */
	bool reads_zeros;        /* LBPRZ */
	bool is_protected;       /* PROT_EN: blocks carry protection information */
	uint8_t protection_type; /* 1..3, 0: none */
};

enum capacity_result {
	CAPACITY_OK,
	CAPACITY_SHORT,     /* fewer bytes than the fields need */
	CAPACITY_ASK_16,    /* READ CAPACITY(10) cannot say it: ask READ CAPACITY(16) */
	CAPACITY_BAD_BLOCK, /* the block length is not one we can serve */
	CAPACITY_TOO_LARGE  /* more bytes than a file offset counts */
};

/* A sentence for each result; static text. */
const char *capacity_result_text(enum capacity_result r);
enum capacity_result capacity_parse_10(const void *bytes, size_t n, struct capacity *ret_cap);
enum capacity_result capacity_parse_16(const void *bytes, size_t n, struct capacity *ret_cap);

#endif
