/*
 * What tests of confine.h share: a child that is confined and tries something.
 */
#ifndef SYS_CONFINED_H
#define SYS_CONFINED_H

#include <stdbool.h>

#include "sys/confine.h"

/* What confined_outcome() gives besides errno values; SIGNALLED + number: a signal ended it. */
#define NOT_CONFINED 250
#define WRONG        251
#define SIGNALLED    1000

/* A directory for the children's files, and one file in it that may be there. */
struct confined {
	char dir[32], path[40];
};

bool confined_begin(struct confined *c);
void confined_end(struct confined *c);

/* 0 where it is no failure, else errno; for what is tried. */
int confined_made(int fd);
/* What try() returns in a child that has entered the profile.  settled: as a driver that has
 * started. */
int confined_outcome(
    enum confine_profile profile, const struct confine_cfg *cfg, bool settled, int (*try)(void));
/* Can calls be filtered here? */
bool confined_works(void);

#endif
