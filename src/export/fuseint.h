/*
 * What the parts of the fuse exporter know of each other:
 *
 *   fuse.c      the exporter: mount, devices, receiving
 *   fusefs.c    names, attributes, opening: answered at once
 *   fuseio.c    reads, writes, flushes: answered when the device did
 *   fusepool.c  requests with their memory, shared by a thread's mounts
 *   fusemnt.c   the directory: made, mounted, swept of what a dead process left
 */
#ifndef EXPORT_FUSEINT_H
#define EXPORT_FUSEINT_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "base/limits.h"
#include "export/align.h"
#include "export/fuse.h"

struct fusepool;

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
	fuse_req_t req; /* NULL when answered */
	struct align_io io;
	uint8_t *mem;   /* FUSE_MEM_BYTES */
	size_t carries; /* bytes of data, counted against the thread's limit */
	size_t touched; /* bytes of mem that are resident, about */
};

/* The kernel's headers before the data of a WRITE fit in a page. */
#define FUSE_HEADER_BYTES 4096u
/* scratch: two blocks; then the rest of a first block before the data. */
#define FUSE_ROOM      (3 * ALIGN_BLOCK_MAX)
#define FUSE_RX_BYTES  (FUSE_HEADER_BYTES + LIMIT_FUSE_IO_BYTES)
#define FUSE_MEM_BYTES (FUSE_ROOM + FUSE_RX_BYTES + ALIGN_BLOCK_MAX)

struct export
{
	struct loop *loop;
	struct loop_fd fd;       /* /dev/fuse */
	struct fuse_session *se; /* NULL when stopped; then it waits for the last busy op */
	char *dir;               /* owned */
	bool made_dir;
	bool is_gone;          /* unmounted by somebody else */
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
/* Stopped, and every op is back. */
void fuse_end(struct export *ex);

/* fusefs.c and fuseio.c: their rows of libfuse's table. */
void fusefs_fill(struct fuse_lowlevel_ops *ops);
void fuseio_fill(struct fuse_lowlevel_ops *ops);
/* Answer everything that is busy with this errno; the devices keep their requests. */
void fuseio_abandon(struct export *ex, int err);

/* fusepool.c */
/* This thread's pool, made when it is the first, with ops for one more mount.  NULL: no memory. */
struct fusepool *fusepool_join(void);
void fusepool_leave(struct fusepool *pool);
/* An op for ex, or NULL: the limit is reached. */
struct fuse_op *fusepool_get(struct export *ex);
/* Count what an op carries against the limits. */
void fusepool_carry(struct fuse_op *op, size_t bytes);
/* Give it back, and wake a mount that waits for one. */
void fusepool_put(struct fuse_op *op);
/* Have ex woken (its descriptor watched again) when there is an op for it. */
void fusepool_wait(struct export *ex);

#endif
