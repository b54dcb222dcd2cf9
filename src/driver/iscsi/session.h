/*
 * A normal session: the half that decides, on the main loop.  It has
 * connections made, follows redirections, tries again when a connection is
 * lost, and gives up on queued I/O after the replacement timeout.  There is
 * one session for each address of an operational target (the guide: "unique
 * sessions for each target address").
 */
#ifndef ISCSI_SESSION_H
#define ISCSI_SESSION_H

#include "driver/driver.h"
#include "ini/backoff.h"
#include "driver/iscsi/sstate.h"
#include "driver/iscsial/seat.h"

/* A connection is made within this. */
#define SESSION_CONNECT_MS 10000
/* Queue depth: commands of all disks of the session together. */
#define SESSION_SLOTS LIMIT_TASKS_DEFAULT

struct session {
	struct list link; /* driver.sessions */
	struct driver *d;
	uint32_t instance;
	char target[LIMIT_ISCSI_NAME_BYTES + 1];
	struct registry_address a;
	uint8_t isid[6];
	enum sstate state;
	struct seat *seat; /* NULL while CLOSED */
	struct dial *dial; /* a connection is being made */
	struct backoff backoff;
	struct agenda_timer retry, give_up;
	uint32_t replacement_s; /* of give_up, as it was last armed; 0: for ever */
	uint16_t time2wait_s;   /* what the target asked for when it announced the end */
	bool keep;              /* it was online once: tried again for ever */
	bool is_probed;         /* its LUNs were looked at since it was opened */
	bool is_probing;
	const void *scan;    /* the scan that visited it last; only compared */
	bool is_dropped;     /* freed as soon as it is closed */
	bool is_gone_posted; /* it was closed when session_close() was called */

	/* Redirections: the address of this try, and how many led there. */
	struct registry_address at;
	unsigned hops;
	bool is_elsewhere;  /* `at` is not `a` */
	bool skip_redirect; /* the permanent one did not work: try the original address */

	/* The last login. */
	bool has_login;
	struct seat_login login;
	char local[80], peer[80];
	char initiator_name[LIMIT_ISCSI_NAME_BYTES + 1];
	char initiator_name_tried[LIMIT_ISCSI_NAME_BYTES + 1];
	uint64_t online_us;
	time_t opened;

	struct fault last; /* why it is not online; not set: it is, or nobody tried */
	/* What it counts: the driver's part, and the core's of seats that are gone. */
	struct stat_block stats;
	struct conn_counts core_before;
	struct stat_base stats_base;
	char about[LIMIT_ADDRESS_BYTES +
		   16];        /* its address, for messages; the seat's while there is one */
	struct verify *verify; /* iradd is asked */
	unsigned verify_stamp; /* for which login */
	bool is_reopened;      /* it had been online before */
	bool md5_only;         /* the target failed after it had chosen another CHAP algorithm */

	struct list waiters; /* of session_open() */
	struct list closers; /* of session_close() */
};

enum session_opening { SESSION_IS_ONLINE, SESSION_WILL_TELL, SESSION_CLOSING };

/* Online, or not: s->last tells why.  Never called from inside session_open(). */
typedef void session_opened(void *user, struct session *s);
typedef void session_closed(void *user, struct session *s);

/*
 * The session of this address of this target, made with its instance where
 * there is none.  NULL with *ret_fault.
 */
struct session *session_get(struct driver *d, const char *target, const struct registry_address *a,
    struct fault *ret_fault);
/* NULL: there is none. */
struct session *session_find(const struct driver *d, uint32_t instance);
struct session *session_find_address(
    const struct driver *d, const char *target, const struct registry_address *a);
/* A closed session that nobody waits for; else set is_dropped and session_close() it. */
void session_free(struct session *s);

/*
 * Have it online: begins a try at once, or waits for the one under way.  Only
 * with SESSION_WILL_TELL opened() follows; it may be NULL.
 */
enum session_opening session_open(struct session *s, session_opened *opened, void *user);
/* Nobody is told any more. */
void session_forget_waiter(struct session *s, void *user);
/*
 * Log out, take the disks away.  closed() (may be NULL) follows, never from
 * inside.  Whether a disk is in use is the caller's to know.
 */
void session_close(struct session *s, session_closed *closed, void *user);
/* "session 3 (iqn… at 192.0.2.1:3260,1)", static buffer of the main loop. */
const char *session_label(const struct session *s);
/* "192.0.2.1:3260,1"; IPv6 in brackets. */
void session_address_text(
    const struct registry_address *a, char ret_text[LIMIT_ADDRESS_BYTES + 16]);

#endif
