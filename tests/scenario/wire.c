#include "wire.h"

#include <string.h>

#define PDU(name_, opcode_, sender_, status_) { .name = NULL, .fixed = 0, .width = 0 },
#define F(name_, byte_, width_, shift_) \
	{ .name = #name_, .byte = byte_, .width = width_, .shift = shift_ },
#define FIXED(byte_, bits) { .byte = byte_, .fixed = bits },
static const struct wire_field field[] = {
#include "wire.def"
};

/* The same walk again: each PDU row opens a kind, `fields` are found when it is first used. */
#define PDU(name_, opcode_, sender_, status_) \
	{ .name = #name_,                     \
		.opcode = opcode_,            \
		.sender = #sender_[0],        \
		.status = (enum wire_status)(status_) },
#define F(...)
#define FIXED(...)
static struct wire_kind kinds[] = {
#include "wire.def"
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void
number_fields(void)
{
	size_t k = 0;

	if (kinds[0].field != NULL)
		return;
	for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
		if (field[i].name == NULL && field[i].fixed == 0)
			kinds[k++].field = &field[i + 1];
		else
			kinds[k - 1].fields++;
	}
}

const struct wire_kind *
wire_kind(const char *name)
{
	number_fields();
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

const struct wire_kind *
wire_kind_of(uint8_t opcode)
{
	number_fields();
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].opcode == opcode)
			return &kinds[i];
	return NULL;
}

const struct wire_field *
wire_field(const struct wire_kind *kind, const char *name)
{
	for (size_t i = 0; i < kind->fields; i++)
		if (kind->field[i].name != NULL && strcmp(kind->field[i].name, name) == 0)
			return &kind->field[i];
	return NULL;
}

void
wire_begin(const struct wire_kind *kind, uint8_t *bhs)
{
	memset(bhs, 0, WIRE_BHS);
	bhs[0] = kind->opcode;
	for (size_t i = 0; i < kind->fields; i++)
		if (kind->field[i].name == NULL)
			bhs[kind->field[i].byte] |= kind->field[i].fixed;
}

static unsigned
bytes_of(const struct wire_field *f)
{
	return (f->width + f->shift + 7) / 8;
}

uint64_t
wire_get(const uint8_t *bhs, const struct wire_field *f)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes_of(f) && i < 8; i++)
		v = v << 8 | bhs[f->byte + i];
	v >>= f->shift;
	return f->width < 64 ? v & ((1ull << f->width) - 1) : v;
}

void
wire_set(uint8_t *bhs, const struct wire_field *f, uint64_t v)
{
	for (unsigned bit = 0; bit < f->width; bit++) {
		unsigned at = bit + f->shift;
		uint8_t *b = &bhs[f->byte + bytes_of(f) - 1 - at / 8];
		uint8_t mask = (uint8_t)(1u << at % 8);

		*b = (uint8_t)((v >> bit & 1) != 0 ? *b | mask : *b & ~mask);
	}
}

uint64_t
wire_get_named(const struct wire_pdu *p, const char *name)
{
	const struct wire_field *f = p->kind != NULL ? wire_field(p->kind, name) : NULL;

	return f != NULL ? wire_get(p->bhs, f) : 0;
}

int
wire_reserved_bit(const struct wire_pdu *p)
{
	uint8_t rest[WIRE_BHS];

	memcpy(rest, p->bhs, sizeof rest);
	rest[0] &= 0xc0;
	memset(rest + 5, 0, 3);
	for (size_t i = 0; i < p->kind->fields; i++) {
		const struct wire_field *f = &p->kind->field[i];

		if (f->name == NULL)
			rest[f->byte] &= (uint8_t)~f->fixed;
		else if (f->width > 64)
			memset(rest + f->byte, 0, f->width / 8);
		else
			wire_set(rest, f, 0);
	}
	for (int i = 0; i < WIRE_BHS; i++)
		if (rest[i] != 0)
			return i;
	return -1;
}

uint32_t
wire_crc(const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = (c & 1) != 0 ? c >> 1 ^ 0x82f63b78 : c >> 1;
	}
	return ~c;
}

void
wire_put_crc(uint8_t *p, uint32_t crc)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(crc >> 8 * i);
}

uint32_t
wire_get_crc(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
