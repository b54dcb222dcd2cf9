/*
 * A thread that does jobs in the order they were put: those that may take for
 * ever, because a file is on a disk that hangs.  So many wait at most; whoever
 * puts one never waits.
 */
#ifndef DRIVER_DIAG_EVENT_QUEUE_H
#define DRIVER_DIAG_EVENT_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>

/* Embedded in what is to be done; the queue's until run() is called on its thread. */
struct event_job {
	void (*run)(struct event_job *j);
	struct event_job *next; /* the queue's */
};

/* A stack of jobs for any number of threads, without a lock.  True: it was empty. */
bool event_jobs_push(_Atomic(struct event_job *) *newest, struct event_job *j);
/* All of them, oldest first. */
struct event_job *event_jobs_take(_Atomic(struct event_job *) *newest);

struct event_queue;

/* Room for `limit` jobs, the one that is being done among them.  0 or a negative errno. */
int event_queue_new(unsigned limit, struct event_queue **ret);
/* Any thread.  False: there is no room, and the job is the caller's still. */
bool event_queue_put(struct event_queue *q, struct event_job *j);
/*
 * All that was put is done, and q is freed: true.  Where that takes longer than
 * timeout_ms the thread is left to itself, with q and all that jobs use: false.
 * Nothing is put any more.  NULL is fine.
 */
bool event_queue_end(struct event_queue *q, unsigned timeout_ms);

#endif
