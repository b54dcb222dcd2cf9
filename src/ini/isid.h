/*
 * Initiator session identifiers, RFC 7143, section 11.12.5, format 10b
 * ("Random"): 24 bits that are random for each installation and kept, and a
 * qualifier that is the session's instance.  A session so has the same ISID
 * for ever, also after the driver was restarted: a login reinstates what the
 * target may still hold of it, and two sessions never share one.  Pure.
 */
#ifndef INI_ISID_H
#define INI_ISID_H

#include <stdint.h>

#include "base/limits.h"

/* A normal session; instance < LIMIT_SESSIONS. */
void isid_normal(uint8_t ret_isid[6], uint32_t random24, uint32_t instance);
/* The n-th discovery session of a scan; n wraps. */
void isid_discovery(uint8_t ret_isid[6], uint32_t random24, uint32_t n);
/* Twelve hexadecimal digits and a NUL. */
void isid_print(char ret_text[13], const uint8_t isid[6]);

#endif
