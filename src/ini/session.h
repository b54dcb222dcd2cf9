/*
 * A normal session (an I_T nexus and its successors): one machine, on one
 * thread, over a world (world.h).  It dials, logs in, has its units ask who they
 * are, follows redirections, pings, waits before it tries again, gives up I/O
 * after the replacement timeout, logs out.  States in session_fsm.def; one
 * function moves them and then checks the invariant.
 *
 * It needs nobody to reconnect: settings are pushed to it.
 */
#ifndef INI_SESSION_H
#define INI_SESSION_H

#include "ini/counts.h"
#include "ini/fence.h"
#include "ini/heard.h"
#include "ini/login_run.h"
#include "lu/lu.h"
#include "lu/probe.h"

/* Queue depth: commands of all units of the session together. */
#define SESSION_SLOTS LIMIT_TASKS_DEFAULT

enum session_state {
#define SESSION_STATE(id, ...) SESSION_##id,
#include "ini/session_fsm.def"
	SESSION_STATES
};
/* The guide's word: "online", "transient", "offline". */
const char *session_state_word(enum session_state s);

struct session_login {
	struct neg_params params;
	uint16_t tsih;
	int32_t tpgt;
	char target_alias[LIMIT_ALIAS_BYTES + 1];
	char initiator_name[LIMIT_ISCSI_NAME_BYTES + 1];
	uint64_t settings_serial; /* of the settings it was made with */
};

/* What a person may want to know of it; a copy, it may go to another thread. */
struct session_view {
	enum session_state state;
	struct fault last;           /* why it is not online; not set: it is, or nobody tried */
	bool is_logout_lost;         /* closed by a logout that the target did not answer: `last` */
	bool has_login, is_reopened; /* it had been online before */
	struct session_login login;  /* the last one; valid while has_login */
	struct portal_address at;    /* where it is, or was tried last */
	bool is_elsewhere;           /* `at` came from a redirection */
	char local[80], peer[80];
	/* The agenda's clock, microseconds; 0: none. */
	uint64_t online_us, next_try_us, give_up_us;
	uint16_t time2wait_s; /* the target asked for this */
};

struct session;

/* Called from the agenda, never from inside a call of the owner's. */
struct session_ops {
	/* The view is another one: after each move of the state, and each failed try. */
	void (*moved)(void *user, const struct session_view *v);
	/* A permanent redirection worked; or (not is_set) the old one is not true any more. */
	void (*redirected)(void *user, const struct settings_redirect *r);
	/* The target says that it has other LUNs now; at most one a pace (SESSION_NOTICE_US). */
	void (*luns_changed)(void *user);
	/*
	 * At these places a nexus of it may live when we end: to be written down, for
	 * whoever begins it anew (session_cfg).  session_kept() is the answer; until then
	 * nothing else is told, and the session is not online where it was not before.
	 */
	void (*placed)(void *user, const struct fence_place *list, size_t n);
	/* The answer to session_close(): no connection, no request; session_free() it or open it
	 * again. */
	void (*closed)(void *user);
};

/* Asynchronous messages and unit attentions ask for a new look at the LUNs so often at the most. */
#define SESSION_NOTICE_US 2000000

struct session_cfg {
	struct world *world;
	uint32_t instance;  /* for sentences */
	const char *target; /* its name, copied */
	struct portal_address at;
	uint8_t isid[6];
	/*
	 * Where nexuses of lives before may live: what placed() told last.  Borrowed; tpgt -1
	 * where a login does not reinstate it.
	 */
	const struct fence_place *places;
	size_t n_places;
	const struct heard *heard; /* by those before it, in this life; borrowed, or NULL */
	const struct session_ops *ops;
	void *user;
};

/* NULL when memory is short. */
struct session *session_new(const struct session_cfg *cfg, struct settings *settings);
/* Closed, without units.  NULL is fine. */
void session_free(struct session *s);
/* A new snapshot (owned) for the next login; limits count from now on. */
void session_settings(struct session *s, struct settings *settings);
/* What a way of PathPolicy, and Failback, are to a path (lu/path.h). */
enum path_policy session_policy(unsigned way);
uint64_t session_failback_us(uint32_t ms);
/* Which way is configured now. */
unsigned session_choice(const struct session *s, enum choice_id id);
/* What placed() told is written down, or cannot be. */
void session_kept(struct session *s);
/* So long a login waits for that, once a place. */
#define SESSION_KEEP_US 2000000
/* At so many places a nexus of it may live now. */
size_t session_places(const struct session *s);
/* So many are read: those of the fence, and one more, which older versions wrote; FENCE_ROWS are
 * told. */
#define SESSION_PLACES (FENCE_ROWS + 1)
/* Discovery reports another tag for its address; -1: several, so that any will do. */
void session_tag(struct session *s, int32_t tpgt);

/*
 * Want it online: a try begins at once where none is under way (unless the target
 * asked to wait: is_now overrides that, a user's explicit wish).  keep: it is tried
 * again until session_close(); else the first failure closes it.
 */
void session_open(struct session *s, bool keep, bool is_now);
/*
 * What is configured now is to count at once: one that is online logs out and in again, while its
 * I/O waits.  Its view says how that went, as after a loss.  False: it is not online.
 */
bool session_renew(struct session *s);
/*
 * Log out within SESSION_LOGOUT_US, fail what waits; closed() follows, once for all
 * calls before it.  Its units must be closed (lu_close()) by the owner.  An open
 * that is asked for meanwhile follows after closed(), unless the session is freed there.
 */
#define SESSION_LOGOUT_US (LOGIN_RUN_LOGOUT_MS * 1000)
void session_close(struct session *s);

enum session_state session_state(const struct session *s);
void session_view(const struct session *s, struct session_view *ret_view);
const struct ini_counts *session_counts(const struct session *s);
/* What its connections counted, all together. */
void session_core_counts(const struct session *s, struct conn_counts *ret_counts);
const struct trace *session_trace(const struct session *s);

/* The path of its units, and the list of their ways over it (lunpath_link()). */
struct path *session_path(struct session *s);
void session_add_unit(struct session *s, struct lu *u);
/* The same, before its first request, for one whose users had answers in a life before. */
void session_take_over_unit(struct session *s, struct lu *u, bool is_loss_due);
void session_remove_unit(struct session *s, struct lu *u);
/* Its nexus is one more path to a unit (lu_join()), which hears what that LUN said to scans of a
 * cache that was lost. */
void session_add_path(struct session *s, struct lunpath *lp);
/* What LUNs without a unit said: for the session that comes after this one (session_cfg). */
const struct heard *session_heard(const struct session *s);
/* When what its nexuses may still hold is dead, on the agenda's clock; 0: it is. */
uint64_t session_dead_us(const struct session *s);

/*
 * Look for LUNs; done() follows in any case, within SESSION_PROBE_US; not online is a
 * fault.  Units that exist learn from it by themselves.
 */
#define SESSION_PROBE_US 30000000
/* False: no memory; nothing follows. */
bool session_probe(struct session *s, probe_done *done, void *user);

struct session_ping {
	struct fault fault;
	uint32_t bytes, bytes_same;
	uint64_t rtt_us;
};
/* done() follows in any case, within SESSION_PING_US.  False: no memory; nothing follows. */
#define SESSION_PING_US 30000000
/* Pings that wait for their turn. */
#define SESSION_PINGS_MAX 16
bool session_ping(struct session *s, uint32_t bytes,
    void (*done)(void *user, const struct session_ping *ping), void *user);

#endif
