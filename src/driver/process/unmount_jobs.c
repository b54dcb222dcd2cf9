#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cut.h"
#include "driver/process/unmount_impl.h"

/* In the child: see what that process sees. */
static int
enter(pid_t via)
{
	char path[64];
	int fd, err = 0;

	if (via == 0)
		return 0;
	(void)snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)via); /* fits */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNS) != 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static int
write_out(const struct diskuse *use, const struct diskuse_mount *m)
{
	char path[DISKUSE_NAME_BYTES + 8];
	int fd, err = 0;

	if (m != NULL) {
		fd = open(m->where, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 || syncfs(fd) != 0)
			return errno;
		close(fd);
	}
	for (size_t i = use->n_devices; i-- > 0;) {
		(void)snprintf(path, sizeof path, "/dev/%s", use->devices[i].name); /* fits */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		if (fsync(fd) != 0)
			err = errno;
		close(fd);
	}
	return err;
}

void
unmount_job_start(struct unmounting *u, const struct diskuse_mount *m, bool is_unmount)
{
	struct job j = { .fd = -1, .mount = is_unmount ? m->id : 0 };
	int err;

	if (u->n_jobs == JOBS_MAX)
		return;
	j.pid = fork();
	if (j.pid == 0) {
		/* It may be left behind, and nobody is to wait for the end of its output. */
		for (int fd = 0; fd <= STDERR_FILENO; fd++)
			close(fd);
		err = m != NULL ? enter(m->via) : 0;
		if (err == 0 && !is_unmount)
			err = write_out(&u->use, m);
		else if (err == 0 && umount2(m->where, UMOUNT_NOFOLLOW) != 0)
			err = errno;
		_exit(err & 0xff);
	}
	if (j.pid > 0)
		j.fd = pidfd_open(j.pid, 0);
	if (j.fd < 0) {
		unmount_say(u, "cannot start a process that unmounts: %s", strerror(errno));
		return;
	}
	if (m != NULL) {
		j.where = strdup(m->where);
		cut_copy(j.disk, sizeof j.disk, u->use.devices[m->device].disk);
	}
	u->jobs[u->n_jobs++] = j;
}

static void
tell_end(const struct unmounting *u, const struct job *j, int status)
{
	int err = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	const char *where = j->where == NULL ? "a file system" : j->where;

	if (j->mount == 0 && err != 0)
		unmount_say(u, "not everything could be written out: %s", strerror(err));
	else if (j->mount != 0 && err == 0)
		unmount_say(u, "%s (%s) is unmounted", where, j->disk);
	else if (j->mount != 0 && err != EBUSY && err != EINVAL && err != ENOENT)
		unmount_say(u, "%s (%s) cannot be unmounted: %s", where, j->disk, strerror(err));
}

void
unmount_job_drop(struct unmounting *u, size_t i)
{
	close(u->jobs[i].fd);
	free(u->jobs[i].where);
	u->jobs[i] = u->jobs[--u->n_jobs];
}

void
unmount_jobs_end(struct unmounting *u)
{
	for (size_t i = u->n_jobs; i-- > 0;) {
		int status;

		if (waitpid(u->jobs[i].pid, &status, WNOHANG) != u->jobs[i].pid)
			continue;
		tell_end(u, &u->jobs[i], status);
		unmount_job_drop(u, i);
	}
}

bool
unmount_job_is_under_way(const struct unmounting *u, int mount)
{
	for (size_t i = 0; i < u->n_jobs; i++)
		if (u->jobs[i].mount == mount)
			return true;
	return false;
}
