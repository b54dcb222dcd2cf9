/*
 * The codec: packets that another implementation made (Python's hashlib and
 * hmac), answers cut short, with every bit turned, and signed nonsense.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "iradd/radius.h"

#define SECRET "nas secret"

static const uint8_t challenge[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static struct radius_query
query(void)
{
	struct radius_query q = { .identifier = 0xab,
		.secret = SECRET,
		.nas = RADIUS_NAS_IPV4,
		.nas_address = { 192, 0, 2, 9 },
		.nas_name = "192.0.2.9",
		.name = "target1",
		.chap_identifier = 7,
		.challenge = challenge,
		.challenge_len = sizeof challenge,
		.response = { 0x0d, 0xfb, 0xdd, 0x37, 0xc2, 0x49, 0xb7, 0x67, 0xd0, 0xa8, 0xbd,
		    0x39, 0xe2, 0x55, 0x9c, 0x9c } };

	for (uint8_t i = 0; i < sizeof q.authenticator; i++)
		q.authenticator[i] = (uint8_t)(0x10 + i);
	return q;
}

static const char request_hex[] = "01ab0066101112131415161718191a1b1c1d1e1f"
				  "501200c484b08b1f3ece54bf3a86d567a494"
				  "0109746172676574310313070dfbdd37c249b767d0a8bd39e2559c9c"
				  "3c120102030405060708090a0b0c0d0e0f10"
				  "0406c00002090606000000083d0600000005";
static const char accept_hex[] = "02ab00324f261e0ad5ac35f27010affe03e109e0"
				 "120977656c636f6d65501290c90cc8cd50ecc37f07128ae3aef203190378";

static size_t
unhex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return n;
}

/* Exactly as many bytes as there are, so that a sanitizer sees who reads more. */
static enum radius_result
judge(const uint8_t *bytes, size_t n, bool may_lack_mac, struct radius_answer *ret)
{
	const struct radius_query q = query();
	struct radius_answer mine;
	uint8_t *copy = malloc(n > 0 ? n : 1);
	enum radius_result r;

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, bytes, n);
	r = radius_judge(&q, copy, n, may_lack_mac, ret != NULL ? ret : &mine);
	free(copy);
	return r;
}

/* ---- answers made here ---- */

struct answer {
	uint8_t bytes[RADIUS_PACKET_MAX + 64];
	size_t n, mac_at;
};

static void
begin(struct answer *a, uint8_t code)
{
	const struct radius_query q = query();

	memset(a, 0, sizeof *a);
	a->bytes[0] = code;
	a->bytes[1] = q.identifier;
	memcpy(a->bytes + 4, q.authenticator, sizeof q.authenticator);
	a->n = RADIUS_PACKET_MIN;
}

static void
add(struct answer *a, uint8_t type, const void *value, size_t n)
{
	a->bytes[a->n] = type;
	a->bytes[a->n + 1] = (uint8_t)(n + 2);
	memcpy(a->bytes + a->n + 2, value, n);
	a->n += n + 2;
}

static void
add_mac(struct answer *a)
{
	static const uint8_t zeros[16];

	a->mac_at = a->n + 2;
	add(a, RADIUS_ATTR_MESSAGE_AUTHENTICATOR, zeros, sizeof zeros);
}

static void
sign(struct answer *a)
{
	uint8_t with_secret[sizeof a->bytes + sizeof SECRET];
	size_t len;

	be_put16(a->bytes + 2, (uint16_t)a->n);
	if (a->mac_at != 0)
		assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, SECRET, strlen(SECRET),
		    a->bytes, a->n, a->bytes + a->mac_at, 16, &len));
	memcpy(with_secret, a->bytes, a->n);
	memcpy(with_secret + a->n, SECRET, strlen(SECRET));
	assert_int_equal(
	    EVP_Q_digest(NULL, "MD5", NULL, with_secret, a->n + strlen(SECRET), a->bytes + 4, &len),
	    1);
}

/* ---- the request ---- */

static void
request_is_the_one_another_implementation_makes(void **state)
{
	const struct radius_query q = query();
	uint8_t want[256], have[RADIUS_PACKET_MAX];
	struct put w = put_over(have, sizeof have);
	size_t n = unhex(request_hex, want);

	(void)state;
	assert_int_equal(radius_build(&q, &w), 0);
	assert_int_equal(put_len(&w), n);
	assert_memory_equal(have, want, n);
	/* The first attribute: see radius.h. */
	assert_int_equal(have[RADIUS_PACKET_MIN], RADIUS_ATTR_MESSAGE_AUTHENTICATOR);
}

static bool
has_attribute(const struct radius_query *q, const void *want, size_t n)
{
	uint8_t packet[RADIUS_PACKET_MAX];
	struct put w = put_over(packet, sizeof packet);

	assert_int_equal(radius_build(q, &w), 0);
	return memmem(packet, put_len(&w), want, n) != NULL;
}

