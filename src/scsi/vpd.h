/*
 * Vital product data: SPC-4, section 7.8 (00h, 80h, 83h), and SBC-3, section
 * 6.6 (B0h, B1h, B2h).  Any bytes may come; lengths are believed only as far as there are bytes.
 */
#ifndef SCSI_VPD_H
#define SCSI_VPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vpd_page {
	VPD_SUPPORTED = 0x00,
	VPD_SERIAL = 0x80,
	VPD_IDENTIFICATION = 0x83,
	VPD_BLOCK_LIMITS = 0xb0,
	VPD_CHARACTERISTICS = 0xb1,
	VPD_PROVISIONING = 0xb2
};

enum vpd_result {
	VPD_OK,
	VPD_SHORT,      /* less than a page header */
	VPD_WRONG_PAGE, /* another page than asked for */
	VPD_TRUNCATED,  /* the page is longer than what came: ask again with vpd_page_bytes() */
	VPD_NOTHING     /* the page has no usable value */
};

/* The whole length of the page of which the first bytes are here, or 0 (VPD_SHORT). */
size_t vpd_page_bytes(const void *bytes, size_t n);

/* 00h: the pages there are. */
struct vpd_pages {
	uint64_t bits[4];
};
enum vpd_result vpd_pages(const void *bytes, size_t n, struct vpd_pages *ret_pages);
bool vpd_has(const struct vpd_pages *pages, uint8_t page);

/* 80h: the unit serial number: printable ASCII, blanks at the ends removed, escaped as below. */
#define VPD_SERIAL_BYTES (252 * 3 + 1)
enum vpd_result vpd_serial(const void *bytes, size_t n, char ret_serial[VPD_SERIAL_BYTES]);

/*
 * 83h: the names of the logical unit itself (never of its port or target):
 * "naa.60014…", "eui.…" (lower-case hexadecimal), "name.<SCSI name string>",
 * "t10.<vendor><identifier>".  Best first: NAA 6, 5 and 2, EUI-64 of 16, 12 and 8
 * bytes, SCSI name string, T10 vendor, NAA 3 (assigned locally, so unique only
 * within a target); of equal ones the first in the page.  Bytes that are not
 * printable ASCII, and '%', are written %xx, so two different designators never
 * get the same text.  A designator of zeros or blanks counts as none.  Never
 * taken from a truncated page.  `at`: the at-th of them; VPD_NOTHING behind the
 * last.
 */
#define VPD_DESIGNATOR_BYTES (5 + 255 * 3 + 1)
enum vpd_result vpd_designator(
    const void *bytes, size_t n, unsigned at, char ret_text[VPD_DESIGNATOR_BYTES]);

/* B0h; 0 means that the target names no limit.  A page of an older standard is shorter: zeros. */
struct vpd_limits {
	bool write_same_nonzero;       /* WSNZ: WRITE SAME with 0 blocks is refused */
	uint16_t transfer_granularity; /* optimal, blocks */
	uint32_t transfer_max;         /* blocks a command */
	uint32_t transfer_optimal;     /* blocks */
	uint32_t unmap_blocks_max;     /* a command; 0: UNMAP is not supported */
	uint32_t unmap_extents_max;    /* a command; 0: UNMAP is not supported */
	uint32_t unmap_granularity;    /* optimal, blocks */
	uint32_t unmap_alignment;      /* LBA of the first aligned block */
	bool has_unmap_alignment;
	uint64_t write_same_max; /* blocks */
};
enum vpd_result vpd_limits(const void *bytes, size_t n, struct vpd_limits *ret_limits);

/* B1h. */
struct vpd_characteristics {
	uint16_t rotation_rpm; /* 0: not reported */
	bool is_solid_state;
};
enum vpd_result vpd_characteristics(
    const void *bytes, size_t n, struct vpd_characteristics *ret_chars);

/* B2h. */
enum vpd_provisioning_type { VPD_PROVISIONING_UNKNOWN, VPD_RESOURCE, VPD_THIN };
struct vpd_provisioning {
	bool unmap;               /* LBPU: UNMAP */
	bool write_same_16_unmap; /* LBPWS: WRITE SAME(16) with the UNMAP bit */
	bool write_same_10_unmap; /* LBPWS10 */
	bool reads_zeros;         /* LBPRZ: unmapped blocks read as zeros */
	bool is_anchored_supported;
	enum vpd_provisioning_type type;
};
enum vpd_result vpd_provisioning(const void *bytes, size_t n, struct vpd_provisioning *ret_prov);

#endif
