/*
 * A logical unit: who it is, its requests, and the block device that it offers
 * (blk.h).  One object, however many paths (lunpath.h) lead to it, whatever happens to them.
 *
 * Who stands at the end of a path is a machine (lu_fsm.def).  Only over one in SAME anything but
 * questions is sent.  After a login, and whenever something says that the unit may have
 * changed or was away, it is asked: INQUIRY, VPD 00h, 80h, 83h.  A question that got
 * no good answer is no answer: nothing is sent over the path, and it is asked again, with growing
 * pauses.  The unit's state is that of its best path; OTHER fails I/O at once (EIO), the rest lets
 * it wait.
 *
 * Requests wait here, in order, each with its tries and its deadline: from the
 * moment when it first could not go on, it waits path.replacement_us at the
 * longest, unless its turn in a queue that moves comes later.  Waiting is not failing: BUSY, TASK
 * SET FULL, not ready, transition, aborted, late, lost commands and absent units are waited for
 * within that; what is permanent fails at once.  A command that was in flight when a connection was
 * ended (not: fell silent) five times fails alone.
 *
 * Success is never reported for data that the target has not acknowledged: a
 * read gives all its bytes or fails, a flush is a SYNCHRONIZE CACHE unless the write
 * cache is known to be off, FUA is the command's bit or a SYNCHRONIZE CACHE behind
 * it.  A write whose fate is unknown casts a shadow (shadow.h): what is newer
 * for the same blocks waits until the old nexus is dead.
 *
 * Nothing is allocated for a request.  On the path's thread.
 */
#ifndef LU_LU_H
#define LU_LU_H

#include "base/hist.h"
#include "lu/blk.h"
#include "lu/lunpath.h"

/* Called from the agenda, never from inside a call of the owner's. */
struct lu_ops {
	/* It went from one state to another; `why` says what is wrong with it, if anything is. */
	void (*moved)(void *user, struct lu *u, enum lu_state from, const struct fault *why);
	/* Its size, block size or flags are different: lu_blk() and lu_info() have the new ones. */
	void (*changed)(void *user, struct lu *u);
	/*
	 * A path to it is something else for people, of several: `from` as it was told last.  Not
	 * of one that is only being checked.  May be NULL.
	 */
	void (*path_moved)(void *user, struct lu *u, struct lunpath *lp, enum path_state from);
	/*
	 * What was answered may be lost and no flush has said so: who takes over has to know
	 * (is_due), or need not any more.  At once, also from inside a call of the owner's: it may
	 * only note it.
	 */
	void (*loss)(void *user, struct lu *u, bool is_due);
};

struct lu_counts {
	uint64_t reads, writes, flushes, discards, zeroes, bytes_read, bytes_written, errors,
	    retries;
	uint64_t failed_offline; /* the guide: I/Os that failed due to the session being offline */
};

/* How long requests took, in microseconds. */
struct lu_latency {
	struct hist reads, writes;
};

/*
 * `info` is copied: LU_SOMEBODY, is_disk and is_sized; it is the unit that the
 * block device stands for from now on.  Where it was learned under the nexus of
 * now, completely, and nothing cast a doubt since (path.doubts), the unit begins in SAME, else it
 * asks first.
 * While an older nexus may live (path.dead_nexus) its writes wait: another object may have stood
 * for the unit, and what that had sent may still be executed. `name` as in blk_dev.  NULL when
 * memory is short.
 */
struct lu *lu_new(struct path *path, const struct lu_info *info, const char *name,
    const struct lu_ops *ops, void *user);
/*
 * Nothing may be under way: lu_close(), then wait for lu_is_idle(); never from inside a
 * request's done().  NULL is fine.
 */
void lu_free(struct lu *u);

struct blk_dev *lu_blk(struct lu *u);
const struct lu_kept *lu_info(const struct lu *u);
enum lu_state lu_state(const struct lu *u);
/* Why it gets no I/O now; not set: it does. */
const struct fault *lu_why(const struct lu *u);

/* Its first path: the one that it was made with, or the oldest that is left. */
struct lunpath *lu_first_path(struct lu *u);
/* It has fewer than LIMIT_UNIT_PATHS. */
bool lu_has_room(const struct lu *u);
/* What is said of its size over another path, if anything is, may be so. */
bool lu_fits(const struct lu *u, const struct lu_info *info);
/*
 * Another path to it, where it has room, of the same agenda: `info` (copied: LU_SOMEBODY) says
 * where the unit stands there.  What names it must be the same (identity_compare()); the path is
 * asked itself before anything is sent over it, unless that was learned just now, as with lu_new().
 * NULL: no memory.
 */
struct lunpath *lu_join(struct lu *u, struct path *path, const struct lu_info *info);
/*
 * A path that is not its last one goes: no command is under way over it (lunpath_stop(), then
 * lunpath_is_idle()).  What was sent over it and never answered may be executed until dead_us
 * (the agenda's clock; 0: its nexuses are dead): so long what overlaps waits.
 */
void lu_leave(struct lu *u, struct lunpath *lp, uint64_t dead_us);

/*
 * Its users had answers from another object in a life of the program before: what they wrote may
 * lie in the unit's cache, so a loss that is told from now on may be a loss of theirs.  Before
 * its first request.  is_loss_due: what loss() told last in that life.
 */
void lu_take_over(struct lu *u, bool is_loss_due);
/* What is said of this unit counts before what is said of its paths (path.h). */
struct lu_rule {
	bool has_policy, has_failback;
	enum path_policy policy;
	uint64_t failback_us; /* UINT64_MAX: for ever */
	bool has_preferred;   /* lunpath_prefer() said which paths are; else path.is_preferred */
};
void lu_rule(struct lu *u, const struct lu_rule *rule);
/* How its paths are used. */
struct lu_paths_view {
	unsigned n, serving; /* how many there are; over which I/O could go */
	enum path_policy policy;
	bool is_policy_own; /* by lu_rule() */
	unsigned failovers;
	uint64_t failover_us; /* so long ago was the last one; 0: there was none */
};
struct lu_paths_view lu_paths_view(const struct lu *u);
/*
 * Another unit at its place takes over its block device; nobody has that open.  False: there is no
 * memory, and it is the unit that it was.
 */
bool lu_adopt(struct lu *u, const struct lu_info *info);
/*
 * No I/O from now on: what waits and what comes fails with err (-EIO, -ENXIO).
 * Commands that have left end as they end.
 */
void lu_close(struct lu *u, int err);
/* Commands under way, questions, requests waiting: none. */
bool lu_is_idle(const struct lu *u);

struct lu_counts lu_counts(const struct lu *u);
const struct lu_latency *lu_latency(const struct lu *u);
/* Begin to count anew. */
void lu_clear_counts(struct lu *u);

#endif
