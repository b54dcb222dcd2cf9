/* What the files of a session share: session*.c.  Nobody else includes this. */
#ifndef INI_SESSION_IMPL_H
#define INI_SESSION_IMPL_H

#include "ini/backoff.h"
#include "ini/session.h"
#include "lu/pool.h"

enum session_event {
#define SESSION_EVENT(id, ...) SESSION_EV_##id,
#include "ini/session_fsm.def"
	SESSION_EVENTS
};

/* So many looks at the units may be asked for at once; one more each SESSION_LOOK_US. */
#define SESSION_LOOK_BURST 8
#define SESSION_LOOK_US    250000ull
/* So long after a login no suspect (lu/path.h) flies. */
#define SESSION_BEFORE_TRIAL_US 100000
/* Two tries begin at least so far apart. */
#define SESSION_TRY_PACE_US 500000
/* The last try within the promise begins so long before its end at the latest. */
#define SESSION_LAST_TRY_US 3000000
#define SESSION_LABEL_BYTES (LIMIT_ISCSI_NAME_BYTES + LIMIT_ADDRESS_BYTES + 64)

struct session {
	struct world *world;
	uint32_t instance;
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	struct portal_address a; /* as it is configured */
	const struct session_ops *ops;
	void *user;
	struct settings *settings, *next_settings; /* owned; the next ones wait for the run's end */
	struct ini_counts counts;
	enum session_state state;
	struct login_run *run;
	struct sess *sess; /* the run's */

	/* What is wanted; progress() looks at these. */
	bool is_wanted, keep;
	bool is_close_asked; /* until closed() */
	bool is_renewing;    /* logged out to log in anew, until it is down */
	bool must_tell, must_tell_redirect, must_tell_closed;
	bool is_moving; /* progress() is at work; nothing may call it from inside */
	struct agenda_work progress;

	/* Tries. */
	bool has_down;              /* the run has ended: */
	struct login_run_down down; /* … so; its fault is owned */
	uint64_t next_try_us;       /* in WAIT and DOWN */
	uint64_t not_before_us;     /* the target asked for this long; 0: it did not */
	uint16_t time2wait_s;
	uint64_t tried_us; /* when the last one began; 0: never */
	struct backoff backoff;
	uint64_t outage_us; /* I/O is not served since then; 0: it is, or is not wanted */
	struct agenda_timer retry, give_up;

	/* Redirections. */
	struct settings_redirect redirect; /* the permanent one that worked */
	bool is_elsewhere;                 /* this try goes there */
	bool skip_redirect;                /* it did not work: the original address */

	/* The nexus, and who uses it. */
	struct path path;
	struct list units;
	struct heard heard; /* of LUNs without a unit */
	struct fence fence;
	struct agenda_timer fence_timer;
	/* Where nexuses may live: as it is written down; as it was told last, not answered yet. */
	struct fence_place kept[SESSION_PLACES], told[SESSION_PLACES];
	size_t n_kept, n_told;
	bool is_keeping, must_tell_places;
	uint64_t logged_in_us;
	struct fence_place unkept; /* a login there does not wait any more; "": none */
	struct agenda_timer keep_timer;
	uint32_t window;

	/* Notices. */
	uint64_t look_us; /* when the next look is within the pace */
	bool must_tell_luns;
	uint64_t luns_told_us;
	struct agenda_timer notice_timer;

	/* Questions: under way, and those whose answer is told at the end of the turn. */
	struct list pings, probes, answered;
	uintptr_t ping_number;
	struct agenda_timer ping_again;

	/* For the view. */
	const struct fault *last; /* fault_kept() */
	bool is_logout_lost;      /* it is closed, and the target did not answer the logout */
	bool has_login, is_reopened;
	char initiator_name[LIMIT_ISCSI_NAME_BYTES + 1];
	uint64_t login_serial; /* of the settings of its last login */
	struct portal_address at;
	uint64_t online_us;
};

void session_say(const struct session *s, enum say_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
uint64_t session_now(const struct session *s);
/* The newest settings' limits. */
const struct timers *session_timers(const struct session *s);

/* ---- session_fsm.c: the machine ---- */

extern const struct login_run_ops session_run_ops;
void session_fsm_init(struct session *s);
void session_fsm_fini(struct session *s);

/* ---- session_move.c: what a move of the state asks for ---- */

/* Its effects, before the invariant is checked. */
void session_enter(struct session *s, enum session_state from, enum session_event ev);
/* The time at which I/O is given up; UINT64_MAX: never. */
uint64_t session_give_up_us(const struct session *s);

/* ---- session_path.c: the nexus as its units see it ---- */

void session_path_init(struct session *s, struct agenda *agenda);
void session_path_limits(struct session *s);
void session_path_up(struct session *s);
void session_path_down(struct session *s, bool is_silent);
/* is_given_up has become true, or is not any more. */
void session_path_given_up(struct session *s, bool is_given_up);
void session_path_fenced(struct session *s);
bool session_path_has_waiting(const struct session *s);
/* An asynchronous message of the target. */
void session_path_async(struct session *s, const struct sess_event *ev);
void session_path_fini(struct session *s);

/* ---- session_units.c: who uses the nexus ---- */

void session_units_init(struct session *s);
/* A LUN said this to somebody else than its unit. */
void session_units_overheard(
    struct session *s, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *sense);

/* ---- session_place.c: where it is is written down ---- */

void session_place_init(struct session *s, const struct session_cfg *cfg);
/* Of the run's login. */
void session_place(const struct session *s, struct fence_place *ret);
bool session_place_is_kept(const struct session *s);
/* It has logged in, and is not online because of that. */
bool session_place_is_waited_for(const struct session *s);
/* Once a turn: is there anything else to write down? */
void session_place_review(struct session *s);
/* The invariant. */
void session_place_check(const struct session *s);

/* ---- session_ask.c: questions, each answered once ---- */

void session_ask_init(struct session *s);
/* The connection is gone, or will be: every question ends with this. */
void session_ask_end(struct session *s, const struct fault *why);
void session_ask_ponged(struct session *s, const struct sess_event *ev);
/* A unit has learned what it could from a probe. */
void session_ask_learned(struct session *s);
/* Tell what has an answer. */
void session_ask_answer(struct session *s);
/* No question is under way but those that were ended. */
bool session_ask_is_ended(const struct session *s);
/* Everything is told. */
bool session_ask_is_idle(const struct session *s);
void session_ask_fini(struct session *s);

#endif
