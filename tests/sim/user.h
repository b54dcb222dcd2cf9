/* The user of a unit: requests that overlap. */
#ifndef SIM_USER_H
#define SIM_USER_H

#include "sim.h"

void user_init(void);
/* It begins to use u->lu. */
void user_start(struct unit *u);
void user_stop(struct unit *u);
/* The unit of this life is gone: what was not answered waits for the next one, and more comes. */
void user_keep(struct unit *u);
/* It is there: what waits comes again, in any order. */
void user_resume(struct unit *u);
/* Nobody answers what no unit has any more. */
void user_forget(struct unit *u);
/* Reads everything, once, where nothing is out. */
void user_read_all(struct unit *u);
/* The number of the write whose command came with this tag; 0: its sender has it no more. */
uint32_t user_write_of(const struct owner *o, const struct net *from, uint32_t itt);
/* Why may its requests fail, if so, or wait? */
bool user_is_excused(const struct user_req *q);

#endif
