/*
 * Is a mount stale?  Only touching it tells, and that waits for the process
 * behind it: for ever when it hangs, or when it is this very thread.  So a
 * thread touches it, and gets some time.
 */
#include "export/fusemnt.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/fuseint.h"
#include "export/mounts.h"
#include "export/porter.h"
#include "sys/fusermount.h"

/* A process that lives answers a stat at once; a busy machine gets some more. */
#define PATIENCE_SECONDS 3
/* One on another happens when clean-up failed before; more than this is not ours. */
#define STACKED_MAX 16

struct probe {
	char *path;
	int err; /* valid after `ended` was posted */
	sem_t ended;
	atomic_int owners;
};

static void
probe_drop(struct probe *p)
{
	if (atomic_fetch_sub(&p->owners, 1) > 1)
		return;
	sem_destroy(&p->ended);
	free(p->path);
	free(p);
}

static void *
probe_run(void *arg)
{
	struct probe *p = arg;
	struct stat st;

	p->err = stat(p->path, &st) < 0 ? errno : 0;
	sem_post(&p->ended);
	probe_drop(p);
	return NULL;
}

/* 0: it lives; ENOTCONN: it is stale; EBUSY: it does not answer; or a negative errno of ours. */
static int
probe(const char *path)
{
	struct probe *p = calloc(1, sizeof *p);
	struct timespec until;
	pthread_t thread;
	int err;

	if (p == NULL)
		return -ENOMEM;
	sem_init(&p->ended, 0, 0);
	atomic_init(&p->owners, 2);
	p->path = strdup(path);
	err = p->path == NULL ? ENOMEM : pthread_create(&thread, NULL, probe_run, p);
	if (err != 0) {
		atomic_store(&p->owners, 1);
		probe_drop(p);
		return -err;
	}
	pthread_detach(thread);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_SECONDS;
	do
		err = sem_clockwait(&p->ended, CLOCK_MONOTONIC, &until) < 0 ? errno : 0;
	while (err == EINTR);
	err = err == 0 ? p->err : EBUSY;
	probe_drop(p);
	return err;
}

int
fusemnt_mount(struct fuse_session *se, const char *path, const char *max_read)
{
	char options[256], device[32];
	int fd;

	if (!porter_is_there() && !fusermount_is_there())
		return fuse_session_mount(se, path);
	(void)snprintf(
	    options, sizeof options, "rw,nosuid,nodev," FUSEMNT_OPTIONS ",%s", max_read); /* fits */
	fd = porter_is_there() ? porter_mount(path) : fusermount_mount(path, options);
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	(void)snprintf(device, sizeof device, "/dev/fd/%d", fd); /* fits */
	return fuse_session_mount(se, device);
}

/* An ordinary user's mounts are fusermount3's to take away. */
static int
unmount_as_user(const char *path)
{
	char *argv[] = { "fusermount3", "-u", "-z", "-q", "--", (char *)path, NULL };
	pid_t pid;
	int status, err;

	if (fusermount_is_there())
		return fusermount_unmount(path);
	err = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (err != 0)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

struct search {
	const char *path;
	bool is_mounted, is_ours;
};

/* The last mount on a path is the one that is seen. */
static bool
look(const struct mounts_row *row, void *user)
{
	struct search *s = user;

	if (strcmp(row->path, s->path) == 0) {
		s->is_mounted = true;
		s->is_ours = strcmp(row->type, "fuse." FUSEMNT_NAME) == 0;
	}
	return false;
}

/* Take the mount that is seen there away. */
static int
detach(const char *path)
{
	if (porter_is_there())
		return porter_unmount(path);
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	return errno == EPERM ? unmount_as_user(path) : -errno;
}

void
fusemnt_take_away(const char *path)
{
	struct search s = { .path = path };

	mounts_each(look, &s);
	if (s.is_mounted && s.is_ours)
		(void)detach(path); /* what is left is swept when it is mounted again */
}

static int
sweep(const char *path)
{
	for (int i = 0; i < STACKED_MAX; i++) {
		struct search s = { .path = path };
		int err;

		mounts_each(look, &s);
		if (!s.is_mounted)
			return 0;
		if (!s.is_ours)
			return -EBUSY;
		err = probe(path);
		if (err < 0)
			return err;
		if (err != ENOTCONN && err != ECONNABORTED)
			return -EBUSY;
		err = detach(path);
		if (err < 0)
			return err;
	}
	return -EBUSY;
}

/* The parent is resolved; the directory itself may be a mount and is not touched. */
int
fusemnt_full_name(const char *dir, char **ret_path)
{
	char *copy = strdup(dir), *copy2 = strdup(dir), *path = NULL;
	char parent[PATH_MAX];
	int err = 0;

	if (copy == NULL || copy2 == NULL)
		err = -ENOMEM;
	else if (realpath(dirname(copy), parent) == NULL)
		err = -errno;
	else if (asprintf(&path, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, basename(copy2)) <
		 0)
		err = -ENOMEM;
	free(copy);
	free(copy2);
	if (err == 0)
		*ret_path = path;
	return err;
}

int
fusemnt_prepare(const char *dir, char **ret_path, bool *ret_made)
{
	char *path;
	bool made;
	int err = fusemnt_full_name(dir, &path);

	if (err < 0)
		return err;
	made = mkdir(path, 0700) == 0;
	if (!made && errno != EEXIST)
		err = -errno;
	else if (!made)
		err = sweep(path);
	if (err < 0) {
		free(path);
		return err;
	}
	*ret_path = path;
	*ret_made = made;
	return 0;
}
