/*
 * What the driver's threads say to each other: the rows of mail.def as kinds of
 * mail, and the messages of the transport driver (those of the interface driver
 * are in isw/isw.h).  Questions of the main loop begin with a struct question.
 */
#ifndef ISCSI_MAIL_H
#define ISCSI_MAIL_H

#include <sys/types.h>

#include "driver/isw/isw.h"
#include "driver/question.h"
#include "engine/mailbox.h"
#include "ini/discovery.h"
#include "ini/session.h"

/* Kinds: mail_connect, mail_verify … */
#define ASK(id, way, take, refuse, answered, drop, text) \
	extern const struct mail_kind mail_##id;         \
	void take(void *owner, struct mail *m);          \
	void refuse(struct mail *m);                     \
	void answered(void *owner, struct mail *m);      \
	void drop(struct mail *m);
#define TELL(id, way, take, drop, text)          \
	extern const struct mail_kind mail_##id; \
	void take(void *owner, struct mail *m);  \
	void drop(struct mail *m);
#include "driver/iscsi/mail.def"

struct export_ops;

/* Owners that are no session have these ids. */
#define MAIL_ID_IOTHREAD 0x7fffffffu

/* ---- a session and its worker ---- */

struct nexus_cfg {
	uint32_t instance;
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	struct portal_address at;
	uint8_t isid[6];
	char about[LIMIT_ADDRESS_BYTES + 16]; /* for messages */
	struct settings *settings;            /* owned */
	struct fence_place *places;           /* of lives before: n_places, owned, or NULL */
	size_t n_places;
	struct stat_block *stats;   /* outlives the nexus */
	struct mail_address wanted; /* the other half; its generation is ours */
};
struct mail_begin {
	struct mail mail;
	struct nexus_cfg cfg;
};

struct mail_settings {
	struct mail mail;
	struct settings *settings; /* owned */
};

struct mail_tag {
	struct mail mail;
	int32_t tpgt; /* session_tag() */
};

struct mail_open {
	struct question base;
	bool keep, is_now;          /* session_open() */
	bool is_renewal;            /* session_renew() first, where it is online */
	uint64_t online_us, failed; /* the nexus': what was before it */
	struct fault fault;         /* the answer; not set: it is online */
	struct list link;           /* the nexus' while it has the question */
};

struct mail_close {
	struct question base;
	bool is_last;            /* the nexus ends with it */
	bool is_gone;            /* the answer: there was none any more */
	bool is_logout_lost;     /* the answer, as session_view has it; */
	struct fault last;       /* this, too */
	bool is_any_left;        /* of its nexuses one may live */
	struct conn_counts core; /* is_last: what it counted in its life */
	struct ini_counts counts;
	struct list link; /* the nexus' */
};

struct mail_probe {
	struct question base;
	struct probe_result result; /* the answer; its luns are the message's */
};

struct mail_ping {
	struct question base;
	uint32_t bytes;
	struct session_ping result;
};

/* What a unit counted. */
struct nexus_lun_counts {
	uint32_t lun;
	char name[32];
	struct lu_counts counts;
	struct lu_latency latency;
};
struct mail_counts {
	struct question base;
	bool is_gone; /* nobody to ask */
	struct conn_counts core;
	struct ini_counts counts;
	struct nexus_lun_counts *luns; /* n of them, owned */
	size_t n;
};

/* The last PDU headers, the oldest first, and the clock that their times are of. */
struct mail_trace {
	struct question base;
	uint64_t now_us;
	size_t n;
	struct trace_entry entry[TRACE_ENTRIES];
};

struct mail_clear {
	struct mail mail;
};

/* ---- notes ---- */

struct mail_view {
	struct mail mail;
	struct session_view view;
};
struct mail_luns {
	struct mail mail;
};
/* Answered when it is kept. */
struct mail_places {
	struct mail mail;
	struct fence_place list[SESSION_PLACES];
	size_t n;
	uint32_t instance; /* the main loop's while it has it */
};
struct mail_redirect {
	struct mail mail;
	struct settings_redirect redirect;
};

/* ---- discovery ---- */

struct mail_discover {
	struct question base;
	struct portal_address at;
	uint8_t isid[6];
	char about[LIMIT_ADDRESS_BYTES + 16]; /* for messages */
	struct stat_block *stats;             /* of all discoveries */
	struct settings *settings;            /* owned until it begins */
	struct discovery_result *result;      /* the answer: owned, as its list */
	void *work;                           /* the iothread's while it has the question */
};

/* ---- units that are shown ---- */

/* One to show, and how that went. */
struct mail_show_row {
	struct lu_info info;
	char name[32];
	bool may_adopt; /* where another unit stands there now: nobody has the device installed */
	bool is_remembered; /* it is the one that stood there when that was written down last */
	struct fault fault; /* the answer: not shown */
	const struct export_ops *export; /* this, too: by whom, */
	bool is_export_set;              /* and whether the settings say so */
};
struct mail_show {
	struct question base;
	struct mail_show_row *rows; /* n of them, owned */
	size_t n;
	struct list link; /* the worker's while the exporter starts */
};

struct mail_hide {
	struct mail mail;
	uint32_t lun;
};

#define MAIL_USERS 4
struct mail_openers_row {
	uint32_t lun;
	char name[32];
	unsigned openers; /* the answer */
	/* This, too: the first of them, where the exporter can tell; 0 for one without a number. */
	pid_t users[MAIL_USERS];
	unsigned n_users;
};
/* What becomes of later openers: nothing, they are refused from now on, or not any more. */
enum mail_openers_seal { OPENERS_COUNT, OPENERS_SEAL, OPENERS_UNSEAL };
struct mail_openers {
	struct question base;
	enum mail_openers_seal seal;   /* in one step with the count */
	struct mail_openers_row *rows; /* n of them, owned */
	size_t n;
};

/* A unit's state and what is known of it now. */
struct mail_unit {
	struct mail mail;
	uint32_t lun;
	enum lu_state state;
	bool is_changed; /* its size or flags */
	/* What became of its file, in this order (export_events); why_gone with is_gone. */
	bool is_gone, is_back, is_new, is_let_go;
	char why_gone[160];
	struct fault why; /* what is wrong with it, if anything is */
	struct lu_info info;
	struct disk *disk; /* the worker's: NULL when the disk is gone */
};

#endif
