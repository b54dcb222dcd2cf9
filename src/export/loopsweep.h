/* Loop devices of earlier runs: the parts SWEEP and TIDY of loopdev.h. */
#ifndef EXPORT_LOOPSWEEP_H
#define EXPORT_LOOPSWEEP_H

#include "export/loopdev.h"

void loopsweep_run(struct loopdev_job *job);
void loopsweep_tidy(struct loopdev_job *job);

#endif
