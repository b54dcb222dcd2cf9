/* Loop devices of earlier runs: the parts SWEEP and TIDY of loopdev.h. */
#ifndef EXPORT_LOOPSWEEP_H
#define EXPORT_LOOPSWEEP_H

#include "export/loopdev.h"

/* All loop devices there are, *ret_n of them, heap; 0.  A negative errno: that cannot be known. */
int loopsweep_list(int **ret, size_t *ret_n);
/* Have it give its file back, when nobody has it open any more.  False: it could not be told. */
bool loopsweep_let_go(int number);

void loopsweep_run(struct loopdev_job *job);
void loopsweep_tidy(struct loopdev_job *job);

#endif
