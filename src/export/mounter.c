/*
 * The kernel tells that mounts have changed, but not which (proc(5),
 * /proc/pid/mounts), so all are looked at; not more often than each
 * WATCH_PAUSE_MS, for a thousand sessions mount a thousand times at their start.
 */
#include "export/mounter.h"

#include <sys/eventfd.h>
#include <sys/mount.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export/fuseint.h"
#include "export/fusemnt.h"
#include "export/mounts.h"
#include "export/porter.h"

#define WATCH_PAUSE_MS 100

struct mounter {
	pthread_t thread;
	pthread_mutex_t lock;
	struct list todo, watches; /* these under lock, as the two below */
	bool is_ending, has_new;   /* has_new: a watch that was not looked at yet */
	int wake_fd, mounts_fd;    /* mounts_fd: -1 without /proc: nothing is noticed there */
};

static void
job_done(struct loop_msg *msg)
{
	struct mounter_job *job = LIST_ENTRY(msg, struct mounter_job, msg);

	job->done(job);
}

static void
answer(struct mounter_job *job, int result)
{
	job->result = result;
	job->msg.run = job_done;
	loop_post(job->loop, &job->msg);
}

/* ---- jobs ---- */

/* libfuse only prints why it could not mount; this is why in nearly all cases. */
static int
check_device(void)
{
	int fd;

	if (porter_is_there())
		return 0; /* which looks by itself */
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	close(fd);
	return 0;
}

static int
mount_new(struct mounter_job *job)
{
	bool made = false;
	char *path, max_read[24];
	int err = check_device(), flags;

	if (err == 0)
		err = fusemnt_prepare(job->dir, &path, &made);
	if (err < 0)
		return err;
	(void)snprintf(max_read, sizeof max_read, "max_read=%u", LIMIT_FUSE_IO_BYTES); /* fits */
	errno = 0;
	if (fusemnt_mount(job->se, path, max_read) < 0) {
		err = errno != 0 ? -errno : -EPERM;
	} else {
		flags = fcntl(fuse_session_fd(job->se), F_GETFL);
		if (flags < 0 || fcntl(fuse_session_fd(job->se), F_SETFL, flags | O_NONBLOCK) < 0) {
			err = -errno;
			fuse_session_unmount(job->se);
		}
	}
	if (err < 0) {
		if (made)
			(void)rmdir(path); /* it was empty a moment ago */
		free(path);
		return err;
	}
	free(job->path);
	job->path = path;
	job->made_dir |= made;
	return 0;
}

/* The kernel gives a descriptor that has a connection the same file system again. */
static int
mount_again(const struct mounter_job *job)
{
	char options[128];

	if (porter_is_there())
		return porter_again(job->path, fuse_session_fd(job->se));
	(void)snprintf(options, sizeof options,
	    "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions,max_read=%u",
	    fuse_session_fd(job->se), getuid(), getgid(), LIMIT_FUSE_IO_BYTES); /* fits */
	return mount(FUSEMNT_NAME, job->path, "fuse." FUSEMNT_NAME, FUSEMNT_FLAGS, options) < 0
		   ? -errno
		   : 0;
}

static int
unmount(const struct mounter_job *job)
{
	/* Its connection is cut, so this only lets go of it. */
	fuse_session_unmount(job->se);
	fusemnt_take_away(job->path);
	if (job->made_dir)
		(void)rmdir(job->path); /* where it fails somebody put something there */
	return 0;
}

static int
run(struct mounter_job *job)
{
	switch (job->what) {
	case MOUNTER_MOUNT:
		return mount_new(job);
	case MOUNTER_NAME:
		return fusemnt_full_name(job->dir, &job->path);
	case MOUNTER_AGAIN:
		return mount_again(job);
	case MOUNTER_UNMOUNT:
		return unmount(job);
	case MOUNTER_WATCH:
		break; /* it is none for this list */
	}
	return -EINVAL;
}

/* ---- watching ---- */

/* The mounts there are, in order of mounting. */
struct mount_list {
	struct {
		char *path;
		bool is_ours;
	} * mounts;
	size_t n, room;
	bool is_short; /* of memory: nothing can be said of what is not in it */
};

static bool
note_mount(const struct mounts_row *row, void *user)
{
	struct mount_list *l = user;

	if (l->n == l->room) {
		size_t room = l->room > 0 ? 2 * l->room : 64;
		void *more = realloc(l->mounts, room * sizeof *l->mounts);

		l->is_short = more == NULL;
		if (l->is_short)
			return true;
		l->mounts = more;
		l->room = room;
	}
	l->mounts[l->n].path = strdup(row->path);
	l->mounts[l->n].is_ours = strcmp(row->type, "fuse." FUSEMNT_NAME) == 0;
	l->is_short = l->mounts[l->n].path == NULL;
	l->n += !l->is_short;
	return l->is_short;
}

/* The last mount on a path is the one that is seen. */
static bool
is_there(const struct mount_list *l, const char *path)
{
	for (size_t i = l->n; i > 0; i--)
		if (strcmp(l->mounts[i - 1].path, path) == 0)
			return l->mounts[i - 1].is_ours;
	return false;
}

