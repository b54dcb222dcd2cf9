/* The input of pdus.h taken apart, and changed in whole PDUs and their fields, which are rows of
 * pdu.def. */
#include "pdus.h"

#include <stdlib.h>
#include <string.h>

#define UNITS_MAX   128
#define OUT_BYTES   (64u << 10)
#define UNIT_ACTION 0x80

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
    uint8_t *out, size_t out_max, unsigned seed);

enum act {
#define ACT(id, ...) ACT_##id,
#include "target.def"
	ACTS
};

/* Fields, a row each; rows with an opcode begin a PDU. */
struct row {
	const char *name;
	int opcode;          /* -1: a field */
	uint8_t byte, shift; /* of a PDU: who sends it */
	uint16_t width;      /* bits */
};

/* clang-format off */
static const struct row rows[] = {
#define PDU(id, ID, opcode, from, name) { name, opcode, PDU_FROM_##from, 0, 0 },
#define BIT(name, byte, bit)            { #name, -1, byte, bit, 1 },
#define BITS(name, byte, shift, width)  { #name, -1, byte, shift, width },
#define U8(name, byte)                  { #name, -1, byte, 0, 8 },
#define U16(name, byte)                 { #name, -1, byte, 0, 16 },
#define U24(name, byte)                 { #name, -1, byte, 0, 24 },
#define U32(name, byte)                 { #name, -1, byte, 0, 32 },
#define RAW(name, byte, len)            { #name, -1, byte, 0, (len) * 8 },
#define FIXED(...)
#define END(...)
#include "core/pdu.def"
};
#define ROWS (sizeof rows / sizeof rows[0])

static const char *const words[] = {
#define KEY_NUM(id, wire, ...)    wire,
#define KEY_BOOL(id, wire, ...)   wire,
#define KEY_LIST(id, wire, ...)   wire,
#define KEY_DECL(id, wire, ...)   wire,
#define KEY_SEC(id, wire, ...)    wire,
#define KEY_GONE(id, wire, ...)   wire,
#include "core/keys.def"
};
static const char *const values[] = {
#define VALUE_AUTH(id, wire, ...)   wire,
#define VALUE_DIGEST(id, wire, ...) wire,
#define VALUE_TASK(id, wire, ...)   wire,
#include "core/keys.def"
	"Yes", "No", "0", "1", "5", "512", "8192", "65536", "16777215", "0x1f", "Reject", "Irrelevant", "NotUnderstood",
	"127.0.0.1:3260,1", "[::1]:3260,1", "iqn.2026-11.org.openisw:tgt", "0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", "",
};
/* clang-format on */

bool
pdus_next(struct cursor *in, struct pdus_unit *ret)
{
	const uint8_t *bhs;
	size_t left;

	if (cursor_left(in) == 0)
		return false;
	*ret = (struct pdus_unit){ .what = cursor_u8(in) };
	ret->is_pdu = ret->what < UNIT_ACTION;
	ret->what &= UNIT_ACTION - 1;
	ret->number = cursor_be16(in);
	if (in->failed)
		return false;
	if (!ret->is_pdu)
		return true;
	bhs = cursor_bytes(in, PDU_BHS_BYTES);
	if (bhs == NULL)
		return false;
	memcpy(ret->bhs, bhs, PDU_BHS_BYTES);
	left = cursor_left(in);
	ret->len = (uint16_t)(ret->number < left ? ret->number : left);
	ret->payload = cursor_bytes(in, ret->len);
	return true;
}

/* ---- mutation ---- */

struct list_of_units {
	size_t n;
	struct pdus_unit unit[UNITS_MAX];
};

static uint64_t dice;

/* 0..n - 1; n is not 0. */
static uint32_t
roll(uint32_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (uint32_t)(dice >> 16) % n;
}

static void
take_apart(struct list_of_units *l, const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);

	(void)cursor_be16(&in); /* the configuration stands before the units */
	l->n = 0;
	while (l->n < UNITS_MAX && pdus_next(&in, &l->unit[l->n]))
		l->n++;
}

