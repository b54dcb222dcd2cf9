/* Between ublkjob.c and ublkstop.c (how a device is taken from the system); nobody else includes
 * it. */
#ifndef EXPORT_UBLKJOB_IMPL_H
#define EXPORT_UBLKJOB_IMPL_H

#include "export/ublkctl.h"
#include "export/ublkjob.h"

void ublkjob_fail(struct ublkjob *job, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Between tries. */
void ublkjob_nap(void);
/* What this kernel's ublk can do; 0 where it is too old for us. */
uint64_t ublkjob_features(struct ublkctl *c);
/* Open /dev/ublkbN: a descriptor or a negative errno. */
int ublkjob_open(int number, int flags);

/* UBLKJOB_STOP, of a device that is ours. */
void ublkstop_run(struct ublkjob *job, struct ublkctl *c);

#endif
