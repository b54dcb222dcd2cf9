#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/pdu.h"

/*
 * For every row: a header of random bytes decoded and encoded again keeps
 * every bit that belongs to a field, and nothing but fields, the opcode and
 * fixed bits is set.
 */
static uint64_t seed = 0x2545f4914f6cdd1d;

static uint8_t
random_byte(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint8_t)(seed >> 24);
}

static void
mask_bits(uint8_t *mask, size_t byte, uint8_t bits)
{
	assert_true(byte < PDU_BHS_BYTES);
	assert_int_equal(mask[byte] & bits, 0); /* fields do not overlap */
	mask[byte] |= bits;
}

static void
mask_bytes(uint8_t *mask, size_t byte, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mask_bits(mask, byte + i, 0xff);
}

/* clang-format off */
#define PDU(id, ID, opcode, ...)                                        \
	static void id##_keeps_every_field(void **state)                \
	{                                                               \
		uint8_t in[48], out[48], mask[48] = { 0 }, fixed[48] = { 0 }; \
		struct pdu_##id v;                                      \
		(void)state;                                            \
		fixed[0] = opcode;                                      \
		mask_bits(mask, 0, 0x3f);
#define BIT(name, byte, bit)           mask_bits(mask, byte, (uint8_t)(1u << (bit)));
#define BITS(name, byte, shift, width) mask_bits(mask, byte, (uint8_t)(((1u << (width)) - 1) << (shift)));
#define U8(name, byte)                 mask_bytes(mask, byte, 1);
#define U16(name, byte)                mask_bytes(mask, byte, 2);
#define U24(name, byte)                mask_bytes(mask, byte, 3);
#define U32(name, byte)                mask_bytes(mask, byte, 4);
#define RAW(name, byte, len)           mask_bytes(mask, byte, len);
#define FIXED(byte, value)             mask_bits(mask, byte, value); fixed[byte] |= value;
#define END(id)                                                         \
		for (int round = 0; round < 100; round++) {             \
			for (size_t i = 0; i < 48; i++)                 \
				in[i] = random_byte();                  \
			pdu_get_##id(in, &v);                           \
			pdu_put_##id(out, &v);                          \
			in[0] = (uint8_t)((in[0] & ~0x3f) | fixed[0]);  \
			for (size_t i = 0; i < 48; i++)                 \
				assert_int_equal(out[i], (in[i] & mask[i]) | fixed[i]); \
		}                                                       \
		assert_string_not_equal(pdu_name(pdu_opcode(out)), "unknown"); \
	}
#include "core/pdu.def"
/* clang-format on */

static void
opcodes_have_names_and_sides(void **state)
{
	(void)state;
	assert_string_equal(pdu_name(PDU_REJECT), "Reject");
	assert_string_equal(pdu_name(0x1c), "unknown");
	assert_true(pdu_is_from_target(PDU_R2T));
	assert_false(pdu_is_from_target(PDU_DATA_OUT));
	assert_false(pdu_is_from_target(0x3e));
}

static void
lengths_and_padding_are_read_from_the_header(void **state)
{
	uint8_t bhs[48] = { 0x25, 0, 0, 0, 3, 0x01, 0x02, 0x03 };

	(void)state;
	assert_int_equal(pdu_ahs_bytes(bhs), 12);
	assert_int_equal(pdu_data_bytes(bhs), 0x010203);
	assert_int_equal(pdu_pad(0), 0);
	assert_int_equal(pdu_pad(1), 3);
	assert_int_equal(pdu_pad(4), 0);
	assert_int_equal(pdu_pad(0xffffff), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define PDU(id, ...) cmocka_unit_test(id##_keeps_every_field),
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
		cmocka_unit_test(opcodes_have_names_and_sides),
		cmocka_unit_test(lengths_and_padding_are_read_from_the_header),
	};

	return cmocka_run_group_tests_name("pdu", tests, NULL, NULL);
}
