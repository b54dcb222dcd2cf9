/*
 * The scenarios' own codec: PDUs by name, fields by name, digests.  It shares
 * nothing with the core's (wire.def).
 */
#ifndef SCENARIO_WIRE_H
#define SCENARIO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_BHS    48
#define WIRE_NO_TAG 0xffffffffu

enum wire_status { WIRE_NO_STATUS, WIRE_STATUS, WIRE_MAYBE_STATUS };

struct wire_field {
	const char *name;
	unsigned byte, width, shift;
	uint8_t fixed; /* name NULL: bits of `byte` that are always set */
};
struct wire_kind {
	const char *name;
	uint8_t opcode;
	char sender; /* 'I' or 'T' */
	enum wire_status status;
	const struct wire_field *field;
	size_t fields;
};

/* A PDU as it stands on the wire, without padding and digests. */
struct wire_pdu {
	const struct wire_kind *kind; /* NULL: an opcode that does not exist */
	uint8_t bhs[WIRE_BHS];
	uint8_t *data; /* heap, owned */
	size_t len;
};

const struct wire_kind *wire_kind(const char *name);
const struct wire_kind *wire_kind_of(uint8_t opcode);
const struct wire_field *wire_field(const struct wire_kind *kind, const char *name);
/* A header with opcode and fixed bits set. */
void wire_begin(const struct wire_kind *kind, uint8_t *bhs);
/* Fields of up to 64 bits. */
uint64_t wire_get(const uint8_t *bhs, const struct wire_field *f);
void wire_set(uint8_t *bhs, const struct wire_field *f, uint64_t v);
uint64_t wire_get_named(const struct wire_pdu *p, const char *field);
/* A bit that belongs to no field and is set, its byte; or -1. */
int wire_reserved_bit(const struct wire_pdu *p);
/* CRC32C bit by bit, RFC 7143, section 13.1; `p` in the order it is sent. */
uint32_t wire_crc(const uint8_t *p, size_t n);
void wire_put_crc(uint8_t *p, uint32_t crc);
uint32_t wire_get_crc(const uint8_t *p);

#endif
