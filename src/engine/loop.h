/*
 * An event loop: file descriptors, an agenda (deadlines, end-of-turn work), and
 * messages from other threads.  One thread runs a loop; only loop_post() and
 * loop_stop() may be called from others.
 */
#ifndef ENGINE_LOOP_H
#define ENGINE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/agenda.h"

struct loop;

/* A watched descriptor; embedded in its owner.  events are EPOLLIN, EPOLLOUT… */
struct loop_fd {
	int fd;
	void (*ready)(struct loop_fd *f, uint32_t events);
	uint32_t events; /* the loop's, as is what follows */
	bool watched;
};

/* A message from another thread; owned by the loop until run() is called. */
struct loop_msg {
	void (*run)(struct loop_msg *m);
	struct loop_msg *next; /* the loop's */
};

/* NULL with errno when the system has no epoll or descriptor left. */
struct loop *loop_new(void);
/* Nothing may be watched or armed any more.  NULL is fine. */
void loop_free(struct loop *l);
/*
 * Run until loop_stop().  A turn is: the descriptors that are ready, posted
 * messages among them; the deadlines that have passed, earliest first, equal
 * ones in the order they were armed; the deferred work.  Returns 0 or a
 * negative errno from epoll.  May be run again afterwards.
 */
int loop_run(struct loop *l);
/*
 * Any thread, and signal handlers: loop_run() returns at the end of its turn,
 * or at once when it is called next.  What this thread posted before has been
 * run by then.
 */
void loop_stop(struct loop *l);

#define LOOP_SPIN_AFTER 3
/*
 * Wait awake for up to so many microseconds before the thread sleeps, where the LOOP_SPIN_AFTER
 * waits before were that short and what was done between them was less; whoever else wants the
 * processor has it meanwhile.  0, as it is made: never.  Its own thread, or before that runs.
 */
void loop_spin(struct loop *l, unsigned limit_us);

/* Its deadlines and deferred work: agenda_set(), agenda_defer() …, as everything below. */
struct agenda *loop_agenda(struct loop *l);
/* Microseconds, monotonic; sampled once a turn, fresh after loop_now_update(). */
uint64_t loop_now(const struct loop *l);
uint64_t loop_now_update(struct loop *l);

/*
 * 0 or a negative errno.  Everything below may be called from any callback of
 * the loop, for its own object and for others; an object may be freed as soon
 * as it is unwatched, cleared or cancelled.
 */
int loop_watch(struct loop *l, struct loop_fd *f, uint32_t events);
/* Change the events of a watched descriptor.  0 or a negative errno. */
int loop_rewatch(struct loop *l, struct loop_fd *f, uint32_t events);
/* Before the descriptor is closed.  Harmless when not watched. */
void loop_unwatch(struct loop *l, struct loop_fd *f);

/*
 * Memory for the moment, one for all who ask for it: between two callbacks nothing
 * stays in it.  The first one makes it, the last one frees it.  NULL when memory is
 * short.  Large enough for a turn's answers at queue depth 128 with 4 KiB reads.
 */
#define LOOP_SCRATCH_BYTES (640u << 10)
void *loop_scratch_get(struct loop *l);
void loop_scratch_put(struct loop *l);

/* Any thread.  m->run(m) is called on the loop's thread, in order of posting. */
void loop_post(struct loop *l, struct loop_msg *m);
/* The loop's thread; nobody posts m any more.  It does not run, if it has not yet. */
void loop_unpost(struct loop *l, struct loop_msg *m);

#endif
