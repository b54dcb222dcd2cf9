/* PDUs, attributes and messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "iisnsd/assemble.h"
#include "iisnsd/notice.h"
#include "iisnsd/request.h"

static const struct request_self self = {
	.name = "iqn.2001-04.com.example:ini", /* 27 bytes: one NUL, no padding */
	.alias = "host",
	.address = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1 },
	.scn_port = 0x1234,
};

/* A PDU of n zero bytes. */
static size_t
pdu(uint8_t *to, uint16_t function, uint16_t flags, uint16_t xid, uint16_t seq, uint16_t n)
{
	struct put w = put_over(to, ISNSP_HEADER_BYTES + n);

	put_be16(&w, 1);
	put_be16(&w, function);
	put_be16(&w, n);
	put_be16(&w, flags);
	put_be16(&w, xid);
	put_be16(&w, seq);
	memset(w.p, 0, n);
	return ISNSP_HEADER_BYTES + n;
}

/* ---- what is sent ---- */

/* RFC 4171, section 5.1 and 5.3: the bytes of an SCNReg, written by hand. */
static void
a_registration_for_notifications_has_the_bytes_of_the_rfc(void **state)
{
	static const uint8_t want[] = {
		0, 1, 0, 5, 0, 92, 0x8c, 0, 0, 7, 0, 0, /* the header */
		0, 0, 0, 32, 0, 0, 0, 28, 'i', 'q', 'n', '.', '2', '0', '0', '1', '-', '0', '4',
		'.', 'c', 'o', 'm', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', ':', 'i', 'n', 'i', 0,
		0, 0, 0, 32, 0, 0, 0, 28, 'i', 'q', 'n', '.', '2', '0', '0', '1', '-', '0', '4',
		'.', 'c', 'o', 'm', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', ':', 'i', 'n', 'i', 0,
		0, 0, 0, 0, 0, 0, 0, 0,                /* the delimiter */
		0, 0, 0, 35, 0, 0, 0, 4, 0, 0, 0, 0x5c /* targets: added, removed, updated */
	};
	uint8_t got[REQUEST_BYTES];

	(void)state;
	assert_int_equal(request_scn_reg(got, 7, &self), sizeof want);
	assert_memory_equal(got, want, sizeof want);
}

/* The tags in the order that they have. */
static size_t
tags(const uint8_t *message, size_t n, uint32_t *ret, size_t max)
{
	struct cursor c = cursor_over(message + ISNSP_HEADER_BYTES, n - ISNSP_HEADER_BYTES);
	struct isnsp_attr a;
	size_t got = 0;

	while (cursor_left(&c) > 0) {
		assert_int_equal(isnsp_get_attr(&c, &a), ISNSP_IS_OK);
		assert_true(got < max);
		ret[got++] = a.tag;
	}
	return got;
}

static void
a_registration_has_its_source_key_and_objects_in_order(void **state)
{
	static const uint32_t want[] = { 32, 1, 0, 1, 2, 6, 16, 17, 23, 32, 33, 34 };
	uint8_t got[REQUEST_BYTES];
	struct isnsp_header h;
	uint32_t list[32];
	size_t n;

	(void)state;
	n = request_register(got, 9, &self, true);
	assert_int_equal(isnsp_get_header(got, &h), ISNSP_IS_OK);
	assert_int_equal(h.function, ISNSP_DEV_ATTR_REG);
	assert_int_equal(h.flags, ISNSP_FROM_CLIENT | ISNSP_FIRST | ISNSP_LAST | ISNSP_REPLACE);
	assert_int_equal(h.bytes, n - ISNSP_HEADER_BYTES);
	assert_int_equal(tags(got, n, list, 32), sizeof want / sizeof *want);
	assert_memory_equal(list, want, sizeof want);
	/* One that only refreshes replaces nothing. */
	n = request_register(got, 9, &self, false);
	assert_int_equal(isnsp_get_header(got, &h), ISNSP_IS_OK);
	assert_int_equal(h.flags & ISNSP_REPLACE, 0);
}

