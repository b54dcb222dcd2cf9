/*
 * Strings in SLP messages, RFC 2608, section 6.4: reserved characters stand as
 * a backslash and two hexadecimal digits; comparison knows neither case (of
 * ASCII) nor how much white space there is.
 */
#ifndef ISLPD_SLPSTR_H
#define ISLPD_SLPSTR_H

#include "islpd/slp.h"

/* What must be escaped; control characters always are. */
#define SLPSTR_SCOPE "(),\\!<=>~;*+" /* section 6.4.1 */
/* A value in a predicate: section 5, and the filters of RFC 2254, section 4. */
#define SLPSTR_FILTER "(),\\!<=>~*"

void slpstr_put(struct put *w, const char *text, size_t n, const char *reserved);
/*
 * Undo the escapes, leave white space at both ends away, and end with a NUL.
 * False: an escape is malformed, a NUL is in it, it is not UTF-8, or it does
 * not fit.
 */
bool slpstr_get(struct slp_text t, char *ret, size_t cap);
/* The same string, of two that slpstr_get() gave. */
bool slpstr_equal(const char *a, const char *b);
/*
 * The next element of a list with commas, as it stands; false at its end.  An
 * empty list has no element.
 */
bool slpstr_next(struct slp_text *rest, struct slp_text *ret);
/* Value of a hexadecimal digit, -1: it is none. */
int slpstr_hex(char c);

#endif
