/*
 * What udev is told of a disk, for names in /dev/disk: a file of "word=value" lines for each disk
 * with a block device, which dist/udev/openisw-disk reads.  It is there before the block device is,
 * and nobody waits for anybody.
 */
#ifndef ISCSIAL_DEVUDEV_H
#define ISCSIAL_DEVUDEV_H

#include "driver/driver.h"
#include "driver/iscsial/tree.h"

/* Write the disk's file; what could not be written is logged, and only names are missing then. */
void devudev_tell(const struct driver *d, const struct node *n);
/* Remove it; none is no error. */
void devudev_drop(const struct driver *d, const struct node *n);
/*
 * Remove those of an earlier run, but for disks that go on (is_kept), and hold the directory of
 * block device files where udev might remove it.
 */
void devudev_start(
    const struct driver *d, bool (*is_kept)(const char *name, void *user), void *user);
void devudev_end(const struct driver *d);

#endif
