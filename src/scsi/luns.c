#include "scsi/luns.h"

#include "base/cursor.h"

/* The list begins behind the 4-byte length and 4 reserved bytes. */
#define HEADER_BYTES 8

/* Numbers the guide's map has room for; a bit for each tells which are there. */
#define MAP_LUNS (LIMIT_TARGET_BUSES * LIMIT_LUNS_PER_BUS)

/* Extended addressing, SAM-5, section 4.7.7.5: length (2) and method (4 bits). */
#define EXTENDED_WELL_KNOWN 0xc1
#define EXTENDED_FLAT_24    0xd2

static_assert(LIMIT_LUNS <= MAP_LUNS, "every LUN we take has a hardware path");

const uint8_t luns_report_luns[LUNS_WIRE_BYTES] = { EXTENDED_WELL_KNOWN, 0x01 };

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

const char *
luns_why_text(enum luns_why why)
{
	switch (why) {
#define LUNS_WHY(id, text)  \
	case LUNS_OUT_##id: \
		return text;
#include "scsi/luns_why.def"
	}
	return "unknown";
}

/* A walk over the list: what is taken, what is left out. */
struct walk {
	const uint8_t *list;
	size_t count;
	uint64_t seen[4][MAP_LUNS / 64]; /* by mode: a bit for each number */
	struct luns_out *out;
	size_t out_n, out_max;
	struct luns_report r;
};

static void
leave_out(struct walk *w, const uint8_t *wire, enum luns_why why)
{
	w->r.unclaimed++;
	if (w->out_n >= w->out_max)
		return;
	memcpy(w->out[w->out_n].wire, wire, LUNS_WIRE_BYTES);
	w->out[w->out_n++].why = why;
}

static bool
has(const uint64_t *seen, uint32_t lun)
{
	return (seen[lun / 64] >> lun % 64 & 1) != 0;
}

static bool
is_earlier(const struct walk *w, enum luns_mode mode, uint32_t lun)
{
	for (enum luns_mode m = LUNS_PERIPHERAL; m < mode; m++)
		if (has(w->seen[m], lun))
			return true;
	return false;
}

/* Which numbers are there, in which modes. */
static void
gather(struct walk *w, bool only_primary)
{
	enum luns_mode mode;
	uint32_t lun;

	for (size_t i = 0; i < w->count; i++) {
		if (luns_decode(w->list + i * LUNS_WIRE_BYTES, &mode, &lun) != LUNS_SINGLE ||
		    lun >= MAP_LUNS || (only_primary && mode != w->r.primary))
			continue;
		w->seen[mode][lun / 64] |= UINT64_C(1) << lun % 64;
	}
}

static void
name_left_out(struct walk *w, bool only_primary)
{
	for (size_t i = 0; i < w->count; i++) {
		const uint8_t *wire = w->list + i * LUNS_WIRE_BYTES;
		enum luns_mode mode;
		uint32_t lun = 0;

		switch (luns_decode(wire, &mode, &lun)) {
		case LUNS_WELL_KNOWN:
			w->r.well_known++;
			break;
		case LUNS_MULTI:
			leave_out(w, wire, LUNS_OUT_MULTI);
			break;
		case LUNS_ODD:
			leave_out(w, wire, LUNS_OUT_ODD);
			break;
		case LUNS_SINGLE:
			if (only_primary && mode != w->r.primary)
				leave_out(w, wire, LUNS_OUT_NOT_PRIMARY);
			else if (lun >= MAP_LUNS)
				leave_out(w, wire, LUNS_OUT_BEYOND);
			else if (is_earlier(w, mode, lun))
				leave_out(w, wire, LUNS_OUT_SAME_NUMBER);
			break;
		}
	}
}

static void
claim_one(struct walk *w, struct luns_entry *ret_luns, uint32_t lun)
{
	uint8_t wire[LUNS_WIRE_BYTES];

	for (enum luns_mode m = LUNS_PERIPHERAL; m <= LUNS_EXTENDED; m++) {
		/* The mode has just said this number, so it can say it again. */
		if (!has(w->seen[m], lun) || !luns_encode(m, lun, wire))
			continue;
		if (w->r.claimed < LIMIT_LUNS) {
			ret_luns[w->r.claimed].number = lun;
			memcpy(ret_luns[w->r.claimed++].wire, wire, LUNS_WIRE_BYTES);
		} else {
			leave_out(w, wire, LUNS_OUT_TOO_MANY);
		}
		return;
	}
}

/* In ascending order; most words are empty. */
static void
claim(struct walk *w, struct luns_entry *ret_luns)
{
	for (uint32_t i = 0; i < MAP_LUNS / 64; i++) {
		uint64_t any = w->seen[0][i] | w->seen[1][i] | w->seen[2][i] | w->seen[3][i];

		for (; any != 0; any &= any - 1)
			claim_one(w, ret_luns, i * 64 + (uint32_t)__builtin_ctzll(any));
	}
}

size_t
luns_most(size_t n)
{
	return n / LUNS_WIRE_BYTES < LIMIT_LUNS ? n / LUNS_WIRE_BYTES : LIMIT_LUNS;
}

bool
luns_parse(const void *bytes, size_t n, bool only_primary, struct luns_entry *ret_luns,
    struct luns_out *ret_out, size_t out_max, struct luns_report *ret_report)
{
	struct cursor c = cursor_over(bytes, n);
	struct walk w = { .out = ret_out, .out_max = out_max };
	uint32_t said = cursor_be32(&c);

	(void)cursor_be32(&c);
	if (c.failed)
		return false;
	/* The length is the target's word: no more than what came, and whole addresses only. */
	w.r.is_incomplete = said > cursor_left(&c);
	w.r.bytes_wanted = said < UINT32_MAX - HEADER_BYTES ? said + HEADER_BYTES : UINT32_MAX;
	w.count = (w.r.is_incomplete ? cursor_left(&c) : said) / LUNS_WIRE_BYTES;
	w.list = c.p;
	w.r.primary = find_primary(w.list, w.count);
	gather(&w, only_primary);
	name_left_out(&w, only_primary);
	claim(&w, ret_luns);
	/* Each address is counted once. */
	w.r.doubles = (uint32_t)w.count - w.r.claimed - w.r.unclaimed - w.r.well_known;
	*ret_report = w.r;
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
