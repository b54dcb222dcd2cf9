#include "scsi/effect.h"

static const struct row {
	uint8_t opcode;
	int8_t action;
	uint8_t effect;
} rows[] = {
#define EFFECT(opcode, action, effect) { opcode, action, EFFECT_##effect },
#include "scsi/effect.def"
};

enum effect
effect_of(const uint8_t cdb[CDB_BYTES])
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].opcode == cdb[0] &&
		    (rows[i].action < 0 || rows[i].action == (cdb[1] & 0x1f)))
			return (enum effect)rows[i].effect;
	return EFFECT_ALTERS;
}

size_t
effect_cdb_len(uint8_t opcode)
{
	switch (opcode >> 5) {
	case 0:
		return 6;
	case 1:
	case 2:
		return 10;
	case 4:
		return 16;
	case 5:
		return 12;
	default: /* 3: 7Eh and 7Fh say it themselves; 6 and 7: a vendor's own */
		return 0;
	}
}

bool
effect_is_long(uint8_t opcode)
{
	return opcode == 0x7e || opcode == 0x7f;
}
