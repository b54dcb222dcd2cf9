/* What conn*.c tell the listeners of a session (tap.h), which has some: c->sess->taps is not NULL.
 */
#ifndef CORE_TAP_IMPL_H
#define CORE_TAP_IMPL_H

#include <stddef.h>
#include <stdint.h>

struct conn;

/* A PDU was put, whose header, digests and padding end the arena. */
void tap_sent(const struct conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n);
/* A PDU is here, and nothing was made of it yet. */
void tap_received(const struct conn *c);
/* A part of a Text Response's data is here: nobody else keeps it. */
void tap_text(const struct conn *c, const uint8_t *bytes, size_t n);
/* The connection ends, perhaps within a PDU: what came of it. */
void tap_broken(const struct conn *c);

#endif
