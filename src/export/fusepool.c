/*
 * Every op has memory for the largest request, for until it is received nobody
 * knows how large one is.  Address space costs nothing, and only what a
 * request touches becomes resident: an op that carries 4 KiB has three pages.
 * So what is limited is the number of ops, the bytes under way and the bytes
 * that idle ops keep.
 *
 * The pool belongs to the thread.  A mount whose session hangs keeps its ops
 * for minutes; so that its neighbours go on, each mount has a few for sure:
 * others leave these in the pool, and they exist from the start.
 */
#include <sys/epoll.h>
#include <sys/mman.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/fuseint.h"

/* A small request's pages: not worth a system call. */
#define KEEP_BYTES (64u << 10)

struct fusepool {
	struct mounter *mounter;
	unsigned mounts;
	struct list idle; /* the last used first: its memory is in the cache */
	unsigned idle_count, busy_count;
	unsigned
	    promised; /* idle ops that only those may take that have less than they have for sure */
	size_t idle_bytes, busy_bytes, parked_bytes;
	struct list starved;
	uint8_t *spill; /* made when it is needed first */
};

static _Thread_local struct fusepool *thread_pool;

static bool
make_op(struct fusepool *pool)
{
	struct fuse_op *op = calloc(1, sizeof *op);

	if (op == NULL)
		return false;
	op->mem = mmap(NULL, FUSE_MEM_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (op->mem == MAP_FAILED) {
		free(op);
		return false;
	}
	op->io = (struct align_io *)(void *)(op->mem + FUSE_IO_AT);
	/* A huge page would make all of it resident.  Where there are none, this fails and is not
	 * missed. */
	(void)madvise(op->mem, FUSE_MEM_BYTES, MADV_NOHUGEPAGE);
	list_push_front(&pool->idle, &op->link);
	pool->idle_count++;
	return true;
}

static void
free_ops(struct fusepool *pool, unsigned keep)
{
	while (pool->idle_count > keep) {
		struct fuse_op *op = LIST_ENTRY(pool->idle.prev, struct fuse_op, link);

		list_remove(&op->link);
		pool->idle_count--;
		pool->idle_bytes -= op->touched;
		munmap(op->mem, FUSE_MEM_BYTES);
		free(op);
	}
}

int
fusepool_join(struct fusepool **ret)
{
	struct fusepool *pool = thread_pool;
	int err;

	if (pool == NULL) {
		pool = calloc(1, sizeof *pool);
		err = pool != NULL ? mounter_new(&pool->mounter) : -ENOMEM;
		if (err < 0) {
			free(pool);
			return err;
		}
		list_init(&pool->idle);
		list_init(&pool->starved);
		thread_pool = pool;
	}
	pool->mounts++;
	pool->promised += LIMIT_FUSE_SURE_OPS;
	while (pool->idle_count < pool->promised) {
		if (!make_op(pool)) {
			fusepool_leave(pool);
			return -ENOMEM;
		}
	}
	*ret = pool;
	return 0;
}

struct mounter *
fusepool_mounter(const struct fusepool *pool)
{
	return pool->mounter;
}

void
fusepool_leave(struct fusepool *pool)
{
	assert(pool == thread_pool && pool->mounts > 0);
	pool->mounts--;
	pool->promised -= LIMIT_FUSE_SURE_OPS;
	if (pool->mounts > 0)
		return;
	assert(pool->busy_count == 0 && list_empty(&pool->starved));
	free_ops(pool, 0);
	free(pool->spill);
	mounter_free(pool->mounter);
	free(pool);
	thread_pool = NULL;
}

uint8_t *
fusepool_spill(struct fusepool *pool)
{
	if (pool->spill != NULL)
		return pool->spill;
	pool->spill = malloc(FUSE_RX_BYTES);
	if (pool->spill != NULL)
		memset(pool->spill, 1, FUSE_RX_BYTES); /* calloc() would map zeros */
	return pool->spill;
}

static bool
may_get(struct fusepool *pool, const struct export *ex)
{
	if (ex->held < LIMIT_FUSE_SURE_OPS)
		return true;
	return ex->held < LIMIT_FUSE_MOUNT_OPS && pool->busy_count < LIMIT_FUSE_OPS &&
	       pool->busy_bytes < LIMIT_FUSE_BUSY_BYTES &&
	       (pool->idle_count > pool->promised || make_op(pool));
}

struct fuse_op *
fusepool_get(struct export *ex)
{
	struct fusepool *pool = ex->pool;
	struct fuse_op *op;

	if (!may_get(pool, ex))
		return NULL;
	assert(!list_empty(&pool->idle));
	op = LIST_ENTRY(list_pop(&pool->idle), struct fuse_op, link);
	pool->idle_count--;
	pool->idle_bytes -= op->touched;
	pool->busy_count++;
	if (ex->held++ < LIMIT_FUSE_SURE_OPS)
		pool->promised--;
	op->ex = ex;
	op->carries = 0;
	return op;
}

void
fusepool_carry(struct fuse_op *op, size_t bytes)
{
	op->carries = bytes;
	op->ex->pool->busy_bytes += bytes;
	if (op->touched < bytes)
		op->touched = bytes;
}

static void
wake(struct fusepool *pool, struct export *ex)
{
	int err;

	if (list_empty(&ex->starved)) {
		if (list_empty(&pool->starved))
			return;
		ex = LIST_ENTRY(pool->starved.next, struct export, starved);
	}
	list_remove(&ex->starved);
	err = loop_rewatch(ex->loop, &ex->fd, EPOLLIN);
	assert(err == 0); /* it is a valid descriptor in a valid set */
	fusepark_go_on(ex);
}

bool
fusepool_park(struct fusepool *pool, size_t bytes)
{
	if (bytes > LIMIT_FUSE_PARKED_BYTES - pool->parked_bytes)
		return false;
	pool->parked_bytes += bytes;
	return true;
}

void
fusepool_unpark(struct fusepool *pool, size_t bytes)
{
	pool->parked_bytes -= bytes;
}

void
fusepool_put(struct fuse_op *op)
{
	struct export *ex = op->ex;
	struct fusepool *pool = ex->pool;

	pool->busy_count--;
	pool->busy_bytes -= op->carries;
	if (--ex->held < LIMIT_FUSE_SURE_OPS)
		pool->promised++;
	if (op->touched > KEEP_BYTES && pool->idle_bytes + op->touched > LIMIT_FUSE_IDLE_BYTES &&
	    madvise(op->mem, FUSE_MEM_BYTES, MADV_DONTNEED) == 0)
		op->touched = op->resident = 0;
	pool->idle_bytes += op->touched;
	pool->idle_count++;
	list_push_front(&pool->idle, &op->link);
	wake(pool, ex);
}

void
fusepool_wait(struct export *ex)
{
	int err = loop_rewatch(ex->loop, &ex->fd, 0);

	assert(err == 0);
	if (list_empty(&ex->starved))
		list_push_back(&ex->pool->starved, &ex->starved);
}
