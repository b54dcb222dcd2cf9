/* The blocking part of loopdev.h: one job, on a thread that may wait. */
#ifndef EXPORT_LOOPJOB_H
#define EXPORT_LOOPJOB_H

#include "export/loopdev.h"

/* Do it: result, why and the rest of what is valid in done(). */
void loopjob_run(struct loopdev_job *job);

#endif