/* What fits of the units, behind two bytes of configuration. */
static size_t
put_together(const struct list_of_units *l, uint16_t configuration, uint8_t *out, size_t max)
{
	static uint8_t buffer[OUT_BYTES];
	size_t room = max < OUT_BYTES ? max : OUT_BYTES, n = 2;

	if (room < n)
		return 0;
	be_put16(buffer, configuration);
	for (size_t i = 0; i < l->n; i++) {
		const struct pdus_unit *u = &l->unit[i];
		size_t need = 3 + (u->is_pdu ? PDU_BHS_BYTES + (size_t)u->len : 0);

		if (room - n < need)
			break;
		buffer[n] = u->is_pdu ? u->what : u->what | UNIT_ACTION;
		be_put16(buffer + n + 1, u->is_pdu ? u->len : u->number);
		if (u->is_pdu) {
			memcpy(buffer + n + 3, u->bhs, PDU_BHS_BYTES);
			if (u->len > 0)
				memcpy(buffer + n + 3 + PDU_BHS_BYTES, u->payload, u->len);
		}
		n += need;
	}
	memcpy(out, buffer, n);
	return n;
}

static const struct row *
row_of(uint8_t opcode)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].opcode == opcode)
			return &rows[i];
	return NULL;
}

static uint32_t
get_field(const uint8_t *bhs, const struct row *r)
{
	uint32_t v = 0;

	if (r->width < 8)
		return bhs[r->byte] >> r->shift & ((1u << r->width) - 1);
	for (unsigned i = 0; i < r->width / 8u && i < 4; i++)
		v = v << 8 | bhs[r->byte + i];
	return v;
}

static void
set_field(uint8_t *bhs, const struct row *r, uint32_t v)
{
	unsigned mask = ((1u << r->width % 8) - 1) << r->shift;

	if (r->width < 8) {
		bhs[r->byte] = (uint8_t)((bhs[r->byte] & ~mask) | (v << r->shift & mask));
		return;
	}
	if (r->width > 32) { /* a LUN or the like: one byte of it */
		bhs[r->byte + roll(r->width / 8u)] = (uint8_t)v;
		return;
	}
	for (unsigned i = r->width / 8u; i > 0; i--, v >>= 8)
		bhs[r->byte + i - 1] = (uint8_t)v;
}

static uint32_t
interesting(uint32_t was)
{
	static const uint32_t numbers[] = { 0, 1, 2, 3, 4, 8, 512, 4096, 8192, 8193, 65535, 65536,
		262144, 0xffffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe };

	switch (roll(4)) {
	case 0:
		return was + 1;
	case 1:
		return was - 1;
	case 2:
		return roll(UINT32_MAX);
	default:
		return numbers[roll(sizeof numbers / sizeof numbers[0])];
	}
}

/* Whoever changes a field fills it by hand from now on. */
static void
stop_filling(struct pdus_unit *u, const char *field)
{
	if (strcmp(field, "data_segment_length") == 0)
		u->what &= (uint8_t)~PDUS_LENGTH;
	else if (strcmp(field, "stat_sn") == 0)
		u->what &= (uint8_t)~PDUS_STAT_SN;
	else if (strcmp(field, "exp_cmd_sn") == 0 || strcmp(field, "max_cmd_sn") == 0)
		u->what &= (uint8_t)~PDUS_WINDOW;
	else if (strstr(field, "_sn") != NULL || strcmp(field, "buffer_offset") == 0)
		u->what &= (uint8_t)~PDUS_SEQUENCE;
	else if (strcmp(field, "isid") == 0 || strcmp(field, "csg") == 0)
		u->what &= (uint8_t)~PDUS_LOGIN;
}

/* A field of a PDU by its name. */
static void
change_field(struct list_of_units *l, struct pdus_unit *u)
{
	const struct row *first = row_of(pdu_opcode(u->bhs)), *r;
	const struct pdus_unit *other = &l->unit[roll((uint32_t)l->n)];
	size_t n = 1;

	if (first == NULL)
		return;
	while (first + n < rows + ROWS && first[n].opcode < 0)
		n++;
	r = first + 1 + roll((uint32_t)n - 1);
	set_field(u->bhs, r, interesting(get_field(u->bhs, r)));
	if (other->is_pdu && roll(4) == 0)
		set_field(u->bhs, r, get_field(other->bhs, r));
	if (roll(3) == 0)
		stop_filling(u, r->name);
}

/* A PDU that a target may send, all of it in order; or what the user does. */
static struct pdus_unit
fresh(void)
{
	struct pdus_unit u = { .is_pdu = roll(3) != 0, .what = PDUS_ALL };
	const struct row *r;

	if (!u.is_pdu) {
		u.what = (uint8_t)roll(ACTS);
		u.number = (uint16_t)interesting(roll(16));
		return u;
	}
	do
		r = &rows[roll(ROWS)];
	while (r->opcode < 0 || (r->byte == PDU_FROM_INITIATOR && roll(16) != 0));
	u.bhs[0] = (uint8_t)r->opcode;
	u.bhs[1] = roll(4) != 0 ? 0x80 : 0x81;
	be_put32(u.bhs + 16, roll(4));
	be_put32(u.bhs + 20, roll(2) != 0 ? PDU_NO_TAG : roll(8));
	be_put32(u.bhs + 44, roll(2) != 0 ? 4096 : 0);
	return u;
}

