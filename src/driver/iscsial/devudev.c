#include "driver/iscsial/devudev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver/iscsi/wanted.h"
#include "scsi/identity.h"
#include "sys/log.h"

/*
 * udev makes the links in /dev/dsk a second time, so that they are its own: whoever waits for a
 * device waits for udev.  It removes a directory with the last of its links in it, and the driver,
 * confined, could not make another one.
 */
#define HELD      ".held"
#define UDEV_RUNS "/run/udev/control"

static void
file_of(const struct driver *d, const struct node *n, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s", d->paths.udev,
	    n->name); /* paths_init() sees to it that this fits */
}

/* As udev's own path_id writes them. */
static void
write_lines(FILE *f, const struct node *n, const struct wanted *w)
{
	struct identity known;

	fprintf(f, "path=ip-%s:%u-iscsi-%s-lun-", w->a.address, w->a.port, w->target);
	if (n->lun < 256)
		fprintf(f, "%u\n", n->lun);
	else
		fprintf(f, "0x%04x%04x00000000\n", n->lun & 0xffff, n->lun >> 16);
	identity_unpack(n->info->id, &known);
	for (const char *id = identity_first(&known); id != NULL; id = identity_next(&known, id))
		fprintf(f, "id=%s\n", id);
}

void
devudev_tell(const struct driver *d, const struct node *n)
{
	const struct wanted *w = wanted_find(d, n->path.part[2]);
	char path[PATH_MAX];
	FILE *f = NULL;
	int fd;

	if (w == NULL || n->info == NULL)
		return;
	devudev_drop(d, n);
	file_of(d, n, path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (f != NULL) {
		write_lines(f, n, w);
		if (fclose(f) == 0)
			return;
	} else if (fd >= 0) {
		close(fd);
	}
	log_warn(
	    "disk %s gets no names from udev: cannot write %s: %s", n->name, path, strerror(errno));
}

void
devudev_drop(const struct driver *d, const struct node *n)
{
	char path[PATH_MAX];

	file_of(d, n, path);
	if (unlink(path) != 0 && errno != ENOENT)
		log_warn("cannot remove %s: %s", path, strerror(errno));
}

static void
hold(const struct driver *d, bool is_held)
{
	char path[PATH_MAX];

	if (strcmp(d->paths.root, "/") != 0)
		return;
	(void)snprintf(path, sizeof path, "%s/" HELD,
	    d->paths.dsk); /* paths_init() sees to it that this fits */
	if (is_held && access(UDEV_RUNS, F_OK) == 0) {
		if (symlink(d->paths.run, path) != 0 && errno != EEXIST)
			log_warn("udev may remove %s: %s", d->paths.dsk, strerror(errno));
	} else {
		(void)unlink(path); /* there may be none */
	}
}

void
devudev_start(const struct driver *d, bool (*is_kept)(const char *name, void *user), void *user)
{
	DIR *dir = opendir(d->paths.udev);
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.' && !is_kept(e->d_name, user))
			(void)unlinkat(dirfd(dir), e->d_name, 0); /* it is written again */
	if (dir != NULL)
		closedir(dir);
	hold(d, true);
}

void
devudev_end(const struct driver *d)
{
	hold(d, false);
}
