/*
 * Between the parts of a logical unit: lu.c (its state), lu_ask.c (who it is),
 * hold.c (where requests wait), hold_clock.c (how long), hold_trial.c (which of
 * them ends connections), lu_io.c (commands), lu_end.c (their ends), lu_loss.c
 * (what its cache lost), pool.c and ask.c; nobody else includes it.
 */
#ifndef LU_LU_IMPL_H
#define LU_LU_IMPL_H

#include "lu/ask.h"
#include "lu/lu.h"
#include "lu/pool.h"
#include "lu/shadow.h"

enum lu_event {
#define LU_EVENT(id, text) LU_EV_##id,
#include "lu/lu_fsm.def"
};

struct lu {
	struct blk_dev blk;
	unsigned block_shift; /* of blk.block_bytes */
	struct path *path;
	enum lu_state state;
	struct pool_share share;
	unsigned depth;      /* commands the unit gets at once: TASK SET FULL */
	unsigned credit;     /* good answers since depth last grew */
	uint64_t order;      /* of the next request */
	uint64_t good_us;    /* when it last proved that it works */
	uint64_t protect_us; /* when it last was asked whether it is write protected; 0: never */
	/* blk_req.link; a request is in one of them, or has a slot. */
	struct list queue;    /* may go, in order */
	struct list aside;    /* may not go now: a pause, a shadow */
	struct list finished; /* done() is due */
	struct agenda_work deliver;
	struct agenda_timer hold_timer; /* the next pause or deadline that ends, or earlier */
	bool is_flying;                 /* its suspect is with the path */
	uint64_t trial_until_us;        /* so long others wait for its trial */
	bool has_no_sync;               /* SYNCHRONIZE CACHE is not known, and no cache is */
	bool has_no_write_same;         /* the target refused it: zeros are written */
	uint64_t worked_nexus;          /* it has been told that this one works */

	/* What the unit's write cache may hold (lu_loss.c). */
	uint64_t acked;          /* writes answered */
	uint64_t clean;          /* so many of them are on stable storage */
	uint64_t dirty_since_us; /* since when there are others */
	bool is_heir;            /* some of them may have been answered in a life before */
	uint64_t losses;         /* how often it lost its cache, or told of an error afterwards */
	bool is_flush_bad;       /* the next flush fails, */
	bool is_loss_told;       /* or has, and its answer is on its way */

	struct shadow shadow;
	struct list link; /* the owner's */
	const struct lu_ops *ops;
	void *user;
	int close_err;
	enum lu_state told; /* ops->moved() was told this one */
	bool is_changed;    /* ops->changed() is due */
	struct agenda_work tell;
	unsigned strays; /* events without a row */

	/* Asking. */
	struct agenda_timer ask_timer;
	unsigned ask_n;   /* times that it was asked in this state */
	bool is_ask_due;  /* as soon as the last question is back */
	bool is_answered; /* this time it said that it is the same */
	bool is_learning; /* because of a scan, which waits for the end */
	bool is_alike_said;
	struct lu_info info;
	struct fault why;
	struct ask ask;

	struct lu_counts counts;
	struct lu_latency latency;
	/* Sentences: at most so many in so long. */
	uint64_t said_since_us;
	unsigned said, unsaid;
};

