/*
 * Takes secrets out of login text: the values of the keys of keys.def that are
 * BINARY (challenges and responses of CHAP, and what SRP and Kerberos exchange).  Each
 * character of such a value but "0x" or "0b" becomes one that stands for zero bits, so the text
 * has the same length, is parsed as before, and says nothing.
 */
#ifndef CORE_TAPMASK_H
#define CORE_TAPMASK_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

/* Where one direction's text stands; zeroed: at its beginning. */
struct tapmask {
	enum { TAPMASK_KEY, TAPMASK_SHOWN, TAPMASK_HIDDEN } at;
	size_t n;     /* characters so far of the key or value */
	uint8_t zero; /* of a hidden value: what its characters become */
	char key[LIMIT_KEY_NAME_BYTES + 1];
};

/*
 * The next bytes of the text, overwritten in place.  Wherever it is cut into parts (C bit),
 * the result is the same.
 */
void tapmask_apply(struct tapmask *m, uint8_t *text, size_t n);

#endif
