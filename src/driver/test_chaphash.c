/* Responses that were computed with another implementation, Python's hashlib. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "driver/chaphash.h"
#include "driver/seal.h"

#define UMLAUTS "üüüüüüüüüüüüüüüüüüüüüüüü"

/* RFC 1994, section 4.1: identifier, secret, challenge in a row. */
static const struct vector {
	unsigned algorithm;
	uint8_t identifier;
	const char *secret;
	size_t challenge_len; /* counting up from 0; CHAP_BINARY_MAX: all a5 */
	const char *hex;
} vectors[] = {
	{ CHAP_MD5, 0x2a, "a secret of 16 b", 16, "b7d88255fb0b3cfe0e3bc99d4c40c87a" },
	{ CHAP_MD5, 0xff, UMLAUTS, CHAP_BINARY_MAX, "d1ac840a61e5e0945d8ed4bb87f9d300" },
	{ CHAP_SHA1, 0x2a, "a secret of 16 b", 16, "9a99a383e47f763aeeec7307eae410a0b73760c5" },
	{ CHAP_SHA1, 0xff, UMLAUTS, CHAP_BINARY_MAX, "4f4f555976ba4198cd79eda2fff8fd337a847f7e" },
	{ CHAP_SHA256, 0x2a, "a secret of 16 b", 16,
	    "6c00e4db8ca583bb98155feaafb2415bf3cbca1f113a424caf9129683631ed9b" },
	{ CHAP_SHA256, 0xff, UMLAUTS, CHAP_BINARY_MAX,
	    "74f97aa51e078990c37af5bb0aff2936494746cd4971b74cb54f69429b019622" },
	{ CHAP_SHA3_256, 0x2a, "a secret of 16 b", 16,
	    "414a652dc5093dc938d4872fd9e2e563f492bf0d1cc0580606e844a1609ec31b" },
	{ CHAP_SHA3_256, 0xff, UMLAUTS, CHAP_BINARY_MAX,
	    "3bbf33c207ce909483977ea84119ce33ee9f1a763221f1b1e7ec28c926d23f47" },
};
#define VECTORS (sizeof vectors / sizeof vectors[0])

static size_t
respond(const struct vector *v, uint8_t out[CHAP_DIGEST_MAX])
{
	uint8_t challenge[CHAP_BINARY_MAX];
	uint8_t secret[64 + CHAP_SEAL_BYTES];
	size_t n = strlen(v->secret);
	const struct chap_part parts[] = { { &v->identifier, 1, false }, { secret, n, true },
		{ challenge, v->challenge_len, false } };

	memcpy(secret, v->secret, n);
	if (!chaphash_ops.seal(chaphash_ops.ctx, secret, n))
		return 0;
	for (size_t i = 0; i < v->challenge_len; i++)
		challenge[i] = v->challenge_len == CHAP_BINARY_MAX ? 0xa5 : (uint8_t)i;
	return chaphash_ops.hash(chaphash_ops.ctx, v->algorithm, parts, 3, out);
}

static void
responses_are_those_of_another_implementation(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		uint8_t out[CHAP_DIGEST_MAX];
		char hex[2 * CHAP_DIGEST_MAX + 1] = "";
		size_t n = respond(&vectors[i], out);

		assert_int_equal(n, chap_algorithm_bytes(vectors[i].algorithm));
		for (size_t b = 0; b < n; b++)
			snprintf(hex + 2 * b, 3, "%02x", out[b]);
		assert_string_equal(hex, vectors[i].hex);
	}
}

static void
every_algorithm_of_the_table_is_there_and_writes_no_byte_too_many(void **state)
{
	(void)state;
#define CHAP_ALGORITHM(id, number, name, bytes)                                          \
	{                                                                                \
		const struct chap_part part = { "x", 1, false };                         \
		uint8_t out[CHAP_DIGEST_MAX + 1];                                        \
                                                                                         \
		memset(out, 0x5c, sizeof out);                                           \
		assert_true(chaphash_is_available(number));                              \
		assert_int_equal(chaphash_ops.hash(NULL, number, &part, 1, out), bytes); \
		for (size_t i = bytes; i < sizeof out; i++)                              \
			assert_int_equal(out[i], 0x5c);                                  \
	}
#include "core/chap.def"
#undef CHAP_ALGORITHM
}

/* What is sealed is not there in clear, and no two look alike. */
static void
a_secret_is_sealed(void **state)
{
	uint8_t one[16 + SEAL_BYTES] = "a secret of 16 b", two[16 + SEAL_BYTES];
	uint8_t clear[16];

	(void)state;
	memcpy(two, one, sizeof two);
	assert_true(seal_close(one, 16));
	assert_true(seal_close(two, 16));
	assert_memory_not_equal(one, "a secret of 16 b", 16);
	assert_memory_not_equal(one, two, 16);
	assert_true(seal_open(one, 16, clear));
	assert_memory_equal(clear, "a secret of 16 b", 16);
	one[16] ^= 1;
	assert_true(seal_open(one, 16, clear));
	assert_memory_not_equal(clear, "a secret of 16 b", 16);
}

static void
unknown_number_has_length_zero(void **state)
{
	static const unsigned unknown[] = { 0, 1, 4, 9, 255, 0x10005 };
	uint8_t out[CHAP_DIGEST_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		assert_int_equal(chaphash_ops.hash(NULL, unknown[i], NULL, 0, out), 0);
		assert_false(chaphash_is_available(unknown[i]));
	}
}

/* As on a host in FIPS mode; here no provider has the property, so that nothing is available. */
static void
algorithm_that_the_host_forbids_has_length_zero(void **state)
{
	uint8_t out[CHAP_DIGEST_MAX];

	(void)state;
	assert_int_equal(EVP_set_default_properties(NULL, "fips=yes"), 1);
	for (size_t i = 0; i < VECTORS; i++)
		assert_int_equal(respond(&vectors[i], out), 0);
	assert_int_equal(ERR_peek_error(), 0);
	assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
	assert_true(chaphash_is_available(CHAP_MD5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_those_of_another_implementation),
		cmocka_unit_test(every_algorithm_of_the_table_is_there_and_writes_no_byte_too_many),
		cmocka_unit_test(a_secret_is_sealed),
		cmocka_unit_test(unknown_number_has_length_zero),
		cmocka_unit_test(algorithm_that_the_host_forbids_has_length_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
