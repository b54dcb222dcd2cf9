/*
 * SLPv2 messages, RFC 2608, as a user agent sends and receives them.  Pure:
 * bytes in, values out.  Whatever comes may be an enemy's; what these functions
 * accept is whole and within its message.
 *
 * Strings in a message are counted, may hold any byte, and are borrowed from
 * it: struct slp_text.
 */
#ifndef ISLPD_SLP_H
#define ISLPD_SLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/put.h"

enum slp_function {
#define SLP_FUNCTION(id, number, name) SLP_##id = (number),
#include "islpd/function.def"
#undef SLP_FUNCTION
};

/* Error codes of replies; 0 is success. */
enum slp_error {
#define SLP_ERROR(id, number, text) SLP_ERROR_##id = (number),
#include "islpd/error.def"
#undef SLP_ERROR
};

enum slp_result {
#define SLP_RESULT(id, text) SLP_##id,
#include "islpd/slp_result.def"
#undef SLP_RESULT
};

/* Flags of the header, section 8. */
#define SLP_OVERFLOW      0x8000u
#define SLP_FRESH         0x4000u
#define SLP_REQUEST_MCAST 0x2000u

#define SLP_PORT 427
/* Where the length stands: what a reader of a TCP stream needs first. */
#define SLP_LENGTH_END 5

struct slp_text {
	const char *p;
	size_t n;
};

struct slp_header {
	enum slp_function function;
	uint16_t flags, xid;
	struct slp_text language;
};

/*
 * Read the header of a whole message of n bytes.  *ret_body is what stands
 * between the header and the first extension (section 9.1), of which none must
 * be one that has to be understood.  A datagram whose OVERFLOW flag is set may
 * be shorter than the length in it says.
 */
enum slp_result slp_get_header(
    const void *message, size_t n, struct slp_header *ret, struct cursor *ret_body);
/* Length of the message that begins with these SLP_LENGTH_END bytes; 0: not version 2. */
size_t slp_length(const uint8_t first[SLP_LENGTH_END]);

/* One entry, section 4.3; authentication blocks are passed over. */
struct slp_url {
	uint16_t lifetime_s;
	struct slp_text url;
};

struct slp_srv_rply {
	uint16_t error;
	size_t count;       /* entries that follow */
	struct cursor urls; /* at the first of them: slp_next_url() */
};

/*
 * Section 8.2.  All entries are checked here.  `truncated`: the message was cut
 * off (OVERFLOW); then count is that of the entries that are whole.  With an
 * error nothing else is read (section 7).
 */
enum slp_result slp_get_srv_rply(struct cursor body, bool truncated, struct slp_srv_rply *ret);
/* The next entry; false after the last one. */
bool slp_next_url(struct slp_srv_rply *r, struct slp_url *ret);

/* Section 10.4: a list of attributes (attrs.h). */
struct slp_attr_rply {
	uint16_t error;
	struct slp_text attrs;
};
/* `truncated`: the list may end anywhere. */
enum slp_result slp_get_attr_rply(struct cursor body, bool truncated, struct slp_attr_rply *ret);

/* Section 8.5; and section 8.6, which has no error, boot time and SPIs. */
struct slp_advert {
	uint16_t error;
	uint32_t boot_time; /* 0: the directory agent is going down */
	struct slp_text url, scopes, attrs, spis;
};
enum slp_result slp_get_da_advert(struct cursor body, struct slp_advert *ret);
enum slp_result slp_get_sa_advert(struct cursor body, struct slp_advert *ret);

/* The strings stand in the message as they are: escaping is slpstr.h's and scopes.h's. */
struct slp_srv_rqst {
	uint16_t xid;
	bool is_multicast;
	const char *responders; /* "10.0.0.1,10.0.0.2" */
	const char *type;       /* "service:iscsi:target" */
	const char *scopes, *predicate;
};
/* Section 8.1.  w->overflow: it did not fit. */
void slp_put_srv_rqst(struct put *w, const struct slp_srv_rqst *q);

struct slp_attr_rqst {
	uint16_t xid;
	struct slp_text url;
	const char *scopes, *tags;
};
/* Section 10.3, unicast. */
void slp_put_attr_rqst(struct put *w, const struct slp_attr_rqst *q);

/* A sentence's end for an error code that came; static text. */
const char *slp_error_text(uint16_t error);
const char *slp_result_text(enum slp_result r);

#endif
