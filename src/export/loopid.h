/*
 * Which file is a loop device on?  These calls may wait for the file's mount,
 * so they are for threads that may wait.
 */
#ifndef EXPORT_LOOPID_H
#define EXPORT_LOOPID_H

#include "export/loopdev.h"

/* A descriptor of /dev/loop<number>, or a negative errno. */
int loopid_open(int number, int flags);
/* The name of its file, from sysfs.  False: it has none. */
bool loopid_file(int number, char *ret, size_t size);
/* What a device is called (lo_file_name): as its file, or the end of that, which is unique enough.
 */
void loopid_mark(const char *file, char *ret, size_t size);
/*
 * Of the file it is on.  -ENXIO: it is on none, or was attached to one of
 * another name; -ENOTCONN and others: the file does not answer.
 */
int loopid_get(int fd, int number, const char *file, struct loopdev_id *ret_id);
/* An errno that the files of a dead process's mount give. */
bool loopid_is_dead(int err);
/*
 * By name: is it on this file, or below this directory ('/' at its end)?  A
 * disk of a dead mount that is gone from the tree lies below every directory.
 */
bool loopid_is_on(int number, const char *file);
/* By name: is its file below this directory ('/' at its end), and found there? */
bool loopid_is_below(int number, const char *dir);
/*
 * Is `fd`, /dev/loop<number>, on the file with this id?  By its name where id is not known.  0:
 * it is; -ENXIO: it is not; another negative errno: that cannot be told (the file is asked, too).
 */
int loopid_tied(int fd, int number, const struct loopdev_id *id, const char *file);

#endif
