#include "export/ublkrun.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "export/porter.h"

/* The threads are there from the first jobs on, as long as the process. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list todo;
	bool is_made; /* the list */
	unsigned threads, idle;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

void
ublkrun_now(struct ublkjob *job)
{
	if (porter_is_there()) {
		porter_ublk(job);
		return;
	}
	job->server = getpid();
	ublkjob_run(job);
}

static void
told(struct loop_msg *m)
{
	struct ublkjob *job = LIST_ENTRY(m, struct ublkjob, msg);

	job->done(job);
}

static void
finish(struct ublkjob *job)
{
	job->msg.run = told;
	loop_post(job->loop, &job->msg);
}

static void *
thread_run(void *arg)
{
	(void)arg;
	(void)pthread_setname_np(pthread_self(), "ublkrun"); /* only a help for people */
	pthread_mutex_lock(&pool.lock);
	for (;;) {
		struct list *node;

		while ((node = list_pop(&pool.todo)) == NULL) {
			pool.idle++;
			pthread_cond_wait(&pool.changed, &pool.lock);
			pool.idle--;
		}
		pthread_mutex_unlock(&pool.lock);
		ublkrun_now(LIST_ENTRY(node, struct ublkjob, link));
		finish(LIST_ENTRY(node, struct ublkjob, link));
		pthread_mutex_lock(&pool.lock);
	}
	return NULL;
}

/* Under lock.  0 or a negative errno. */
static int
start_thread(void)
{
	sigset_t all, before;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, thread_run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0) {
		(void)pthread_detach(thread); /* nobody waits for it */
		pool.threads++;
	}
	return -err;
}

void
ublkrun(struct loop *loop, struct ublkjob *job)
{
	int err = 0;

	job->loop = loop;
	pthread_mutex_lock(&pool.lock);
	if (!pool.is_made)
		list_init(&pool.todo);
	pool.is_made = true;
	if (pool.idle == 0 && pool.threads < UBLKRUN_THREADS)
		err = start_thread();
	if (pool.threads > 0) {
		list_push_back(&pool.todo, &job->link);
		pthread_cond_signal(&pool.changed);
		err = 0;
	}
	pthread_mutex_unlock(&pool.lock);
	if (err == 0)
		return;
	job->result = err;
	job->fd = -1;
	(void)snprintf(
	    job->why, sizeof job->why, "no thread could be started: %s", strerror(-err)); /* fits */
	finish(job);
}
