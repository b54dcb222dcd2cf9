/*
 * Block devices that a disk's exporter makes by itself (export_ops.block): a job of loopdev.h that
 * the disk's worker is asked to do.  On the main loop.
 */
#ifndef ISCSIAL_DEVBLOCK_H
#define ISCSIAL_DEVBLOCK_H

#include "driver/driver.h"
#include "driver/iscsial/tree.h"
#include "export/loopdev.h"

/* Is the disk's one of those? */
bool devblock_is(const struct node *n);
/*
 * ATTACH and DETACH of the disk at this path; its exporter sees to CHANGE and CHECK.  As
 * loopdev_run(): job->done() follows, never from inside; `number` is as in loopuse.h.
 */
void devblock_run(struct driver *d, const struct hwpath *path, struct loopdev_job *job);

#endif
