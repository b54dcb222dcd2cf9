#include "iradd/radius.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cursor.h"

/* RFC 2865, section 5.6 and 5.41. */
#define SERVICE_AUTHENTICATE_ONLY 8
#define PORT_VIRTUAL              5
/* Where things are in a packet. */
#define AT_LENGTH        2
#define AT_AUTHENTICATOR 4

/* An answer, taken apart; offsets are into the packet. */
struct parts {
	uint8_t code, identifier;
	size_t len;
	size_t mac_at; /* 0: it has no Message-Authenticator */
	bool has_proxy_state, has_other_service;
	const uint8_t *message;
	size_t message_len;
};

static void put_attribute(
    struct put *w, enum radius_attribute type, const void *value, size_t n, size_t min, size_t max);
static void put_nas(struct put *w, const struct radius_query *q);
static bool mac_of(const char *secret, const uint8_t *packet, size_t n, uint8_t *out);

/* One attribute by its row: how long it may be stands there only. */
#define PUT(w, id, value, n) put_attribute(w, RADIUS_ATTR_##id, value, n, id##_MIN, id##_MAX)
enum {
#define ATTRIBUTE(id, number, name, min, max) id##_MIN = (min), id##_MAX = (max),
#include "iradd/radius.def"
};

int
radius_build(const struct radius_query *q, struct put *w)
{
	static const uint8_t service[4] = { 0, 0, 0, SERVICE_AUTHENTICATE_ONLY };
	static const uint8_t port_type[4] = { 0, 0, 0, PORT_VIRTUAL };
	static const uint8_t no_mac[RADIUS_AUTHENTICATOR];
	uint8_t chap[1 + RADIUS_CHAP_RESPONSE], mac[RADIUS_AUTHENTICATOR];
	uint8_t *start = w->p;
	size_t mac_at, n;

	put_u8(w, RADIUS_ACCESS_REQUEST);
	put_u8(w, q->identifier);
	put_be16(w, 0); /* the length, below */
	put_bytes(w, q->authenticator, sizeof q->authenticator);
	mac_at = (size_t)(w->p - start) + 2;
	PUT(w, MESSAGE_AUTHENTICATOR, no_mac, sizeof no_mac);
	PUT(w, USER_NAME, q->name, strlen(q->name));
	/* Section 5.3: "the CHAP Identifier from the user's CHAP Response", then that response. */
	chap[0] = q->chap_identifier;
	memcpy(chap + 1, q->response, sizeof q->response);
	PUT(w, CHAP_PASSWORD, chap, sizeof chap);
	PUT(w, CHAP_CHALLENGE, q->challenge, q->challenge_len);
	put_nas(w, q);
	PUT(w, SERVICE_TYPE, service, sizeof service);
	PUT(w, NAS_PORT_TYPE, port_type, sizeof port_type);
	if (w->overflow)
		return -EMSGSIZE;
	n = (size_t)(w->p - start);
	be_put16(start + AT_LENGTH, (uint16_t)n);
	if (!mac_of(q->secret, start, n, mac))
		return -ENOTSUP;
	memcpy(start + mac_at, mac, sizeof mac);
	return 0;
}

static void
put_attribute(
    struct put *w, enum radius_attribute type, const void *value, size_t n, size_t min, size_t max)
{
	if (n < min || n > max) {
		w->overflow = true;
		return;
	}
	put_u8(w, (uint8_t)type);
	put_u8(w, (uint8_t)(n + 2));
	put_bytes(w, value, n);
}

static void
put_nas(struct put *w, const struct radius_query *q)
{
	switch (q->nas) {
	case RADIUS_NAS_NAME:
		PUT(w, NAS_IDENTIFIER, q->nas_name, strlen(q->nas_name));
		break;
	case RADIUS_NAS_IPV4:
		PUT(w, NAS_IP_ADDRESS, q->nas_address, 4);
		break;
	case RADIUS_NAS_IPV6:
		PUT(w, NAS_IPV6_ADDRESS, q->nas_address, 16);
		break;
	}
}

/* RFC 3579, section 3.2; the packet's own Message-Authenticator is zeros. */
static bool
mac_of(const char *secret, const uint8_t *packet, size_t n, uint8_t *out)
{
	size_t out_len;

	return EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, secret, strlen(secret), packet, n, out,
		   RADIUS_AUTHENTICATOR, &out_len) != NULL &&
	       out_len == RADIUS_AUTHENTICATOR;
}

