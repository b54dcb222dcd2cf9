/* Who has a session: its units and their users, scans, logouts, settings; and what must be true of
 * it always. */
#ifndef SIM_OWNER_H
#define SIM_OWNER_H

#include "crash.h"

void owner_init(struct owner *o, struct sim *w, unsigned i);
void owner_fini(struct owner *o);
/* The initiator ends without a word, and a new one begins with what is remembered. */
void owner_vanish(struct owner *o, enum crash_kind kind);
void owner_return(struct owner *o);
/* An administrator's acts. */
void owner_open(struct owner *o);
/* is_cut: nothing gets through any more. */
void owner_close(struct owner *o, bool is_cut);
/* The same, as soon as it is in this state. */
void owner_close_in(struct owner *o, enum session_state state);
/* The unit at this place is closed; a scan finds it again. */
void owner_hide(struct owner *o, unsigned place);
void owner_ping(struct owner *o);
void owner_settings(struct owner *o, bool clear_redirect);
/* A flush says that data was lost. */
bool owner_fails_loss(const struct owner *o);
/* Its I/O may fail, or wait, for so long from now on. */
void owner_excuse(struct owner *o);
/* After each turn: what must be true, and what is due. */
void owner_check(struct owner *o);
/* Online, all units are there and the same, nothing is under way. */
bool owner_is_well(struct owner *o);
bool owner_is_idle(const struct owner *o);
/* How it stands, in words. */
void owner_describe(const struct owner *o, char *buf, size_t n);
bool owner_is_gone(const struct owner *o);

#endif
