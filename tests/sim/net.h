/* Connections of the simulated network: two streams of bytes that are split, late, frozen, lost,
 * spoilt or cut. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "sim.h"

/* A connection of o's network to its target. */
struct net *net_open(struct sim *w, struct owner *o, struct tconn *t);
/* So many bytes this direction takes now. */
uint32_t net_room(const struct pipe *p);
/* They are sent; may_spoil: a digest covers each of them. */
void net_send(struct pipe *p, const uint8_t *bytes, uint32_t n, bool may_spoil);
/* The receiver takes bytes again. */
void net_go_on(struct pipe *p);
/* One end is closed: the other hears of it, in order, or by a reset, if anything gets through. */
void net_close_host(struct net *c, bool is_reset);
void net_close_target(struct net *c, bool is_reset);
/* Nothing arrives in this direction, for this connection. */
void net_lose(struct pipe *p);
/* What was frozen moves again. */
void net_thaw(struct sim *w);
/* All of them, at the end of a world. */
void net_forget_all(struct sim *w);

#endif
