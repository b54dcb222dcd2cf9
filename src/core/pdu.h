/*
 * The header codec of every PDU, made from pdu.def: for each row
 *
 *   struct pdu_<id>
 *   pdu_put_<id>(bhs, &v)   writes all 48 bytes
 *   pdu_get_<id>(bhs, &v)   reads the fields; reserved bits are ignored
 *                           (RFC 7143, section 11: receivers do not check them)
 *
 * They are inline because the data path makes one per command.
 */
#ifndef CORE_PDU_H
#define CORE_PDU_H

#include <stdbool.h>
#include <stddef.h>

#include "base/be.h"

#define PDU_BHS_BYTES    48
#define PDU_DIGEST_BYTES 4
/* "No tag": RFC 7143, section 11.2.1.8 and where TTT is described. */
#define PDU_NO_TAG 0xffffffffu

enum pdu_opcode {
#define PDU(id, ID, opcode, from, name) PDU_##ID = opcode,
#define BIT(...)
#define BITS(...)
#define U8(...)
#define U16(...)
#define U24(...)
#define U32(...)
#define RAW(...)
#define FIXED(...)
#define END(...)
#include "core/pdu.def"
};

/* clang-format off */
#define PDU(id, ...)         struct pdu_##id {
#define BIT(name, ...)       bool name;
#define BITS(name, ...)      uint8_t name;
#define U8(name, ...)        uint8_t name;
#define U16(name, ...)       uint16_t name;
#define U24(name, ...)       uint32_t name;
#define U32(name, ...)       uint32_t name;
#define RAW(name, byte, len) uint8_t name[len];
#define FIXED(...)
#define END(...)             };
#include "core/pdu.def"

#define PDU(id, ID, opcode, ...)                                           \
	static inline void pdu_put_##id(uint8_t *bhs, const struct pdu_##id *v) \
	{                                                                  \
		memset(bhs, 0, PDU_BHS_BYTES);                             \
		bhs[0] = opcode;
#define BIT(name, byte, bit)            bhs[byte] |= (uint8_t)((unsigned)v->name << (bit));
#define BITS(name, byte, shift, width)  bhs[byte] |= (uint8_t)((v->name & ((1u << (width)) - 1)) << (shift));
#define U8(name, byte)                  bhs[byte] = v->name;
#define U16(name, byte)                 be_put16(bhs + (byte), v->name);
#define U24(name, byte)                 be_put24(bhs + (byte), v->name);
#define U32(name, byte)                 be_put32(bhs + (byte), v->name);
#define RAW(name, byte, len)            memcpy(bhs + (byte), v->name, len);
#define FIXED(byte, value)              bhs[byte] |= (value);
#define END(id)                         }
#include "core/pdu.def"

#define PDU(id, ...)                                                        \
	static inline void pdu_get_##id(const uint8_t *bhs, struct pdu_##id *v) \
	{
#define BIT(name, byte, bit)            v->name = (bhs[byte] >> (bit) & 1) != 0;
#define BITS(name, byte, shift, width)  v->name = (uint8_t)(bhs[byte] >> (shift) & ((1u << (width)) - 1));
#define U8(name, byte)                  v->name = bhs[byte];
#define U16(name, byte)                 v->name = be_get16(bhs + (byte));
#define U24(name, byte)                 v->name = be_get32(bhs + (byte) - 1) & 0xffffff; /* one load */
#define U32(name, byte)                 v->name = be_get32(bhs + (byte));
#define RAW(name, byte, len)            memcpy(v->name, bhs + (byte), len);
#define FIXED(...)
#define END(id)                         }
#include "core/pdu.def"
/* clang-format on */

/* Fields that every header has in the same place. */
static inline uint8_t
pdu_opcode(const uint8_t *bhs)
{
	return bhs[0] & 0x3f;
}

static inline uint32_t
pdu_ahs_bytes(const uint8_t *bhs)
{
	return bhs[4] * 4u;
}

static inline uint32_t
pdu_data_bytes(const uint8_t *bhs)
{
	return be_get32(bhs + 4) & 0xffffff; /* one load */
}

/* Bytes that pad a data segment of n bytes to a multiple of four. */
static inline uint32_t
pdu_pad(uint32_t n)
{
	return -n & 3u;
}

/* Opcodes that a target may send, as bits. */
#define PDU_FROM_INITIATOR              0ull
#define PDU_FROM_TARGET                 1ull
#define PDU(id, ID, opcode, from, name) | PDU_FROM_##from << (opcode)
#define BIT(...)
#define BITS(...)
#define U8(...)
#define U16(...)
#define U24(...)
#define U32(...)
#define RAW(...)
#define FIXED(...)
#define END(...)
static const uint64_t pdu_from_target = 0
#include "core/pdu.def"
    ;

/* Whether a target may send this opcode, six bits. */
static inline bool
pdu_is_from_target(uint8_t opcode)
{
	return (pdu_from_target >> (opcode & 0x3f) & 1) != 0;
}

/* The RFC's name of an opcode, or "unknown". */
const char *pdu_name(uint8_t opcode);

#endif
