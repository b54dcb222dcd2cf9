/*
 * The exporter "nbd": one Unix socket a device, on which it is served by the NBD protocol
 * (fixed newstyle).  It needs nothing of the system: no /dev/fuse, no rights, no root.
 *
 * The socket is `dir`/`dev->name`, for its owner alone (0600).  One that a dead process
 * left is replaced, anything else that has this name is not (-EADDRINUSE, -EEXIST).  A client
 * that has negotiated is an opener.  What a client asked for before it went away is
 * executed, or not, and nobody is told.  Connections end with their process, so take_over() is
 * -EOPNOTSUPP; the socket itself can be held (export.h, hold_socket): whoever connects meanwhile
 * waits for the next process.
 */
#ifndef EXPORT_NBD_H
#define EXPORT_NBD_H

#include "export/export.h"

extern const struct export_ops nbd_export;

#endif
