/*
 * Answers of a RADIUS server, also such as it has signed.
 *
 * Nobody who does not know the secret gets a verdict; whoever does is never called a forger.
 *
 * Covers: src/iradd/radius.c
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "iradd/radius.h"

#define SECRET  "secret"
#define MAC     80
#define BUFFERS 8192

enum flag { LENGTH = 1, IDENTIFIER = 2, SIGN = 4, MAY_LACK_MAC = 8 };

/* Section 3: MD5 of all with the request's authenticator in its place, and the secret. */
static void
sign(uint8_t *p, size_t n, const struct radius_query *q)
{
	uint8_t buffer[BUFFERS], mac[EVP_MAX_MD_SIZE];
	unsigned len;

	memcpy(p + 4, q->authenticator, RADIUS_AUTHENTICATOR);
	for (size_t at = RADIUS_PACKET_MIN; at + 2 <= n && p[at + 1] >= 2; at += p[at + 1]) {
		if (p[at] != MAC || p[at + 1] != 18 || at + 18 > n)
			continue;
		memset(p + at + 2, 0, 16);
		if (HMAC(EVP_md5(), SECRET, sizeof SECRET - 1, p, n, mac, &len) == NULL)
			abort();
		memcpy(p + at + 2, mac, 16);
		break;
	}
	memcpy(buffer, p, n);
	memcpy(buffer + n, SECRET, sizeof SECRET - 1);
	if (EVP_Digest(buffer, n + sizeof SECRET - 1, p + 4, NULL, EVP_md5(), NULL) != 1)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct radius_query q = {
		.identifier = 5, .authenticator = { 1, 2, 3, 4 }, .secret = SECRET
	};
	struct cursor in = cursor_over(data, size);
	uint8_t flags = cursor_u8(&in), *bytes;
	struct radius_answer answer = { .message = "" };
	enum radius_result result;
	bool is_signed = false;
	size_t n;

	bytes = fuzz_rest(&in, &n);
	if (n >= RADIUS_PACKET_MIN && n <= RADIUS_PACKET_MAX) {
		if ((flags & LENGTH) != 0) {
			bytes[2] = (uint8_t)(n >> 8);
			bytes[3] = (uint8_t)n;
		}
		if ((flags & IDENTIFIER) != 0)
			bytes[1] = q.identifier;
		is_signed = (flags & (SIGN | LENGTH)) == (SIGN | LENGTH);
		if (is_signed)
			sign(bytes, n, &q);
	}
	result = radius_judge(&q, bytes, n, (flags & MAY_LACK_MAC) != 0, &answer);
	FUZZ_CHECK(result < RADIUS_RESULTS && radius_result_text(result)[0] != '\0');
	FUZZ_CHECK(is_signed || (!radius_is_verdict(result) && result != RADIUS_UNSIGNED));
	FUZZ_CHECK(!is_signed || result != RADIUS_FORGED);
	FUZZ_CHECK(memchr(answer.message, '\0', sizeof answer.message) != NULL);
	free(bytes);
	return 0;
}