static void
a_query_asks_for_targets_and_their_portal_groups(void **state)
{
	static const uint32_t want[] = { 32, 33, 0, 32, 33, 34, 48, 49, 50, 51 };
	uint8_t got[REQUEST_BYTES];
	uint32_t list[32];
	size_t n;

	(void)state;
	n = request_query(got, 9, &self);
	assert_int_equal(tags(got, n, list, 32), sizeof want / sizeof *want);
	assert_memory_equal(list, want, sizeof want);
}

static void
the_longest_name_and_alias_fit(void **state)
{
	char name[LIMIT_ISCSI_NAME_BYTES + 1], alias[LIMIT_ALIAS_BYTES + 1];
	struct request_self long_self = self;
	uint8_t got[REQUEST_BYTES];

	(void)state;
	memset(name, 'n', sizeof name - 1);
	memset(alias, 'a', sizeof alias - 1);
	name[sizeof name - 1] = alias[sizeof alias - 1] = '\0';
	long_self.name = name;
	long_self.alias = alias;
	assert_true(request_register(got, 1, &long_self, true) > 0);
	assert_true(request_dereg(got, 1, &long_self) > 0);
}

/* ---- what comes: attributes ---- */

static enum isnsp_result
get(const void *bytes, size_t n, struct isnsp_attr *ret)
{
	struct cursor c = cursor_over(bytes, n);

	return isnsp_get_attr(&c, ret);
}

static void
attributes_are_whole_words_within_their_message(void **state)
{
	static const uint8_t whole[] = { 0, 0, 0, 34, 0, 0, 0, 4, 'a', 'l', 0, 0 };
	uint8_t bytes[sizeof whole];
	struct isnsp_attr a;

	(void)state;
	assert_int_equal(get(whole, sizeof whole, &a), ISNSP_IS_OK);
	assert_int_equal(a.tag, ISNSP_ALIAS);
	for (size_t n = 0; n < sizeof whole; n++)
		assert_int_equal(get(whole, n, &a), ISNSP_IS_SHORT);
	memcpy(bytes, whole, sizeof whole);
	bytes[7] = 3;
	assert_int_equal(get(bytes, sizeof bytes, &a), ISNSP_IS_LENGTH);
	bytes[3] = 33;
	bytes[7] = 0;
	assert_int_equal(get(bytes, sizeof bytes, &a), ISNSP_IS_OK); /* no value */
	bytes[3] = 16;
	bytes[7] = 4;
	assert_int_equal(get(bytes, sizeof bytes, &a), ISNSP_IS_LENGTH); /* of no address */
	memset(bytes + 4, 0xff, 4);
	assert_int_equal(get(bytes, sizeof bytes, &a), ISNSP_IS_SHORT);
}

static void
texts_end_with_nul_and_have_nothing_behind_it(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum isnsp_result want;
	} rows[] = {
		{ "abc", 4, ISNSP_IS_OK },
		{ "ab\0", 4, ISNSP_IS_OK },
		{ "a\0b", 4, ISNSP_IS_VALUE },
		{ "abcd", 4, ISNSP_IS_VALUE },
		{ "", 0, ISNSP_IS_VALUE },
	};
	char text[8];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct isnsp_attr a = { 32, cursor_over(rows[i].bytes, rows[i].n), rows[i].n };

		assert_int_equal(isnsp_attr_text(&a, text, sizeof text), rows[i].want);
		assert_int_equal(isnsp_attr_text(&a, text, 2), ISNSP_IS_VALUE);
	}
}

static void
addresses_are_literals_of_their_own_kind(void **state)
{
	static const struct {
		uint8_t bytes[16];
		const char *want;
	} rows[] = {
		{ { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1 }, "192.0.2.1" },
		{ { [12] = 192, [14] = 2, [15] = 1 }, "192.0.2.1" },
		{ { 0x20, 1, 0xd, 0xb8, [15] = 5 }, "2001:db8::5" },
		{ { [15] = 1 }, "::1" },
		{ { 0 }, "::" },
	};
	char text[ISNSP_ADDRESS_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct isnsp_attr a = { 16, cursor_over(rows[i].bytes, 16), 16 };

		assert_int_equal(isnsp_attr_address(&a, text), ISNSP_IS_OK);
		assert_string_equal(text, rows[i].want);
		a.n = 0;
		assert_int_equal(isnsp_attr_address(&a, text), ISNSP_IS_VALUE);
	}
}

