/*
 * What the parts of the fuse exporter know of each other:
 *
 *   fuse.c      the exporter: devices, receiving
 *   fuselife.c  its mount: made, watched, mended, taken away
 *   fusetake.c  a connection that another process had
 *   fusepark.c  requests for devices of that one that are not there yet
 *   fusestate.c what the next process has to know
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
#include "export/fusestate.h"
#include "export/mounter.h"

struct fusepool;

/* The life of a mount; jobs are the mounter's. */
enum fuse_life {
	FUSE_MOUNTING,   /* a job mounts a new connection, or finds the place of one taken over */
	FUSE_SHOWN,      /* requests flow */
	FUSE_AGAIN,      /* requests flow; a job mounts the same connection in its place again */
	FUSE_UNMOUNTING, /* the connection is dead; a job takes away what is left of the mount */
	FUSE_PAUSING,    /* mounting failed: a timer runs until the next try */
	FUSE_ENDED       /* unmounted for good: waits for the last busy op */
};

/* A device, or what remains of it until the kernel has forgotten it. */
struct fuse_node {
	struct align_disk disk; /* disk.dev NULL: removed, or awaited */
	char name[32];
	fuse_ino_t ino;
	uint64_t lookups; /* references the kernel holds */
	unsigned openers;
	bool is_sealed;   /* no more openers */
	bool is_awaited;  /* taken over; its device is not there yet, */
	bool is_overdue;  /* and nobody waits for it any more */
	bool is_loss_due; /* export_ops.loss() */
	unsigned ops;     /* requests under way */
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
	size_t resident;     /* so many from mem + FUSE_ROOM are for sure; a multiple of 4096 */
	unsigned record;     /* of what was received into it (fusestate.h) */
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
	bool has_init;             /* the connection's INIT was answered */
	struct agenda_timer again; /* MENDING failed: the next try */
	const struct export_events *events;
	void *user;
	struct timespec since; /* the times that files show */

	struct fusestate *state; /* of this connection; NULL: it is not kept */
	uint8_t *spill;          /* the pool's; NULL: nobody takes over what it receives */
	bool is_held;            /* its owner was told so, or gave it */
	int taken_fd;            /* -1: none: /dev/fuse, until the session has it */
	/* What libfuse said to the INIT that its predecessor received. */
	uint8_t init_answer[FUSESTATE_INIT_MAX] __attribute__((aligned(8)));
	size_t init_answer_bytes;

	unsigned awaited;             /* nodes */
	struct list parked, unparked; /* fusepark.c: that wait, and that go on */
	unsigned parked_count;        /* of both */
	struct agenda_work play;      /* those that go on are dealt with */

	struct fusepool *pool;
	struct list starved; /* in the pool's queue, waiting for an op */
	struct fuse_op *rx;  /* received into; taken by a handler that answers later */
	size_t rx_bytes;     /* not 0: there was no room for it to wait */
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
/* Why this one has no device now. */
int fuse_node_errno(const struct fuse_node *node);
/* A device that is not removed, by name. */
struct fuse_node *fuse_node_by_name(const struct export *ex, const char *name);
/* All of them, and their table. */
void fuse_nodes_free(struct export *ex);
/* The number of the request that is being dealt with, until it is taken. */
uint64_t fuse_unique(const struct export *ex);
/* Free the node if it is removed and nothing refers to it any more. */
void fuse_node_release(struct export *ex, struct fuse_node *node);

/* fuselife.c */
/* Its first mount, or the one taken over; the answer is events->started(). */
int fuselife_begin(struct export *ex);
/* The connection is dead, or has to be: another is made. */
void fuselife_lost(struct export *ex);
/* From stop(): unmount, tell, and free ex when every op is back. */
void fuselife_end(struct export *ex);
/* An op came back. */
void fuselife_op_back(struct export *ex);
/* fuse.c: requests are there. */
void fuse_ready(struct loop_fd *f, uint32_t events);
/* fuse.c: deal with what waited for a device. */
void fuse_play(struct agenda_work *w);
/* fuse.c: nothing is received any more. */
void fuse_stop_receiving(struct export *ex);

/* fusefs.c and fuseio.c: their rows of libfuse's table. */
void fusefs_fill(struct fuse_lowlevel_ops *ops);
void fuseio_fill(struct fuse_lowlevel_ops *ops);
/* Answer everything that is busy with this errno; the devices keep their requests. */
void fuseio_abandon(struct export *ex, int err);

/* fusetake.c */
/* Look at what was given, and have it in ex; the state, if it is there, is ex's also on failure. */
int fusetake_begin(struct export *ex, const struct export_held *held);
/* libfuse's session goes on with ex->taken_fd. */
int fusetake_connect(struct export *ex);
/* Have everything sent again that was not answered. */
int fusetake_resend(struct export *ex);
/* Does this kernel send again what was not answered? */
bool fusetake_can_resend(void);
/* True: the request was INIT, which libfuse knows already, and it was answered. */
bool fusetake_init_again(struct export *ex, const uint8_t *request, size_t bytes);

/* fusepark.c */
/* The awaited one of this name, or NULL. */
struct fuse_node *fusepark_awaited(const struct export *ex, const char *name);
enum fusepark { FUSEPARK_GO, FUSEPARK_WAITS, FUSEPARK_FULL };
/* May it go on, was it parked, or would it have to be? */
enum fusepark fusepark(struct export *ex, const uint8_t *request, size_t bytes, unsigned record);
/* One of those that go on; 0: there is none. */
size_t fusepark_take(struct export *ex, uint8_t *request, unsigned *ret_record);
/* See to those that go on: there may be an op for them. */
void fusepark_go_on(struct export *ex);
/* The node is awaited no more, and its requests go on. */
void fusepark_resolved(struct export *ex, struct fuse_node *node);
/* It is awaited still, but by nobody who has asked or asks. */
void fusepark_overdue(struct export *ex, struct fuse_node *node);
/* Answer all that wait with this errno. */
void fusepark_abandon(struct export *ex, int err);

/* fusepool.c */
/* May so much more wait outside of ops?  Then it is counted until it is given back. */
bool fusepool_park(struct fusepool *pool, size_t bytes);
void fusepool_unpark(struct fusepool *pool, size_t bytes);
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
/*
 * Memory of the thread for FUSE_RX_BYTES, all of it resident: what is received
 * beyond an op's resident bytes goes there first.  NULL: memory is short.
 */
uint8_t *fusepool_spill(struct fusepool *pool);
/* Have ex woken (its descriptor watched again) when there is an op for it. */
void fusepool_wait(struct export *ex);

#endif
