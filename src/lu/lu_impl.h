/*
 * Between the parts of a logical unit: lu.c (its state), lunpath.c (a path's), lunpath_ask.c (who
 * stands there), hold.c (where requests wait), hold_clock.c (how long), hold_trial.c (which of
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

struct lunpath {
	struct lu *lu;
	struct path *path;
	struct list link;              /* the path owner's */
	struct list mate;              /* lu.paths */
	uint8_t index;                 /* what the unit calls it: below LIMIT_UNIT_PATHS */
	uint32_t number;               /* the LUN, */
	uint8_t wire[LUNS_WIRE_BYTES]; /* in the form in which the target reported it */
	enum lu_state state;
	const struct fault *why; /* fault_kept() */

	struct pool_share share;
	unsigned depth;        /* commands that are taken at once: TASK SET FULL */
	unsigned credit;       /* good answers since depth last grew */
	uint64_t worked_nexus; /* the owner has been told that this one works */

	enum path_state told;      /* ops->path_moved() was told this one */
	struct alua alua;          /* what the port is to the unit */
	bool is_chosen;            /* preferred by the unit's rule */
	bool is_out;               /* a person took it out of use */
	bool must_prove;           /* it was lost, and is not back yet */
	uint64_t prove_until_us;   /* so long others are better; 0: it is as good as any */
	uint64_t spare_until_us;   /* so long others are better, because it was busy */
	uint64_t lost_us;          /* when it was lost last; 0: never */
	unsigned losses, flaps;    /* flaps: in short order */
	uint64_t average_us;       /* how long commands take, where there are others */
	uint64_t commands, errors; /* answered; that came back without having been executed */

	struct lunpath_set *set; /* its group is asked to become active, or NULL */

	bool is_flying;          /* its suspect is with the path */
	uint64_t trial_until_us; /* so long others wait for its trial */

	/* Asking. */
	struct agenda_timer ask_timer;
	unsigned ask_n;   /* times that it was asked in this state */
	bool is_check;    /* the next time, one question will do */
	uint64_t checked; /* commands when it was looked at last whether there are any */
	bool is_ask_due;  /* as soon as the last question is back */
	bool is_answered; /* this time it said that it is the same */
	uint64_t
	    claim_bytes;  /* it says that it is this large, and nobody else does; 0: it does not */
	bool is_learning; /* because of a scan, which waits for the end */
	bool is_alike_said;
	struct ask *ask;         /* while it is busy, or its command is out */
	struct agenda_work rest; /* after that */
	bool is_incomplete;      /* the last answer was */
};

struct lu {
	struct blk_dev blk;
	unsigned block_shift; /* of blk.block_bytes */
	struct agenda *agenda;
	struct list paths; /* lunpath.mate, the first one first */
	struct lu_rule rule;
	/* Those over which requests go now, n_group of them; the only one, or NULL. */
	struct lunpath *group[LIMIT_UNIT_PATHS], *only;
	unsigned n_group, turn;
	/* The path that the last requests took, so many in this turn. */
	struct lunpath *chosen;
	uint64_t chosen_us;
	unsigned chosen_n;
	struct lunpath *current; /* where most of them went last */
	unsigned failovers;
	uint64_t failover_us; /* the last one; 0: none */
	struct agenda_timer paths_timer, set_timer;
	uint64_t set_us;     /* when a port group was asked to become active last; 0: never */
	uint32_t indexes;    /* a bit for each lunpath.index that is taken */
	enum lu_state state; /* of its best path */
	bool is_closed;
	uint64_t order;      /* of the next request */
	uint64_t good_us;    /* when it last proved that it works */
	uint64_t protect_us; /* when it last was asked whether it is write protected; 0: never */
	/* blk_req.link; a request is in one of them, or has a slot. */
	struct list queue;    /* may go, in order */
	struct list aside;    /* may not go now: a pause, a shadow, a loss that is being told */
	struct list withheld; /* executed; their answers wait for a nexus to be dead */
	struct list finished; /* done() is due */
	struct agenda_work deliver;
	struct agenda_timer hold_timer; /* the next pause or deadline that ends, or earlier */
	bool is_pumping;                /* hold_pump() is at work */
	bool has_no_sync;               /* SYNCHRONIZE CACHE is not known, and no cache is */
	bool has_no_write_same;         /* the target refused it: zeros are written */

	/* What the unit's write cache may hold (lu_loss.c). */
	/* What info says of its size, and of its cache, nothing came after: it is the unit's. */
	bool is_size_sure, is_mode_sure;

	uint64_t acked;          /* writes answered */
	uint64_t clean;          /* so many of them are on stable storage */
	uint64_t dirty_since_us; /* since when there are others */
	bool is_heir;            /* some of them may have been answered in a life before */
	uint64_t losses;         /* how often it lost its cache, or told of an error afterwards */
	bool is_flush_bad;       /* the next flush fails, */
	bool is_loss_told;       /* or has, and its answer is on its way */

