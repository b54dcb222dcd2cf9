/* Loop devices of an earlier run that go on: the part of ATTACH that finds them. */
#ifndef EXPORT_LOOPADOPT_H
#define EXPORT_LOOPADOPT_H

#include "export/loopdev.h"

/* Is this device on a file below `dir` ('/' at its end), in a directory that is kept? */
bool loopadopt_is_kept(int number, const char *dir, const struct loopdev_kept *kept);
/* Is a directory of this name kept? */
bool loopadopt_has(const struct loopdev_kept *kept, uint32_t name);
/*
 * The device that an earlier run left on `file`, which `fd` has open: its number; -ENXIO where
 * there is none; another negative errno: that cannot be known, so none may be made beside it.
 * Devices that were on a file of this name which is not this one any more are given back.
 */
int loopadopt_find(const char *file, int fd);

#endif
