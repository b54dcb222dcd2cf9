/*
 * The directory a FUSE mount stands on: made, swept of what a dead process left
 * there, and unmounted.
 */
#ifndef EXPORT_FUSEMNT_H
#define EXPORT_FUSEMNT_H

#include <stdbool.h>

#define FUSEMNT_NAME "openisw" /* the mount's source and, behind "fuse.", its type */
/* The kernel checks modes; only the user who mounts has access at all. */
#define FUSEMNT_OPTIONS \
	"fsname=" FUSEMNT_NAME ",subtype=" FUSEMNT_NAME ",default_permissions,noatime,noexec"
/* The same, for mount(2). */
#define FUSEMNT_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME)

/*
 * Make `dir` if it is missing (its parent must be there) and take away stale
 * mounts of ours.  Returns its full name (heap), for fusemnt_clean() and for
 * comparing with the kernel's list.  -EBUSY: a live mount is on it.  May take
 * some seconds when that mount does not answer.
 */
int fusemnt_prepare(const char *dir, char **ret_path, bool *ret_made);
/* Its full name, as above, and nothing else. */
int fusemnt_full_name(const char *dir, char **ret_path);
/* Unmount what is at `path`, if it is a mount of ours, whoever uses it. */
void fusemnt_take_away(const char *path);

struct fuse_session;
/*
 * fuse_session_mount(), or where this process has a child for it (porter.h, sys/fusermount.h), the
 * same by that, with `max_read` ("max_read=N") and the options of all our mounts.  Its mounts
 * fusemnt_take_away() takes away, after fuse_session_unmount().
 */
int fusemnt_mount(struct fuse_session *se, const char *path, const char *max_read);

#endif
