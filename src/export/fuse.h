/*
 * The exporter "fuse": one mount a session, one regular file a device, served
 * on the session's thread.  Ordinary users may have it, too, through
 * fusermount3.
 *
 * A file behaves as a disk does: its size is fixed, what is written past its
 * end fails with ENOSPC, O_TRUNC has no effect, truncating fails, fsync and
 * O_SYNC reach the device's stable storage, punching a hole leaves zeros.
 * Nothing is cached between the opener and the device, so it cannot be mapped
 * shared (ENODEV).
 *
 * start() gives -ENODEV where the system or the container has no FUSE, -EACCES or
 * -EPERM where this user may not use it.
 *
 * start() needs a thread-specific key of libfuse for every mount; glibc has
 * 1,024 for the process.
 */
#ifndef EXPORT_FUSE_H
#define EXPORT_FUSE_H

#include "export/export.h"

extern const struct export_ops fuse_export;

/* System calls so far, for benchmarks and statistics.  Every request but a few is one answer, too.
 */
struct fuse_counts {
	uint64_t receives; /* reads of /dev/fuse, also those that found nothing */
	uint64_t requests;
};
struct fuse_counts fuse_counts(const struct export *ex);

#endif
