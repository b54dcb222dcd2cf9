#include "islpd/slp.h"

#include <assert.h>

#define VERSION 2
/* The language of what we ask: of the names of targets there is no other. */
#define LANGUAGE "en"
/* RFC 5646, section 4.4.1: room that all tags in use need. */
#define LANGUAGE_BYTES_MAX 35
/* Version to language tag length. */
#define HEADER_BYTES 14
/* Identifier and next offset. */
#define EXTENSION_BYTES 5
/* Structure descriptor, length, timestamp, length of the SPI. */
#define AUTH_BYTES_MIN 10

static struct slp_text
get_text(struct cursor *c, size_t n)
{
	return (struct slp_text){ (const char *)cursor_bytes(c, n), n };
}

static struct slp_text
get_text16(struct cursor *c)
{
	return get_text(c, cursor_be16(c));
}

/* Section 8: 1*8ALPHA *("-" 1*8ALPHA); later tags have digits, too. */
static bool
is_language(const struct slp_text *t)
{
	if (t->n == 0 || t->n > LANGUAGE_BYTES_MAX)
		return false;
	for (size_t i = 0; i < t->n; i++) {
		char c = t->p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '-')
			return false;
	}
	return true;
}

/*
 * Section 9.1: "0x4000-0x7FFF Standardized.  Mandatory to implement.  A UA or
 * SA which receives this option in a reply and does not understand it MUST
 * silently discard the reply."  Offsets only grow, so that the walk ends.
 */
static bool
extensions_are_harmless(const uint8_t *message, size_t n, size_t at)
{
	while (at != 0) {
		struct cursor c = cursor_over(message, n);
		uint16_t id;
		size_t next;

		(void)cursor_bytes(&c, at);
		id = cursor_be16(&c);
		next = cursor_be24(&c);
		if (c.failed || (id >= 0x4000 && id <= 0x7fff))
			return false;
		if (next != 0 && next < at + EXTENSION_BYTES)
			return false;
		at = next;
	}
	return true;
}

static bool
function_known(uint8_t number)
{
	switch (number) {
#define SLP_FUNCTION(id, number, name) case number:
#include "islpd/function.def"
#undef SLP_FUNCTION
		return true;
	}
	return false;
}

size_t
slp_length(const uint8_t first[SLP_LENGTH_END])
{
	return first[0] == VERSION ? be_get24(first + 2) : 0;
}

enum slp_result
slp_get_header(const void *message, size_t n, struct slp_header *ret, struct cursor *ret_body)
{
	struct cursor c = cursor_over(message, n);
	struct slp_header h;
	uint8_t version = cursor_u8(&c), function = cursor_u8(&c);
	size_t length = cursor_be24(&c), extension, end = n;

	h.flags = cursor_be16(&c);
	extension = cursor_be24(&c);
	h.xid = cursor_be16(&c);
	h.language = get_text16(&c);
	if (n > 0 && version != VERSION)
		return SLP_VERSION;
	if (c.failed)
		return SLP_SHORT;
	if (length < n || (length > n && !(h.flags & SLP_OVERFLOW)))
		return SLP_LENGTH;
	if (!function_known(function))
		return SLP_KIND;
	h.function = (enum slp_function)function;
	if (!is_language(&h.language))
		return SLP_LANGUAGE;
	/* A message that was cut off has lost its extensions first. */
	if (extension != 0 && !(h.flags & SLP_OVERFLOW)) {
		if (extension < HEADER_BYTES + h.language.n ||
		    !extensions_are_harmless(message, n, extension))
			return SLP_EXTENSION;
		end = extension;
	}
	c.end = (const uint8_t *)message + end;
	*ret = h;
	*ret_body = c;
	return SLP_OK;
}

/* Section 9.2: we have no keys, so we only find their end. */
static enum slp_result
skip_auths(struct cursor *c)
{
	for (unsigned n = cursor_u8(c); n > 0; n--) {
		size_t length;

		(void)cursor_be16(c);
		length = cursor_be16(c);
		if (c->failed)
			return SLP_SHORT;
		if (length < AUTH_BYTES_MIN)
			return SLP_AUTH;
		if (cursor_bytes(c, length - 4) == NULL)
			return SLP_SHORT;
	}
	return c->failed ? SLP_SHORT : SLP_OK;
}

static enum slp_result
get_url(struct cursor *c, struct slp_url *ret)
{
	(void)cursor_u8(c);
	ret->lifetime_s = cursor_be16(c);
	ret->url = get_text16(c);
	return skip_auths(c);
}

/* What must stand at the end of every message. */
static enum slp_result
finish(const struct cursor *c)
{
	if (c->failed)
		return SLP_SHORT;
	return cursor_left(c) > 0 ? SLP_TRAILING : SLP_OK;
}

