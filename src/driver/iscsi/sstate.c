#include "driver/iscsi/sstate.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

static const struct {
	const char *name, *word;
} states[] = {
#define STATE(id, word, meaning) [SSTATE_##id] = { #id, word },
#include "driver/iscsi/sstate.def"
};

/* 0: no row, else the state + 1. */
static const uint8_t rows[SSTATE_N][SSTATE_EV_N] = {
#define ROW(from, ev, to) [SSTATE_##from][SSTATE_EV_##ev] = SSTATE_##to + 1,
#include "driver/iscsi/sstate.def"
};

bool
sstate_next(enum sstate from, enum sstate_event ev, enum sstate *ret_to)
{
	uint8_t to;

	assert(from < SSTATE_N && ev < SSTATE_EV_N);
	to = rows[from][ev];
	if (to == 0)
		return false;
	*ret_to = (enum sstate)(to - 1);
	return true;
}

const char *
sstate_word(enum sstate s)
{
	return states[s].word;
}

const char *
sstate_name(enum sstate s)
{
	return states[s].name;
}
