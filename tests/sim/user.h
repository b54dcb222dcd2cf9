/* The user of a unit: requests that overlap. */
#ifndef SIM_USER_H
#define SIM_USER_H

#include "sim.h"

void user_init(void);
/* It begins to use u->lu. */
void user_start(struct unit *u);
void user_stop(struct unit *u);
/* The unit is gone, and nobody answers. */
void user_vanish(struct unit *u);
/* Reads everything, once, where nothing is out. */
void user_read_all(struct unit *u);
/* The number of the write whose command came with this tag; 0: its sender has it no more. */
uint32_t user_write_of(const struct owner *o, const struct net *from, uint32_t itt);
/* Why may its requests fail, if so, or wait? */
bool user_is_excused(const struct user_req *q);

#endif
