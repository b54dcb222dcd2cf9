/*
 * The kernel's tree of devices.  A container, a chroot or "ip netns exec" may have nothing at /sys,
 * and its disks are seen for what they are all the same: who may mount has a mount of its own,
 * which stands nowhere in the tree (fsmount(2), Linux 5.2).
 */
#ifndef SYS_SYSFS_H
#define SYS_SYSFS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Open sysfs as descriptor `number` (not open), for this thread and the processes it forks, which
 * may not be allowed to any more.  0, or a negative errno, and then there is none.
 */
int sysfs_keep(int number);
/*
 * A directory; the name, below sysfs, is made as by printf.  NULL with errno: ENOENT means that
 * there is none.  The caller's, for closedir().
 */
DIR *sysfs_dir(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The first line of a file, cut to fit into cap bytes.  False, and "": there is none. */
bool sysfs_line(char *ret, size_t cap, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