/* ---- messages of several PDUs ---- */

static enum isnsp_result
take(struct assemble *a, const uint8_t *bytes, size_t n, bool *ret_whole)
{
	enum isnsp_result r = ISNSP_IS_OK;

	*ret_whole = false;
	/* Byte by byte: a stream may be cut anywhere. */
	for (size_t i = 0; i < n && r == ISNSP_IS_OK && !*ret_whole; i++)
		assert_int_equal(assemble_take(a, bytes + i, 1, ret_whole, &r), 1);
	return r;
}

static void
a_message_of_three_pdus_is_one(void **state)
{
	uint8_t bytes[256];
	struct assemble a;
	bool is_whole;
	size_t n = 0;

	(void)state;
	n += pdu(bytes + n, ISNSP_SCN, ISNSP_FIRST, 5, 0, 8);
	n += pdu(bytes + n, ISNSP_SCN, 0, 5, 1, 0);
	n += pdu(bytes + n, ISNSP_SCN, ISNSP_LAST, 5, 2, 4);
	assemble_init(&a, 64);
	for (int i = 0; i < 2; i++) { /* the next one begins anew */
		assert_int_equal(take(&a, bytes, n, &is_whole), ISNSP_IS_OK);
		assert_true(is_whole);
		assert_int_equal(a.n, 12);
		assert_int_equal(a.xid, 5);
	}
	assemble_fini(&a);
}

static enum isnsp_result
second(uint16_t function, uint16_t flags, uint16_t xid, uint16_t seq)
{
	uint8_t bytes[256];
	struct assemble a;
	enum isnsp_result r;
	bool is_whole;
	size_t n = pdu(bytes, ISNSP_SCN, ISNSP_FIRST, 5, 0, 4);

	n += pdu(bytes + n, function, flags, xid, seq, 4);
	assemble_init(&a, 64);
	r = take(&a, bytes, n, &is_whole);
	assemble_fini(&a);
	return r;
}

static void
pdus_that_do_not_belong_together_are_refused(void **state)
{
	(void)state;
	assert_int_equal(second(ISNSP_SCN, ISNSP_LAST, 5, 1), ISNSP_IS_OK);
	assert_int_equal(second(ISNSP_SCN_REG, ISNSP_LAST, 5, 1), ISNSP_IS_SEQUENCE);
	assert_int_equal(second(ISNSP_SCN, ISNSP_LAST, 6, 1), ISNSP_IS_SEQUENCE);
	assert_int_equal(second(ISNSP_SCN, ISNSP_LAST, 5, 2), ISNSP_IS_SEQUENCE);
	assert_int_equal(second(ISNSP_SCN, ISNSP_FIRST | ISNSP_LAST, 5, 1), ISNSP_IS_SEQUENCE);
}

static enum isnsp_result
alone(uint16_t version, uint16_t flags, uint16_t n)
{
	uint8_t bytes[ISNSP_HEADER_BYTES + 128];
	struct assemble a;
	enum isnsp_result r;
	bool is_whole;

	(void)pdu(bytes, ISNSP_SCN, flags, 5, 0, n);
	be_put16(bytes, version);
	assemble_init(&a, 64);
	r = take(&a, bytes, sizeof bytes, &is_whole);
	assemble_fini(&a);
	return r;
}

static void
headers_that_cannot_be_are_refused(void **state)
{
	(void)state;
	assert_int_equal(alone(1, ISNSP_FIRST | ISNSP_LAST, 64), ISNSP_IS_OK);
	assert_int_equal(alone(1, ISNSP_FIRST | ISNSP_LAST, 68), ISNSP_IS_TOO_LONG);
	assert_int_equal(alone(1, ISNSP_FIRST | ISNSP_LAST, 6), ISNSP_IS_LENGTH);
	assert_int_equal(alone(2, ISNSP_FIRST | ISNSP_LAST, 8), ISNSP_IS_VERSION);
	assert_int_equal(alone(1, ISNSP_LAST, 8), ISNSP_IS_SEQUENCE);
	assert_int_equal(alone(1, ISNSP_FIRST | ISNSP_LAST | ISNSP_AUTH, 8), ISNSP_IS_AUTH);
}

