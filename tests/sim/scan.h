/* Scans of a target: units begin, or take the place of others. */
#ifndef SIM_SCAN_H
#define SIM_SCAN_H

#include "sim.h"

void scan_init(struct unit *u);
void scan_start(struct owner *o);
/* As soon as it may. */
void scan_again(struct owner *o);

#endif