/* Payload of a unit, changed: in memory that lasts for one mutation. */
static void
change_payload(struct pdus_unit *u)
{
	static uint8_t payload[OUT_BYTES];
	const char *key = words[roll(sizeof words / sizeof words[0])];
	const char *value = values[roll(sizeof values / sizeof values[0])];
	size_t n = u->len, more = strlen(key) + strlen(value) + 2;

	if (n > 0 && u->payload != payload)
		memcpy(payload, u->payload, n);
	switch (roll(4)) {
	case 0: /* a key */
		if (n + more > 8192)
			break;
		memcpy(payload + n, key, strlen(key));
		payload[n + strlen(key)] = '=';
		memcpy(payload + n + strlen(key) + 1, value, strlen(value) + 1);
		n += more;
		break;
	case 1: /* another length */
		more = roll(5) * 1024u + roll(16);
		if (more > n)
			memset(payload + n, (int)roll(256), more - n);
		n = more;
		break;
	default:
		n = LLVMFuzzerMutate(payload, n, n + 64 < 8192 ? n + 64 : 8192);
	}
	u->payload = payload;
	u->len = (uint16_t)n;
}

static void
insert(struct list_of_units *l, size_t at, const struct pdus_unit *u)
{
	if (l->n == UNITS_MAX)
		return;
	memmove(l->unit + at + 1, l->unit + at, (l->n - at) * sizeof *u);
	l->unit[at] = *u;
	l->n++;
}

static void
change_order(struct list_of_units *l, size_t at)
{
	struct pdus_unit u = l->unit[at];
	size_t other;

	switch (roll(3)) {
	case 0: /* twice */
		insert(l, roll((uint32_t)l->n + 1), &u);
		break;
	case 1: /* gone */
		memmove(l->unit + at, l->unit + at + 1, (--l->n - at) * sizeof u);
		break;
	default: /* elsewhere */
		other = roll((uint32_t)l->n);
		l->unit[at] = l->unit[other];
		l->unit[other] = u;
	}
}

static void
change(struct list_of_units *l)
{
	size_t at = l->n > 0 ? roll((uint32_t)l->n) : 0;
	struct pdus_unit *u = &l->unit[at], new;

	switch (l->n > 0 ? roll(12) : 0) {
	case 0:
	case 1:
	case 2:
		new = fresh();
		insert(l, l->n > 0 ? roll((uint32_t)l->n + 1) : 0, &new);
		break;
	case 3:
	case 4:
		change_order(l, at);
		break;
	case 5:
		if (u->is_pdu)
			u->what ^= (uint8_t)(1u << roll(7));
		else
			u->what = (uint8_t)roll(ACTS);
		break;
	case 6:
	case 7:
		if (u->is_pdu)
			change_payload(u);
		break;
	default:
		if (u->is_pdu)
			change_field(l, u);
		else
			u->number = (uint16_t)interesting(u->number);
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static struct list_of_units l;
	uint16_t configuration = size >= 2 ? be_get16(data) : 0;

	dice = (uint64_t)seed * 0x9e3779b97f4a7c15u + 1;
	if (roll(64) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	take_apart(&l, data, size);
	if (roll(16) == 0)
		configuration ^= (uint16_t)(1u << roll(16));
	for (uint32_t n = 1 + roll(4); n > 0; n--)
		change(&l);
	return put_together(&l, configuration, data, max_size);
}

/* The beginning of one, the end of the other. */
size_t
LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
    uint8_t *out, size_t out_max, unsigned seed)
{
	static struct list_of_units l, other;
	size_t from;

	dice = (uint64_t)seed * 0x9e3779b97f4a7c15u + 1;
	take_apart(&l, a, a_size);
	take_apart(&other, b, b_size);
	l.n = l.n > 0 ? roll((uint32_t)l.n) + 1 : 0;
	from = other.n > 0 ? roll((uint32_t)other.n) : 0;
	for (; from < other.n && l.n < UNITS_MAX; from++)
		l.unit[l.n++] = other.unit[from];
	return put_together(&l, a_size >= 2 ? be_get16(a) : 0, out, out_max);
}
