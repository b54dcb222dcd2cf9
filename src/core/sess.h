/*
 * An iSCSI session of an initiator: login, the command window, task slots,
 * ordering, and the connection's PDUs.  Pure: bytes, time and requests go in;
 * bytes, deadlines and events come out.  It never calls its user back.
 *
 * All `now` values are microseconds on a monotonic clock that the caller
 * chooses; they never run backwards.  One thread at a time uses a session.
 *
 *   sess_new
 *   sess_connected            a TCP connection is up: login begins
 *     loop: conn bytes in/out (conn.h), sess_next() for events
 *   SESS_EV_ONLINE            logged in: sess_submit()
 *   sess_disconnected         the transport is gone, and every request comes
 *                             back: none waits here for the next connection
 *
 * Requests leave in the order of their submission.  A command that is not
 * answered in time is aborted (ABORT TASK); where that fails the logical unit
 * is reset, and where that fails the connection is ended.  Each step has its
 * own time limit.  So each request ends, once, with what is known of its fate
 * (req.h).
 */
#ifndef CORE_SESS_H
#define CORE_SESS_H

#include <stddef.h>

#include "core/conn.h"
#include "core/login.h"
#include "core/req.h"
#include "core/tap.h"
#include "core/trace.h"

struct sess;

enum sess_state {
	SESS_OFFLINE, /* no connection */
	SESS_LOGIN,   /* a connection is logging in */
	SESS_ONLINE,  /* full feature phase */
	SESS_LOGOUT,  /* a logout was sent */
};

/* Task management functions that a session asks for, RFC 7143, section 11.5.1. */
enum sess_tmf_function {
	SESS_TMF_ABORT_TASK = 1,
	SESS_TMF_LOGICAL_UNIT_RESET = 5,
};

struct sess_cfg {
	struct login_cfg login; /* names, keys, authentication; strings are borrowed and must
				   outlive the session */
	uint8_t isid[6];
	uint16_t slots;              /* task slots, 1..LIMIT_TASKS */
	uint32_t login_timeout_ms;   /* whole login; 0: 15,000 */
	uint32_t logout_timeout_ms;  /* a logout's answer; 0: as login_timeout_ms */
	uint32_t request_timeout_ms; /* a SCSI command; 0: 30,000 */
	uint32_t abort_timeout_ms;   /* a task management response to ABORT TASK; 0: 15,000 */
	uint32_t reset_timeout_ms;   /* to any other function; 0: 30,000 */
	uint32_t nop_timeout_ms;     /* a ping's answer; 0: 15,000 */
	uint32_t nop_interval_ms;    /* ping when nothing has been received for so long; 0: never */
	struct spare
	    *spare; /* that of the thread (spare.h), borrowed; NULL: it holds all it needs */
};

/* How a text request, a ping or a task management function ended. */
enum sess_end {
	SESS_END_ANSWERED,
	SESS_END_REJECTED, /* by a Reject; .reject_reason */
	SESS_END_TIMEOUT,  /* not in time, for which the connection is ended */
	SESS_END_LOST,     /* the connection ended before; .why as SESS_EV_CLOSE said, or CONN_OK */
	SESS_END_VIOLATION, /* the same, because the target broke the protocol; .why */
};
struct sess_ending {
	enum sess_end how;
	enum conn_result why;
	uint8_t reject_reason; /* 11.17.1 */
};

enum sess_event_kind {
	SESS_EV_KEYS,         /* .keys: a login response had keys that the guide has messages for */
	SESS_EV_ONLINE,       /* login done */
	SESS_EV_LOGIN_FAILED, /* .login; followed by SESS_EV_CLOSE */
	SESS_EV_VERIFY,       /* .verify: ask who knows the target's secret, then sess_verified() */
	SESS_EV_REQ,          /* .req is handed back */
	SESS_EV_TEXT,         /* .text: a part of a Text Response's data (SendTargets) */
	SESS_EV_TEXT_DONE,    /* .text.ending: SESS_END_ANSWERED, or not all of it came */
	SESS_EV_PING,         /* .ping: a NOP-Out was answered, or not */
	SESS_EV_TMF,          /* .tmf: a function for a late command was answered, or not in time */
	SESS_EV_LOGOUT,       /* .logout_response: the Logout Response, 11.15.1 */
	SESS_EV_ASYNC,        /* .async: an Asynchronous Message, 11.9 */
	SESS_EV_REJECT,       /* .reject_reason, 11.17.1 */
	SESS_EV_CLOSE,        /* close the connection now; .close says why */
};

