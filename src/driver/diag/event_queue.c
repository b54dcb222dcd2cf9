#include "driver/diag/event_queue.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct event_queue {
	_Atomic(struct event_job *) newest; /* a stack, which the thread takes as a whole */
	atomic_uint n;
	unsigned limit;
	atomic_bool is_ending;
	sem_t ready; /* posting it neither waits nor allocates */
	pthread_t thread;
};

bool
event_jobs_push(_Atomic(struct event_job *) *newest, struct event_job *j)
{
	struct event_job *before = atomic_load(newest);

	do
		j->next = before;
	while (!atomic_compare_exchange_weak(newest, &before, j));
	/* From here on it is whoever takes it that j belongs to. */
	return before == NULL;
}

struct event_job *
event_jobs_take(_Atomic(struct event_job *) *newest)
{
	struct event_job *j = atomic_exchange(newest, NULL), *oldest = NULL;

	while (j != NULL) {
		struct event_job *next = j->next;

		j->next = oldest;
		oldest = j;
		j = next;
	}
	return oldest;
}

static void *
work(void *arg)
{
	struct event_queue *q = arg;
	bool is_last;

	/* A thread names itself without a file.  It is only a help for people. */
	(void)pthread_setname_np(pthread_self(), "events");
	do {
		while (sem_wait(&q->ready) != 0)
			; /* a signal */
		/* Before the look: what was put before the end is still done. */
		is_last = atomic_load(&q->is_ending);
		for (struct event_job *next, *j = event_jobs_take(&q->newest); j != NULL;
		     j = next) {
			next = j->next;
			j->run(j);
			atomic_fetch_sub(&q->n, 1);
		}
	} while (!is_last);
	return NULL;
}

int
event_queue_new(unsigned limit, struct event_queue **ret)
{
	struct event_queue *q = calloc(1, sizeof *q);
	sigset_t all, was;
	int err;

	if (q == NULL)
		return -ENOMEM;
	q->limit = limit;
	if (sem_init(&q->ready, 0, 0) != 0) {
		free(q);
		return -errno;
	}
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was); /* fails for a bad argument only */
	err = pthread_create(&q->thread, NULL, work, q);
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL); /* as above */
	if (err != 0) {
		(void)sem_destroy(&q->ready); /* it is one */
		free(q);
		return -err;
	}
	*ret = q;
	return 0;
}

bool
event_queue_put(struct event_queue *q, struct event_job *j)
{
	if (atomic_fetch_add(&q->n, 1) >= q->limit) {
		atomic_fetch_sub(&q->n, 1);
		return false;
	}
	(void)event_jobs_push(&q->newest, j); /* it is looked at in any case */
	(void)sem_post(&q->ready);            /* it counts no further than the limit */
	return true;
}

bool
event_queue_end(struct event_queue *q, unsigned timeout_ms)
{
	struct timespec until;

	if (q == NULL)
		return true;
	atomic_store(&q->is_ending, true);
	(void)sem_post(&q->ready); /* as above */
	/* A clock that is set meanwhile makes it longer or shorter, which is not worth more. */
	(void)clock_gettime(CLOCK_REALTIME, &until); /* cannot fail with this clock */
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	if (pthread_timedjoin_np(q->thread, NULL, &until) != 0) {
		(void)pthread_detach(q->thread); /* nobody waits for it any more */
		return false;
	}
	(void)sem_destroy(&q->ready); /* it is one */
	free(q);
	return true;
}
