/*
 * Serial number arithmetic, RFC 1982 with SERIAL_BITS 32, as RFC 7143,
 * section 4.2.2.1 asks for CmdSN, StatSN and their kin.  Two numbers exactly
 * 2^31 apart have no order: both comparisons are false then.
 */
#ifndef BASE_SEQ_H
#define BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool
seq_lt(uint32_t a, uint32_t b)
{
	uint32_t d = b - a;

	return d != 0 && d < 0x80000000u;
}

static inline bool
seq_le(uint32_t a, uint32_t b)
{
	return a == b || seq_lt(a, b);
}

#endif
