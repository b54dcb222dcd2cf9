/*
 * The registry has a thread of its own.  The main loop reads and changes a copy in
 * memory (registry/copy.h), so no disk keeps it waiting; the thread makes each
 * change in the file, those that came meanwhile together with one wait.
 *
 * Who promises something to somebody (an operation's answer) waits until it is
 * kept: keeper_wait().  What cannot be kept is not lost: it counts until the
 * driver ends, and is tried again; changes that an operation made before its
 * handler returned are taken back instead, and its answer says why.
 *
 * What waits is bounded: beyond LIMIT_KEEPER_BYTES changes are folded into one,
 * the whole copy, and beyond LIMIT_KEEPER_WAITS operations are refused.
 */
#ifndef ISCSI_KEEPER_H
#define ISCSI_KEEPER_H

#include "base/fault.h"
#include "driver/question.h"
#include "engine/loop.h"
#include "registry/copy.h"

struct keeper;

struct keeper_cfg {
	struct loop *loop;         /* of the copy's user */
	struct mail_address asker; /* where answers to questions of that loop go */
	/* Changes were taken back: what was made of them is to be made anew from the copy. */
	void (*undone)(void *user);
	void *user;
};

/*
 * `file` is the keeper's from now on, also where this fails.  NULL with *ret_fault.
 */
struct keeper *keeper_new(
    struct registry *file, const struct keeper_cfg *cfg, struct fault *ret_fault);
/* The copy, the keeper's. */
struct registry *keeper_copy(struct keeper *k);
/*
 * The loop has ended: what is left is written, and whoever waits is told.  The
 * copy can still be read; what is changed from here on is written by
 * keeper_free().  NULL is fine.
 */
void keeper_flush(struct keeper *k);
/* NULL is fine. */
void keeper_free(struct keeper *k);

/* What is changed between these two is taken back where it cannot be kept. */
void keeper_begin(struct keeper *k);
void keeper_end(struct keeper *k);

/* `why` NULL: all of it is kept. */
typedef void keeper_kept(void *user, const struct fault *why);
/* False: all that was changed is kept already, and nobody is called. */
bool keeper_wait(struct keeper *k, keeper_kept *kept, void *user);
/* More wait for the disk than make sense: *ret_fault says so. */
bool keeper_is_full(const struct keeper *k, struct fault *ret_fault);

struct keeper_state {
	bool is_kept;      /* all that is known is in the file */
	bool is_failing;   /* the last try failed: */
	struct fault last; /* why */
	uint64_t writes, failures, folded;
};
void keeper_state(const struct keeper *k, struct keeper_state *ret);

/* ---- its message, a row of mail.def ---- */

struct mail_keep {
	struct question base;
	struct registry *file;
	uint64_t upto;        /* every change up to this one is in it */
	struct list changes;  /* struct registry_change, to be made in the file */
	struct list undoable; /* parts of them that are known by themselves: not made */
	int err;              /* the answer; negative: */
	struct registry_error why;
};

#endif
