#include "core/pdu.h"

static const char *const names[64] = {
#define PDU(id, ID, opcode, from, name) [opcode] = name,
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

const char *
pdu_name(uint8_t opcode)
{
	if (opcode >= 64 || names[opcode] == NULL)
		return "unknown";
	return names[opcode];
}
