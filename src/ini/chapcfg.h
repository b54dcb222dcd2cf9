/*
 * From what is configured to what a login's CHAP exchange is given
 * (core/chap.h): what is configured once, a challenge and an identifier for each
 * login.  Pure: randomness comes from the caller.  RFC 7143, sections 9.2.1
 * and 12.1.3.
 */
#ifndef INI_CHAPCFG_H
#define INI_CHAPCFG_H

#include "base/limits.h"
#include "core/chap.h"

#define CHAPCFG_SECRET_BYTES    LIMIT_ALIAS_BYTES
#define CHAPCFG_SEALED_BYTES    (CHAPCFG_SECRET_BYTES + CHAP_SEAL_BYTES)
#define CHAPCFG_CHALLENGE_BYTES 16
/* Fresh for every login: a challenge and an identifier. */
#define CHAPCFG_RANDOM_BYTES (CHAPCFG_CHALLENGE_BYTES + 1)
/* 9.2.1: secrets of fewer bits are too easy to guess. */
#define CHAPCFG_SECRET_BITS_MIN 96

/* The values that count for a login, as the registry has them; NULL or "": not configured. */
struct chapcfg_values {
	const char *method; /* CHAP_UNI (default), CHAP_BI */
	const char *name;   /* default: initiator_name */
	const char *initiator_name;
	const char *secret;
	const char *algorithms;    /* "MD5,SHA-256"; default: all, MD5 first; no other is offered */
	const char *target_name;   /* default: any */
	const char *target_secret; /* not configured: RADIUS is asked */
};

struct chapcfg {
	struct chap_cfg cfg; /* points into the rest */
	char name[CHAP_NAME_MAX + 1], target_name[CHAP_NAME_MAX + 1];
	uint8_t secret[CHAPCFG_SEALED_BYTES], target_secret[CHAPCFG_SEALED_BYTES];
	uint8_t challenge[CHAPCFG_CHALLENGE_BYTES];
};

/*
 * Fill `ret` with what is configured.  What cannot be read never counts as
 * something weaker: without a secret the core refuses a target that wants CHAP
 * (VIOLATION_NO_CHAP_SECRET), an unknown method fails every login, and of an
 * unreadable list nothing is offered (cfg.n_algorithms is 0: no login).  Nor
 * are algorithms that is_available() denies (NULL: all are there), or that whoever
 * is asked about the target cannot compute.  `ret` must not move afterwards.
 */
void chapcfg_init(struct chapcfg *ret, const struct chapcfg_values *values,
    const struct chap_ops *ops, bool (*is_available)(unsigned algorithm));
/* For one login: the challenge and the identifier, from fresh random bytes. */
void chapcfg_refresh(struct chapcfg *c, const uint8_t random[CHAPCFG_RANDOM_BYTES]);
/*
 * The same with MD5 as the only algorithm; borrows what c has.  False: that
 * would be what was offered anyway, or it is not among what may be offered.
 */
bool chapcfg_md5_only(const struct chapcfg *c, struct chap_cfg *ret);
void chapcfg_wipe(struct chapcfg *c);

/* "CHAP_UNI" or "CHAP_BI", in any case; false for anything else. */
bool chapcfg_method_parse(const char *text, const char **ret_method);
#define CHAPCFG_METHOD_DEFAULT "CHAP_UNI"

/* Names (any case) or IANA's numbers, separated by commas; false: unknown, twice, or none. */
bool chapcfg_algorithms_parse(const char *text, uint8_t ret[CHAP_ALGORITHMS_MAX], uint8_t *ret_n);
/* The list by name, "MD5,SHA-1". */
void chapcfg_algorithms_print(char *buf, size_t n, const uint8_t *algorithms, uint8_t count);

enum chapcfg_secret {
	CHAPCFG_SECRET_OK,
	CHAPCFG_SECRET_EMPTY,
	CHAPCFG_SECRET_ODD,       /* 0x with an odd number of digits */
	CHAPCFG_SECRET_MALFORMED, /* a character that is not hexadecimal or base64 */
	CHAPCFG_SECRET_CONTROL,   /* a control character: most likely not what was meant */
	CHAPCFG_SECRET_TOO_LONG,
};
/*
 * A secret as it is typed: 0x and hexadecimal digits, 0b and base64, or the
 * characters themselves.
 */
enum chapcfg_secret chapcfg_secret_parse(
    const char *text, uint8_t ret[CHAPCFG_SECRET_BYTES], size_t *ret_n);
/* A sentence for each; static text. */
const char *chapcfg_secret_text(enum chapcfg_secret r);

#endif
