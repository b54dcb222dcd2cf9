/*
 * A thread that runs a loop.  All signals are blocked in it: the main thread
 * takes them.
 */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "engine/loop.h"

struct worker;

/*
 * Start a thread.  `name` is shown by ps and top (15 characters are).  cpu: the
 * only processor it may run on, or -1; one that this process may not use is
 * ignored.  NULL with errno.
 */
struct worker *worker_new(const char *name, int cpu);
/*
 * Run what was posted, end the thread and wait for it.  Nothing may be watched
 * or armed on its loop any more.  Not from the worker itself.  NULL is fine.
 */
void worker_free(struct worker *w);
/*
 * The first half of that: the thread ends, and others may still post to its loop
 * until worker_free(), which runs it on the caller's thread.  For threads that post to each
 * other: all of them end before the loop of any goes.
 */
void worker_stop(struct worker *w);

struct loop *worker_loop(struct worker *w);
/* Is the caller this worker? */
bool worker_is_self(const struct worker *w);

/*
 * Call fn(arg) on the worker's thread and wait until it has returned; on the
 * worker itself it is simply called.  Only to start and to end things: two
 * workers that wait for each other wait for ever.
 */
void worker_call(struct worker *w, void (*fn)(void *arg), void *arg);

#endif
