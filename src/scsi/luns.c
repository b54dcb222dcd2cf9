#include "scsi/luns.h"

#include "base/cursor.h"

/* The list begins behind the 4-byte length and 4 reserved bytes. */
#define HEADER_BYTES 8

/* Numbers the guide's map has room for; a bit for each tells which are there. */
#define MAP_LUNS (LIMIT_EXT_BUS * LIMIT_LUNS_PER_BUS)

/* Extended addressing, SAM-5, section 4.7.7.5: length (2) and method (4 bits). */
#define EXTENDED_WELL_KNOWN 0xc1
#define EXTENDED_FLAT_24    0xd2

static_assert(LIMIT_LUNS <= MAP_LUNS, "every LUN we take has a hardware path");

static bool
is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

enum luns_kind
luns_decode(const uint8_t wire[LUNS_WIRE_BYTES], enum luns_mode *ret_mode, uint32_t *ret_lun)
{
	enum luns_mode mode = (enum luns_mode)(wire[0] >> 6);

	*ret_mode = mode;
	if (mode == LUNS_EXTENDED) {
		if (wire[0] == EXTENDED_WELL_KNOWN)
			return LUNS_WELL_KNOWN;
		if (wire[0] != EXTENDED_FLAT_24)
			return LUNS_ODD;
		if (!is_zero(wire + 4, 4))
			return LUNS_MULTI;
		*ret_lun = be_get24(wire + 1);
		return LUNS_SINGLE;
	}
	/* A bus identifier other than 0 means: the unit is one level further down. */
	if (!is_zero(wire + 2, 6) || (mode == LUNS_PERIPHERAL && wire[0] != 0))
		return LUNS_MULTI;
	*ret_lun = be_get16(wire) & 0x3fff;
	return LUNS_SINGLE;
}

bool
luns_encode(enum luns_mode mode, uint32_t lun, uint8_t ret_wire[LUNS_WIRE_BYTES])
{
	static const uint32_t max[] = {
		[LUNS_PERIPHERAL] = 0xff,
		[LUNS_FLAT] = 0x3fff,
		[LUNS_LOGICAL_UNIT] = 0x3fff,
		[LUNS_EXTENDED] = 0xffffff,
	};

	if (lun > max[mode])
		return false;
	memset(ret_wire, 0, LUNS_WIRE_BYTES);
	if (mode == LUNS_EXTENDED) {
		ret_wire[0] = EXTENDED_FLAT_24;
		be_put24(ret_wire + 1, lun);
	} else {
		be_put16(ret_wire, (uint16_t)((uint32_t)mode << 14 | lun));
	}
	return true;
}

const char *
luns_mode_name(enum luns_mode mode)
{
	switch (mode) {
	case LUNS_PERIPHERAL:
		return "peripheral device addressing";
	case LUNS_FLAT:
		return "flat space addressing";
	case LUNS_LOGICAL_UNIT:
		return "logical unit addressing";
	case LUNS_EXTENDED:
		return "extended logical unit addressing";
	}
	return "unknown addressing";
}

static enum luns_mode
find_primary(const uint8_t *list, size_t count)
{
	uint32_t by_mode[4] = { 0 }, lun;
	enum luns_mode mode, best = LUNS_PERIPHERAL;

	for (size_t i = 0; i < count; i++)
		if (luns_decode(list + i * LUNS_WIRE_BYTES, &mode, &lun) == LUNS_SINGLE)
			by_mode[mode]++;
	for (mode = LUNS_PERIPHERAL; mode <= LUNS_EXTENDED; mode++)
		if (by_mode[mode] > by_mode[best])
			best = mode;
	return best;
}

bool
luns_parse(
    const void *bytes, size_t n, uint32_t ret_luns[LIMIT_LUNS], struct luns_report *ret_report)
{
	struct cursor c = cursor_over(bytes, n);
	uint64_t seen[MAP_LUNS / 64] = { 0 };
	struct luns_report r = { 0 };
	uint32_t said = cursor_be32(&c);
	const uint8_t *list;
	size_t count;

	(void)cursor_be32(&c);
	if (c.failed)
		return false;
	/* The length is the target's word: no more than what came, and whole addresses only. */
	r.is_incomplete = said > cursor_left(&c);
	r.bytes_wanted = said < UINT32_MAX - HEADER_BYTES ? said + HEADER_BYTES : UINT32_MAX;
	count = (r.is_incomplete ? cursor_left(&c) : said) / LUNS_WIRE_BYTES;
	list = c.p;
	r.primary = find_primary(list, count);
	for (size_t i = 0; i < count; i++) {
		enum luns_mode mode;
		uint32_t lun = 0;
		enum luns_kind kind = luns_decode(list + i * LUNS_WIRE_BYTES, &mode, &lun);

		if (kind == LUNS_WELL_KNOWN)
			r.well_known++;
		else if (kind != LUNS_SINGLE || mode != r.primary || lun >= MAP_LUNS)
			r.unclaimed++;
		else if ((seen[lun / 64] >> lun % 64 & 1) != 0)
			r.doubles++;
		else
			seen[lun / 64] |= UINT64_C(1) << lun % 64;
	}
	for (uint32_t lun = 0; lun < MAP_LUNS; lun++) {
		if ((seen[lun / 64] >> lun % 64 & 1) == 0)
			continue;
		if (r.claimed < LIMIT_LUNS)
			ret_luns[r.claimed++] = lun;
		else
			r.unclaimed++;
	}
	*ret_report = r;
	return true;
}

bool
luns_path(uint32_t lun, struct luns_path *ret_path)
{
	if (lun >= MAP_LUNS)
		return false;
	*ret_path = (struct luns_path){
		.bus = (uint16_t)(lun / LIMIT_LUNS_PER_BUS),
		.target = (uint8_t)(lun % LIMIT_LUNS_PER_BUS / LIMIT_LUNS_PER_TARGET),
		.lun = (uint8_t)(lun % LIMIT_LUNS_PER_TARGET),
	};
	return true;
}