struct sess_event {
	enum sess_event_kind kind;
	union {
		struct {
			/* Answered NotUnderstood: "a,b", shortened, or ""; valid until the next
			 * call. */
			const char *unknown;
			const char *rejected; /* by the target; their defaults hold */
		} keys;
		struct {
			enum login_step
			    step; /* LOGIN_REFUSED, LOGIN_REDIRECTED or LOGIN_VIOLATION */
			uint8_t status_class, status_detail;
			uint8_t nsg, our_csg, our_nsg;  /* the response's, and our last request's */
			enum login_violation violation; /* VIOLATION_NONE unless LOGIN_VIOLATION */
			/* These are valid until the next sess_connected(). */
			const char *redirect; /* TargetAddress value, or NULL */
			const char *reason;   /* a sentence */
			/* login_culprit(); of a redirection: a key that has no place in it, or "".
			 */
			const char *culprit;
			const char *proposed;    /* login_proposed() */
			unsigned chap_algorithm; /* that the target chose, or 0 */
		} login;
		struct chap_query verify; /* its pointers are valid until sess_verified() */
		struct req *req;
		struct {
			const uint8_t *bytes; /* valid until the next call */
			size_t len;
			struct sess_ending ending;
		} text;
		struct {
			uint32_t bytes, bytes_same; /* sent, and how many came back equal */
			uint64_t rtt_us;
			struct sess_ending ending;
			void *user;
		} ping;
		struct {
			enum sess_tmf_function function;
			uint8_t response; /* 11.6.1; with SESS_END_ANSWERED */
			struct sess_ending ending;
		} tmf;
		uint8_t logout_response;
		struct {
			uint8_t event, vendor_code;
			uint16_t parameter[3];
			uint8_t lun[8];
			uint16_t sense_len;
			const uint8_t *sense; /* valid until the next call */
		} async;
		uint8_t reject_reason;
		struct {
			enum conn_result why; /* CONN_OK: an orderly end (a logout) */
			uint32_t digest_expected, digest_received; /* of a digest error */
		} close;
	};
};

/* Heap; NULL when memory is short.  `cfg` is copied, its strings are not. */
struct sess *sess_new(const struct sess_cfg *cfg);
/* The session must hold no request: sess_disconnected(), then sess_next().  NULL is fine. */
void sess_free(struct sess *s);

enum sess_state sess_state(const struct sess *s);
/*
 * How far the last connection had come when it ended: SESS_LOGIN, SESS_ONLINE,
 * or SESS_LOGOUT, a logout request was sent.  SESS_OFFLINE: there was none.
 */
enum sess_state sess_ended_in(const struct sess *s);
/* Everything negotiated at the last login; valid once online. */
const struct neg_params *sess_params(const struct sess *s);
uint16_t sess_tsih(const struct sess *s);
/* The TargetPortalGroupTag of the last login, or -1. */
int32_t sess_tpgt(const struct sess *s);
/* The target's TargetAlias as it is shown (base/visible.h), or "". */
const char *sess_target_alias(const struct sess *s);
/*
 * Seconds to wait after the end of the last connection before the next
 * sess_connected(), and seconds after that for which the target keeps what it
 * had of the session: what the target said when it announced that end, in an
 * Asynchronous Message (Parameter2 and 3 of events 2 and 3, 11.9.1) or in its
 * Logout Response (11.15.3, 11.15.4); else, after a connection that was logged
 * in, DefaultTime2Wait and DefaultTime2Retain as negotiated (7.5, 13.15, 13.16).
 * 0 where the connection ended in its login: it had nothing to lose, and what
 * the one before it left behind its own end said.  Valid until the next
 * sess_connected(); while online, what would hold for an end that nobody
 * announced, or for the one that was announced.
 */
