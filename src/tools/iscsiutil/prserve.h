/* One client of the persistent reservation helper, in a process of its own. */
#ifndef ISCSIUTIL_PRSERVE_H
#define ISCSIUTIL_PRSERVE_H

#include "sys/paths.h"

/*
 * Serve the client at `fd` until he hangs up, or breaks the protocol, or the driver is gone.
 * Asks the driver for a connection that can do nothing else, and then gives up all rights, before
 * it reads a byte of his.
 */
void prserve(const struct paths *paths, int fd);

#endif
