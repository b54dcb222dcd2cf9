/*
 * SLP: messages, service URLs, attributes and scopes.
 *
 * What is read lies within the message; texts and scopes that are written and read again are the
 * same.
 *
 * Covers: src/islpd/slp.c src/islpd/slpstr.c src/islpd/surl.c src/islpd/attrs.c
 * Covers: src/islpd/scopes.c src/islpd/found.c
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "islpd/found.h"
#include "islpd/scopes.h"
#include "islpd/slpstr.h"

#define TEXT_BYTES 4096

static void
check_within(struct slp_text t, const uint8_t *p, size_t n)
{
	FUZZ_CHECK(t.n == 0 || ((const uint8_t *)t.p >= p && (const uint8_t *)t.p + t.n <= p + n));
}

/* White space at an end that was escaped is white space at an end when it is written. */
static bool
has_blank_end(const char *s)
{
	return s[0] != '\0' &&
	       (strchr(" \t\r\n", s[0]) != NULL || strchr(" \t\r\n", s[strlen(s) - 1]) != NULL);
}

static void
check_string(struct slp_text text)
{
	char got[TEXT_BYTES], again[TEXT_BYTES], escaped[3 * TEXT_BYTES];
	struct put w = put_over(escaped, sizeof escaped);

	if (!slpstr_get(text, got, sizeof got))
		return;
	FUZZ_CHECK(utf8_valid(got, strlen(got)) && slpstr_equal(got, got));
	slpstr_put(&w, got, strlen(got), SLPSTR_SCOPE);
	FUZZ_CHECK(!w.overflow);
	FUZZ_CHECK(slpstr_get((struct slp_text){ escaped, put_len(&w) }, again, sizeof again));
	FUZZ_CHECK(has_blank_end(got) || slpstr_equal(got, again));
}

static void
check_scopes(struct slp_text list)
{
	static struct scopes a, b, common, rest;
	char text[SCOPES_TEXT_BYTES];

	scopes_get(list, &a);
	FUZZ_CHECK(a.n <= LIMIT_SLP_SCOPES);
	for (size_t i = 0; i < a.n; i++) {
		FUZZ_CHECK(a.names[i][0] != '\0' && scopes_has(&a, a.names[i]));
		if (has_blank_end(a.names[i]))
			return;
	}
	scopes_text(&a, text);
	scopes_get((struct slp_text){ text, strlen(text) }, &b);
	scopes_common(&a, &b, &common);
	scopes_without(&a, &b, &rest);
	FUZZ_CHECK(a.n == b.n && common.n == a.n && rest.n == 0);
}

static void
check_attrs(struct slp_text list, bool truncated)
{
	struct attrs a;
	bool ok = attrs_get(list, truncated, &a);

	FUZZ_CHECK(ok || !truncated);
	if (!ok)
		return;
	FUZZ_CHECK(
	    strlen(a.name) <= LIMIT_ISCSI_NAME_BYTES && strlen(a.alias) <= LIMIT_ALIAS_BYTES);
	FUZZ_CHECK(utf8_valid(a.name, strlen(a.name)) && utf8_valid(a.alias, strlen(a.alias)));
}

static void
check_url(struct found *found, struct slp_text url)
{
	enum iname_result name;
	struct surl s;
	enum surl_result result = surl_get(url, &s, &name);
	size_t n = found->n;
	int err;

	FUZZ_CHECK(surl_text(result)[0] != '\0');
	if (result != SURL_OK)
		return;
	FUZZ_CHECK(surl_is(url, SURL_TYPE));
	FUZZ_CHECK(iname_check(s.name, strlen(s.name)) == INAME_OK && s.portal.port != 0);
	err = found_add(found, &s, url, 0);
	FUZZ_CHECK(err == 0 || err == 1);
	FUZZ_CHECK(found->n == n + (size_t)err);
	FUZZ_CHECK(found_add(found, &s, url, 1) == 0); /* it is there */
}

static void
check_reply(struct cursor body, bool truncated, const uint8_t *p, size_t n)
{
	struct slp_srv_rply r;
	struct slp_url url;
	struct found found;
	size_t count = 0, said;

	if (slp_get_srv_rply(body, truncated, &r) != SLP_OK)
		return;
	said = r.count;
	found_init(&found);
	while (slp_next_url(&r, &url)) {
		check_within(url.url, p, n);
		check_url(&found, url.url);
		count++;
	}
	FUZZ_CHECK(r.error != 0 || count == said);
	FUZZ_CHECK(slp_error_text(r.error)[0] != '\0');
	found_fini(&found);
}

static void
check_advert(enum slp_result result, const struct slp_advert *a, const uint8_t *p, size_t n)
{
	if (result != SLP_OK || a->error != 0)
		return;
	check_within(a->url, p, n);
	check_within(a->scopes, p, n);
	check_within(a->attrs, p, n);
	check_within(a->spis, p, n);
	check_scopes(a->scopes);
}

static void
check_message(const uint8_t *p, size_t n)
{
	struct slp_attr_rply attrs;
	struct slp_advert advert;
	struct slp_header h;
	struct cursor body;
	bool truncated;

	FUZZ_CHECK(n < SLP_LENGTH_END || slp_length(p) <= 0xffffff);
	memset(&advert, 0, sizeof advert);
	if (slp_get_header(p, n, &h, &body) != SLP_OK)
		return;
	check_within(h.language, p, n);
	FUZZ_CHECK(body.p >= p && body.end <= p + n);
	truncated = (h.flags & SLP_OVERFLOW) != 0;
	check_reply(body, truncated, p, n);
	if (slp_get_attr_rply(body, truncated, &attrs) == SLP_OK && attrs.error == 0) {
		check_within(attrs.attrs, p, n);
		check_attrs(attrs.attrs, truncated);
	}
	check_advert(slp_get_da_advert(body, &advert), &advert, p, n);
	memset(&advert, 0, sizeof advert);
	check_advert(slp_get_sa_advert(body, &advert), &advert, p, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	uint8_t what = cursor_u8(&in);
	size_t n;
	uint8_t *bytes = fuzz_rest(&in, &n);
	struct slp_text text = { (const char *)bytes, n };
	struct found found;

	switch (what % 5) {
	case 0:
		check_message(bytes, n);
		break;
	case 1:
		check_string(text);
		break;
	case 2:
		check_scopes(text);
		break;
	case 3:
		check_attrs(text, (what & 0x80) != 0);
		break;
	default:
		found_init(&found);
		check_url(&found, text);
		found_fini(&found);
	}
	free(bytes);
	return 0;
}
