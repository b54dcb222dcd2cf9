/* The program: one seed or many. */
#ifndef SIM_MAIN_H
#define SIM_MAIN_H

#include "sim.h"

/* The world that runs now, for whoever dies in it. */
extern struct sim *sim_running;

#endif