static void
the_limit_is_that_of_all_pdus_together(void **state)
{
	uint8_t bytes[256];
	struct assemble a;
	bool is_whole;
	size_t n = pdu(bytes, ISNSP_SCN, ISNSP_FIRST, 5, 0, 40);

	(void)state;
	n += pdu(bytes + n, ISNSP_SCN, ISNSP_LAST, 5, 1, 28);
	assemble_init(&a, 64);
	assert_int_equal(take(&a, bytes, n, &is_whole), ISNSP_IS_TOO_LONG);
	assemble_fini(&a);
}

static void
a_message_without_an_end_ends(void **state)
{
	uint8_t bytes[ISNSP_HEADER_BYTES];
	enum isnsp_result r = ISNSP_IS_OK;
	struct assemble a;
	bool is_whole;
	uint32_t n = 0;

	(void)state;
	assemble_init(&a, 64);
	for (; r == ISNSP_IS_OK && n <= LIMIT_ISNS_PDUS; n++) {
		(void)pdu(bytes, ISNSP_SCN, n == 0 ? ISNSP_FIRST : 0, 5, (uint16_t)n, 0);
		(void)assemble_take(&a, bytes, sizeof bytes, &is_whole, &r);
		assert_false(is_whole);
	}
	assert_int_equal(r, ISNSP_IS_ENDLESS);
	assert_int_equal(n, LIMIT_ISNS_PDUS + 1);
	assemble_fini(&a);
}

/* ---- notifications ---- */

static void
a_notification_is_answered_with_its_destination(void **state)
{
	uint8_t bytes[128], rsp[REQUEST_BYTES];
	struct put w = put_over(bytes, sizeof bytes);
	struct assemble in = { .function = ISNSP_SCN, .xid = 77, .body = bytes };
	struct isnsp_header h;
	size_t to;

	(void)state;
	isnsp_put_text(&w, ISNSP_NAME, self.name);
	to = put_len(&w);
	isnsp_put_number(&w, ISNSP_SCN_BITMAP, ISNSP_SCN_ADDED);
	in.n = put_len(&w);
	assert_int_equal(notice_answer(&in, rsp), ISNSP_HEADER_BYTES + 4 + to);
	assert_int_equal(isnsp_get_header(rsp, &h), ISNSP_IS_OK);
	assert_int_equal(h.function, 0x8008);
	assert_int_equal(h.xid, 77);
	assert_memory_equal(rsp + ISNSP_HEADER_BYTES + 4, bytes, to);
	in.n -= 4; /* cut off */
	assert_int_equal(notice_answer(&in, rsp), 0);
	in.n = 0;
	assert_int_equal(notice_answer(&in, rsp), 0);
	in.n = put_len(&w);
	in.function = ISNSP_SCN_REG;
	assert_int_equal(notice_answer(&in, rsp), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registration_for_notifications_has_the_bytes_of_the_rfc),
		cmocka_unit_test(a_registration_has_its_source_key_and_objects_in_order),
		cmocka_unit_test(a_query_asks_for_targets_and_their_portal_groups),
		cmocka_unit_test(the_longest_name_and_alias_fit),
		cmocka_unit_test(attributes_are_whole_words_within_their_message),
		cmocka_unit_test(texts_end_with_nul_and_have_nothing_behind_it),
		cmocka_unit_test(addresses_are_literals_of_their_own_kind),
		cmocka_unit_test(a_message_of_three_pdus_is_one),
		cmocka_unit_test(pdus_that_do_not_belong_together_are_refused),
		cmocka_unit_test(headers_that_cannot_be_are_refused),
		cmocka_unit_test(the_limit_is_that_of_all_pdus_together),
		cmocka_unit_test(a_message_without_an_end_ends),
		cmocka_unit_test(a_notification_is_answered_with_its_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
