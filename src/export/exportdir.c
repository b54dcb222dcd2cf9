#include "export/exportdir.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "sys/beneath.h"
#include "sys/log.h"

/* Below d->parent_fd.  0 or a negative errno. */
static int
open_in_parent(struct exportdir *d, const char *parent)
{
	char why[BENEATH_WHY_BYTES];

	/* With its mode at once: a driver that has started changes none. */
	if (mkdirat(d->parent_fd, d->name, 0700) < 0 && errno != EEXIST)
		return -errno;
	d->fd = beneath_dir(d->parent_fd, parent, d->name, 0700, why);
	if (d->fd < 0)
		log_warn("%s", why);
	return d->fd < 0 ? d->fd : 0;
}

int
exportdir_open(struct exportdir *d, const char *dir)
{
	const char *slash = strrchr(dir, '/');
	char parent[PATH_MAX];
	int err;

	if (slash == NULL || slash == dir || (size_t)(slash - dir) >= sizeof parent ||
	    strlen(slash + 1) >= sizeof d->name)
		return -EINVAL;
	memcpy(parent, dir, (size_t)(slash - dir));
	parent[slash - dir] = '\0';
	memcpy(d->name, slash + 1, strlen(slash + 1) + 1);
	d->parent_fd = open(parent, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->parent_fd < 0)
		return -errno;
	err = open_in_parent(d, parent);
	if (err < 0)
		close(d->parent_fd);
	return err;
}

void
exportdir_close(struct exportdir *d)
{
	close(d->fd);
	/* What is left in it is not ours. */
	(void)unlinkat(d->parent_fd, d->name, AT_REMOVEDIR);
	close(d->parent_fd);
}
