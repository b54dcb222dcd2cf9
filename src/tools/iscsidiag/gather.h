/* What the steps of steps.def gather; see step.h. */
#ifndef ISCSIDIAG_GATHER_H
#define ISCSIDIAG_GATHER_H

#include "tools/iscsidiag/step.h"

#define STEP(id, ...) step_gather gather_##id;
#define ASK(id, ...)  step_gather gather_##id;
#include "tools/iscsidiag/steps.def"

#endif