uint16_t sess_time2wait(const struct sess *s);
uint16_t sess_time2retain(const struct sess *s);
/* The one connection's byte machine; NULL while offline. */
struct conn *sess_conn(struct sess *s);
/* Requests the session holds, sent or waiting. */
uint32_t sess_requests(const struct sess *s);
/* Everything counted so far, over all connections. */
void sess_counts(const struct sess *s, struct conn_counts *ret_counts);
/* The last PDU headers, over all connections (trace.h); as long as the session. */
const struct trace *sess_trace(const struct sess *s);
/*
 * Have `t` listen from now on, until sess_untap(); borrowed.  For the present connection, or before
 * its first byte: whoever listens to the next one, too, begins anew.
 */
void sess_tap(struct sess *s, struct tap *t);
/* Harmless where it does not listen. */
void sess_untap(struct sess *s, const struct tap *t);

/*
 * A transport connection is up; the state must be SESS_OFFLINE.  0, -ENOMEM (no
 * memory for the login's state) or -ENOBUFS (none for its buffers).
 */
int sess_connected(struct sess *s, uint64_t now);
/*
 * The transport connection is gone, whoever closed it.  All requests are handed
 * back: those that were answered and kept only for their data; then the
 * unanswered ones in the order of their CmdSN, REQ_LOST, also those that were
 * late or being aborted, of which none had left any byte are REQ_UNSENT; then
 * those that waited, in the order of their submission, REQ_UNSENT.  Harmless
 * when offline.
 */
void sess_disconnected(struct sess *s, uint64_t now);
/*
 * The configuration for the next login (changed keys, a redirection's
 * address has no place here).  Borrowed strings as in sess_new().
 */
void sess_configure(struct sess *s, const struct sess_cfg *cfg);

/*
 * Queue a request, in any state.  Never fails; ends in one SESS_EV_REQ, REQ_UNSENT
 * where the state is not SESS_ONLINE.  Its time limit counts from when it is sent.
 */
void sess_submit(struct sess *s, struct req *r, uint64_t now);
/*
 * Take back a request that was submitted and not handed back: one that still
 * waits to be sent is handed back REQ_UNSENT.  False: it was sent already, or
 * has ended and its SESS_EV_REQ is on the way.
 */
bool sess_withdraw(struct sess *s, struct req *r, uint64_t now);
/*
 * How many commands may be outstanding now: those that are, and as many more
 * as the target's window (4.2.2.1) and the task slots have room for.  What is
 * submitted beyond it waits here.  0 while offline or once a logout was asked for.
 */
uint32_t sess_window(const struct sess *s);
/*
 * Send a NOP-Out with len bytes of ping data (RFC 7143, section 11.18).
 * -ENOTCONN when not online, -EBUSY while another one is unanswered, -EINVAL
 * beyond sess_ping_bytes_max().
 */
int sess_ping(struct sess *s, uint32_t len, void *user, uint64_t now);
/* What the target takes in one PDU, LIMIT_PING_BYTES at most. */
uint32_t sess_ping_bytes_max(const struct sess *s);
/* Send a Text Request "SendTargets=<what>"; errors as sess_ping(). */
int sess_send_targets(struct sess *s, const char *what, uint64_t now);
/* Ask for a logout that closes the session (11.14). -ENOTCONN when not online. */
int sess_logout(struct sess *s, uint64_t now);

/* The answer to SESS_EV_VERIFY; harmless when that login is over. */
void sess_verified(struct sess *s, enum chap_verdict verdict, uint64_t now);

/* Whether sess_next() has something. */
bool sess_has_next(const struct sess *s);
/* The next event, or false.  Call until it is false after every input. */
bool sess_next(struct sess *s, struct sess_event *ret_ev);
/* When sess_tick() must be called at the latest; UINT64_MAX: never. */
uint64_t sess_deadline(const struct sess *s);
void sess_tick(struct sess *s, uint64_t now);

#endif
