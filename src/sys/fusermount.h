/*
 * fusermount3 at second hand.  It is set-user-ID, so whoever starts it can neither
 * forbid himself to gain privileges nor, then, have the kernel filter his system calls.  So an
 * ordinary user's driver has a child, forked before it parses a byte, that starts fusermount3 for
 * it and does nothing else; the driver itself gives all that up.
 */
#ifndef SYS_FUSERMOUNT_H
#define SYS_FUSERMOUNT_H

#include <stdbool.h>

/*
 * Fork the child, which mounts on directories right below `base` only and ends when this
 * process does.  Before threads are started, once in a process's life.  0 or a negative errno.
 */
int fusermount_start(const char *base);
/* Is there such a child?  Without one a process mounts by itself. */
bool fusermount_is_there(void);
/*
 * Mount on `path`, an existing directory right below base, with these options of mount.fuse.
 * From any thread; waits for fusermount3.  The connection's descriptor (/dev/fuse), or a negative
 * errno: -EPERM where fusermount3 refused, -EINVAL for another path, -EPIPE: the child is gone.
 */
int fusermount_mount(const char *path, const char *options);
/* Take the mount on `path` away, at once and for all who use it.  0 or a negative errno, as above.
 */
int fusermount_unmount(const char *path);

#endif
