/*
 * RADIUS packets of a client that has CHAP responses checked: RFC 2865 with the
 * Message-Authenticator of RFC 3579, section 3.2.  Pure: bytes in, bytes out.
 *
 * MD5 is broken, and RADIUS over UDP is built on it; what saves it is that the
 * Message-Authenticator is an HMAC.  It is always sent, as the first attribute,
 * so that no prefix of the packet is known to somebody who wants to forge an
 * answer ("Blast-RADIUS", CVE-2024-3596), and asked for in the answer.
 */
#ifndef IRADD_RADIUS_H
#define IRADD_RADIUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/put.h"

enum radius_code {
#define CODE(id, number, ...) RADIUS_##id = (number),
#include "iradd/radius.def"
};
enum radius_attribute {
#define ATTRIBUTE(id, number, ...) RADIUS_ATTR_##id = (number),
#include "iradd/radius.def"
};
/* What an answer is. */
enum radius_result {
#define RESULT(id, ...) RADIUS_##id,
#include "iradd/radius.def"
	RADIUS_RESULTS,
};

/* RFC 2865, section 3. */
#define RADIUS_PACKET_MIN    20
#define RADIUS_PACKET_MAX    4096
#define RADIUS_VALUE_MAX     253
#define RADIUS_AUTHENTICATOR 16
#define RADIUS_CHAP_RESPONSE 16 /* section 5.3: CHAP with MD5 only */
#define RADIUS_PORT          1812

enum radius_nas {
	RADIUS_NAS_NAME, /* nas_name */
	RADIUS_NAS_IPV4, /* nas_address, 4 bytes */
	RADIUS_NAS_IPV6, /* nas_address, 16 bytes */
};

/* Pointers are borrowed. */
struct radius_query {
	uint8_t identifier;
	uint8_t authenticator[RADIUS_AUTHENTICATOR]; /* fresh random bytes for every identifier */
	const char *secret;                          /* not empty */
	enum radius_nas nas;
	const char *nas_name;
	uint8_t nas_address[16];
	/* What is to be checked. */
	const char *name;
	uint8_t chap_identifier;
	const uint8_t *challenge;
	size_t challenge_len;
	uint8_t response[RADIUS_CHAP_RESPONSE];
};

struct radius_answer {
	/* The first Reply-Message, "" if there is none.  Anything but a NUL may be in it. */
	char message[RADIUS_VALUE_MAX + 1];
};

/*
 * Write the Access-Request.  0; -EMSGSIZE: it does not fit, or a value is
 * shorter or longer than its attribute allows; -ENOTSUP: this host allows no MD5.
 */
int radius_build(const struct radius_query *q, struct put *w);

/*
 * What is this datagram, from the server that was asked with q?  STRAY to
 * UNSIGNED are to be dropped: the answer may still come.  may_lack_mac: an
 * answer without Message-Authenticator is taken as well, unless it has a
 * Proxy-State, which we never send and a forger needs.  *ret_answer is written
 * with ACCEPT to OTHER_SERVICE.
 */
enum radius_result radius_judge(const struct radius_query *q, const uint8_t *bytes, size_t n,
    bool may_lack_mac, struct radius_answer *ret_answer);

/* Whether somebody who knows the secret sent it: one of the first four. */
bool radius_is_verdict(enum radius_result r);
/* A sentence. */
const char *radius_result_text(enum radius_result r);

#endif
