#include "scsi/vpd.h"

#include "base/cursor.h"
#include "scsi/print.h"

#define HEADER_BYTES 4

/* Designation descriptor, SPC-4, section 7.8.6. */
enum { CODE_BINARY = 1, CODE_ASCII = 2, CODE_UTF8 = 3 };
enum { TYPE_T10 = 1, TYPE_EUI64 = 2, TYPE_NAA = 3, TYPE_NAME = 8 };
#define ASSOCIATION_LUN 0

size_t
vpd_page_bytes(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	return n >= HEADER_BYTES ? HEADER_BYTES + (size_t)be_get16(p + 2) : 0;
}

/* On VPD_OK the cursor is over the page's content, as long as the page says it is. */
static enum vpd_result
open_page(const void *bytes, size_t n, uint8_t page, struct cursor *ret_c)
{
	const uint8_t *p = bytes;
	size_t len = vpd_page_bytes(bytes, n);

	if (len == 0)
		return VPD_SHORT;
	if (p[1] != page)
		return VPD_WRONG_PAGE;
	if (len > n)
		return VPD_TRUNCATED;
	*ret_c = cursor_over(p + HEADER_BYTES, len - HEADER_BYTES);
	return VPD_OK;
}

enum vpd_result
vpd_pages(const void *bytes, size_t n, struct vpd_pages *ret_pages)
{
	struct cursor c;
	struct vpd_pages pages = { 0 };
	enum vpd_result r = open_page(bytes, n, VPD_SUPPORTED, &c);

	if (r != VPD_OK)
		return r;
	while (cursor_left(&c) > 0) {
		uint8_t page = cursor_u8(&c);

		pages.bits[page / 64] |= UINT64_C(1) << page % 64;
	}
	*ret_pages = pages;
	return VPD_OK;
}

bool
vpd_has(const struct vpd_pages *pages, uint8_t page)
{
	return (pages->bits[page / 64] >> page % 64 & 1) != 0;
}

enum vpd_result
vpd_serial(const void *bytes, size_t n, char ret_serial[VPD_SERIAL_BYTES])
{
	struct cursor c;
	enum vpd_result r = open_page(bytes, n, VPD_SERIAL, &c);
	struct put w;
	size_t len;

	if (r != VPD_OK)
		return r;
	/* A serial number longer than a one-byte allocation length ever showed is cut there. */
	len = print_trimmed(c.p, cursor_left(&c) < 252 ? cursor_left(&c) : 252);
	while (len > 0 && *c.p == ' ') {
		c.p++;
		len--;
	}
	if (len == 0)
		return VPD_NOTHING;
	w = print_begin(ret_serial, VPD_SERIAL_BYTES);
	print_escaped(&w, c.p, len);
	(void)print_end(&w);
	return VPD_OK;
}

/* One descriptor that names the logical unit. */
struct designator {
	uint8_t code_set, type;
	const uint8_t *p;
	size_t len;
};

static bool
is_blank(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0 && p[i] != ' ')
			return false;
	return true;
}

/* How good a name it is, see vpd.h, up to RANKS; 0: none at all. */
#define RANKS 9
static int
rank(const struct designator *d)
{
	if (d->len == 0 || is_blank(d->p, d->len))
		return 0;
	switch (d->type) {
	case TYPE_NAA:
		if (d->code_set != CODE_BINARY)
			return 0;
		if (d->p[0] >> 4 == 6 && d->len == 16)
			return 9;
		if (d->len != 8)
			return 0;
		return d->p[0] >> 4 == 5 ? 8 : d->p[0] >> 4 == 2 ? 7 : d->p[0] >> 4 == 3 ? 1 : 0;
	case TYPE_EUI64:
		if (d->code_set != CODE_BINARY)
			return 0;
		return d->len == 16 ? 6 : d->len == 12 ? 5 : d->len == 8 ? 4 : 0;
	case TYPE_NAME:
		return d->code_set == CODE_UTF8 ? 3 : 0;
	case TYPE_T10:
		/* The vendor alone names nothing. */
		return d->len > 8 && !is_blank(d->p + 8, d->len - 8) ? 2 : 0;
	default:
		return 0;
	}
}

static void
write_designator(const struct designator *d, char ret_text[VPD_DESIGNATOR_BYTES])
{
	struct put w = print_begin(ret_text, VPD_DESIGNATOR_BYTES);

	switch (d->type) {
	case TYPE_NAA:
		put_str(&w, "naa.");
		print_hex_bytes(&w, d->p, d->len);
		break;
	case TYPE_EUI64:
		put_str(&w, "eui.");
		print_hex_bytes(&w, d->p, d->len);
		break;
	case TYPE_NAME:
		put_str(&w, "name.");
		print_escaped(&w, d->p, print_trimmed(d->p, d->len));
		break;
	case TYPE_T10:
		put_str(&w, "t10.");
		print_escaped(&w, d->p, print_trimmed(d->p, d->len));
		break;
	}
	(void)print_end(&w);
}