/* Nobody who adds a watch waits for the list, only for the comparing. */
static void
look(struct mounter *m)
{
	struct mount_list l = { .n = 0 };

	pthread_mutex_lock(&m->lock);
	m->has_new = false;
	pthread_mutex_unlock(&m->lock);
	(void)mounts_each(note_mount, &l); /* it sees all of them */
	pthread_mutex_lock(&m->lock);
	LIST_EACH(node, tmp, &m->watches)
	{
		struct mounter_job *job = LIST_ENTRY(node, struct mounter_job, link);

		if (l.is_short || l.n == 0 || is_there(&l, job->path))
			continue;
		list_remove(node);
		answer(job, 0);
	}
	pthread_mutex_unlock(&m->lock);
	for (size_t i = 0; i < l.n; i++)
		free(l.mounts[i].path);
	free(l.mounts);
}

/* ---- the thread ---- */

/* The next job, or NULL. */
static struct mounter_job *
next(struct mounter *m, bool *ret_is_ending, bool *ret_has_new)
{
	struct list *node;

	pthread_mutex_lock(&m->lock);
	node = list_pop(&m->todo);
	*ret_is_ending = m->is_ending;
	*ret_has_new = m->has_new;
	pthread_mutex_unlock(&m->lock);
	return node != NULL ? LIST_ENTRY(node, struct mounter_job, link) : NULL;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait for a job, or for a change of mounts, as long as nothing is to be looked at. */
static void
await(struct mounter *m, int64_t look_ms, bool *must_look)
{
	struct pollfd p[2] = { { m->wake_fd, POLLIN, 0 },
		{ *must_look ? -1 : m->mounts_fd, POLLPRI, 0 } };
	int64_t left = look_ms - now_ms();
	uint64_t count;

	if (poll(p, 2, !*must_look ? -1 : left > 0 ? (int)left : 0) <= 0)
		return;
	if (p[0].revents & POLLIN)
		(void)!read(m->wake_fd, &count, sizeof count); /* that it was written is all */
	if (p[1].revents & (POLLPRI | POLLERR))
		*must_look = true;
}

static void *
thread_run(void *arg)
{
	struct mounter *m = arg;
	struct mounter_job *job;
	bool is_ending = false, must_look = false, has_new;
	int64_t look_ms = 0;

	(void)pthread_setname_np(pthread_self(), "mounter"); /* only a help for people */
	for (;;) {
		while ((job = next(m, &is_ending, &has_new)) != NULL)
			answer(job, run(job));
		if (is_ending)
			return NULL;
		must_look |= has_new;
		if (must_look && now_ms() >= look_ms) {
			look(m);
			must_look = false;
			look_ms = now_ms() + WATCH_PAUSE_MS;
		}
		await(m, look_ms, &must_look);
	}
}

int
mounter_new(struct mounter **ret)
{
	struct mounter *m = calloc(1, sizeof *m);
	sigset_t all, before;
	int err;

	if (m == NULL)
		return -ENOMEM;
	list_init(&m->todo);
	list_init(&m->watches);
	m->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = m->wake_fd < 0 ? errno : 0;
	if (err == 0) {
		pthread_mutex_init(&m->lock, NULL);
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		err = pthread_create(&m->thread, NULL, thread_run, m);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (err == 0) {
		*ret = m;
		return 0;
	}
	if (m->mounts_fd >= 0)
		close(m->mounts_fd);
	if (m->wake_fd >= 0)
		close(m->wake_fd);
	free(m);
	return -err;
}

static void
wake(const struct mounter *m)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(m->wake_fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
	assert(n == sizeof one);
}

/* The thread has no job, so it does not wait for anything but this. */
void
mounter_free(struct mounter *m)
{
	if (m == NULL)
		return;
	pthread_mutex_lock(&m->lock);
	assert(list_empty(&m->todo) && list_empty(&m->watches));
	m->is_ending = true;
	pthread_mutex_unlock(&m->lock);
	wake(m);
	pthread_join(m->thread, NULL);
	pthread_mutex_destroy(&m->lock);
	if (m->mounts_fd >= 0)
		close(m->mounts_fd);
	close(m->wake_fd);
	free(m);
}

void
mounter_run(struct mounter *m, struct loop *loop, struct mounter_job *job)
{
	job->loop = loop;
	pthread_mutex_lock(&m->lock);
	list_push_back(job->what == MOUNTER_WATCH ? &m->watches : &m->todo, &job->link);
	m->has_new |= job->what == MOUNTER_WATCH;
	pthread_mutex_unlock(&m->lock);
	wake(m);
}

void
mounter_cancel(struct mounter *m, struct mounter_job *job)
{
	bool is_ours = false;

	pthread_mutex_lock(&m->lock);
	LIST_EACH(node, tmp, &m->watches)
	is_ours |= node == &job->link;
	if (is_ours)
		list_remove(&job->link);
	pthread_mutex_unlock(&m->lock);
	if (is_ours)
		answer(job, -ECANCELED);
}
