/*
 * What the parts of the fuse exporter know of each other:
 *
 *   fuse.c      the exporter: devices, receiving
 *   fuselife.c  its mount: made, watched, mended, taken away
 *   fusefs.c    names, attributes, opening: answered at once
 *   fuseio.c    reads, writes, flushes: answered when the device did
 *   fusepool.c  requests with their memory, shared by a thread's mounts
 *   fusemnt.c   the directory: made, mounted, swept of what a dead process left
 */
#ifndef EXPORT_FUSEINT_H
#define EXPORT_FUSEINT_H

#define FUSE_USE_VERSION 312
#include <assert.h>
#include <fuse_lowlevel.h>

#include "base/limits.h"
#include "export/align.h"
#include "export/fuse.h"
#include "export/mounter.h"

struct fusepool;

/* The life of a mount; jobs are the mounter's. */
enum fuse_life {
	FUSE_MOUNTING,   /* a job mounts a new connection */
	FUSE_SHOWN,      /* requests flow */
	FUSE_AGAIN,      /* requests flow; a job mounts the same connection in its place again */
	FUSE_UNMOUNTING, /* the connection is dead; a job takes away what is left of the mount */
	FUSE_PAUSING,    /* mounting failed: a timer runs until the next try */
	FUSE_ENDED       /* unmounted for good: waits for the last busy op */
};

/* A device, or what remains of it until the kernel has forgotten it. */
struct fuse_node {
	struct align_disk disk; /* disk.dev NULL: removed */
	char name[32];
	fuse_ino_t ino;
	uint64_t lookups; /* references the kernel holds */
	unsigned openers;
	bool is_sealed; /* no more openers */
	unsigned ops;   /* requests under way */
};

/*
 * A request and the memory it uses.  Its data lies at mem + FUSE_ROOM (behind
 * the kernel's headers), with room for align.h around it.
 */
struct fuse_op {
	struct list link; /* the pool's, or among its export's busy ones */
	struct export *ex;
	struct fuse_node *node;
	fuse_req_t req;      /* NULL when answered */
	struct blk_req blk;  /* it passed; else */
	struct align_io *io; /* this, behind the data in mem: touched only where it is needed */
	uint8_t *mem;        /* FUSE_MEM_BYTES */
	size_t carries;      /* bytes of data, counted against the thread's limit */
	size_t touched;      /* bytes of mem that are resident, about */
};

/* The kernel's headers before the data of a WRITE fit in a page. */
#define FUSE_HEADER_BYTES 4096u
/* scratch: two blocks; then the rest of a first block before the data. */
#define FUSE_ROOM      (3 * ALIGN_BLOCK_MAX)
#define FUSE_RX_BYTES  (FUSE_HEADER_BYTES + LIMIT_FUSE_IO_BYTES)
#define FUSE_IO_AT     (FUSE_ROOM + FUSE_RX_BYTES + ALIGN_BLOCK_MAX)
#define FUSE_MEM_BYTES (FUSE_IO_AT + 4096u)
static_assert(sizeof(struct align_io) <= 4096, "it fits");

struct export
{
	struct loop *loop;
	struct loop_fd fd;       /* /dev/fuse */
	struct fuse_session *se; /* NULL: there is no connection */
	enum fuse_life life;
	char *dir;                /* as it was given; owned */
	struct mounter_job job;   /* under way in the states that say so */
	struct mounter_job watch; /* under way while is_watched */
	bool is_watched;
	bool is_stopping;          /* nothing is told any more but stopped() */
	bool was_shown;            /* started() was told */
	struct agenda_timer again; /* MENDING failed: the next try */
	const struct export_events *events;
	void *user;
	struct timespec since; /* the times that files show */

	struct fusepool *pool;
	struct list starved; /* in the pool's queue, waiting for an op */
	struct fuse_op *rx;  /* received into; taken by a handler that answers later */
	unsigned burst;      /* requests to expect in a turn */
	unsigned full_turns; /* that had so many */
	unsigned held;       /* ops it has: busy ones and rx */
	struct list busy;    /* ops not answered by their device */

	struct fuse_counts counts;

	struct fuse_node **nodes; /* by inode number - 2; owned; NULL: free place */
	unsigned node_slots;
};

/* fuse.c */
/* A device by inode number; NULL when there is none, or the kernel is wrong. */
struct fuse_node *fuse_node_by_ino(const struct export *ex, fuse_ino_t ino);
/* A device that is not removed, by name. */
struct fuse_node *fuse_node_by_name(const struct export *ex, const char *name);
/* Free the node if it is removed and nothing refers to it any more. */
void fuse_node_release(struct export *ex, struct fuse_node *node);

/* fuselife.c */
/* Its first mount; the answer is events->started(). */
int fuselife_begin(struct export *ex);
/* The connection is dead, or has to be: another is made. */
void fuselife_lost(struct export *ex);
/* From stop(): unmount, tell, and free ex when every op is back. */
void fuselife_end(struct export *ex);
/* An op came back. */
void fuselife_op_back(struct export *ex);
/* fuse.c: requests are there. */
void fuse_ready(struct loop_fd *f, uint32_t events);
/* fuse.c: nothing is received any more. */
void fuse_stop_receiving(struct export *ex);

/* fusefs.c and fuseio.c: their rows of libfuse's table. */
void fusefs_fill(struct fuse_lowlevel_ops *ops);
void fuseio_fill(struct fuse_lowlevel_ops *ops);
/* Answer everything that is busy with this errno; the devices keep their requests. */
void fuseio_abandon(struct export *ex, int err);

/* fusepool.c */
/* This thread's pool, made when it is the first, with ops for one more mount. */
int fusepool_join(struct fusepool **ret);
void fusepool_leave(struct fusepool *pool);
/* What mounts for this thread. */
struct mounter *fusepool_mounter(const struct fusepool *pool);
/* An op for ex, or NULL: the limit is reached. */
struct fuse_op *fusepool_get(struct export *ex);
/* Count what an op carries against the limits. */
void fusepool_carry(struct fuse_op *op, size_t bytes);
/* Give it back, and wake a mount that waits for one. */
void fusepool_put(struct fuse_op *op);
/* Have ex woken (its descriptor watched again) when there is an op for it. */
void fusepool_wait(struct export *ex);

#endif
