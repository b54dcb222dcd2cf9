/* What to do about a refused login.  RFC 7143, section 11.13.5.  Pure. */
#ifndef INI_LOGIN_ADVICE_H
#define INI_LOGIN_ADVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/violation.h"

struct login_advice {
	const char *next; /* in the imperative */
	bool is_permanent;
};

/* Always something: a status without a row gets its class's. */
struct login_advice login_advice_for(uint8_t status_class, uint8_t status_detail);
/*
 * About a login that the target spoilt, with the key=value that did it or ""; most of these are its
 * vendor's to mend.
 */
const char *login_advice_violation(enum login_violation v, const char *culprit);

#endif
