/*
 * Scopes, RFC 2608, sections 6.4.1 and 11: small sets of names that are
 * compared without case.  What does not fit the limits is no member.
 */
#ifndef ISLPD_SCOPES_H
#define ISLPD_SCOPES_H

#include "base/limits.h"
#include "islpd/slp.h"

#define SCOPES_DEFAULT "default"
/* A whole list in a message, each byte escaped, with commas and a NUL. */
#define SCOPES_TEXT_BYTES (LIMIT_SLP_SCOPES * (3 * LIMIT_SLP_SCOPE_BYTES + 1))

struct scopes {
	size_t n;
	char names[LIMIT_SLP_SCOPES][LIMIT_SLP_SCOPE_BYTES + 1];
};

/* A name as a user gives it, not escaped.  False: empty, no text, too long, or one too many. */
bool scopes_add(struct scopes *s, struct slp_text name);
/* A list as it stands in a message; elements that are malformed are passed over. */
void scopes_get(struct slp_text list, struct scopes *ret);
bool scopes_has(const struct scopes *s, const char *name);
/* The members of a that are in b, or (without) that are not. */
void scopes_common(const struct scopes *a, const struct scopes *b, struct scopes *ret);
void scopes_without(const struct scopes *a, const struct scopes *b, struct scopes *ret);
/* The list for a message. */
void scopes_text(const struct scopes *s, char ret[SCOPES_TEXT_BYTES]);

#endif
