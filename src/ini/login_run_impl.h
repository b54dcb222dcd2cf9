/* What login_run.c and login_run_event.c share.  Nobody else includes this. */
#ifndef INI_LOGIN_RUN_IMPL_H
#define INI_LOGIN_RUN_IMPL_H

#include "ini/counts.h"
#include "ini/login_run.h"

enum run_state { RUN_DOWN, RUN_DIALING, RUN_LOGIN, RUN_ONLINE, RUN_STOPPING };

/* What a target may make us say in any number. */
enum run_note { RUN_NOTE_TMF, RUN_NOTE_REJECT, RUN_NOTE_ASYNC, RUN_NOTES };
struct run_noted {
	uint64_t said_us; /* 0: never */
	unsigned left_out;
};

struct login_run_impl {
	struct login_run run;
	struct world *world;
	const struct login_run_ops *ops;
	void *user;
	struct ini_counts *counts;
	char label[64];
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	enum run_state state;
	struct sess *sess;
	struct sess_cfg cfg;
	struct settings *settings; /* borrowed while not down */
	struct chap_cfg md5;       /* with is_md5_only */
	bool is_md5_only;
	unsigned stamp;              /* counts connections */
	bool is_asking;              /* a verdict is due for this login */
	uint64_t login_end_us;       /* when LoginTimeout ends it */
	const struct fault *unasked; /* fault_kept() */
	struct login_run_down down;  /* what is known so far of the end */
	bool md5_may_help;
	bool has_redirect, is_for_good;
	char redirect[LIMIT_ADDRESS_BYTES + 1];
	struct portal_address at;
	int32_t expected_tpgt;
	unsigned hops;
	char local[80], peer[80];
	struct run_noted noted[RUN_NOTES];
	struct agenda_timer connect_deadline;
	struct agenda_work drain, tell_down;
};

/* A connection is made for the try, or its next part. */
void login_run_dial(struct login_run_impl *i);
/* It is over: tells. */
void login_run_finish(struct login_run_impl *i);
void login_run_stop_asking(struct login_run_impl *i);
void login_run_say(const struct login_run_impl *i, enum say_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