/* lu.c */
/* Move the state; `why` (or NULL) is what is wrong with it from now on. */
void lu_go(struct lu *u, enum lu_event e, const struct fault *why);
/* The connection is gone; harmless when that is known. */
void lu_down(struct lu *u);
void lu_say(struct lu *u, enum say_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, for what may come often. */
void lu_say_seldom(struct lu *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* lu_ask.c */
void lu_ask_init(struct lu *u);
/* Answers older than this moment do not count. */
void lu_ask_now(struct lu *u);
/* I/O came: a unit that is absent, or another one, is asked soon. */
void lu_ask_soon(struct lu *u);
/* Nothing is asked from now on. */
void lu_ask_stop(struct lu *u);
/* A command's answer says that the unit may be another one, or is away. */
void lu_ask_after(struct lu *u, const struct retry_verdict *v);

/* hold.c */
void hold_init(struct lu *u);
/* A request comes, or goes on: into its place. */
void hold_put(struct lu *u, struct blk_req *r);
/* It was not executed: again after the pause. */
void hold_bounce(struct lu *u, struct blk_req *r, uint64_t delay_us);
/* A new request: at once where nothing is in its way, else it waits. */
void hold_take(struct lu *u, struct blk_req *r);
/* Send what may be sent. */
void hold_pump(struct lu *u);
/* The unit gets nothing any more, for now: what waits is counted against the promise. */
void hold_stop(struct lu *u);
/* What stands aside without a reason any more goes back into the queue. */
void hold_review(struct lu *u);
/* All that waits fails. */
void hold_fail(struct lu *u, int err);
/* One request ends, at the end of this turn. */
void hold_finish(struct lu *u, struct blk_req *r, int err);
/* It is asserted after every move. */
void hold_check(const struct lu *u);

/* hold_trial.c */
enum { HOLD_STOOD_ALONE = 1, HOLD_STOOD_LONG }; /* blk_hold.stood */
/* Must it fly alone? */
bool hold_is_suspect(const struct blk_req *r);
/* Is a trial, or that of `head`, the unit's next, in the way of it?  Then hold_pump() follows. */
bool hold_trial_blocks(struct lu *u, const struct blk_req *head);
/* It is sent: a suspect's trial begins. */
void hold_trial_begin(struct lu *u, struct io *io, const struct blk_req *r);
/* Its suspect is back. */
void hold_trial_over(struct lu *u);
/* When it may fly alone, at the earliest; 0: it need not. */
uint64_t hold_trial_from_us(const struct lu *u, const struct blk_req *r);
/* The time is over that others wait for its trial, or that its suspect flies. */
void hold_trial_limit(struct lu *u);
/* A command of any unit is back. */
static inline void
hold_landed(struct path *p)
{
	if (p->on_trial != NULL && !p->on_trial->is_flying)
		hold_pump(p->on_trial);
}
/* The command is back without success: has it flown so long that it ends no connection? */
void hold_trial_learn(const struct path *p, const struct io *io);
/* Could it be what ends connections? */
static inline bool
hold_may_end(const struct blk_req *r)
{
	return r->hold.stood < HOLD_STOOD_LONG;
}

/* hold_clock.c */
/* From now on its time counts. */
void hold_clock(struct lu *u, struct blk_req *r);
bool hold_is_late(const struct lu *u, const struct blk_req *r);
/* It is late: it fails. */
void hold_expire(struct lu *u, struct blk_req *r);
/* The timer goes off at `at` or before. */
void hold_alarm(struct lu *u, uint64_t at);
void hold_expired(struct agenda_timer *t);
/* What is late fails. */
void hold_sweep(struct lu *u);
/* The connection that ended was this kind of. */
void hold_lost(struct lu *u, bool is_silent);
/* Take back commands that have not left: all, or only those that are late. */
void hold_withdraw(struct lu *u, bool only_late);

/* lu_io.c */
/* Take over what was learned: the block device may be another one. */
void lu_describe(struct lu *u, const struct lu_info *info);
/* Can it be answered without a command?  Then *ret_result is the answer. */
bool lu_io_trivial(const struct lu *u, const struct blk_req *r, int *ret_result);
/* Send the next command of r. */
void lu_io_send(struct lu *u, struct io *io, struct blk_req *r);
bool lu_io_must_sync(const struct lu *u);

/* lu_end.c */
/* A command is back. */
void lu_end(struct req *r);

/* A unit attention that says that units may be others. */
bool lu_is_doubt(const struct sense *s);
/* What `from` (NULL: a scan) met concerns all units of the path; s, or NULL, says what it was. */
void lu_notify(struct path *p, struct lu *from, const struct sense *s);

/* lu_loss.c */
/* A write was answered; a flush that was sent after `mark` of them was. */
void lu_loss_wrote(struct lu *u);
void lu_loss_flushed(struct lu *u, uint64_t mark, uint64_t sent_us);
/* A flush ends well: what does it answer? */
int lu_loss_flush_result(struct lu *u);
/* An answer has been given: a loss that it told of is known. */
void lu_loss_answered(struct lu *u);
void lu_loss_set(struct lu *u, bool is_due);
/* Sense data of any command of the unit. */
void lu_loss_sense(struct lu *u, const struct sense *s);

#endif
