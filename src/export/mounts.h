/*
 * The mounts of this process's name space, from /proc/self/mountinfo: asks no
 * file system anything, so it may be called on any thread.
 */
#ifndef EXPORT_MOUNTS_H
#define EXPORT_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

/* One mount; the strings are the reader's, until the next one. */
struct mounts_row {
	unsigned major, minor; /* of the file system */
	const char *path, *type, *source;
};

/*
 * Call see() for each mount, in order of mounting, until it returns true.
 * Returns whether it did; false also where /proc is missing.
 */
bool mounts_each(bool (*see)(const struct mounts_row *row, void *user), void *user);

#endif
