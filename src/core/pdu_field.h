/*
 * The fields of any header, by name, for traces.  Made from pdu.def like
 * everything else that knows a header.
 */
#ifndef CORE_PDU_FIELD_H
#define CORE_PDU_FIELD_H

#include "core/pdu.h"

enum pdu_field_kind {
	PDU_FIELD_FLAG,   /* number: 0 or 1 */
	PDU_FIELD_NUMBER, /* number */
	PDU_FIELD_BYTES,  /* bytes, len */
};

struct pdu_field {
	const char *name; /* as in pdu.def */
	enum pdu_field_kind kind;
	uint32_t number;
	const uint8_t *bytes; /* into the header */
	size_t len;
};

/* No header has more; one that had would not compile (pdu_field.c). */
#define PDU_FIELDS_MAX 16

/*
 * The header's fields in the order of pdu.def; returns how many, 0 where the
 * opcode is unknown.
 */
size_t pdu_fields(const uint8_t bhs[PDU_BHS_BYTES], struct pdu_field ret[PDU_FIELDS_MAX]);

#endif
