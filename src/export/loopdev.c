/*
 * A thread inside one of these jobs waits for this very process to answer the
 * kernel.  If the process is killed just then, the thread cannot die before it
 * has its answer, and /dev/fuse, which would end the wait by being closed, stays
 * open as long as a thread of the process has it.  So these threads have a
 * table of descriptors of their own, with nothing in it but an eventfd to say
 * that a job is done.
 */
#include "export/loopdev.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/loopjob.h"
#include "export/porter.h"

/* <linux/close_range.h> came later than the headers some compile with. */
#define UNSHARE_FILES (1u << 1)

struct loopdev {
	struct loop *loop;
	struct loop_fd done_fd;
	unsigned outstanding; /* the caller's thread only */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list todo, done; /* these under lock */
	unsigned queued, idle;
	bool is_ending;
	unsigned thread_count; /* the caller's thread only */
	pthread_t threads[LOOPDEV_THREADS];
};

int
loopdev_check(char *ret_why, size_t size)
{
	int fd, err;

	if (porter_is_there())
		return porter_loops(ret_why, size);
	fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	err = -errno;
	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		snprintf(ret_why, size,
		    "no loop devices here: /dev/loop-control is missing; load the kernel module "
		    "\"loop\", or use the disk's file itself");
	else if (err == -EPERM || err == -EACCES)
		snprintf(ret_why, size,
		    "no loop devices here: this user or container may not open /dev/loop-control; "
		    "use the disk's file itself");
	else
		snprintf(ret_why, size, "no loop devices here: cannot open /dev/loop-control: %s",
		    strerror(-err));
	return err;
}

static void
leave_files(int keep)
{
	/* Linux before 5.9 has neither this nor a great danger: see above. */
	if (keep > 3)
		(void)close_range(3, (unsigned)keep - 1, UNSHARE_FILES);
	(void)close_range((unsigned)keep + 1, ~0u, UNSHARE_FILES);
	/*
	 * The standard error is still that of whoever starts us; the process lets go
	 * of it when it is ready (daemon_ready()), but of its own table's only.
	 * Whoever reads it to its end, "iscsi start | cat", would wait for this thread.
	 */
	(void)dup2(STDOUT_FILENO, STDERR_FILENO); /* /dev/null, in the background */
}

static void
tell(const struct loopdev *ld)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(ld->done_fd.fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
	assert(n == sizeof one);
}

static void *
thread_run(void *arg)
{
	struct loopdev *ld = arg;
	struct list *node;

	(void)pthread_setname_np(pthread_self(), "loopdev"); /* only a help for people */
	/* The porter's jobs are processes of their own: a thread that waits for one can be killed.
	 */
	if (!porter_is_there())
		leave_files(ld->done_fd.fd);
	pthread_mutex_lock(&ld->lock);
	for (;;) {
		while ((node = list_pop(&ld->todo)) == NULL && !ld->is_ending) {
			ld->idle++;
			pthread_cond_wait(&ld->changed, &ld->lock);
			ld->idle--;
		}
		if (node == NULL)
			break;
		ld->queued--;
		pthread_mutex_unlock(&ld->lock);
		if (porter_is_there())
			porter_run(LIST_ENTRY(node, struct loopdev_job, link));
		else
			loopjob_run(LIST_ENTRY(node, struct loopdev_job, link));
		pthread_mutex_lock(&ld->lock);
		list_push_back(&ld->done, node);
		tell(ld);
	}
	pthread_mutex_unlock(&ld->lock);
	return NULL;
}

static int
start_thread(struct loopdev *ld)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&ld->threads[ld->thread_count], NULL, thread_run, ld);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		ld->thread_count++;
	return -err;
}

static void
some_done(struct loop_fd *f, uint32_t events)
{
	struct loopdev *ld = LIST_ENTRY(f, struct loopdev, done_fd);
	struct list done, *node;
	uint64_t count;

	(void)events;
	if (read(f->fd, &count, sizeof count) < 0)
		return; /* EAGAIN: taken with an earlier one */
	list_init(&done);
	pthread_mutex_lock(&ld->lock);
	list_splice_front(&done, &ld->done);
	pthread_mutex_unlock(&ld->lock);
	while ((node = list_pop(&done)) != NULL) {
		struct loopdev_job *job = LIST_ENTRY(node, struct loopdev_job, link);

		ld->outstanding--;
		job->done(job);
	}
}

struct loopdev *
loopdev_new(struct loop *loop)
{
	struct loopdev *ld = calloc(1, sizeof *ld);
	int err;

	if (ld == NULL)
		return NULL;
	ld->loop = loop;
	list_init(&ld->todo);
	list_init(&ld->done);
	pthread_mutex_init(&ld->lock, NULL);
	pthread_cond_init(&ld->changed, NULL);
	ld->done_fd.ready = some_done;
	ld->done_fd.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = ld->done_fd.fd < 0 ? -errno : loop_watch(loop, &ld->done_fd, EPOLLIN);
	/* One thread now, so that a job can never fail for lack of one. */
	if (err == 0)
		err = start_thread(ld);
	if (err == 0)
		return ld;
	loop_unwatch(loop, &ld->done_fd);
	if (ld->done_fd.fd >= 0)
		close(ld->done_fd.fd);
	free(ld);
	errno = -err;
	return NULL;
}

void
loopdev_free(struct loopdev *ld)
{
	if (ld == NULL)
		return;
	assert(ld->outstanding == 0);
	pthread_mutex_lock(&ld->lock);
	ld->is_ending = true;
	pthread_cond_broadcast(&ld->changed);
	pthread_mutex_unlock(&ld->lock);
	for (unsigned i = 0; i < ld->thread_count; i++)
		pthread_join(ld->threads[i], NULL);
	loop_unwatch(ld->loop, &ld->done_fd);
	close(ld->done_fd.fd);
	pthread_mutex_destroy(&ld->lock);
	pthread_cond_destroy(&ld->changed);
	free(ld);
}

void
loopdev_run(struct loopdev *ld, struct loopdev_job *job)
{
	bool is_short;

	ld->outstanding++;
	pthread_mutex_lock(&ld->lock);
	list_push_back(&ld->todo, &job->link);
	is_short = ++ld->queued > ld->idle;
	pthread_cond_signal(&ld->changed);
	pthread_mutex_unlock(&ld->lock);
	/* If there is no thread to be had, the job waits for one that is busy. */
	if (is_short && ld->thread_count < LOOPDEV_THREADS)
		(void)start_thread(ld);
}
