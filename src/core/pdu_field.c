#include "core/pdu_field.h"

struct row {
	const char *name;
	enum pdu_field_kind kind;
	uint8_t byte, len;    /* where it lies */
	uint8_t shift, width; /* of bits; width 0: whole bytes */
};

/* clang-format off */
#define PDU(id, ...)                   static const struct row rows_##id[] = {
#define BIT(name, byte, bit)           { #name, PDU_FIELD_FLAG, byte, 1, bit, 1 },
#define BITS(name, byte, shift, width) { #name, PDU_FIELD_NUMBER, byte, 1, shift, width },
#define U8(name, byte)                 { #name, PDU_FIELD_NUMBER, byte, 1, 0, 0 },
#define U16(name, byte)                { #name, PDU_FIELD_NUMBER, byte, 2, 0, 0 },
#define U24(name, byte)                { #name, PDU_FIELD_NUMBER, byte, 3, 0, 0 },
#define U32(name, byte)                { #name, PDU_FIELD_NUMBER, byte, 4, 0, 0 },
#define RAW(name, byte, len)           { #name, PDU_FIELD_BYTES, byte, len, 0, 0 },
#define FIXED(...)
#define END(id)                        };                                      \
	_Static_assert(sizeof rows_##id / sizeof rows_##id[0] <= PDU_FIELDS_MAX, \
	    "PDU_FIELDS_MAX is too small for " #id);
#include "core/pdu.def"
/* clang-format on */

static const struct {
	const struct row *row;
	size_t n;
} table[64] = {
#define PDU(id, ID, opcode, ...) [opcode] = { rows_##id, sizeof rows_##id / sizeof rows_##id[0] },
#define BIT(...)
#define BITS(...)
#define U8(...)
#define U16(...)
#define U24(...)
#define U32(...)
#define RAW(...)
#define FIXED(...)
#define END(...)
#include "core/pdu.def"
};

static uint32_t
number(const uint8_t *bhs, const struct row *row)
{
	uint32_t v = 0;

	for (uint8_t i = 0; i < row->len; i++)
		v = v << 8 | bhs[row->byte + i];
	return row->width > 0 ? v >> row->shift & ((1u << row->width) - 1) : v;
}

size_t
pdu_fields(const uint8_t bhs[PDU_BHS_BYTES], struct pdu_field ret[PDU_FIELDS_MAX])
{
	const struct row *row = table[pdu_opcode(bhs)].row;
	size_t n = table[pdu_opcode(bhs)].n;

	for (size_t i = 0; i < n; i++)
		ret[i] = (struct pdu_field){
			.name = row[i].name,
			.kind = row[i].kind,
			.number = row[i].kind == PDU_FIELD_BYTES ? 0 : number(bhs, &row[i]),
			.bytes = bhs + row[i].byte,
			.len = row[i].len,
		};
	return n;
}
