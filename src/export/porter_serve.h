/*
 * The porter: a process that has the right to mount and to set up loop devices, and does nothing
 * else.
 *
 * Whoever has conquered the driver can ask it anything.  So a question can name nothing but a
 * session's directory below `base` and a disk in it, opened below its descriptor without following
 * a link, and a block device that the porter itself has made and that is still what it was, or one
 * of ublk by its tag, which nobody guesses (ublkjob.h).  What a mount is, is fixed.  How many jobs
 * run, devices and mounts there are, and questions a second are answered, is limited: who asks more
 * waits, or is refused.
 *
 * Each job is a process of its own, since it may hang in a disk whose session has no connection,
 * and since only so nothing of it (a descriptor of /dev/fuse, above all) can be left behind.
 */
#ifndef EXPORT_PORTER_SERVE_H
#define EXPORT_PORTER_SERVE_H

#include "export/loopdev.h"
#include "export/ublkrun.h"

/* Jobs at once: mounts (one a worker's mounter), loop devices and those of ublk (as there are
 * threads). */
#define PORTER_MOUNT_JOBS 64
#define PORTER_LOOP_JOBS  LOOPDEV_THREADS
#define PORTER_UBLK_JOBS  UBLKRUN_THREADS
/* Questions at once, and a second, before those that come wait. */
#define PORTER_BURST 4096
#define PORTER_PACE  2000

/*
 * Serve the other end of `channel`, until that is closed.  First, one answer of id 0: what could
 * not be given up, or with a result that is not 0 why it cannot serve.  `kept`: as for
 * porter_start().
 */
_Noreturn void porter_serve(int channel, const char *base, const struct loopdev_kept *kept);

#endif
