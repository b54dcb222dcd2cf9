/*
 * Sessions that the registry knows come back when a driver starts, with the disks that a driver
 * before it left.  Where the registry does not tell, or there is no memory, that is no answer: it
 * is tried again, and nothing that is held ends meanwhile.
 */
#ifndef PROCESS_KNOWN_H
#define PROCESS_KNOWN_H

#include "driver/driver.h"

struct known *known_open(struct driver *d);
void known_free(struct known *k); /* NULL is fine */

#endif
