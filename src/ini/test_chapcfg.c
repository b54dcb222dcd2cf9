#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ini/chapcfg.h"

static const uint8_t random_bytes[CHAPCFG_RANDOM_BYTES] = "challenge-bytes-I";
static const struct chap_ops no_hash;

static void
one_direction_is_the_default_and_the_initiators_name_stands_in(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x", .secret = "0123456789ab" };
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_int_equal(c.cfg.mutual, CHAP_UNI);
	assert_string_equal(c.cfg.name, "iqn.x");
	assert_int_equal(c.cfg.secret_len, 12);
	assert_memory_equal(c.cfg.secret, "0123456789ab", 12);
	assert_int_equal(c.cfg.n_algorithms, 4);
	assert_int_equal(c.cfg.algorithm[0], CHAP_MD5);
	assert_ptr_equal(c.cfg.ops, &no_hash);
}

static void
without_a_secret_chap_is_not_configured(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x" };
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_null(c.cfg.secret);
	v.secret = "0x123";
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_null(c.cfg.secret);
}

static void
both_directions_ask_radius_unless_a_secret_is_here(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x",
		.name = "me",
		.secret = "s",
		.method = "chap_bi",
		.algorithms = "SHA-256,MD5" };
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_int_equal(c.cfg.mutual, CHAP_BI_ASK);
	assert_int_equal(c.cfg.n_algorithms, 1);
	assert_int_equal(c.cfg.algorithm[0], CHAP_MD5);
	assert_null(c.cfg.target_chap_name);
	v.target_secret = "0x0102";
	v.target_name = "array";
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_int_equal(c.cfg.mutual, CHAP_BI_SECRET);
	assert_int_equal(c.cfg.target_secret_len, 2);
	assert_memory_equal(c.cfg.target_secret, "\1\2", 2);
	assert_string_equal(c.cfg.target_chap_name, "array");
	assert_int_equal(c.cfg.n_algorithms, 2);
	assert_int_equal(c.cfg.algorithm[0], CHAP_SHA256);
}

static void
a_target_secret_that_cannot_be_read_opens_no_door(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x",
		.secret = "s",
		.method = "CHAP_BI",
		.target_secret = "0x1" };
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_int_equal(c.cfg.mutual, CHAP_BI_SECRET);
	assert_null(c.cfg.target_secret);
}

static bool
no_md5(unsigned algorithm)
{
	return algorithm != CHAP_MD5;
}

static void
only_what_can_be_computed_is_offered(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x", .secret = "s" };
	struct chap_cfg md5;
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, no_md5);
	assert_int_equal(c.cfg.n_algorithms, 3);
	assert_int_equal(c.cfg.algorithm[0], CHAP_SHA1);
	assert_false(chapcfg_md5_only(&c, &md5));
}

static void
md5_alone_is_offered_only_where_it_is_allowed_and_not_alone_anyway(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x", .secret = "s" };
	struct chap_cfg md5;
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_true(chapcfg_md5_only(&c, &md5));
	assert_int_equal(md5.n_algorithms, 1);
	assert_int_equal(md5.algorithm[0], CHAP_MD5);
	assert_ptr_equal(md5.secret, c.secret);
	v.algorithms = "SHA3-256,SHA-1";
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_false(chapcfg_md5_only(&c, &md5));
	v.algorithms = "MD5";
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_false(chapcfg_md5_only(&c, &md5));
}

static void
whoever_cannot_compute_what_is_allowed_is_not_asked(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x",
		.secret = "s",
		.method = "CHAP_BI",
		.algorithms = "SHA-256" };
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_int_equal(c.cfg.mutual, CHAP_BI_ASK);
	assert_int_equal(c.cfg.n_algorithms, 0);
}

static void
what_cannot_be_read_is_never_something_weaker(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x",
		.secret = "s",
		.method = "CHAP_TRI",
		.algorithms = "SHA-512" };
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_int_equal(c.cfg.mutual, CHAP_BI_SECRET);
	assert_null(c.cfg.target_secret);
	assert_int_equal(c.cfg.n_algorithms, 0);
}

static void
each_login_has_a_challenge_of_its_own(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x", .secret = "s" };
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	assert_int_equal(c.cfg.challenge_len, CHAPCFG_CHALLENGE_BYTES);
	chapcfg_refresh(&c, random_bytes);
	assert_memory_equal(c.cfg.challenge, random_bytes, CHAPCFG_CHALLENGE_BYTES);
	assert_int_equal(c.cfg.identifier, 'I');
}