	struct shadow shadow;
	struct list passes; /* pass.link: commands that others wrote */
	const struct lu_ops *ops;
	void *user;
	int close_err;
	enum lu_state told; /* ops->moved() was told this one */
	bool is_changed;    /* ops->changed() is due */
	struct agenda_work tell;
	unsigned strays;     /* events without a row */
	struct lu_kept info; /* number and wire are its first path's */

	struct lu_counts counts;
	struct lu_latency *latency; /* since its first I/O, where there was memory for it */
	/* Sentences: at most so many in so long. */
	uint64_t said_since_us;
	unsigned said, unsaid;
};

/* The next path behind lp (NULL: the first one), or NULL. */
static inline struct lunpath *
lu_path_after(const struct lu *u, const struct lunpath *lp)
{
	struct list *node = lp != NULL ? lp->mate.next : u->paths.next;

	return node != &u->paths ? LIST_ENTRY(node, struct lunpath, mate) : NULL;
}
#define LU_EACH_PATH(u, lp) \
	for (struct lunpath *lp = lu_path_after(u, NULL); lp != NULL; lp = lu_path_after(u, lp))

/* Its unit has other paths, too. */
static inline bool
lunpath_has_mate(const struct lunpath *lp)
{
	return lu_path_after(lp->lu, lu_path_after(lp->lu, NULL)) != NULL;
}