/* The next descriptor that names the unit; false behind the last. */
static bool
next_designator(struct cursor *c, struct designator *ret_d)
{
	while (cursor_left(c) >= 4) {
		const uint8_t *head = cursor_bytes(c, 4), *p = cursor_bytes(c, head[3]);

		if (p == NULL)
			return false;
		*ret_d = (struct designator){ head[0] & 0xf, head[1] & 0xf, p, head[3] };
		if ((head[1] >> 4 & 3) == ASSOCIATION_LUN && rank(ret_d) > 0)
			return true;
	}
	return false;
}

enum vpd_result
vpd_designator(const void *bytes, size_t n, unsigned at, char ret_text[VPD_DESIGNATOR_BYTES])
{
	struct cursor page, c;
	enum vpd_result r = open_page(bytes, n, VPD_IDENTIFICATION, &page);
	struct designator d;

	if (r != VPD_OK)
		return r;
	for (int best = RANKS; best > 0; best--)
		for (c = page; next_designator(&c, &d);)
			if (rank(&d) == best && at-- == 0) {
				write_designator(&d, ret_text);
				return VPD_OK;
			}
	return VPD_NOTHING;
}

enum vpd_result
vpd_limits(const void *bytes, size_t n, struct vpd_limits *ret_limits)
{
	struct cursor c;
	struct vpd_limits l = { 0 };
	enum vpd_result r = open_page(bytes, n, VPD_BLOCK_LIMITS, &c);
	uint32_t alignment;

	if (r != VPD_OK)
		return r;
	l.write_same_nonzero = (cursor_u8(&c) & 0x01) != 0;
	(void)cursor_u8(&c); /* for COMPARE AND WRITE */
	l.transfer_granularity = cursor_be16(&c);
	l.transfer_max = cursor_be32(&c);
	l.transfer_optimal = cursor_be32(&c);
	(void)cursor_be32(&c); /* for PRE-FETCH */
	l.unmap_blocks_max = cursor_be32(&c);
	l.unmap_extents_max = cursor_be32(&c);
	l.unmap_granularity = cursor_be32(&c);
	alignment = cursor_be32(&c);
	l.has_unmap_alignment = (alignment & 0x80000000u) != 0;
	l.unmap_alignment = l.has_unmap_alignment ? alignment & 0x7fffffffu : 0;
	l.write_same_max = cursor_be64(&c);
	*ret_limits = l;
	return VPD_OK;
}

enum vpd_result
vpd_characteristics(const void *bytes, size_t n, struct vpd_characteristics *ret_chars)
{
	struct cursor c;
	enum vpd_result r = open_page(bytes, n, VPD_CHARACTERISTICS, &c);
	uint16_t rate;

	if (r != VPD_OK)
		return r;
	/* 1: the medium does not rotate; 2 to 0400h and FFFFh are reserved. */
	rate = cursor_be16(&c);
	*ret_chars = (struct vpd_characteristics){
		.rotation_rpm = rate > 0x400 && rate < 0xffff ? rate : 0,
		.is_solid_state = rate == 1,
	};
	return VPD_OK;
}

enum vpd_result
vpd_provisioning(const void *bytes, size_t n, struct vpd_provisioning *ret_prov)
{
	struct cursor c;
	enum vpd_result r = open_page(bytes, n, VPD_PROVISIONING, &c);
	uint8_t flags, type;

	if (r != VPD_OK)
		return r;
	(void)cursor_u8(&c); /* threshold exponent */
	flags = cursor_u8(&c);
	type = cursor_u8(&c) & 7;
	*ret_prov = (struct vpd_provisioning){
		.unmap = (flags & 0x80) != 0,
		.write_same_16_unmap = (flags & 0x40) != 0,
		.write_same_10_unmap = (flags & 0x20) != 0,
		/* SBC-4 made LBPRZ three bits: xx1b zeros, 010b a pattern of the vendor's. */
		.reads_zeros = (flags & 0x04) != 0,
		.is_anchored_supported = (flags & 0x02) != 0,
		.type = type == 1   ? VPD_RESOURCE
			: type == 2 ? VPD_THIN
				    : VPD_PROVISIONING_UNKNOWN,
	};
	return VPD_OK;
}
