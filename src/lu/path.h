/*
 * One I_T nexus as a logical unit sees it: where its commands go, and what is
 * promised about them.  The owner of the nexus (ini/session.c; a fake in tests)
 * fills it; a unit only reads it and calls the operations.  A unit's way over it is a lunpath
 * (lunpath.h).  On one agenda's thread.
 */
#ifndef LU_PATH_H
#define LU_PATH_H

#include <assert.h>

#include "base/agenda.h"
#include "base/say.h"
#include "core/req.h"
#include "scsi/luns.h"
#include "scsi/sense.h"

struct lunpath;
struct path;
struct pool;

/* What a unit learned that concerns others. */
enum path_notice {
	PATH_UNITS_CHANGED, /* any unit of the target may be another one now: all ask who they are
			     */
	PATH_LUNS_CHANGED,  /* 3F/0E: the target has other LUNs than before */
};

struct path_ops {
	/* Hand a command to the nexus, in any state; r->done(r) follows, never from inside. */
	void (*submit)(struct path *p, struct req *r);
	/* Take back a command that has not left: r->done(r) follows with REQ_UNSENT.  False: it
	 * has. */
	bool (*withdraw)(struct path *p, struct req *r);
	/*
	 * `from` learned it and has taken care of itself; NULL: a scan did.  For
	 * PATH_UNITS_CHANGED the others get lunpath_doubt() before it returns.
	 */
	void (*notice)(struct path *p, struct lunpath *from, enum path_notice what);
	/*
	 * Sense data of the unit at this LUN came to somebody else, a scan: the target says it
	 * once.  They get lunpath_overheard() before it returns.
	 */
	void (*overheard)(
	    struct path *p, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s);
	/* A unit was asked because of a scan: lunpath_is_learning() is not so any more. */
	void (*learned)(struct path *p);
	/* A command was answered with success: the nexus does work. */
	void (*worked)(struct path *p);
	/* A request came while there is no nexus: it wants one.  From anywhere; may be NULL. */
	void (*wanted)(struct path *p);
	/* A sentence for the log. */
	void (*say)(struct path *p, enum say_level level, const char *sentence);
	/* I/O of this disk failed; NULL: it is said. */
	void (*io_failed)(struct path *p, const char *disk, const char *sentence);
};

/* How a unit's requests are spread over its paths. */
enum path_policy {
#define PATH_POLICY(id, word, text) PATH_POLICY_##id,
#include "lu/path_policy.def"
};
const char *path_policy_word(enum path_policy p);

struct path {
	const struct path_ops *ops;
	struct agenda *agenda;
	struct pool *pool; /* of requests; made by the owner, shared by the path's units */

	/* The promise, and the limits; the owner's to change at any time. */
	uint64_t replacement_us; /* ReplacementTimeout: so long I/O waits; UINT64_MAX: for ever */
	uint32_t command_ms;     /* CommandTimeout */
	/*
	 * The unit says that it lost power or was reset inside (29/01, 29/04) while
	 * its write cache was on: the next flush fails, once; else it is only said.
	 */
	bool volatile_loss_fails;
	/* A write is answered only when nothing of it can be executed late any more. */
	bool is_strict;
	/* Where a unit has several paths; the first path's policy counts. */
	enum path_policy policy;
	bool is_preferred;
	bool may_set_groups;  /* SET TARGET PORT GROUPS, where no path serves */
	uint64_t failback_us; /* it proves itself for so long after a loss; UINT64_MAX: for ever */

	/* The nexus now. */
	bool is_up;       /* full feature phase: commands may be sent */
	bool is_given_up; /* it was away for longer than the promise: I/O fails at once */
	/*
	 * Logins are counted.  A command that was sent under one of them and not
	 * answered may still be executed by the target, until that nexus is dead:
	 * all up to dead_nexus are (reinstated, logged out, or their time is over).
	 */
	uint64_t nexus, dead_nexus;
	/*
	 * How often something said that any unit may be another one: what was asked
	 * before that is old.  Where that is said again and again, units are held but
	 * do not ask before this moment.
	 */
	uint64_t doubts, quiet_until_us;

	/*
	 * Commands that were in flight at several losses are suspects: one of them
	 * flies alone, so that it is known who ended the connection.  Alone, but for what
	 * has flown for a while already: that would have ended it.
	 */
	unsigned in_flight; /* commands, questions too, that were submitted and are not back */
	unsigned questions; /* of them; the last was submitted then: */
	uint64_t asked_us;
	struct lunpath
	    *on_trial; /* whose suspect flies, or waits to; nothing else is sent; or NULL */
	uint64_t trial_from_us;      /* since then */
	uint64_t no_trial_before_us; /* others come first */
	uint64_t blamed_nexus;       /* requests are blamed for the end of this one */
	uint32_t found;              /* requests that failed because they ended connections */
};

/* Hand a request's command over; path_landed() is due when it is back. */
static inline void
path_send(struct path *p, struct req *r)
{
	p->in_flight++;
	r->submit_us = agenda_now(p->agenda);
	p->ops->submit(p, r);
}

/* Ask a question; path_answered() is due when it is back. */
static inline void
path_ask(struct path *p, struct req *r)
{
	p->questions++;
	p->asked_us = agenda_now(p->agenda);
	path_send(p, r);
}

static inline void
path_landed(struct path *p)
{
	assert(p->in_flight > p->questions);
	p->in_flight--;
}

static inline void
path_answered(struct path *p)
{
	assert(p->questions > 0);
	p->questions--;
	path_landed(p);
}

#endif
