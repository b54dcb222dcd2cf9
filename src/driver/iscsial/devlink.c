#include "driver/iscsial/devlink.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "driver/iscsial/devblock.h"
#include "driver/iscsial/devfile.h"
#include "driver/iscsial/devfile_impl.h"
#include "driver/iscsial/devudev.h"
#include "export/export.h"
#include "sys/log.h"

void
devfile_file(const struct driver *d, const struct node *n, char *ret_path)
{
	if (devblock_is(n) && n->loop != TREE_NO_LOOP) {
		loopuse_path(n->loop, ret_path);
		return;
	}
	(void)snprintf(ret_path, PATH_MAX, "%s/%u/%s",
	    devfile_is_socket(n) ? d->paths.sockets
	    : devblock_is(n)     ? d->paths.ublks
				 : d->paths.disks,
	    n->path.part[2], n->name); /* paths_init() sees to it that this fits */
}

bool
devfile_is_socket(const struct node *n)
{
	return n->export != NULL && n->export == export_find("nbd");
}

void
devfile_dsk(const struct driver *d, const struct node *n, char *ret_path)
{
	(void)snprintf(ret_path, PATH_MAX, "%s/%s", d->paths.dsk, n->name);
}

void
devfile_rdsk(const struct driver *d, const struct node *n, char *ret_path)
{
	(void)snprintf(ret_path, PATH_MAX, "%s/%s", d->paths.rdsk, n->name);
}

void
devfile_nbd(const struct driver *d, const struct node *n, char *ret_path)
{
	(void)snprintf(ret_path, PATH_MAX, "%s/%s", d->paths.nbd, n->name);
}

void
devfile_why(const struct driver *d, const struct node *n, char ret_text[DEVFILE_WHY_BYTES])
{
	const char *why = n->is_export_set ? "Exporter says so" : d->disks_cfg.why;

	/* A long one is cut. */
	ret_text[0] = '\0';
	if (devfile_is_socket(n))
		(void)snprintf(
		    ret_text, DEVFILE_WHY_BYTES, "disks are sockets here that speak NBD: %s", why);
	else if (devblock_is(n))
		(void)snprintf(ret_text, DEVFILE_WHY_BYTES, "disks are ublk devices here: %s", why);
	else
		cut_copy(ret_text, DEVFILE_WHY_BYTES, d->devfiles->no_loop);
}

/* In one step: whoever opens it finds the old or the new one. */
static bool
link_to(const char *path, const char *to, struct fault *ret_fault)
{
	char temporary[PATH_MAX];
	int n = snprintf(temporary, sizeof temporary, "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof temporary)
		errno = ENAMETOOLONG;
	else if ((unlink(temporary) == 0 || errno == ENOENT) && symlink(to, temporary) == 0 &&
		 rename(temporary, path) == 0)
		return true;
	fault_set(ret_fault, FAULT_INTERNAL, "check the directory and its permissions",
	    "cannot make %s: %s", path, strerror(errno));
	return false;
}

static void
drop_one(const char *path)
{
	if (unlink(path) != 0 && errno != ENOENT)
		log_warn("cannot remove %s: %s", path, strerror(errno));
}

bool
devlink_make(
    const struct driver *d, const struct node *n, const char *block, struct fault *ret_fault)
{
	char dsk[PATH_MAX], rdsk[PATH_MAX], nbd[PATH_MAX], file[PATH_MAX];

	devfile_file(d, n, file);
	devfile_dsk(d, n, dsk);
	devfile_rdsk(d, n, rdsk);
	devfile_nbd(d, n, nbd);
	/* What it had when another exporter showed it goes. */
	if (devfile_is_socket(n)) {
		drop_one(dsk);
		drop_one(rdsk);
		return link_to(nbd, file, ret_fault);
	}
	drop_one(nbd);
	if (devblock_is(n))
		return link_to(rdsk, block, ret_fault) && link_to(dsk, block, ret_fault);
	return link_to(rdsk, file, ret_fault) &&
	       link_to(dsk, block != NULL ? block : file, ret_fault);
}

void
devlink_drop(const struct driver *d, const struct node *n)
{
	char path[PATH_MAX];

	devfile_dsk(d, n, path);
	drop_one(path);
	devfile_rdsk(d, n, path);
	drop_one(path);
	devfile_nbd(d, n, path);
	drop_one(path);
	devudev_drop(d, n);
}

bool
devlink_are_there(const struct driver *d, const struct node *n)
{
	char path[PATH_MAX], to[8];

	devfile_nbd(d, n, path);
	if (devfile_is_socket(n))
		return readlink(path, to, sizeof to) >= 0;
	devfile_dsk(d, n, path);
	if (readlink(path, to, sizeof to) < 0)
		return false;
	devfile_rdsk(d, n, path);
	return readlink(path, to, sizeof to) >= 0;
}

bool
devlink_drop_all(const char *dir, bool (*is_kept)(const char *name, void *user), void *user,
    struct fault *ret_fault)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char to[8];
	int err = d == NULL ? errno : 0;

	while (err == 0 && (e = readdir(d)) != NULL)
		if (readlinkat(dirfd(d), e->d_name, to, sizeof to) >= 0 &&
		    !is_kept(e->d_name, user) && unlinkat(dirfd(d), e->d_name, 0) != 0)
			err = errno;
	if (d != NULL)
		closedir(d);
	if (err != 0)
		fault_set(ret_fault, FAULT_INTERNAL, "check the directory and its permissions",
		    "cannot remove an earlier run's device files in %s: %s", dir, strerror(err));
	return err == 0;
}
