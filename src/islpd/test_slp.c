/*
 * The codec.  Every packet under test lies in a block of exactly its size, so
 * that the sanitizers see a byte read too far.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "islpd/attrs.h"
#include "islpd/slp.h"
#include "islpd/surl.h"

#define URL "service:iscsi:target://192.0.2.1:3260/iqn.2001-04.com.example:a"

static uint8_t packet[4096];

static struct put
begin(unsigned function, uint16_t flags)
{
	struct put w = put_over(packet, sizeof packet);

	put_u8(&w, 2);
	put_u8(&w, (uint8_t)function);
	put_be24(&w, 0);
	put_be16(&w, flags);
	put_be24(&w, 0);
	put_be16(&w, 0x1234);
	put_be16(&w, 2);
	put_str(&w, "en");
	return w;
}

static void
text16(struct put *w, const char *s)
{
	put_be16(w, (uint16_t)strlen(s));
	put_str(w, s);
}

static size_t
end(struct put *w)
{
	assert_false(w->overflow);
	be_put24(packet + 2, (uint32_t)put_len(w));
	return put_len(w);
}

static void
auth(struct put *w)
{
	put_be16(w, 2);
	put_be16(w, 10 + 3 + 5);
	put_be32(w, 0);
	text16(w, "spi");
	put_str(w, "bytes");
}

static size_t
srv_rply(unsigned urls, unsigned auths)
{
	struct put w = begin(SLP_SRV_RPLY, 0);

	put_be16(&w, 0);
	put_be16(&w, (uint16_t)urls);
	for (unsigned i = 0; i < urls; i++) {
		put_u8(&w, 0);
		put_be16(&w, 300);
		text16(&w, URL);
		put_u8(&w, (uint8_t)auths);
		for (unsigned j = 0; j < auths; j++)
			auth(&w);
	}
	return end(&w);
}

static size_t
da_advert(void)
{
	struct put w = begin(SLP_DA_ADVERT, 0);

	put_be16(&w, 0);
	put_be32(&w, 77);
	text16(&w, "service:directory-agent://192.0.2.9");
	text16(&w, "default,a\\2cb");
	text16(&w, "(min-refresh-interval=5)");
	text16(&w, "");
	put_u8(&w, 1);
	auth(&w);
	return end(&w);
}

static size_t
sa_advert(void)
{
	struct put w = begin(SLP_SA_ADVERT, 0);

	text16(&w, "service:service-agent://192.0.2.9");
	text16(&w, "default");
	text16(&w, "");
	put_u8(&w, 0);
	return end(&w);
}

static size_t
attr_rply(const char *list)
{
	struct put w = begin(SLP_ATTR_RPLY, 0);

	put_be16(&w, 0);
	text16(&w, list);
	put_u8(&w, 1);
	auth(&w);
	return end(&w);
}

/* All that a user agent does with n bytes; the verdict. */
static enum slp_result
read_all(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	struct slp_header h;
	struct cursor body;
	enum slp_result v;

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	v = slp_get_header(copy, n, &h, &body);
	if (v == SLP_OK) {
		bool cut = h.flags & SLP_OVERFLOW;
		struct slp_srv_rply s;
		struct slp_attr_rply a;
		struct slp_advert advert;
		struct slp_url u;
		struct surl target;
		struct attrs attrs;

		switch (h.function) {
		case SLP_SRV_RPLY:
			v = slp_get_srv_rply(body, cut, &s);
			while (v == SLP_OK && slp_next_url(&s, &u))
				(void)surl_get(u.url, &target, NULL);
			break;
		case SLP_ATTR_RPLY:
			v = slp_get_attr_rply(body, cut, &a);
			if (v == SLP_OK && a.error == 0)
				(void)attrs_get(a.attrs, cut, &attrs);
			break;
		case SLP_DA_ADVERT:
			v = slp_get_da_advert(body, &advert);
			break;
		case SLP_SA_ADVERT:
			v = slp_get_sa_advert(body, &advert);
			break;
		case SLP_SRV_RQST:
		case SLP_ATTR_RQST:
			break;
		}
	}
	free(copy);
	return v;
}

static size_t
make(unsigned kind)
{
	switch (kind) {
	case 0:
		return srv_rply(3, 0);
	case 1:
		return srv_rply(2, 2);
	case 2:
		return da_advert();
	case 3:
		return sa_advert();
	default:
		return attr_rply("(portal-group=3),(alias=a\\2cb),boot");
	}
}

