/*
 * The hash functions of CHAP (core/chap.h) through OpenSSL: every algorithm of
 * core/chap.def, RFC 7143, section 12.1.3.
 */
#ifndef DRIVER_CHAPHASH_H
#define DRIVER_CHAPHASH_H

#include "core/chap.h"

/*
 * Any thread.  An algorithm that this host does not allow or have (MD5 in FIPS
 * mode) gives length 0, as an unknown number does.  Nothing of what was hashed
 * stays in memory.
 */
extern const struct chap_ops chaphash_ops;

/* Whether this host can compute it: what cannot be computed is not to be offered. */
bool chaphash_is_available(unsigned algorithm);

#endif
