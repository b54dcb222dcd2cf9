/*
 * Taking secrets out of what goes into the file.  The driver's answers and the
 * logs have none by their own rules; this is the second lock on the door: a
 * bundle leaves the house.
 */
#ifndef ISCSIDIAG_REDACT_H
#define ISCSIDIAG_REDACT_H

#include <jansson.h>

/* What stands where something was taken out. */
#define REDACT_MARK "(removed)"

/*
 * A copy of the text without what follows a word of secrets.def and one of
 * "=", ":" or blanks, and without the password of a URL; the caller frees it.
 */
char *redact_text(const char *text);
/*
 * A copy of the value with every text redacted, keys too, and every member
 * whose name announces a secret replaced, unless it is a truth (chap_secret_set)
 * or a number under a name in words (a statistic).
 */
json_t *redact_json(const json_t *value);

#endif
