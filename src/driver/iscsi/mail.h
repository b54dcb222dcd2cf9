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
#include "lu/ask.h"
#include "lu/pass.h"

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

/* Owners that are no session have these ids. */
#define MAIL_ID_IOTHREAD 0x7fffffffu

struct export_ops;

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
	struct heard *heard;        /* by sessions before it (losses.h), owned, or NULL */
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
	struct heard *heard; /* is_last: for a session after it, owned; NULL: nothing */
	struct list link;    /* the nexus' */
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

struct filters_report;

/* What a unit counted. */
struct nexus_lun_counts {
	uint32_t lun;
	char name[32];
	struct lu_counts counts;
	struct lu_latency latency;
	struct filters_report *filters; /* what those in front of it did, owned; NULL: none is */
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

/* ---- captures ---- */

/* Answered when it has ended. */
struct mail_capture {
	struct question base;
	uint32_t id;      /* the capture's */
	uint32_t worker;  /* stands in each datagram */
	int fd;           /* a datagram socket: owned; -1 in the answer */
	int64_t session;  /* only this instance; -1: every connection */
	uint32_t snap;    /* struct tap's */
	bool has_secrets; /* likewise */
};
struct mail_uncapture {
	struct mail mail;
	uint32_t id;
};

/* ---- units that are shown ---- */

/* One to show, and how that went. */
struct mail_show_row {
	struct lu_info info;
	char name[32];
	bool may_adopt; /* where another unit stands there now: nobody has the device installed */
	/*
	 * That unit has a disk already: the one of this LUN is not made, and one that is there
	 * goes.  The answer: it did.
	 */
	bool is_anothers;
	bool is_remembered; /* it is the one that stood there when that was written down last */
	/*
	 * Sessions that are known to lead to it, too, and where it is there: they are its paths
	 * before anything is sent over another one, so that what they had sent in a life before is
	 * minded.
	 */
	struct mail_show_way {
		uint32_t instance, lun;
		int prefers; /* unit_rule_prefers() */
	} ways[LIMIT_UNIT_PATHS - 1];
	size_t n_ways;
	struct lu_rule rule;             /* what is configured for the unit; */
	int prefers;                     /* and for this path */
	struct fault fault;              /* the answer: not shown */
	const struct export_ops *export; /* this, too: by whom, */
	bool is_export_set;              /* and whether the settings say so */
	bool is_read_only;               /* and whether a filter refuses writes, */
	bool is_same;                    /* and whether it is the right unit and gets I/O, */
	bool is_adopted;                 /* and whether it was another unit's until now */
};
struct mail_show {
	struct question base;
	struct mail_show_row *rows; /* n of them, owned */
	size_t n;
	struct list link; /* the worker's while the exporter starts */
};

/* A command for the unit at a LUN: its disk's where one is shown, else whatever stands there. */
struct mail_pass {
	struct question base;
	uint32_t lun;
	bool has_id;        /* no disk is shown: this is the unit that is meant */
	struct identity id; /* with has_id */
	bool is_here;       /* over this session only, also where the disk has other paths */
	/* req.data is the message's.  The answer: req's, and why. */
	struct pass pass;
	struct ask *ask; /* the worker's: who is there? */
	unsigned *busy;  /* likewise: those under way */
};

/* To the session that shows the disk. */
struct mail_join {
	struct question base;
	char name[32];       /* of the disk, */
	uint32_t instance;   /* and of the session that leads to it, too, */
	struct lu_info info; /* as that has it */
	int prefers;         /* unit_rule_prefers() */
	bool is_elsewhere;   /* the answer: that session is on another worker; */
	struct fault fault;  /* this, too: it is no path of it, and why */
};

/* A path of a disk, and the session that it leads over. */
struct mail_paths_row {
	char name[32]; /* the disk */
	uint32_t instance;
	struct lunpath_view view;
	struct lu_paths_view unit;
};
struct mail_paths {
	struct question base;
	struct mail_paths_row *rows; /* the answer: n of them, owned */
	size_t n;
};
/* Of every unit that this session leads to; to the session itself. */
struct mail_path {
	struct question base;
	bool is_out, is_forced; /* else it is put back; also where it is the last one that serves */
	unsigned n;             /* the answer: so many units have it */
	struct fault fault;     /* this, too: nothing was done */
};

/* Something else is configured for the unit of this disk, and for its paths. */
struct mail_rule {
	struct mail mail;
	char name[32];
	struct lu_rule rule;
	struct mail_rule_path {
		uint32_t instance;
		int prefers; /* unit_rule_prefers() */
	} paths[LIMIT_UNIT_PATHS];
	size_t n;
};

struct mail_hide {
	struct mail mail;
	uint32_t lun;
};

struct mail_block {
	struct question base;
	uint32_t lun;
	bool is_end;             /* it is taken away, */
	bool is_forced, is_lost; /* so; else it is made */
	int result;              /* the answer: 0 or a negative errno, */
	int number;              /* of what was made, as in export/loopuse.h, */
	char why[400];           /* or a sentence */
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
	bool is_changed;   /* its size or flags */
	bool is_read_only; /* a filter refuses writes */
	/* What became of its file, in this order (export_events); why_gone with is_gone. */
	bool is_gone, is_back, is_new, is_let_go;
	char why_gone[160];
	struct fault why; /* what is wrong with it, if anything is */
	struct lu_info info;
	struct disk *disk; /* the worker's: NULL when the disk is gone */
};

#endif