enum slp_result
slp_get_srv_rply(struct cursor body, bool truncated, struct slp_srv_rply *ret)
{
	struct slp_srv_rply r = { .error = cursor_be16(&body) };
	struct cursor walk;
	size_t count;

	if (body.failed)
		return SLP_SHORT;
	if (r.error != 0) {
		*ret = r;
		return SLP_OK;
	}
	count = cursor_be16(&body);
	if (body.failed && !truncated)
		return SLP_SHORT;
	r.urls = walk = body;
	for (r.count = 0; r.count < count; r.count++) {
		struct slp_url u;
		enum slp_result v = get_url(&walk, &u);

		if (v == SLP_SHORT && truncated)
			break;
		if (v != SLP_OK)
			return v;
	}
	if (!truncated && cursor_left(&walk) > 0)
		return SLP_TRAILING;
	*ret = r;
	return SLP_OK;
}

bool
slp_next_url(struct slp_srv_rply *r, struct slp_url *ret)
{
	enum slp_result v;

	if (r->count == 0)
		return false;
	r->count--;
	v = get_url(&r->urls, ret);
	assert(v == SLP_OK); /* slp_get_srv_rply() has seen them all */
	return true;
}

enum slp_result
slp_get_attr_rply(struct cursor body, bool truncated, struct slp_attr_rply *ret)
{
	struct slp_attr_rply r = { .error = cursor_be16(&body) };
	enum slp_result v;
	size_t n;

	if (body.failed)
		return SLP_SHORT;
	if (r.error == 0) {
		n = cursor_be16(&body);
		if (truncated) {
			size_t left = cursor_left(&body);

			r.attrs = get_text(&body, n < left ? n : left);
		} else {
			r.attrs = get_text(&body, n);
			v = skip_auths(&body);
			if (v == SLP_OK)
				v = finish(&body);
			if (v != SLP_OK)
				return v;
		}
		if (r.attrs.p == NULL)
			r.attrs = (struct slp_text){ "", 0 };
	}
	*ret = r;
	return SLP_OK;
}

enum slp_result
slp_get_da_advert(struct cursor body, struct slp_advert *ret)
{
	struct slp_advert a = { .error = cursor_be16(&body) };
	enum slp_result v;

	if (body.failed)
		return SLP_SHORT;
	if (a.error == 0) {
		a.boot_time = cursor_be32(&body);
		a.url = get_text16(&body);
		a.scopes = get_text16(&body);
		a.attrs = get_text16(&body);
		a.spis = get_text16(&body);
		v = skip_auths(&body);
		if (v == SLP_OK)
			v = finish(&body);
		if (v != SLP_OK)
			return v;
	}
	*ret = a;
	return SLP_OK;
}

enum slp_result
slp_get_sa_advert(struct cursor body, struct slp_advert *ret)
{
	struct slp_advert a = { .error = 0 };
	enum slp_result v;

	a.url = get_text16(&body);
	a.scopes = get_text16(&body);
	a.attrs = get_text16(&body);
	v = skip_auths(&body);
	if (v == SLP_OK)
		v = finish(&body);
	if (v != SLP_OK)
		return v;
	*ret = a;
	return SLP_OK;
}

static void
put_text16(struct put *w, const char *s, size_t n)
{
	if (n > UINT16_MAX) {
		w->overflow = true;
		return;
	}
	put_be16(w, (uint16_t)n);
	put_bytes(w, s, n);
}

static void
put_header(struct put *w, enum slp_function function, uint16_t flags, uint16_t xid)
{
	put_u8(w, VERSION);
	put_u8(w, (uint8_t)function);
	put_be24(w, 0); /* put_length() */
	put_be16(w, flags);
	put_be24(w, 0); /* no extensions */
	put_be16(w, xid);
	put_text16(w, LANGUAGE, sizeof LANGUAGE - 1);
}

static void
put_length(struct put *w)
{
	if (!w->overflow)
		be_put24(w->start + 2, (uint32_t)put_len(w));
}

void
slp_put_srv_rqst(struct put *w, const struct slp_srv_rqst *q)
{
	put_header(w, SLP_SRV_RQST, q->is_multicast ? SLP_REQUEST_MCAST : 0, q->xid);
	put_text16(w, q->responders, strlen(q->responders));
	put_text16(w, q->type, strlen(q->type));
	put_text16(w, q->scopes, strlen(q->scopes));
	put_text16(w, q->predicate, strlen(q->predicate));
	put_be16(w, 0); /* no SPI: replies come without authentication blocks */
	put_length(w);
}

void
slp_put_attr_rqst(struct put *w, const struct slp_attr_rqst *q)
{
	put_header(w, SLP_ATTR_RQST, 0, q->xid);
	put_be16(w, 0); /* nobody has answered before */
	put_text16(w, q->url.p, q->url.n);
	put_text16(w, q->scopes, strlen(q->scopes));
	put_text16(w, q->tags, strlen(q->tags));
	put_be16(w, 0);
	put_length(w);
}

const char *
slp_error_text(uint16_t error)
{
	switch (error) {
#define SLP_ERROR(id, number, text) \
	case number:                \
		return text;
#include "islpd/error.def"
#undef SLP_ERROR
	}
	return error == 0 ? "no error" : "it answers with an unknown error";
}

const char *
slp_result_text(enum slp_result r)
{
	static const char *const texts[] = {
#define SLP_RESULT(id, text) [SLP_##id] = (text),
#include "islpd/slp_result.def"
#undef SLP_RESULT
	};

	return texts[r];
}