static void
nas_is_an_address_or_a_name(void **state)
{
	static const uint8_t v6[] = { 95, 18, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		7 };
	static const uint8_t name[] = { 32, 6, 'h', 'o', 's', 't' };
	struct radius_query q = query();

	(void)state;
	assert_false(has_attribute(&q, name, sizeof name));
	q.nas = RADIUS_NAS_IPV6;
	memcpy(q.nas_address, v6 + 2, 16);
	assert_true(has_attribute(&q, v6, sizeof v6));
	q.nas = RADIUS_NAS_NAME;
	q.nas_name = "host";
	assert_true(has_attribute(&q, name, sizeof name));
}

static void
request_that_does_not_fit_is_refused(void **state)
{
	static const uint8_t big[RADIUS_VALUE_MAX + 1];
	struct radius_query q = query();
	uint8_t packet[RADIUS_PACKET_MAX];
	char name[RADIUS_VALUE_MAX + 2];
	struct put w;

	(void)state;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	q.name = name;
	w = put_over(packet, sizeof packet);
	assert_int_equal(radius_build(&q, &w), -EMSGSIZE);
	name[RADIUS_VALUE_MAX] = '\0';
	w = put_over(packet, sizeof packet);
	assert_int_equal(radius_build(&q, &w), 0);
	q.challenge = big;
	q.challenge_len = sizeof big;
	w = put_over(packet, sizeof packet);
	assert_int_equal(radius_build(&q, &w), -EMSGSIZE);
	q = query();
	for (size_t room = 0; room < sizeof request_hex / 2; room++) {
		w = put_over(packet, room);
		assert_int_equal(radius_build(&q, &w), -EMSGSIZE);
	}
}

/* ---- answers ---- */

static void
accept_of_another_implementation_is_accepted(void **state)
{
	uint8_t bytes[256];
	struct radius_answer answer;
	size_t n = unhex(accept_hex, bytes);

	(void)state;
	assert_int_equal(judge(bytes, n, false, &answer), RADIUS_ACCEPT);
	assert_string_equal(answer.message, "welcome");
}

static void
answer_cut_anywhere_is_malformed(void **state)
{
	uint8_t bytes[256];
	size_t n = unhex(accept_hex, bytes);

	(void)state;
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(judge(bytes, cut, false, NULL), RADIUS_MALFORMED);
	/* Cut with a length that agrees: whatever it is now, nobody signed it. */
	for (size_t cut = RADIUS_PACKET_MIN; cut < n; cut++) {
		be_put16(bytes + 2, (uint16_t)cut);
		assert_false(radius_is_verdict(judge(bytes, cut, true, NULL)));
	}
}

static void
answer_with_any_bit_turned_is_no_verdict(void **state)
{
	uint8_t bytes[256];
	size_t n = unhex(accept_hex, bytes);

	(void)state;
	for (size_t bit = 0; bit < n * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(radius_is_verdict(judge(bytes, n, true, NULL)));
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(judge(bytes, n, false, NULL), RADIUS_ACCEPT);
}

static void
padding_behind_the_packet_is_ignored(void **state)
{
	uint8_t bytes[256] = { 0 };
	size_t n = unhex(accept_hex, bytes);

	(void)state;
	assert_int_equal(judge(bytes, n + 100, false, NULL), RADIUS_ACCEPT);
}

static void
codes_are_verdicts_or_stray(void **state)
{
	struct answer a;

	(void)state;
	for (unsigned code = 0; code <= 255; code++) {
		enum radius_result want = code == RADIUS_ACCESS_ACCEPT      ? RADIUS_ACCEPT
					  : code == RADIUS_ACCESS_REJECT    ? RADIUS_REJECT
					  : code == RADIUS_ACCESS_CHALLENGE ? RADIUS_CHALLENGE
									    : RADIUS_STRAY;

		begin(&a, (uint8_t)code);
		add_mac(&a);
		sign(&a);
		assert_int_equal(judge(a.bytes, a.n, false, NULL), want);
	}
	a.bytes[1]++;
	assert_int_equal(judge(a.bytes, a.n, false, NULL), RADIUS_STRAY);
}

static void
answer_without_message_authenticator_needs_to_be_allowed(void **state)
{
	struct answer a;

	(void)state;
	begin(&a, RADIUS_ACCESS_ACCEPT);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, false, NULL), RADIUS_UNSIGNED);
	assert_int_equal(judge(a.bytes, a.n, true, NULL), RADIUS_ACCEPT);
	/* A forger has to have his bytes echoed: CVE-2024-3596. */
	begin(&a, RADIUS_ACCESS_ACCEPT);
	add(&a, RADIUS_ATTR_PROXY_STATE, "gibberish", 9);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, true, NULL), RADIUS_UNSIGNED);
	add_mac(&a);
	begin(&a, RADIUS_ACCESS_ACCEPT);
	add(&a, RADIUS_ATTR_PROXY_STATE, "gibberish", 9);
	add_mac(&a);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, false, NULL), RADIUS_ACCEPT);
}

