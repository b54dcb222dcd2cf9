/*
 * The exporter "fuse": one mount a session, one regular file a device, served
 * on the session's thread.  Ordinary users may have it, too, through
 * fusermount3.
 *
 * A file behaves as a disk does: its size is fixed, what is written past its
 * end fails with ENOSPC, O_TRUNC has no effect, truncating fails, fsync and
 * O_SYNC reach the device's stable storage, punching a hole leaves zeros.
 * Nothing is cached between the opener and the device.
 *
 * start() needs a thread-specific key of libfuse for every mount; glibc has
 * 1,024 for the process.
 */
#ifndef EXPORT_FUSE_H
#define EXPORT_FUSE_H

#include "export/export.h"

extern const struct export_ops fuse_export;

#endif
