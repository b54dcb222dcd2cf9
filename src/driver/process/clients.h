/* Clients of disks that are sockets, whom no table of the kernel has: the driver that runs knows
 * them. */
#ifndef PROCESS_CLIENTS_H
#define PROCESS_CLIENTS_H

#include <stdbool.h>

#include "sys/paths.h"

/* Tell of each such disk that is in use, and by whom.  True: there is one. */
bool clients_tell(const char *program, const struct paths *paths);

#endif