static void
secrets_are_characters_hexadecimal_or_base64(void **state)
{
	uint8_t bytes[CHAPCFG_SECRET_BYTES];
	char longest[CHAPCFG_SECRET_BYTES + 2], hex[2 * CHAPCFG_SECRET_BYTES + 5];
	size_t n = 0;

	(void)state;
	assert_int_equal(chapcfg_secret_parse("mychapsecret", bytes, &n), CHAPCFG_SECRET_OK);
	assert_int_equal(n, 12);
	assert_int_equal(chapcfg_secret_parse("0x0aFf", bytes, &n), CHAPCFG_SECRET_OK);
	assert_int_equal(n, 2);
	assert_memory_equal(bytes, "\x0a\xff", 2);
	assert_int_equal(chapcfg_secret_parse("0bAQID", bytes, &n), CHAPCFG_SECRET_OK);
	assert_int_equal(n, 3);
	assert_memory_equal(bytes, "\1\2\3", 3);
	assert_int_equal(chapcfg_secret_parse("", bytes, &n), CHAPCFG_SECRET_EMPTY);
	assert_int_equal(chapcfg_secret_parse("0x", bytes, &n), CHAPCFG_SECRET_EMPTY);
	assert_int_equal(chapcfg_secret_parse("0b", bytes, &n), CHAPCFG_SECRET_EMPTY);
	assert_int_equal(chapcfg_secret_parse("0x123", bytes, &n), CHAPCFG_SECRET_ODD);
	assert_int_equal(chapcfg_secret_parse("0x12g4", bytes, &n), CHAPCFG_SECRET_MALFORMED);
	assert_int_equal(chapcfg_secret_parse("0bA", bytes, &n), CHAPCFG_SECRET_MALFORMED);
	assert_int_equal(chapcfg_secret_parse("a\nb", bytes, &n), CHAPCFG_SECRET_CONTROL);
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(chapcfg_secret_parse(longest, bytes, &n), CHAPCFG_SECRET_TOO_LONG);
	longest[sizeof longest - 2] = '\0';
	assert_int_equal(chapcfg_secret_parse(longest, bytes, &n), CHAPCFG_SECRET_OK);
	assert_int_equal(n, CHAPCFG_SECRET_BYTES);
	memset(hex, '0', sizeof hex - 1);
	hex[1] = 'x';
	hex[sizeof hex - 1] = '\0';
	assert_int_equal(chapcfg_secret_parse(hex, bytes, &n), CHAPCFG_SECRET_TOO_LONG);
}

static void
algorithms_are_listed_by_name_or_number(void **state)
{
	uint8_t list[CHAP_ALGORITHMS_MAX], n = 0;
	char text[64];

	(void)state;
	assert_true(chapcfg_algorithms_parse("sha3-256,5,SHA-1", list, &n));
	assert_int_equal(n, 3);
	chapcfg_algorithms_print(text, sizeof text, list, n);
	assert_string_equal(text, "SHA3-256,MD5,SHA-1");
	assert_false(chapcfg_algorithms_parse("", list, &n));
	assert_false(chapcfg_algorithms_parse("MD5,MD5", list, &n));
	assert_false(chapcfg_algorithms_parse("MD4", list, &n));
	assert_false(chapcfg_algorithms_parse("MD5,", list, &n));
	assert_false(chapcfg_algorithms_parse("5,6,7,8,9", list, &n));
}

static void
nothing_is_left_after_a_wipe(void **state)
{
	struct chapcfg_values v = { .initiator_name = "iqn.x",
		.secret = "sesame-sesame",
		.method = "CHAP_BI",
		.target_secret = "open-open-open" };
	struct chapcfg c;

	(void)state;
	chapcfg_init(&c, &v, &no_hash, NULL);
	chapcfg_wipe(&c);
	for (size_t i = 0; i < sizeof c; i++)
		assert_int_equal(((const uint8_t *)&c)[i], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_direction_is_the_default_and_the_initiators_name_stands_in),
		cmocka_unit_test(without_a_secret_chap_is_not_configured),
		cmocka_unit_test(both_directions_ask_radius_unless_a_secret_is_here),
		cmocka_unit_test(a_target_secret_that_cannot_be_read_opens_no_door),
		cmocka_unit_test(only_what_can_be_computed_is_offered),
		cmocka_unit_test(
		    md5_alone_is_offered_only_where_it_is_allowed_and_not_alone_anyway),
		cmocka_unit_test(whoever_cannot_compute_what_is_allowed_is_not_asked),
		cmocka_unit_test(what_cannot_be_read_is_never_something_weaker),
		cmocka_unit_test(each_login_has_a_challenge_of_its_own),
		cmocka_unit_test(secrets_are_characters_hexadecimal_or_base64),
		cmocka_unit_test(algorithms_are_listed_by_name_or_number),
		cmocka_unit_test(nothing_is_left_after_a_wipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
