/* Clients of disks that are sockets, whom no table of the kernel has: the driver that runs knows
 * them. */
#ifndef PROCESS_CLIENTS_H
#define PROCESS_CLIENTS_H

#include <stdbool.h>

#include "sys/diskuse.h"
#include "sys/paths.h"

/*
 * A disk is in use and the kernel knows no other end of a connection to it: whoever had one is
 * gone, and what was acknowledged to it is not written out yet.  Not by the process that connected:
 * it may have ended and left the connection to another.
 */
bool clients_are_leaving(const struct paths *paths, const struct diskuse *use);
/* Tell of each such disk that is in use, and by whom.  True: there is one. */
bool clients_tell(const char *program, const struct paths *paths);

#endif
