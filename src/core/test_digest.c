#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/digest.h"
#include "core/digest_impl.h"

/* Longer than three long stretches, a short one and a tail together. */
#define BIG_BYTES 70000

static uint8_t noise[BIG_BYTES + 64];

/* The definition itself, a bit at a time; on the bare register. */
static uint32_t
reference(uint32_t reg, const uint8_t *p, size_t n)
{
	while (n-- > 0) {
		reg ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			reg = (reg >> 1) ^ ((reg & 1) != 0 ? 0x82f63b78u : 0);
	}
	return reg;
}

static int
make_noise(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof noise; i++) {
		x = x * 1664525u + 1013904223u;
		noise[i] = (uint8_t)(x >> 24);
	}
	return 0;
}

static void
expect_wire(const uint8_t *bytes, size_t n, const uint8_t wire[4])
{
	uint8_t out[4];

	digest_put(out, digest_crc32c(DIGEST_BEGIN, bytes, n));
	assert_memory_equal(out, wire, 4);
	assert_true(digest_matches(wire, digest_crc32c(DIGEST_BEGIN, bytes, n)));
}

/* RFC 3720, appendix B.4. */
static void
examples_of_rfc_3720_come_out(void **state)
{
	static const uint8_t read10[48] = { [0] = 0x01,
		0xc0,
		[16] = 0x14,
		[22] = 0x04,
		[27] = 0x14,
		[31] = 0x18,
		[32] = 0x28,
		[40] = 0x02 };
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];

	(void)state;
	memset(ones, 0xff, sizeof ones);
	for (uint8_t i = 0; i < 32; i++) {
		up[i] = i;
		down[i] = (uint8_t)(31 - i);
	}
	expect_wire(zeros, 32, (const uint8_t[]){ 0xaa, 0x36, 0x91, 0x8a });
	expect_wire(ones, 32, (const uint8_t[]){ 0x43, 0xab, 0xa8, 0x62 });
	expect_wire(up, 32, (const uint8_t[]){ 0x4e, 0x79, 0xdd, 0x46 });
	expect_wire(down, 32, (const uint8_t[]){ 0x5c, 0xdb, 0x3f, 0x11 });
	expect_wire(read10, 48, (const uint8_t[]){ 0x56, 0x3a, 0x96, 0xd9 });
	assert_int_equal(digest_bhs(read10), 0xd9963a56u);
}

static void
check_impl(const struct digest_impl *impl, const uint8_t *p, size_t n)
{
	static uint8_t copy[BIG_BYTES + 2];
	uint32_t reg = (uint32_t)n * 0x9e3779b9u;
	uint32_t want = reference(reg, p, n);

	if (impl->crc(reg, p, n) != want)
		fail_msg("%s: wrong register for %zu bytes", impl->name, n);
	copy[0] = copy[n + 1] = 0xa5;
	if (impl->copy(reg, copy + 1, p, n) != want)
		fail_msg("%s: wrong register when copying %zu bytes", impl->name, n);
	assert_true(n == 0 || memcmp(copy + 1, p, n) == 0);
	assert_int_equal(copy[0], 0xa5);
	assert_int_equal(copy[n + 1], 0xa5);
}

static void
every_way_agrees_with_the_definition_at_every_length_and_alignment(void **state)
{
	const struct digest_impl *impl;

	(void)state;
	for (size_t i = 0; (impl = digest_impl(i)) != NULL; i++) {
		if (!impl->usable())
			continue;
		for (size_t n = 0; n <= 300; n++)
			for (size_t align = 0; align < 9; align++)
				check_impl(impl, noise + align, n);
		for (size_t n = 301; n <= 1100; n++)
			check_impl(impl, noise + n % 64, n);
		for (size_t n = 4000; n <= 4200; n += 7)
			check_impl(impl, noise + n % 64, n);
		check_impl(impl, noise + 3, 3 * 4080 + 504 + 13);
		check_impl(impl, noise + 1, BIG_BYTES);
	}
}

static void
a_digest_may_be_taken_in_parts(void **state)
{
	const size_t n = 5000;
	uint32_t whole = digest_crc32c(DIGEST_BEGIN, noise, n);

	(void)state;
	assert_int_equal(digest_crc32c(DIGEST_BEGIN, noise, 0), DIGEST_BEGIN);
	assert_int_equal(whole, (uint32_t)~reference(0xffffffffu, noise, n));
	for (size_t cut = 0; cut <= n; cut += cut < 600 ? 1 : 61) {
		uint8_t copy[5000];
		uint32_t crc = digest_crc32c(DIGEST_BEGIN, noise, cut);

		assert_int_equal(digest_crc32c(crc, noise + cut, n - cut), whole);
		assert_int_equal(digest_copy_crc32c(copy, noise + cut, n - cut, crc), whole);
		assert_true(memcmp(copy, noise + cut, n - cut) == 0);
	}
}

static void
header_digest_is_the_digest_of_48_bytes_with_and_without_the_instruction(void **state)
{
	bool had = digest_has_crc32;

	(void)state;
	for (size_t at = 0; at < 64; at++) {
		uint32_t want = ~reference(0xffffffffu, noise + at, 48);

		assert_int_equal(digest_bhs(noise + at), want);
		digest_has_crc32 = false;
		assert_int_equal(digest_bhs(noise + at), want);
		digest_has_crc32 = had;
	}
}

static void
a_changed_bit_changes_the_digest(void **state)
{
	uint8_t bhs[48], wire[4];

	(void)state;
	memcpy(bhs, noise, sizeof bhs);
	digest_put(wire, digest_bhs(bhs));
	for (size_t bit = 0; bit < sizeof bhs * 8; bit++) {
		bhs[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(digest_matches(wire, digest_bhs(bhs)));
		bhs[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(digest_matches(wire, digest_bhs(bhs)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_rfc_3720_come_out),
		cmocka_unit_test(
		    every_way_agrees_with_the_definition_at_every_length_and_alignment),
		cmocka_unit_test(a_digest_may_be_taken_in_parts),
		cmocka_unit_test(
		    header_digest_is_the_digest_of_48_bytes_with_and_without_the_instruction),
		cmocka_unit_test(a_changed_bit_changes_the_digest),
	};

	return cmocka_run_group_tests_name("digest", tests, make_noise, NULL);
}
