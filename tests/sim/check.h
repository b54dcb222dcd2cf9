/* What must be true of a session and its units between any two events. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "sim.h"

void check_owner(struct owner *o);

#endif
