/*
 * Secrets that stay in memory for longer than a moment are encrypted there, with a key of this
 * process: in clear each is in the registry's copy alone (registry/copy.h).  What leaks a piece of
 * memory leaks no secret then; who can read all of it finds the key, too.
 */
#ifndef DRIVER_SEAL_H
#define DRIVER_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many bytes more than the secret has: which stream it is encrypted with. */
#define SEAL_BYTES 16

/* In place: n bytes, and SEAL_BYTES behind them.  False: it cannot be done, and they are wiped. */
bool seal_close(uint8_t *secret, size_t n);
/* The n bytes in clear, to be wiped by the caller.  False: it cannot be done, and they are zeros.
 */
bool seal_open(const uint8_t *sealed, size_t n, uint8_t *ret);

#endif
