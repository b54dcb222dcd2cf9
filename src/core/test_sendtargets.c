#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/sendtargets.h"
#include "core/text.h"

/* Feeds `text` ('|' is NUL) in pieces of `piece` bytes; writes what comes out as one line of words.
 */
static void
expect(const char *text, size_t piece, const char *want)
{
	static const char *const word[] = { "end", "at", "noaddr", "badkey", "badaddr", "badname",
		"stray", "badtext", "toomany" };
	size_t n = strlen(text);
	struct sendtargets *s = sendtargets_new();
	struct sendtargets_record r;
	char got[2000];
	struct put w = put_over(got, sizeof got);

	for (size_t at = 0;; at += piece) {
		size_t len = at >= n ? 0 : n - at < piece ? n - at : piece;
		uint8_t *part = malloc(len > 0 ? len : 1);

		for (size_t i = 0; i < len; i++)
			part[i] = text[at + i] == '|' ? 0 : (uint8_t)text[at + i];
		if (len > 0)
			sendtargets_feed(s, part, len);
		else
			sendtargets_finish(s);
		while (sendtargets_next(s, &r) != SENDTARGETS_END) {
			put_str(&w, word[r.kind]);
			if (r.name != NULL) {
				put_u8(&w, ' ');
				put_str(&w, r.name);
			}
			if (r.kind == SENDTARGETS_ADDRESS) {
				char address[LIMIT_ADDRESS_BYTES + 1];

				addr_format(&r.addr, true, address);
				put_u8(&w, ' ');
				put_str(&w, address);
			}
			if (r.culprit != NULL) {
				put_u8(&w, ' ');
				put_str(&w, r.culprit);
				assert_non_null(r.reason);
			}
			put_u8(&w, ';');
		}
		free(part);
		if (len == 0)
			break;
	}
	assert_int_equal(sendtargets_next(s, &r), SENDTARGETS_END);
	put_u8(&w, 0);
	assert_false(w.overflow);
	assert_string_equal(got, want);
	sendtargets_free(s);
}

#define A "iqn.2026-01.com.example:a"
#define B "iqn.2026-01.com.example:b"

static void
targets_and_addresses_come_out_in_order(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "TargetName=" A "|", "noaddr " A ";" },
		{ "TargetName=" A "|TargetName=" B "|", "noaddr " A ";noaddr " B ";" },
		{ "TargetName=" A "|TargetAddress=10.1.0.45:3000,1|TargetAddress=10.1.1.45:3000,2|"
		  "TargetName=" B
		  "|TargetAddress=[2001:DB8::1],65535|TargetAddress=Storage.example,0|",
		    "at " A " 10.1.0.45:3000,1;at " A " 10.1.1.45:3000,2;at " B
		    " [2001:db8::1]:3260,65535;at " B " storage.example:3260,0;" },
		{ "TargetName=eui.02004567A425678D|TargetAddress=127.0.0.1|",
		    "at eui.02004567A425678D 127.0.0.1:3260,1;" },
		{ "TargetName=iqn.2003-11.com.hp.stor:iSCSI|TargetAddress=127.0.0.1,1|",
		    "at iqn.2003-11.com.hp.stor:iSCSI 127.0.0.1:3260,1;" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t piece = 1; piece < 100; piece++)
			expect(rows[i].text, piece, rows[i].want);
	}
}

