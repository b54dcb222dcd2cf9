/* For tests: a FUSE mount of memory devices, served by a worker of this process. */
#ifndef EXPORT_FUSETEST_H
#define EXPORT_FUSETEST_H

#include <pthread.h>

#include "engine/worker.h"
#include "export/export.h"
#include "export/guard.h"
#include "export/memdev.h"

#define FUSETEST_DEVS 4

struct fusetest_dev {
	struct memdev *m;
	struct fusetest *t;
	unsigned long submitted[MEMDEV_OPS]; /* under t->lock */
};

struct fusetest {
	struct worker *worker;
	struct export *ex;
	char base[64]; /* a directory of its own */
	char dir[80];  /* in it: the mount */
	struct fusetest_dev devs[FUSETEST_DEVS];
	unsigned dev_count;
	struct guard guard;
	pthread_mutex_t lock;
	pthread_cond_t submitted;
};

/* Why there can be no test here, or NULL. */
const char *fusetest_obstacle(void);
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
