/* The state machine of a normal session: sstate.def as a function.  Pure. */
#ifndef ISCSI_SSTATE_H
#define ISCSI_SSTATE_H

#include <stdbool.h>

enum sstate {
#define STATE(id, ...) SSTATE_##id,
#include "driver/iscsi/sstate.def"
	SSTATE_N
};

enum sstate_event {
#define EVENT(id, ...) SSTATE_EV_##id,
#include "driver/iscsi/sstate.def"
	SSTATE_EV_N
};

/* Where `ev` leads from `from`, or false: the pair has no row. */
bool sstate_next(enum sstate from, enum sstate_event ev, enum sstate *ret_to);
/* "online", "transient" or "offline". */
const char *sstate_word(enum sstate s);
/* The state's own name, for the log. */
const char *sstate_name(enum sstate s);

#endif
