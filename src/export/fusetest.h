/* For tests: a FUSE mount of memory devices, served by a worker of this process. */
#ifndef EXPORT_FUSETEST_H
#define EXPORT_FUSETEST_H

#include <pthread.h>

#include "engine/worker.h"
#include "export/export.h"
#include "export/guard.h"
#include "export/memdev.h"

#define FUSETEST_DEVS 4

struct CMUnitTest;

struct fusetest_dev {
	struct memdev *m;
	struct fusetest *t;
	unsigned long submitted[MEMDEV_OPS]; /* under t->lock */
};

/* An exporter whose events a test waits for; on any thread but the exporter's. */
struct fusetest_ex {
	struct export *ex;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_started, is_stopped; /* these under lock */
	int err;
	unsigned gone, back, back_new, let_go; /* back: also the new ones */
	struct loop *loop;                     /* not NULL: stopped when something is told */
};

struct fusetest {
	struct fusetest_ex x;
	struct worker *worker;
	struct export *ex;
	char base[64]; /* a directory of its own */
	char dir[80];  /* in it: the mount, named as a session's */
	struct fusetest_dev devs[FUSETEST_DEVS];
	unsigned dev_count;
	struct guard guard;
	pthread_mutex_t lock;
	pthread_cond_t submitted;
};

/* For what is not a struct fusetest: events for start(), with a fusetest_ex as their user. */
extern const struct export_events fusetest_events;
void fusetest_ex_init(struct fusetest_ex *x);
void fusetest_ex_fini(struct fusetest_ex *x);
/* Wait until it has started (its result), or stopped, or so much was told. */
int fusetest_await_start(struct fusetest_ex *x);
void fusetest_await_stop(struct fusetest_ex *x);
void fusetest_await_count(struct fusetest_ex *x, const unsigned *count, unsigned least);
/* Start, and stop, on the caller's own loop. */
int fusetest_start_on(struct loop *loop, const char *dir, struct fusetest_ex *x);
void fusetest_stop_on(struct fusetest_ex *x);

/* Why there can be no test here, or NULL. */
const char *fusetest_obstacle(void);
/* What main() returns: 77 where there can be no test. */
int fusetest_main(const char *name, const struct CMUnitTest *tests, size_t n);
/* Is there a mount at this path? */
bool fusetest_is_mounted(const char *path);
/* Mount at t->dir with t->worker; says why when it cannot. */
bool fusetest_try(struct fusetest *t);
/* Mount; asserts that it worked.  A test that takes longer than a minute is killed. */
void fusetest_start(struct fusetest *t);
struct memdev *fusetest_add(
    struct fusetest *t, const char *name, uint64_t size_bytes, uint32_t block_bytes);
/* Stop the exporter, if it still runs, and free all.  Held requests are failed. */
void fusetest_end(struct fusetest *t);
/* Run fn(arg) on the worker. */
void fusetest_call(struct fusetest *t, void (*fn)(void *arg), void *arg);
/* The exporter's own calls, on the worker. */
void fusetest_stop(struct fusetest *t);
int fusetest_remove(struct fusetest *t, struct memdev *m, bool force);
unsigned fusetest_openers(struct fusetest *t, struct memdev *m);
void fusetest_hold(struct fusetest *t, struct memdev *m);
void fusetest_release(struct fusetest *t, struct memdev *m);
/* Wait until the device was given so many requests of this kind. */
void fusetest_await(struct fusetest *t, struct memdev *m, enum blk_op op, unsigned long count);
/* dir/name; the answer is good until the next call on this thread. */
const char *fusetest_path(const struct fusetest *t, const char *name);
/* open(), asserted. */
int fusetest_open(const struct fusetest *t, const char *name, int flags);

#endif
