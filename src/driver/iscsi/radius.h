/* What is configured about RADIUS, for the interface driver's thread. */
#ifndef ISCSI_RADIUS_H
#define ISCSI_RADIUS_H

#include "driver/driver.h"

/* It has the new values from now on; where they cannot be read it says so to whoever asks. */
void radius_push(struct driver *d);

#endif