/* lu.c */
/* So it is called from now on.  False: there is no memory, and it is called as before. */
bool lu_name(struct lu *u, const struct identity *id);
void lu_say(struct lu *u, enum say_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, for what may come often. */
void lu_say_seldom(struct lu *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A path has another state than before: what is so for the unit. */
void lu_settle(struct lu *u);
/* So long I/O waits: the longest promise of its paths. */
uint64_t lu_promise_us(const struct lu *u);
/* Has it a nexus?  Were all of them away for longer than is promised? */
bool lu_is_up(const struct lu *u);
bool lu_is_given_up(const struct lu *u);

/* lu_paths.c */
/* The grades of the paths anew. */
void lu_paths_settle(struct lu *u);
void lu_paths_expired(struct agenda_timer *t);
enum path_policy lu_policy(const struct lu *u);
bool lunpath_is_preferred(const struct lunpath *lp);
/* The path over which the next request goes, or NULL: none is good for it now. */
struct lunpath *lu_choose(struct lu *u);
/* Does any path serve? */
static inline bool
lu_is_ready(const struct lu *u)
{
	return u->n_group > 0;
}
/* Its connection is gone; it is the unit's way again. */
void lunpath_was_lost(struct lunpath *lp);
void lunpath_is_back(struct lunpath *lp);
/* A command over it was not answered in time: others are better for a while. */
void lunpath_was_late(struct lunpath *lp);
/* It sent a command back for now.  True: that may go over another one at once. */
bool lunpath_spare(struct lunpath *lp);

/* lunpath.c */
/* NULL: no memory. */
struct lunpath *lunpath_new(struct lu *u, struct path *path, const struct lu_info *info);
void lunpath_free(struct lunpath *lp);
/* Move the state; `why` (or NULL) is what is wrong with it from now on. */
void lunpath_go(struct lunpath *lp, enum lu_event e, const struct fault *why);
/* The connection is gone; harmless when that is known. */
void lunpath_lost(struct lunpath *lp);
void lunpath_say(struct lunpath *lp, enum say_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void lunpath_say_seldom(struct lunpath *lp, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Was that learned under its nexus of now, completely, and nothing cast a doubt since? */
bool lunpath_is_of_now(const struct lunpath *lp, const struct lu_info *info);
/* Requests may go over it, and one more now. */
static inline bool
lunpath_serves(const struct lunpath *lp)
{
	return lp->state == LU_SAME && !lp->is_out && alua_serves(lp->alua.state);
}
static inline bool
lunpath_has_room(const struct lunpath *lp)
{
	return lp->path->is_up && lp->share.busy < lp->depth;
}
/* What the port is to the unit, as it says itself; as a command met it. */
void lunpath_take_alua(struct lunpath *lp, const struct alua *alua);
void lunpath_met(struct lunpath *lp, uint8_t state);

/* lunpath_set.c */
/* Requests wait, and no path serves: an explicit change of a port group may help. */
void lu_set_wanted(struct lu *u);
void lu_set_expired(struct agenda_timer *t);

/* lunpath_ask.c */
void lunpath_ask_init(struct lunpath *lp);
/* lunpath_size.c, of the answer that is there: it says another size than a path over which I/O
 * goes; then it is not used until they agree, and that one is asked.  Or it says what is known, and
 * those that said so before are right. */
bool lunpath_size_is_denied(const struct lunpath *lp);
void lunpath_size_disagrees(struct lunpath *lp);
void lunpath_size_agrees(struct lunpath *lp);
/* Questions to it are under way; a command of theirs is with the path. */
bool lunpath_is_asked(const struct lunpath *lp);
bool lunpath_is_ask_out(const struct lunpath *lp);
/* Answers older than this moment do not count. */
void lunpath_ask_now(struct lunpath *lp);
/* I/O came: a unit that is absent, or another one, is asked soon. */
void lunpath_ask_soon(struct lunpath *lp);
/* Where the unit has several paths: look after this one when nothing goes over it. */
void lunpath_check_later(struct lunpath *lp);
/* It is asked within that, where it is asked at all. */
void lunpath_ask_within(struct lunpath *lp, uint64_t us);
/* Nothing is asked from now on. */
void lunpath_ask_stop(struct lunpath *lp);
/* A command's answer says that the unit may be another one, or is away. */
void lunpath_ask_after(struct lunpath *lp, const struct retry_verdict *v);
/* The unit has become another one, by lu_adopt(). */
void lunpath_adopted(struct lunpath *lp, bool is_of_now);

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
/*
 * Nothing goes over this path any more, for now; where no other is left, what waits is counted
 * against the promise.
 */
void hold_stop(struct lunpath *lp);
/* Where the unit's state is one in which nothing waits, all fails. */
void hold_settle(struct lu *u);
/* What stands aside without a reason any more goes back into the queue. */
void hold_review(struct lu *u);
/* Must the answer wait, because something of it may be executed late?  Then it does; where the unit
 * is closed it is another one. */
bool hold_withhold(struct lu *u, struct blk_req *r, int *result);
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
bool hold_trial_blocks(struct lunpath *lp, const struct blk_req *head);
/* It is sent: a suspect's trial begins. */
void hold_trial_begin(struct lunpath *lp, struct io *io, const struct blk_req *r);
/* Its suspect is back. */
void hold_trial_over(struct lunpath *lp);
/* When it may fly alone, at the earliest; 0: it need not. */
uint64_t hold_trial_from_us(const struct lu *u, const struct blk_req *r);
/* The time is over that others wait for its trial, or that its suspect flies. */
void hold_trial_limit(struct lunpath *lp);
/* A command of any unit is back. */
static inline void
hold_landed(struct path *p)
{
	if (p->on_trial != NULL && !p->on_trial->is_flying)
		hold_pump(p->on_trial->lu);
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
/* The path's connection ended, in this way. */
void hold_lost(struct lunpath *lp, bool is_silent);
/* Take back commands that have not left: all, or only those that are late. */
void hold_withdraw(struct lunpath *lp, bool only_late);

/* lu_io.c */
/* Take over what was learned, but for names: the block device may be another one. */
void lu_describe(struct lu *u, const struct lu_info *info);
/* Can it be answered without a command?  Then *ret_result is the answer. */
bool lu_io_trivial(const struct lu *u, const struct blk_req *r, int *ret_result);
/* Send the next command of r over this path. */
void lu_io_send(struct lunpath *lp, struct io *io, struct blk_req *r);
bool lu_io_must_sync(const struct lu *u);

/* lu_end.c */
/* A command is back. */
void lu_end(struct req *r);

/* A unit attention that says that units may be others. */
bool lu_is_doubt(const struct sense *s);
/* What `from` (NULL: a scan) met concerns all units of the path; s, or NULL, says what it was. */
void lu_notify(struct path *p, struct lunpath *from, const struct sense *s);

/* lu_loss.c */
/* A write is answered whose data may lie in the cache. */
void lu_loss_wrote(struct lu *u);
/* A request is answered like this. */
void lu_loss_answer(struct lu *u, const struct blk_req *r, int result);
/* A flush was that was sent after `mark` writes were. */
void lu_loss_flushed(struct lu *u, uint64_t mark, uint64_t sent_us);
/* The cache was lost since the first command of this write was sent, and not answered: it is
 * written again. */
bool lu_loss_has_hit(const struct lu *u, const struct blk_req *r);
/* A flush ends well: what does it answer? */
int lu_loss_flush_result(struct lu *u);
/* An answer has been given: a loss that it told of is known. */
void lu_loss_answered(struct lu *u);
void lu_loss_set(struct lu *u, bool is_due);
/* Sense data of any command of the unit. */
void lu_loss_sense(struct lu *u, const struct sense *s);
/* retry_judge() of a command of the unit that is back; what it says of the cache has been heard. */
struct retry_verdict lu_loss_judge(struct lu *u, const struct req *r, unsigned tries);

#endif
