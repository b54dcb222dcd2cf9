/* What an initiator asks of outside (ini/world.h), and what joins its sessions to connections. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "sim.h"

void host_init(struct owner *o);
void host_fini(struct owner *o);
/* From the network: n bytes came; returns how many were taken. */
uint32_t host_bytes(struct owner *o, const uint8_t *bytes, uint32_t n);
/* The connection is gone. */
void host_ended(struct owner *o, bool is_reset);
/* It ends without a word; is_silent: nobody hears of it. */
void host_vanish(struct owner *o, bool is_silent);
/* There may be something to send. */
void host_kick(struct owner *o);

#endif
