/*
 * A logical unit: who it is, its requests, and the block device that it offers
 * (blk.h).  One object, whatever happens to the nexus that leads to it.
 *
 * Identity is a machine (lu_fsm.def).  Only in SAME anything but questions is
 * sent.  After a login, and whenever something says that the unit may have
 * changed or was away, it asks: INQUIRY, VPD 00h, 80h, 83h.  A question that got
 * no good answer is no answer: the unit stays held and asks again, with growing
 * pauses.  OTHER fails I/O at once (EIO), the rest lets it wait.
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
#include "lu/lu_info.h"
#include "lu/path.h"

enum lu_state {
#define LU_STATE(id, text) LU_##id,
#include "lu/lu_fsm.def"
};

/* Called from the agenda, never from inside a call of the owner's. */
struct lu_ops {
	/* It went from one state to another; `why` says what is wrong with it, if anything is. */
	void (*moved)(void *user, struct lu *u, enum lu_state from, const struct fault *why);
	/* Its size, block size or flags are different: lu_blk() and lu_info() have the new ones. */
	void (*changed)(void *user, struct lu *u);
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
const struct lu_info *lu_info(const struct lu *u);
enum lu_state lu_state(const struct lu *u);
/* Why it gets no I/O now; not set: it does. */
const struct fault *lu_why(const struct lu *u);

/* ---- the owner of the path tells all its units; path's fields have changed before ---- */

/* A login is done: path.is_up, path.nexus is a new one. */
void lu_path_up(struct lu *u);
/*
 * The connection is gone; every command has come back before.  is_silent: it
 * was given up for silence, so no command of ours ended it.
 */
void lu_path_down(struct lu *u, bool is_silent);
/* path.is_given_up: what waits fails. */
void lu_path_given_up(struct lu *u);
/* path.dead_nexus has grown: what waited for it goes on. */
void lu_path_fenced(struct lu *u);

/* ---- what else the owner knows ---- */

/* It may be another unit now, or have changed; harmless while it asks anyway. */
void lu_doubt(struct lu *u);
/*
 * Its users had answers from another object in a life of the program before: what they wrote may
 * lie in the unit's cache, so a loss that is told from now on may be a loss of theirs.  Before
 * its first request.  is_loss_due: what loss() told last in that life.
 */
void lu_take_over(struct lu *u, bool is_loss_due);
/*
 * Sense data that the unit at this LUN gave to another command than its own, or by
 * an asynchronous event; any unit may be told, and only the one that is meant minds: true.
 */
bool lu_overheard(struct lu *u, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s);
/*
 * A scan has asked it just now.  Where that says what is known, and all of it, size and flags are
 * taken over; else the unit asks by itself, because a scan's answer may be older than
 * a doubt.  NULL: the target did not list it.
 */
void lu_learned(struct lu *u, const struct lu_info *info);
/* It asks by itself because of that, and has not come to an end: path_ops.learned() tells it. */
bool lu_is_learning(const struct lu *u);
/* Another unit at its place takes over its block device; nobody has that open. */
void lu_adopt(struct lu *u, const struct lu_info *info);
/*
 * No I/O from now on: what waits and what comes fails with err (-EIO, -ENXIO).
 * Commands that have left end as they end.
 */
void lu_close(struct lu *u, int err);
/* Commands under way, questions, requests waiting: none. */
bool lu_is_idle(const struct lu *u);

/* The path's next request may go: the pool has a slot, or a trial is over. */
void lu_go_on(struct lu *u);

struct lu_counts lu_counts(const struct lu *u);
const struct lu_latency *lu_latency(const struct lu *u);
/* Begin to count anew. */
void lu_clear_counts(struct lu *u);

/* For the list of a path's units; the owner's. */
struct list *lu_link(struct lu *u);
struct lu *lu_of_link(struct list *link);

#endif
