#include "scsi/mode.h"

#include "base/cursor.h"

/* The device-specific parameter of a block device, SBC-3, section 6.5.1. */
#define DEVICE_WP     0x80
#define DEVICE_DPOFUA 0x10

/* A mode page: byte 0 is PS, SPF and the page code. */
#define PAGE_SPF 0x40

/* Caching page, SBC-3, section 6.5.5. */
#define CACHING_WCE 0x04
#define CACHING_RCD 0x01

static void
parse_pages(struct cursor *c, struct mode *m)
{
	while (cursor_left(c) >= 2) {
		uint8_t head = cursor_u8(c);
		bool has_subpage = (head & PAGE_SPF) != 0;
		size_t len;
		const uint8_t *p;

		if (has_subpage)
			(void)cursor_u8(c);
		len = has_subpage ? cursor_be16(c) : cursor_u8(c);
		p = cursor_bytes(c, len);
		if (p == NULL)
			return;
		if ((head & 0x3f) == MODE_PAGE_CACHING && !has_subpage && len >= 1) {
			m->has_caching = true;
			m->is_write_cache_enabled = (p[0] & CACHING_WCE) != 0;
			m->is_read_cache_disabled = (p[0] & CACHING_RCD) != 0;
			return;
		}
	}
}

/* `said`: how many bytes follow the length field, as the target says; `after`: those that do. */
static bool
parse(struct cursor *c, size_t said, uint8_t device, size_t descriptors, struct mode *ret_mode)
{
	struct mode m = {
		.is_write_protected = (device & DEVICE_WP) != 0,
		.has_fua = (device & DEVICE_DPOFUA) != 0,
	};

	if (c->failed)
		return false;
	if (said < cursor_left(c))
		c->end = c->p + said;
	(void)cursor_bytes(c, descriptors);
	parse_pages(c, &m);
	*ret_mode = m;
	return true;
}

bool
mode_parse_6(const void *bytes, size_t n, struct mode *ret_mode)
{
	struct cursor c = cursor_over(bytes, n);
	size_t said = cursor_u8(&c), descriptors;
	uint8_t device;

	(void)cursor_u8(&c); /* medium type */
	device = cursor_u8(&c);
	descriptors = cursor_u8(&c);
	if (said < 3)
		return false;
	return parse(&c, said - 3, device, descriptors, ret_mode);
}

bool
mode_parse_10(const void *bytes, size_t n, struct mode *ret_mode)
{
	struct cursor c = cursor_over(bytes, n);
	size_t said = cursor_be16(&c), descriptors;
	uint8_t device;

	(void)cursor_u8(&c); /* medium type */
	device = cursor_u8(&c);
	(void)cursor_be16(&c);
	descriptors = cursor_be16(&c);
	if (said < 6)
		return false;
	return parse(&c, said - 6, device, descriptors, ret_mode);
}
