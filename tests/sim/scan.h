/* Scans of a target: units begin, or take the place of others. */
#ifndef SIM_SCAN_H
#define SIM_SCAN_H

#include "sim.h"

void scan_init(struct unit *u);
void scan_start(struct owner *o);
/* As soon as it may; or a second later. */
void scan_again(struct owner *o);
void scan_later(struct owner *o);
/* The unit at a place begins: as it was learned. */
void scan_begin(struct unit *u, const struct lu_info *info, struct disk *d);

#endif
