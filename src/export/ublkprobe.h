/* Does ublk work here?  Only a device that is made, read and deleted again tells. */
#ifndef EXPORT_UBLKPROBE_H
#define EXPORT_UBLKPROBE_H

#include "export/ublkjob.h"

/* job->result and job->why; within a bound, on the caller's thread. */
void ublkprobe_run(struct ublkjob *job);

#endif
