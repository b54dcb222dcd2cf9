/*
 * A path to a logical unit (an I_T_L nexus; HP-UX calls it a lunpath): one I_T
 * nexus (path.h), and the LUN at which the unit stands behind it.  A unit has
 * one or several, all on one agenda's thread.
 *
 * Who stands there is a machine for each of them (lu_fsm.def): only over one in
 * SAME anything but questions is sent.  The owner of the nexus tells it what
 * happens; all calls are harmless for one whose unit is closed.
 */
#ifndef LU_LUNPATH_H
#define LU_LUNPATH_H

#include "lu/lu_info.h"
#include "lu/path.h"

enum lu_state {
#define LU_STATE(id, text) LU_##id,
#include "lu/lu_fsm.def"
};

struct lunpath;

struct lu *lunpath_lu(struct lunpath *lp);
enum lu_state lunpath_state(const struct lunpath *lp);
uint32_t lunpath_number(const struct lunpath *lp);
/* The same as the target reported it: LUNS_WIRE_BYTES. */
const uint8_t *lunpath_wire(const struct lunpath *lp);

/* As people see it. */
enum path_state {
#define PATH_STATE(id, word, text) PATH_##id,
#include "lu/path_state.def"
};
const char *path_state_word(enum path_state s);
/* Does I/O go over one in this state? */
bool path_state_serves(enum path_state s);
enum path_state lunpath_shown(const struct lunpath *lp);

/* What people may want to know of it; a copy, it may go to another thread. */
struct lunpath_view {
	uint32_t number; /* the LUN */
	enum path_state state;
	bool is_used;      /* I/O goes over it now */
	bool is_preferred; /* PathPreferred */
	struct alua alua;
	uint64_t commands, errors; /* answered; answered otherwise than with success, or lost */
	unsigned busy;             /* under way */
	uint64_t average_us;       /* of late; measured where there are several */
	unsigned losses;
	uint64_t aside_us; /* so long it has to prove itself yet; UINT64_MAX: until it is told to */
	struct fault why;  /* what is wrong with it, if anything is */
};
void lunpath_view(const struct lunpath *lp, struct lunpath_view *ret_view);

/* A person takes it out of use, and puts it back, at once and whatever happened before. */
void lunpath_fail(struct lunpath *lp);
void lunpath_restore(struct lunpath *lp);
/* Said of this path to this unit: it is preferred, or not; until lu_rule(). */
void lunpath_prefer(struct lunpath *lp, bool is_preferred);
/* Does another path of its unit serve, or does this one not? */
bool lunpath_is_spare(const struct lunpath *lp);
/* path's policy, preference or failback are others now. */
void lunpath_limits(struct lunpath *lp);

/* ---- the owner of the path tells all that lead over it; path's fields have changed before ---- */

/* A login is done: path.is_up, path.nexus is a new one. */
void lunpath_up(struct lunpath *lp);
/*
 * The connection is gone; every command has come back before.  is_silent: it
 * was given up for silence, so no command of ours ended it.
 */
void lunpath_down(struct lunpath *lp, bool is_silent);
/* path.is_given_up: where that is so for all paths of the unit, what waits fails. */
void lunpath_given_up(struct lunpath *lp);
/* path.dead_nexus has grown: what waited for it goes on. */
void lunpath_fenced(struct lunpath *lp);

/* ---- what else the owner knows ---- */

/* Another unit may stand there now, or it has changed; harmless while it is asked anyway. */
void lunpath_doubt(struct lunpath *lp);
/*
 * Sense data that the unit at this LUN gave to another command than its own, or by
 * an asynchronous event; any may be told, and only the one that is meant minds: true.
 */
bool lunpath_overheard(
    struct lunpath *lp, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s);
/*
 * The same, of what was heard at at_us, before this path was one to the unit: only writes that were
 * answered before that, or in a life before, may be meant.
 */
void lunpath_told(
    struct lunpath *lp, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s, uint64_t at_us);
/*
 * A scan has asked it just now.  Where that says what is known, and all of it, size and flags are
 * taken over; else it is asked again, because a scan's answer may be older than
 * a doubt.  NULL: the target did not list it.
 */
void lunpath_learned(struct lunpath *lp, const struct lu_info *info);
/* It is asked because of that, and there is no end yet: path_ops.learned() tells it. */
bool lunpath_is_learning(const struct lunpath *lp);
/* Nothing is sent over it any more, and nobody is asked. */
void lunpath_stop(struct lunpath *lp);
/* No command of it is under way. */
bool lunpath_is_idle(const struct lunpath *lp);
/* The path's next request may go: the pool has a slot, or a trial is over. */
void lunpath_go_on(struct lunpath *lp);

/* For the list of those that lead over a path; the owner's. */
struct list *lunpath_link(struct lunpath *lp);
struct lunpath *lunpath_of_link(struct list *link);

#endif