static void
what_is_wrong_costs_nothing_that_is_right(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "TargetAlias=x|TargetName=" A
		  "|TargetAddress=10.0.0.1,1|X-a=1|TargetAddress=10.0.0.2,1|",
		    "badkey TargetAlias=x;at " A " 10.0.0.1:3260,1;badkey " A " X-a=1;at " A
		    " 10.0.0.2:3260,1;" },
		{ "TargetName=" A "|TargetAddress=10.0.0.256,1|TargetAddress=10.0.0.2,1|",
		    "badaddr " A " TargetAddress=10.0.0.256,1;at " A " 10.0.0.2:3260,1;" },
		/* An address that is no good is no reason to take the portal's own. */
		{ "TargetName=" A "|TargetAddress=,1|", "badaddr " A " TargetAddress=,1;" },
		{ "TargetName=nonsense|TargetAddress=10.0.0.1,1|TargetName=" B "|",
		    "badname TargetName=nonsense;noaddr " B ";" },
		{ "TargetName=" A "|TargetName=no_good|TargetAddress=10.0.0.1,1|TargetName=" B "|",
		    "noaddr " A ";badname TargetName=no_good;noaddr " B ";" },
		{ "TargetAddress=10.0.0.1,1|TargetAddress=10.0.0.2,1|TargetName=" A "|",
		    "stray TargetAddress=10.0.0.1,1;noaddr " A ";" },
		{ "TargetName=" A "|nonsense|TargetAddress=10.0.0.1,1|TargetName=" B
		  "|TargetAddress=10.0.0.2,1|",
		    "badtext nonsense;at " B " 10.0.0.2:3260,1;" },
		{ "TargetName=" A "|TargetAddress=10.0.0.1,1|=x|TargetName=" B "|",
		    "at " A " 10.0.0.1:3260,1;badtext =x;noaddr " B ";" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1|"
		  "TargetName=" B "|",
		    "badtext "
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;noaddr " B
		    ";" },
		{ "TargetName=" A "|TargetAddress=10.0.0.1", "badtext TargetAddress=10.0.0.1;" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t piece = 1; piece < 250; piece += 3)
			expect(rows[i].text, piece, rows[i].want);
	}
}

/* Counts the kinds that come out of `n` times the same piece of text. */
static void
count(const char *piece, size_t n, size_t seen[SENDTARGETS_TOO_MANY + 1])
{
	struct sendtargets *s = sendtargets_new();
	struct sendtargets_record r;

	memset(seen, 0, (SENDTARGETS_TOO_MANY + 1) * sizeof seen[0]);
	for (size_t i = 0; i <= n; i++) {
		if (i < n)
			sendtargets_feed(s, (const uint8_t *)piece, strlen(piece) + 1);
		else
			sendtargets_finish(s);
		while (sendtargets_next(s, &r) != SENDTARGETS_END)
			seen[r.kind]++;
	}
	sendtargets_free(s);
}

static void
nothing_grows_beyond_its_limit(void **state)
{
	size_t seen[SENDTARGETS_TOO_MANY + 1];
	struct sendtargets *s = sendtargets_new();
	struct sendtargets_record r;
	static uint8_t big[1 << 20];
	unsigned bad_text = 0;

	count("TargetName=" A, LIMIT_SENDTARGETS_TARGETS + 3, seen);
	assert_int_equal(seen[SENDTARGETS_NO_ADDRESS], LIMIT_SENDTARGETS_TARGETS);
	assert_int_equal(seen[SENDTARGETS_TOO_MANY], 3);

	sendtargets_feed(s, (const uint8_t *)"TargetName=" A, sizeof "TargetName=" A);
	assert_int_equal(sendtargets_next(s, &r), SENDTARGETS_END);
	for (size_t i = 0; i < LIMIT_SENDTARGETS_ADDRESSES + 2; i++) {
		static const char text[] = "TargetAddress=10.0.0.1,1";

		sendtargets_feed(s, (const uint8_t *)text, sizeof text);
		if (i < LIMIT_SENDTARGETS_ADDRESSES) {
			assert_int_equal(sendtargets_next(s, &r), SENDTARGETS_ADDRESS);
			assert_int_equal(r.addr.tpgt, 1);
		} else if (i == LIMIT_SENDTARGETS_ADDRESSES) {
			assert_int_equal(sendtargets_next(s, &r), SENDTARGETS_TOO_MANY);
		}
		assert_int_equal(sendtargets_next(s, &r), SENDTARGETS_END);
	}
	/* 8 MiB of NULs are text too, one byte more is not. */
	for (size_t i = 0; i < 10; i++) {
		sendtargets_feed(s, big, sizeof big);
		while (sendtargets_next(s, &r) != SENDTARGETS_END)
			bad_text += r.kind == SENDTARGETS_BAD_TEXT;
	}
	sendtargets_finish(s);
	assert_int_equal(sendtargets_next(s, &r), SENDTARGETS_END);
	assert_int_equal(bad_text, 1);
	sendtargets_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_and_addresses_come_out_in_order),
		cmocka_unit_test(what_is_wrong_costs_nothing_that_is_right),
		cmocka_unit_test(nothing_grows_beyond_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
