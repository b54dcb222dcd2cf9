/*
 * What a command does to a unit, as far as it matters to whoever has the unit as a disk: a
 * command that somebody else wrote is judged by its CDB alone.
 */
#ifndef SCSI_EFFECT_H
#define SCSI_EFFECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/cdb.h"

enum effect {
	EFFECT_READS,    /* executed twice it does no harm: nothing is changed by it */
	EFFECT_RESERVES, /* it changes who may use the unit, not what is on it */
	EFFECT_WRITES,   /* it changes blocks, or where the next one goes */
	EFFECT_ALTERS    /* it changes what the unit is like, all of it, or nobody knows what */
};

/* By the rows of effect.def. */
enum effect effect_of(const uint8_t cdb[CDB_BYTES]);
/* Under the feet of who uses the unit as a disk it does harm. */
static inline bool
effect_harms(enum effect e)
{
	return e == EFFECT_WRITES || e == EFFECT_ALTERS;
}
/*
 * So many bytes a CDB with this operation code has, SPC-4, section 4.3; 0: the group code
 * leaves it open (reserved, of the vendor's own).
 */
size_t effect_cdb_len(uint8_t opcode);
/* 7Fh and 7Eh: longer than 16 bytes, so they need an additional header segment. */
bool effect_is_long(uint8_t opcode);

#endif
