/* The links <root>/dev/dsk/cXtYdZ and <root>/dev/rdsk/cXtYdZ of disks; paths are PATH_MAX. */
#ifndef ISCSIAL_DEVLINK_H
#define ISCSIAL_DEVLINK_H

#include "base/fault.h"
#include "driver/driver.h"
#include "driver/iscsial/tree.h"

/*
 * Have `path` lead to `to`; in one step: whoever opens it finds the old or the
 * new one.  False with *ret_fault.
 */
bool devlink_make(const char *path, const char *to, struct fault *ret_fault);
/* A disk's links go; none is no error. */
void devlink_drop(const struct driver *d, const struct node *n);
/* Has the disk both? */
bool devlink_are_there(const struct driver *d, const struct node *n);
/*
 * Those of an earlier run, but for what is_kept(): until its disk is there, a name leads
 * nowhere rather than to another disk.  False with *ret_fault.
 */
bool devlink_drop_all(const char *dir, bool (*is_kept)(const char *name, void *user), void *user,
    struct fault *ret_fault);

#endif