static void
every_kind_is_read_whole_and_refused_at_every_shorter_length(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 5; kind++) {
		size_t n = make(kind);

		assert_int_equal(read_all(packet, n), SLP_OK);
		for (size_t cut = 0; cut < n; cut++) {
			(void)make(kind);
			assert_int_not_equal(read_all(packet, cut), SLP_OK);
			/* As a message that says its own, wrong, length. */
			be_put24(packet + 2, (uint32_t)cut);
			assert_int_not_equal(read_all(packet, cut), SLP_OK);
			/* As one that was cut off by its sender. */
			be_put24(packet + 2, (uint32_t)n);
			packet[5] |= 0x80;
			(void)read_all(packet, cut);
		}
	}
}

static void
a_byte_too_much_is_refused(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 5; kind++) {
		size_t n = make(kind);

		packet[n] = 0;
		assert_int_equal(read_all(packet, n + 1), SLP_LENGTH);
		be_put24(packet + 2, (uint32_t)n + 1);
		assert_int_equal(read_all(packet, n + 1), SLP_TRAILING);
	}
}

static uint32_t seed = 2608;

static uint32_t
dice(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static void
packets_changed_at_random_never_do_harm(void **state)
{
	unsigned good = 0, bad = 0;

	(void)state;
	for (unsigned round = 0; round < 40000; round++) {
		size_t n = make(dice() % 5);

		for (unsigned k = dice() % 4 + 1; k > 0; k--)
			packet[dice() % n] = (uint8_t)(dice() % 3 == 0 ? 0xff : dice());
		if (dice() % 4 == 0)
			n = dice() % (n + 1);
		if (dice() % 2 == 0 && n >= 5)
			be_put24(packet + 2, (uint32_t)n);
		if (read_all(packet, n) == SLP_OK)
			good++;
		else
			bad++;
	}
	/* Both happen: else the loop tests nothing. */
	assert_true(good > 1000 && bad > 1000);
}

static void
urls_come_out_with_their_lifetimes_past_authentication_blocks(void **state)
{
	size_t n = srv_rply(2, 2);
	struct slp_header h;
	struct slp_srv_rply s;
	struct slp_url u;
	struct cursor body;

	(void)state;
	assert_int_equal(slp_get_header(packet, n, &h, &body), SLP_OK);
	assert_int_equal(h.xid, 0x1234);
	assert_int_equal(slp_get_srv_rply(body, false, &s), SLP_OK);
	assert_int_equal(s.count, 2);
	for (int i = 0; i < 2; i++) {
		assert_true(slp_next_url(&s, &u));
		assert_int_equal(u.lifetime_s, 300);
		assert_int_equal(u.url.n, strlen(URL));
		assert_memory_equal(u.url.p, URL, strlen(URL));
	}
	assert_false(slp_next_url(&s, &u));
}

static void
truncated_reply_gives_its_whole_entries(void **state)
{
	size_t n = srv_rply(3, 0), entry = 6 + strlen(URL);
	struct slp_header h;
	struct slp_srv_rply s;
	struct cursor body;

	(void)state;
	packet[5] |= 0x80;
	assert_int_equal(slp_get_header(packet, n - entry - 1, &h, &body), SLP_OK);
	assert_int_equal(slp_get_srv_rply(body, true, &s), SLP_OK);
	assert_int_equal(s.count, 1);
	/* Only the header and the error code: what OpenSLP sends. */
	assert_int_equal(slp_get_header(packet, 18, &h, &body), SLP_OK);
	assert_int_equal(slp_get_srv_rply(body, true, &s), SLP_OK);
	assert_int_equal(s.count, 0);
}

static void
a_count_beyond_the_entries_is_refused(void **state)
{
	size_t n = srv_rply(3, 0);

	(void)state;
	be_put16(packet + 18, 4);
	assert_int_equal(read_all(packet, n), SLP_SHORT);
	be_put16(packet + 18, 0xffff);
	assert_int_equal(read_all(packet, n), SLP_SHORT);
	be_put16(packet + 18, 2);
	assert_int_equal(read_all(packet, n), SLP_TRAILING);
}

static void
an_error_needs_nothing_behind_it(void **state)
{
	struct put w = begin(SLP_SRV_RPLY, 0);
	struct slp_header h;
	struct slp_srv_rply s;
	struct cursor body;
	size_t n;

	(void)state;
	put_be16(&w, SLP_ERROR_SCOPE_NOT_SUPPORTED);
	n = end(&w);
	assert_int_equal(slp_get_header(packet, n, &h, &body), SLP_OK);
	assert_int_equal(slp_get_srv_rply(body, false, &s), SLP_OK);
	assert_int_equal(s.error, 4);
	assert_string_equal(slp_error_text(s.error), "it serves none of the scopes");
	assert_string_equal(slp_error_text(999), "it answers with an unknown error");
}

static void
extension(struct put *w, unsigned id, unsigned next)
{
	put_be16(w, (uint16_t)id);
	put_be24(w, next);
	put_str(w, "data");
}

static void
extensions_are_ignored_unless_they_must_be_understood(void **state)
{
	static const struct {
		unsigned first, second;
		enum slp_result verdict;
	} cases[] = { { 0x0002, 0x8001, SLP_OK }, { 0x0002, 0x4000, SLP_EXTENSION },
		{ 0x7fff, 0x0002, SLP_EXTENSION } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t at = sa_advert(), n;
		struct put w = put_over(packet, sizeof packet);

		(void)put_room(&w, at);
		be_put24(packet + 7, (uint32_t)at);
		extension(&w, cases[i].first, (unsigned)at + 9);
		extension(&w, cases[i].second, 0);
		n = end(&w);
		assert_int_equal(read_all(packet, n), cases[i].verdict);
	}
}

static void
extensions_in_a_circle_or_outside_are_refused(void **state)
{
	(void)state;
	for (unsigned wrong = 0; wrong < 4; wrong++) {
		size_t at = sa_advert(), n;
		struct put w = put_over(packet, sizeof packet);
		const unsigned next[] = { (unsigned)at, (unsigned)at + 4, 1, 0xffffff };

		(void)put_room(&w, at);
		extension(&w, 2, next[wrong]);
		n = end(&w);
		be_put24(packet + 7, (uint32_t)at);
		assert_int_equal(read_all(packet, n), SLP_EXTENSION);
	}
	{
		size_t n = sa_advert();

		be_put24(packet + 7, 3); /* in the header itself */
		assert_int_equal(read_all(packet, n), SLP_EXTENSION);
	}
}

static void
other_versions_kinds_and_languages_are_named(void **state)
{
	size_t n = sa_advert();

	(void)state;
	packet[0] = 1;
	assert_int_equal(read_all(packet, n), SLP_VERSION);
	assert_int_equal(slp_length(packet), 0);
	n = sa_advert();
	assert_int_equal(slp_length(packet), n);
	packet[1] = 3;
	assert_int_equal(read_all(packet, n), SLP_KIND);
	n = sa_advert();
	packet[14] = '\n';
	assert_int_equal(read_all(packet, n), SLP_LANGUAGE);
	assert_string_equal(slp_result_text(SLP_KIND),
	    "the message is of a kind that does not come to a user agent");
}

static void
service_request_is_what_the_rfc_shows(void **state)
{
	static const char want[] = "\x02\x01\x00\x00\x39\x20\x00\x00\x00\x00\xab\xcd\x00\x02"
				   "en\x00\x08"
				   "10.0.0.1"
				   "\x00\x0b"
				   "service:abc"
				   "\x00\x07"
				   "default\x00\x05(a=b)\x00\x00";
	const struct slp_srv_rqst q = { .xid = 0xabcd,
		.is_multicast = true,
		.responders = "10.0.0.1",
		.type = "service:abc",
		.scopes = "default",
		.predicate = "(a=b)" };
	struct put w = put_over(packet, sizeof packet);

	(void)state;
	slp_put_srv_rqst(&w, &q);
	assert_false(w.overflow);
	assert_int_equal(put_len(&w), sizeof want - 1);
	assert_memory_equal(packet, want, sizeof want - 1);
	w = put_over(packet, sizeof want - 2);
	slp_put_srv_rqst(&w, &q);
	assert_true(w.overflow);
}

static void
attribute_request_is_what_the_rfc_shows(void **state)
{
	static const char want[] = "\x02\x06\x00\x00\x29\x00\x00\x00\x00\x00\xab\xcd\x00\x02"
				   "en\x00\x00\x00\x03u:v\x00\x07"
				   "default\x00\x05"
				   "alias\x00\x00";
	const struct slp_attr_rqst q = {
		.xid = 0xabcd, .url = { "u:v", 3 }, .scopes = "default", .tags = "alias"
	};
	struct put w = put_over(packet, sizeof packet);

	(void)state;
	slp_put_attr_rqst(&w, &q);
	assert_int_equal(put_len(&w), sizeof want - 1);
	assert_memory_equal(packet, want, sizeof want - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_read_whole_and_refused_at_every_shorter_length),
		cmocka_unit_test(a_byte_too_much_is_refused),
		cmocka_unit_test(packets_changed_at_random_never_do_harm),
		cmocka_unit_test(urls_come_out_with_their_lifetimes_past_authentication_blocks),
		cmocka_unit_test(truncated_reply_gives_its_whole_entries),
		cmocka_unit_test(a_count_beyond_the_entries_is_refused),
		cmocka_unit_test(an_error_needs_nothing_behind_it),
		cmocka_unit_test(extensions_are_ignored_unless_they_must_be_understood),
		cmocka_unit_test(extensions_in_a_circle_or_outside_are_refused),
		cmocka_unit_test(other_versions_kinds_and_languages_are_named),
		cmocka_unit_test(service_request_is_what_the_rfc_shows),
		cmocka_unit_test(attribute_request_is_what_the_rfc_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