static void
right_response_authenticator_does_not_excuse_a_wrong_message_authenticator(void **state)
{
	static const uint8_t wrong[16] = { 1 };
	struct answer a;

	(void)state;
	begin(&a, RADIUS_ACCESS_ACCEPT);
	add(&a, RADIUS_ATTR_MESSAGE_AUTHENTICATOR, wrong, sizeof wrong);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, false, NULL), RADIUS_FORGED);
	assert_int_equal(judge(a.bytes, a.n, true, NULL), RADIUS_FORGED);
}

static void
signed_nonsense_is_malformed(void **state)
{
	static const uint8_t zeros[255];
	struct answer a;

	(void)state;
	/* Every known attribute, one byte too short and too long. */
#define ATTRIBUTE(id, number, name, min, max)                                                \
	for (int wrong = -1; wrong <= 1; wrong += 2) {                                       \
		begin(&a, RADIUS_ACCESS_ACCEPT);                                             \
		add(&a, number, zeros, (size_t)(wrong < 0 ? (min)-1 : (max) + 1));           \
		sign(&a);                                                                    \
		if ((max) + 1 <= RADIUS_VALUE_MAX || wrong < 0)                              \
			assert_int_equal(judge(a.bytes, a.n, true, NULL), RADIUS_MALFORMED); \
	}
#include "iradd/radius.def"
	/* A length below 2; two Message-Authenticators. */
	for (uint8_t length = 0; length < 2; length++) {
		begin(&a, RADIUS_ACCESS_ACCEPT);
		add(&a, 200, zeros, 4);
		a.bytes[RADIUS_PACKET_MIN + 1] = length;
		sign(&a);
		assert_int_equal(judge(a.bytes, a.n, true, NULL), RADIUS_MALFORMED);
	}
	begin(&a, RADIUS_ACCESS_ACCEPT);
	add_mac(&a);
	add_mac(&a);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, true, NULL), RADIUS_MALFORMED);
}

static void
longest_packet_of_unknown_attributes_is_read(void **state)
{
	static const uint8_t zeros[RADIUS_VALUE_MAX];
	struct answer a;

	(void)state;
	begin(&a, RADIUS_ACCESS_REJECT);
	add_mac(&a);
	while (a.n + 2 + sizeof zeros <= RADIUS_PACKET_MAX)
		add(&a, 250, zeros, sizeof zeros);
	if ((RADIUS_PACKET_MAX - a.n) % 2 != 0)
		add(&a, 251, zeros, 1);
	while (a.n + 2 <= RADIUS_PACKET_MAX)
		add(&a, 251, zeros, 0);
	assert_int_equal(a.n, RADIUS_PACKET_MAX);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, false, NULL), RADIUS_REJECT);
	add(&a, 251, zeros, 0);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, false, NULL), RADIUS_MALFORMED);
}

static void
grant_of_another_service_is_no_accept(void **state)
{
	static const uint8_t framed[4] = { 0, 0, 0, 2 }, authenticate_only[4] = { 0, 0, 0, 8 };
	struct radius_answer answer;
	struct answer a;

	(void)state;
	begin(&a, RADIUS_ACCESS_ACCEPT);
	add(&a, RADIUS_ATTR_SERVICE_TYPE, authenticate_only, 4);
	add_mac(&a);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, false, &answer), RADIUS_ACCEPT);
	assert_string_equal(answer.message, "");
	begin(&a, RADIUS_ACCESS_ACCEPT);
	add(&a, RADIUS_ATTR_SERVICE_TYPE, framed, 4);
	add_mac(&a);
	sign(&a);
	assert_int_equal(judge(a.bytes, a.n, false, NULL), RADIUS_OTHER_SERVICE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_the_one_another_implementation_makes),
		cmocka_unit_test(nas_is_an_address_or_a_name),
		cmocka_unit_test(request_that_does_not_fit_is_refused),
		cmocka_unit_test(accept_of_another_implementation_is_accepted),
		cmocka_unit_test(answer_cut_anywhere_is_malformed),
		cmocka_unit_test(answer_with_any_bit_turned_is_no_verdict),
		cmocka_unit_test(padding_behind_the_packet_is_ignored),
		cmocka_unit_test(codes_are_verdicts_or_stray),
		cmocka_unit_test(answer_without_message_authenticator_needs_to_be_allowed),
		cmocka_unit_test(
		    right_response_authenticator_does_not_excuse_a_wrong_message_authenticator),
		cmocka_unit_test(signed_nonsense_is_malformed),
		cmocka_unit_test(longest_packet_of_unknown_attributes_is_read),
		cmocka_unit_test(grant_of_another_service_is_no_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
