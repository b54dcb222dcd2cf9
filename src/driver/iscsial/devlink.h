/* The links <root>/dev/dsk/cXtYdZ and rdsk/cXtYdZ of disks, or nbd/cXtYdZ; paths are PATH_MAX. */
#ifndef ISCSIAL_DEVLINK_H
#define ISCSIAL_DEVLINK_H

#include "base/fault.h"
#include "driver/driver.h"
#include "driver/iscsial/tree.h"

/*
 * Have a disk's links lead to it: to its socket, or to its file and `block` (NULL: the file, too).
 * False with *ret_fault.
 */
bool devlink_make(
    const struct driver *d, const struct node *n, const char *block, struct fault *ret_fault);
/* A disk's links go; none is no error. */
void devlink_drop(const struct driver *d, const struct node *n);
/* Has the disk those that it should have? */
bool devlink_are_there(const struct driver *d, const struct node *n);
/*
 * Those of an earlier run, but for what is_kept(): until its disk is there, a name leads
 * nowhere rather than to another disk.  False with *ret_fault.
 */
bool devlink_drop_all(const char *dir, bool (*is_kept)(const char *name, void *user), void *user,
    struct fault *ret_fault);

#endif