/* RFC 2865, section 3: MD5(Code+ID+Length+RequestAuth+Attributes+Secret). */
static bool
signature_of(const char *secret, const uint8_t *packet, size_t n, uint8_t *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
		  EVP_DigestUpdate(ctx, packet, n) == 1 &&
		  EVP_DigestUpdate(ctx, secret, strlen(secret)) == 1 &&
		  EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

/* False: an attribute that we know is shorter or longer than it may be. */
static bool
has_length_of_its_row(uint8_t type, size_t n)
{
	switch (type) {
#define ATTRIBUTE(id, number, name, min, max) \
	case number:                          \
		return n >= (min) && n <= (max);
#include "iradd/radius.def"
	}
	return true;
}

/* False: it makes no sense. */
static bool
take_attribute(struct parts *a, uint8_t type, const uint8_t *value, size_t n, size_t at)
{
	if (!has_length_of_its_row(type, n))
		return false;
	switch (type) {
	case RADIUS_ATTR_MESSAGE_AUTHENTICATOR:
		if (a->mac_at != 0)
			return false; /* RFC 3579, section 3.3: 0 or 1 */
		a->mac_at = at;
		break;
	case RADIUS_ATTR_PROXY_STATE:
		a->has_proxy_state = true;
		break;
	case RADIUS_ATTR_SERVICE_TYPE:
		if (be_get32(value) != SERVICE_AUTHENTICATE_ONLY)
			a->has_other_service = true;
		break;
	case RADIUS_ATTR_REPLY_MESSAGE:
		if (a->message == NULL) {
			a->message = value;
			a->message_len = n;
		}
		break;
	}
	return true;
}

static bool
take_apart(struct parts *a, const uint8_t *bytes, size_t n)
{
	struct cursor c = cursor_over(bytes, n);

	*a = (struct parts){ 0 };
	a->code = cursor_u8(&c);
	a->identifier = cursor_u8(&c);
	a->len = cursor_be16(&c);
	cursor_bytes(&c, RADIUS_AUTHENTICATOR);
	/*
	 * Section 3: "Octets outside the range of the Length field MUST be treated
	 * as padding"; "if the packet is shorter than the Length field indicates,
	 * it MUST be silently discarded".
	 */
	if (c.failed || a->len < RADIUS_PACKET_MIN || a->len > RADIUS_PACKET_MAX || a->len > n)
		return false;
	c.end = bytes + a->len;
	while (cursor_left(&c) > 0) {
		uint8_t type = cursor_u8(&c), length = cursor_u8(&c);
		size_t at = (size_t)(c.p - bytes);
		const uint8_t *value;

		if (length < 2)
			return false;
		value = cursor_bytes(&c, length - 2u);
		if (value == NULL || !take_attribute(a, type, value, length - 2u, at))
			return false;
	}
	return !c.failed;
}

/* The Response Authenticator, and the Message-Authenticator where there is one. */
static bool
is_signed(const struct radius_query *q, const struct parts *a, const uint8_t *bytes)
{
	uint8_t copy[RADIUS_PACKET_MAX], want[RADIUS_AUTHENTICATOR];

	/* Both are computed with the authenticator of the request in its place. */
	memcpy(copy, bytes, a->len);
	memcpy(copy + AT_AUTHENTICATOR, q->authenticator, sizeof q->authenticator);
	if (!signature_of(q->secret, copy, a->len, want) ||
	    CRYPTO_memcmp(want, bytes + AT_AUTHENTICATOR, sizeof want) != 0)
		return false;
	if (a->mac_at == 0)
		return true;
	memset(copy + a->mac_at, 0, RADIUS_AUTHENTICATOR);
	return mac_of(q->secret, copy, a->len, want) &&
	       CRYPTO_memcmp(want, bytes + a->mac_at, sizeof want) == 0;
}

static enum radius_result
verdict_of(const struct parts *a)
{
	switch (a->code) {
	case RADIUS_ACCESS_ACCEPT:
		/*
		 * RFC 2865, section 5.6: "MUST treat unknown or unsupported
		 * Service-Types as though an Access-Reject had been received instead".
		 */
		return a->has_other_service ? RADIUS_OTHER_SERVICE : RADIUS_ACCEPT;
	case RADIUS_ACCESS_REJECT:
		return RADIUS_REJECT;
	default:
		/* Section 4.4: a client that cannot take a challenge treats it as a reject. */
		return RADIUS_CHALLENGE;
	}
}

enum radius_result
radius_judge(const struct radius_query *q, const uint8_t *bytes, size_t n, bool may_lack_mac,
    struct radius_answer *ret_answer)
{
	struct parts a;

	if (!take_apart(&a, bytes, n))
		return RADIUS_MALFORMED;
	if (a.identifier != q->identifier ||
	    (a.code != RADIUS_ACCESS_ACCEPT && a.code != RADIUS_ACCESS_REJECT &&
		a.code != RADIUS_ACCESS_CHALLENGE))
		return RADIUS_STRAY;
	if (!is_signed(q, &a, bytes))
		return RADIUS_FORGED;
	if (a.mac_at == 0 && (!may_lack_mac || a.has_proxy_state))
		return RADIUS_UNSIGNED;
	if (a.message_len > 0)
		memcpy(ret_answer->message, a.message, a.message_len);
	ret_answer->message[a.message_len] = '\0';
	return verdict_of(&a);
}

bool
radius_is_verdict(enum radius_result r)
{
	return r <= RADIUS_OTHER_SERVICE;
}

const char *
radius_result_text(enum radius_result r)
{
	static const char *const texts[] = {
#define RESULT(id, counter, text) [RADIUS_##id] = text,
#include "iradd/radius.def"
	};

	assert(r < RADIUS_RESULTS);
	return texts[r];
}
