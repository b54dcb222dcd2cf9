/*
 * A session that is wanted: the main loop's half of a normal session.  It knows
 * which session it is, sees that its worker has what is configured, and keeps
 * what the worker told last, for displays.  It decides nothing about
 * connections: that is ini/session.h, on a worker (nexus.h).  There is one for
 * each address of an operational target (the guide: "unique sessions for each
 * target address").
 */
#ifndef ISCSI_WANTED_H
#define ISCSI_WANTED_H

#include "driver/driver.h"
#include "driver/iscsi/mail.h"
#include "sys/log.h"

/* What nexuses that are gone counted. */
struct wanted_before {
	struct conn_counts core;
	struct ini_counts counts;
};

struct wanted {
	struct list link;         /* driver.sessions */
	struct wanted *same_hash; /* wanted_find.c's, as is the name's hash */
	uint64_t hash;
	struct driver *d;
	uint32_t instance;
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	struct registry_address a;
	uint8_t isid[6];
	char about[LIMIT_ADDRESS_BYTES + 16]; /* its address, for messages */

	/* The worker's half, while there is one. */
	bool has_nexus;
	struct mail_slot slot; /* whom it writes to */
	struct mail_address nexus;
	unsigned worker;  /* which of driver.iothreads has it: those of one target are on one */
	unsigned moves;   /* luns_join.c's: to other workers, since it led to a disk */
	unsigned closing; /* closes that are not answered */
	bool is_owed;     /* the driver could not begin it when it started: process/known.c */
	bool has_left;    /* it waits for what sessions left that are no more: places.c's */

	/* Snapshots of what is configured for it: the last one, and the last that was another one.
	 */
	uint64_t pushed, changed;

	/* Its portal is named with several tags: that of the login counts. */
	bool is_tag_open;
	bool keep; /* it was online once, or its LUNs are known: tried again for ever */
	/* As the worker told last; its login is the last one that there was, where has_login. */
	struct session_view view;
	bool has_login;
	time_t opened;
	char *told_why; /* why it is not open, as it was told last, or NULL */

	/* What it counts: the driver's part, and those of hosts that are gone. */
	struct stat_block stats;
	struct wanted_before *before; /* or NULL */
	struct stat_base *stats_base; /* what was counted when somebody cleared, or NULL */
	time_t counted_since;         /* it began to count */

	/* The adaptation layer's: its LUNs were looked at since it was opened; they are. */
	bool is_probed, is_probing;
	uint32_t unclaimed; /* LUNs that the last look left out */
	unsigned openings;  /* somebody waits for it to be online, and looks at its LUNs then */
	const void *scan;   /* the scan that visited it last; only compared */
	bool is_dropped;    /* freed as soon as it is closed */

	/* Looks at its LUNs that the target asks for have a pace: luns.c's. */
	unsigned looks; /* under way */
	bool must_look; /* again, when those are over */
	uint64_t look_after_us;
	struct agenda_timer look_again;
	struct agenda_work settle; /* the states of nodes above its units, once a turn */

	/* What is logged about it: of its units, and what a look at them could not do. */
	struct log_limit notes, failures;
};

/* The adaptation layer is told; on the main loop. */
struct wanted_ops {
	bool (*is_known)(const struct driver *d, uint32_t instance); /* anything found behind it */
	/* The worker that has sessions to the same units, or `worker` where there is none. */
	unsigned (*worker)(const struct driver *d, uint32_t instance, unsigned worker);
	void (*online)(struct wanted *w);
	void (*offline)(struct wanted *w); /* for so long that I/O fails, or it is closed */
	void (*luns_changed)(struct wanted *w);
	void (*settle)(struct agenda_work *w); /* wanted.settle */
};

/*
 * The one of this address of this target, made with its instance where there
 * is none.  NULL with *ret_fault.
 */
struct wanted *wanted_get(struct driver *d, const char *target, const struct registry_address *a,
    struct fault *ret_fault);
/*
 * Its portal is named with several tags: the one that is known for it, if any, goes
 * into *a, for wanted_get(); any tag will do for its logins.
 */
void wanted_choose_tag(const struct driver *d, const char *target, struct registry_address *a);
void wanted_open_tag(struct driver *d, const char *target, const struct registry_address *a);
/* NULL: there is none. */
struct wanted *wanted_find(const struct driver *d, uint32_t instance);
struct wanted *wanted_find_address(
    const struct driver *d, const char *target, const struct registry_address *a);
/* Those of a target, one after the other (NULL: the first), however many others there are. */
struct wanted *wanted_of_target(
    const struct driver *d, const char *target, const struct wanted *after);
/* One without a nexus; else set is_dropped and wanted_close() it. */
void wanted_free(struct wanted *w);

/*
 * Have it online.  done() (may be NULL) is called, never from inside, when it is,
 * or when a try failed: why->is_set.  `w` may be NULL then: it is gone.  is_now: also
 * where the target asked to wait.
 */
typedef void wanted_opened(void *user, struct wanted *w, const struct fault *why);
void wanted_open(struct wanted *w, bool is_now, wanted_opened *done, void *user);
/*
 * What is configured is to count now: one that is online logs out and in again while its I/O
 * waits; done() as of wanted_open().
 */
void wanted_renew(struct wanted *w, wanted_opened *done, void *user);
/*
 * Log out, take the disks away.  done() (may be NULL) follows, never from
 * inside; `instance` may not be there any more.  Whether a disk is in use is the caller's to
 * know.  is_last: the worker has it no more afterwards.
 */
typedef void wanted_closed(void *user, struct driver *d, uint32_t instance);
void wanted_close(struct wanted *w, bool is_last, wanted_closed *done, void *user);

/* Online, as far as is known here, and not being closed. */
bool wanted_is_online(const struct wanted *w);
/* Nothing of it is under way: neither open nor being closed. */
bool wanted_is_closed(const struct wanted *w);
/* "online", "transient", "offline" */
const char *wanted_word(const struct wanted *w);

/* Those that a scope's settings count for, one after the other (NULL: the first); scope NULL: all.
 */
struct wanted *wanted_next(
    const struct driver *d, const struct registry_scope *scope, const struct wanted *after);
/*
 * What is configured for this scope was set (NULL: for all), is_new: to something else; every
 * session that it concerns is given a new snapshot.
 */
void wanted_push(struct driver *d, const struct registry_scope *scope, bool is_new);
/* Online, and logged in before what is configured for it became another. */
bool wanted_is_outdated(const struct wanted *w);

/* Ask the nexus; done() follows with an answer or a refusal.  False: there is none. */
bool wanted_ask(struct wanted *w, struct question *a, const struct mail_kind *kind);
bool wanted_tell(struct wanted *w, struct mail *m, const struct mail_kind *kind);

/* "session 3 (iqn… at 192.0.2.1:3260,1)" */
#define WANTED_LABEL_BYTES (LIMIT_ISCSI_NAME_BYTES + LIMIT_ADDRESS_BYTES + 64)
const char *wanted_label(const struct wanted *w, char ret_text[WANTED_LABEL_BYTES]);
/* "192.0.2.1:3260,1"; IPv6 in brackets. */
#define WANTED_ADDRESS_BYTES (LIMIT_ADDRESS_BYTES + 16)
void wanted_address_text(const struct registry_address *a, char ret_text[WANTED_ADDRESS_BYTES]);

#endif
