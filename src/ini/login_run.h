/*
 * One core session (core/sess.h) brought online: dial, log in, follow
 * redirections, MD5 again, have the target verified; and why a connection
 * ended, in words.  Written once, for normal and discovery sessions.  Its owner
 * decides when to try (again).
 *
 *   login_run_new → login_run_start → online() … → down(); login_run_start again
 *   reinstates the session (same ISID)
 */
#ifndef INI_LOGIN_RUN_H
#define INI_LOGIN_RUN_H

#include "base/fault.h"
#include "core/sess.h"
#include "ini/world.h"

/* A connection is made within this. */
#define LOGIN_RUN_CONNECT_MS 10000
/* A logout is answered within this. */
#define LOGIN_RUN_LOGOUT_MS 5000

/* What ended.  After a stop: UNREACHABLE or LOST, as far as it had come. */
enum login_run_end {
	LOGIN_RUN_UNREACHABLE, /* no connection: nothing reached the target */
	LOGIN_RUN_REFUSED,     /* the login was refused or failed; see is_permanent */
	LOGIN_RUN_LOST,        /* the connection broke, or the peer broke the protocol */
	LOGIN_RUN_SILENT,      /* we gave it up because nothing came any more */
	LOGIN_RUN_LOGGED_OUT,  /* as we, or the target, had asked */
};

/* Why there is no connection any more. */
struct login_run_down {
	enum login_run_end end;
	bool is_permanent; /* trying the same again would not help */
	bool was_online;
	/* The nexus's time, RFC 7143 7.5: announced by the target, else negotiated; seconds; 0 of
	 * a login that failed. */
	uint16_t time2wait_s, time2retain_s;
	/* Connecting failed: errno (negative), and whether it was the name that was not found. */
	int err;
	bool is_name;
	bool was_redirected;       /* the target had sent this try on */
	bool was_stopped;          /* login_run_stop() ended it */
	const struct fault *fault; /* fault_kept(); none after a logout that we asked for */
};

/* None of these may free the run. */
struct login_run_ops {
	/* Full feature phase; login_run_sess() has what was negotiated, login_run_at() the portal.
	 */
	void (*online)(void *user);
	/* Everything submitted has been handed back before. */
	void (*down)(void *user, const struct login_run_down *down);
	/* Every event of the session that is not the run's own business (text, ping, tmf, async,
	 * logout …); or NULL. */
	void (*event)(void *user, const struct sess_event *ev);
};

struct login_run_cfg {
	struct world *world;
	const char *label;  /* for sentences: "session 3"; copied */
	const char *target; /* its name; NULL: a discovery session; copied */
	uint8_t isid[6];
	uint16_t slots;
	const struct login_run_ops *ops;
	void *user;
};

struct login_run {
	/* For the world, which may keep one pointer here. */
	void *line;
	/*
	 * The world's: what sends what was queued on the session (core/sess.h), deferred
	 * for the end of the turn; set from login_run_connected() until login_run_closed().
	 */
	struct agenda_work *send;
	/* The rest is login_run.c's. */
	struct login_run_impl *impl;
};

/* Counted here, where it is decided; see ini/counts.def. */
struct ini_counts;

/* NULL when memory is short.  `counts` is borrowed. */
struct login_run *login_run_new(const struct login_run_cfg *cfg, struct ini_counts *counts);
/* Closes without a word; what it held comes back REQ_LOST or REQ_UNSENT first.  NULL is fine. */
void login_run_free(struct login_run *r);

/*
 * Try: connect to this portal and log in; to->tpgt: the portal group that the target
 * must name, or -1.  Must be down.  `settings` is borrowed until down(), and its
 * challenge and identifier are filled.
 */
void login_run_start(
    struct login_run *r, const struct portal_address *to, struct settings *settings);
/* Time limits count from now on, also while online. */
void login_run_limits(struct login_run *r, const struct timers *t);
/* Give up at once, for this reason; down() follows, from the agenda.  is_reset: see world.h. */
void login_run_stop(struct login_run *r, const struct fault *why, bool is_reset);
bool login_run_is_down(const struct login_run *r);
bool login_run_is_online(const struct login_run *r);
/* Online: the portal that the login ended at, after redirections; permanent: the last one was for
 * good. */
const struct portal_address *login_run_at(const struct login_run *r, bool *ret_is_permanent);
const char *login_run_local(const struct login_run *r);
const char *login_run_peer(const struct login_run *r);
/* For submits, pings, logouts, counters; kick the world after queueing. */
struct sess *login_run_sess(struct login_run *r);
/*
 * Something was queued on its session: it is sent, or, without a connection,
 * handed back; never from inside.
 */
void login_run_kick(struct login_run *r);

/* ---- the world's answers ---- */

/*
 * A connection is there; returns the session to attach its socket to, ready
 * for sess_connected(), or NULL: it is not wanted, close it.
 */
struct sess *login_run_connected(struct login_run *r, const char *local, const char *peer);
/* None could be made: `err` negative errno, is_name: the host's name was not found. */
void login_run_unreachable(struct login_run *r, int err, bool is_name, const struct fault *why);
/*
 * The target's response is right, or not; why->is_set: nobody could say.  stamp: the
 * query's; harmless when that login is over.
 */
void login_run_verified(
    struct login_run *r, unsigned stamp, bool ok, bool timed_out, const struct fault *why);
/* An event of the session other than a request's end. */
void login_run_event(struct login_run *r, const struct sess_event *ev);
/* The socket is closed, the session is offline: `err` a negative errno or 0, why the protocol's
 * reason. */
void login_run_closed(struct login_run *r, int err, enum conn_result why);

#endif
