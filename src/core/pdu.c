#include "core/pdu.h"

enum pdu_side { INITIATOR, TARGET };

static const struct {
	const char *name;
	uint8_t from;
} pdu_info[64] = {
#define PDU(id, ID, opcode, from_, name_) [opcode] = { .name = name_, .from = from_ },
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

bool
pdu_is_from_target(uint8_t opcode)
{
	return opcode < 64 && pdu_info[opcode].name != NULL && pdu_info[opcode].from == TARGET;
}

const char *
pdu_name(uint8_t opcode)
{
	if (opcode >= 64 || pdu_info[opcode].name == NULL)
		return "unknown";
	return pdu_info[opcode].name;
}
