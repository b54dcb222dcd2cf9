/*
 * The answer to SendTargets.
 *
 * Records do not depend on the parts in which text comes; there are no more of them than limits.h
 * says, and what they have is well-formed.
 *
 * Covers: src/core/sendtargets.c
 */
#include <stdlib.h>
#include <string.h>

#include "core/sendtargets.h"
#include "fuzz.h"

static uint64_t
take(uint64_t hash, const struct sendtargets_record *r)
{
	char text[LIMIT_ADDRESS_BYTES + 1];
	enum iname_result result;
	struct addr again;

	hash = fuzz_hash(hash, &r->kind, sizeof r->kind);
	switch (r->kind) {
	case SENDTARGETS_ADDRESS:
		addr_format(&r->addr, true, text);
		FUZZ_CHECK(
		    addr_parse(text, &again) == ADDR_OK && strcmp(again.host, r->addr.host) == 0);
		hash = fuzz_hash(hash, text, strlen(text));
		/* fall through */
	case SENDTARGETS_NO_ADDRESS:
		result = iname_check(r->name, strlen(r->name));
		/* Another spelling is used as it is. */
		FUZZ_CHECK(
		    result == INAME_OK || result == INAME_UPPER_CASE || result == INAME_NOT_NORMAL);
		return fuzz_hash(hash, r->name, strlen(r->name));
	case SENDTARGETS_BAD_ADDRESS:
	case SENDTARGETS_BAD_NAME:
	case SENDTARGETS_BAD_TEXT:
		FUZZ_CHECK(r->reason[0] != '\0');
		/* fall through */
	case SENDTARGETS_BAD_KEY:
	case SENDTARGETS_STRAY_ADDRESS:
		FUZZ_CHECK(strlen(r->culprit) < 1024);
		return fuzz_hash(hash, r->culprit, strlen(r->culprit));
	case SENDTARGETS_TOO_MANY:
		FUZZ_CHECK(r->reason[0] != '\0');
		break;
	case SENDTARGETS_END:
		break;
	}
	return hash;
}

static uint64_t
run(const uint8_t *p, size_t n, size_t part)
{
	struct sendtargets *s = sendtargets_new();
	struct sendtargets_record r = { .kind = SENDTARGETS_END };
	size_t records = 0, addresses = 0;
	uint64_t hash = 0;

	if (s == NULL)
		abort();
	for (size_t at = 0; at <= n; at += part) {
		if (at < n)
			sendtargets_feed(s, p + at, n - at < part ? n - at : part);
		if (at + part > n)
			sendtargets_finish(s);
		while (sendtargets_next(s, &r) != SENDTARGETS_END) {
			addresses += r.kind == SENDTARGETS_ADDRESS;
			FUZZ_CHECK(records++ <= n); /* each has at least a byte of its own */
			hash = take(hash, &r);
		}
	}
	FUZZ_CHECK(addresses <= LIMIT_SENDTARGETS_TARGETS * LIMIT_SENDTARGETS_ADDRESSES);
	sendtargets_free(s);
	return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	size_t part = cursor_u8(&in) + 1u, n;
	uint8_t *bytes = fuzz_rest(&in, &n);

	FUZZ_CHECK(run(bytes, n, n + 1) == run(bytes, n, part));
	free(bytes);
	return 0;
}
