/*
 * Jobs of ublk devices (ublkjob.h) for loops that may not wait: done on threads, which ask the
 * porter where there is one.  A job that hangs, for its device's requests are not answered, delays
 * those behind it only where as many hang as there are threads.
 */
#ifndef EXPORT_UBLKRUN_H
#define EXPORT_UBLKRUN_H

#include "export/ublkjob.h"

#define UBLKRUN_THREADS 16

/* Begin; job->done() follows on `loop`, never from inside.  From any thread. */
void ublkrun(struct loop *loop, struct ublkjob *job);
/* On the caller's thread: waits. */
void ublkrun_now(struct ublkjob *job);

#endif
