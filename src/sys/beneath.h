/*
 * Directories below a root, for a process that others would like to lead astray.
 * Whatever is opened or made is below the directory it should be, no symbolic link is
 * followed there, and root works only where nobody else can change what a name leads to.
 */
#ifndef SYS_BENEATH_H
#define SYS_BENEATH_H

#include <sys/types.h>

#include <stddef.h>

/* A sentence: what is wrong with which directory, and what to do. */
#define BENEATH_WHY_BYTES 512

/*
 * Open the directory `path` (absolute), made with 0755 where it is missing, as are its
 * parents.  Where we are root every directory on the way, and every link, must be root's,
 * and others may not write it unless it is sticky: -EPERM otherwise.  The descriptor
 * (O_PATH), or a negative errno with a sentence in `why`.
 */
int beneath_root(const char *path, char why[BENEATH_WHY_BYTES]);

/*
 * Open the directory `rel` below dir_fd, where it is missing made with exactly `mode`, and its
 * parents with 0755.  A link on the way is -ELOOP.  Where we are root the same holds as for
 * beneath_root().  `shown` names dir_fd in sentences.  A descriptor to read it, or a negative
 * errno with a sentence in `why`.
 */
int beneath_dir(
    int dir_fd, const char *shown, const char *rel, mode_t mode, char why[BENEATH_WHY_BYTES]);

#endif
