/*
 * Whether mounting works depends on /dev/fuse, on fusermount3 and its configuration, on
 * capabilities, on namespaces, and on what a container's filter lets pass: only a
 * mount tells.
 */
#include "export/fuseprobe.h"

#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "export/fusemnt.h"
#include "export/porter.h"
#include "sys/fusermount.h"

#define DEVICE "/dev/fuse"

/* One mount, which nobody ever answers for.  0 or a negative errno. */
static int
try_mount(const char *path)
{
	int fd;

	if (porter_is_there())
		fd = porter_mount(path);
	else if (fusermount_is_there())
		fd = fusermount_mount(path, "rw,nosuid,nodev," FUSEMNT_OPTIONS);
	else
		return 0; /* it mounts by itself, and is told then */
	if (fd < 0)
		return fd;
	close(fd); /* the connection has ended: what is left of the mount waits for nobody */
	fusemnt_take_away(path);
	fusemnt_take_away(path); /* nobody mounts here again, to sweep what a lack of memory left */
	return 0;
}

/* NULL: that says nothing of the place (no memory, no descriptor); who mounts next is told again.
 */
static const char *
reason(int err)
{
	switch (-err) {
	case ENODEV:
		return "this kernel has no FUSE";
	case ENOENT:
		return "there is no fusermount3";
	case EPERM:
	case EACCES:
		return fusermount_is_there() ? "fusermount3 may not mount"
					     : "mounting is not allowed";
	default:
		return NULL;
	}
}

bool
fuseprobe(const char *base, char why[FUSEPROBE_WHY_BYTES])
{
	char dir[PATH_MAX], *path;
	struct stat st;
	bool is_made;
	int err;

	if (stat(DEVICE, &st) < 0) {
		(void)snprintf(why, FUSEPROBE_WHY_BYTES, "there is no " DEVICE); /* fits */
		return false;
	}
	/* No session has this number. */
	(void)snprintf(dir, sizeof dir, "%s/%u", base, LIMIT_IO_INSTANCES); /* paths_init() */
	err = fusemnt_prepare(dir, &path, &is_made);
	if (err == 0) {
		err = try_mount(path);
		if (is_made)
			(void)rmdir(
			    path); /* it is empty, or a mount that is taken away next time */
		free(path);
	}
	if (err == 0 || reason(err) == NULL)
		return true;
	(void)snprintf(why, FUSEPROBE_WHY_BYTES, "%s", reason(err)); /* fits */
	return false;
}
