#include "engine/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct worker {
	struct loop *loop;
	pthread_t thread;
	int cpu;
	char name[16]; /* the kernel's limit, with the NUL */
	bool is_stopped;
};

/* A call on its way to a worker. */
struct call {
	struct loop_msg msg;
	void (*fn)(void *arg);
	void *arg;
	sem_t *done; /* the caller's, who waits */
};

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	int err;

	pthread_setname_np(pthread_self(), w->name);
	if (w->cpu >= 0 && w->cpu < CPU_SETSIZE) {
		cpu_set_t only;

		CPU_ZERO(&only);
		CPU_SET(w->cpu, &only);
		/* A wish: a container's set of processors may not have this one. */
		(void)pthread_setaffinity_np(pthread_self(), sizeof only, &only);
	}
	err = loop_run(w->loop);
	assert(err == 0); /* epoll_wait fails only for a bad argument, which is ours */
	return NULL;
}

struct worker *
worker_new(const char *name, int cpu)
{
	struct worker *w = calloc(1, sizeof *w);
	sigset_t all, before;
	int err;

	if (w == NULL)
		return NULL;
	w->cpu = cpu;
	snprintf(w->name, sizeof w->name, "%s", name);
	w->loop = loop_new();
	if (w->loop == NULL) {
		free(w);
		return NULL;
	}
	/* A thread begins with its maker's mask, so that there is no moment without. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0) {
		loop_free(w->loop);
		free(w);
		errno = err;
		return NULL;
	}
	return w;
}

void
worker_stop(struct worker *w)
{
	assert(!worker_is_self(w) && !w->is_stopped);
	loop_stop(w->loop);
	pthread_join(w->thread, NULL);
	w->is_stopped = true;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	if (!w->is_stopped)
		worker_stop(w);
	/* What others posted since. */
	loop_stop(w->loop);
	(void)loop_run(w->loop);
	loop_free(w->loop);
	free(w);
}

struct loop *
worker_loop(struct worker *w)
{
	return w->loop;
}

bool
worker_is_self(const struct worker *w)
{
	return pthread_equal(w->thread, pthread_self());
}

static void
run_call(struct loop_msg *m)
{
	struct call *c = LIST_ENTRY(m, struct call, msg);

	c->fn(c->arg);
	sem_post(c->done);
}

void
worker_call(struct worker *w, void (*fn)(void *arg), void *arg)
{
	sem_t done;
	struct call c = { .msg.run = run_call, .fn = fn, .arg = arg, .done = &done };

	if (worker_is_self(w)) {
		fn(arg);
		return;
	}
	sem_init(&done, 0, 0);
	loop_post(w->loop, &c.msg);
	while (sem_wait(&done) < 0)
		assert(errno == EINTR);
	sem_destroy(&done);
}
