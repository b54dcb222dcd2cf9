/* Where a process may write, and read: Landlock. */
#ifndef SYS_CONFINE_FILES_H
#define SYS_CONFINE_FILES_H

#include <stddef.h>

#include "sys/confine.h"

/* The version of Landlock that the kernel has, or a negative errno. */
int confine_files_abi(void);

/*
 * From now on this thread and those it starts can change, make and remove files below `dir` only
 * (and write to /dev/null and /dev/fuse); what is open stays open, what may be read stays so.  It
 * can mount nothing any more.  PR_SET_NO_NEW_PRIVS is set.  0 or a negative errno: -ENOSYS or
 * -EOPNOTSUPP where the kernel has no Landlock.
 */
int confine_files_below(const char *dir);
/* The same for reading, too, and for several places. */
int confine_files_places(const struct confine_place *places, size_t n);

#endif
