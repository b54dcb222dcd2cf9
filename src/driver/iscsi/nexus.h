/*
 * One iSCSI session with its socket in a loop: it logs in, tells how the
 * login went, and says in sentences why a connection ended.  A normal
 * session's nexus lives on a worker's loop, a discovery session's on the main
 * loop.  All calls on that loop's thread.
 *
 *   nexus_new → nexus_attach(fd) → online() → nexus_release()
 *     … → down(); nexus_attach(another fd) reinstates the session (same ISID)
 */
#ifndef ISCSI_NEXUS_H
#define ISCSI_NEXUS_H

#include "base/fault.h"
#include "driver/diag/account.h"
#include "driver/iscsi/chapcfg.h"
#include "driver/iscsi/timers.h"
#include "engine/link.h"

/* What the next login says of us.  Heap, owned by whoever has it. */
struct nexus_login {
	char initiator_name[LIMIT_ISCSI_NAME_BYTES + 1];
	char initiator_alias[LIMIT_ALIAS_BYTES + 1];
	char target_name[LIMIT_ISCSI_NAME_BYTES + 1]; /* "": a discovery session */
	int32_t expected_tpgt;
	struct neg_offer offer;
	struct timers timers;
	bool has_chap; /* only where AuthMethod offers it */
	struct chapcfg chap;
};
/* Wipes its secrets.  NULL is fine. */
void nexus_login_free(struct nexus_login *login);

enum nexus_end {
	NEXUS_LOST,    /* the connection broke, or the peer broke the protocol */
	NEXUS_REFUSED, /* the login was refused or failed; see is_permanent */
	NEXUS_MOVED,   /* the target named another address: redirect */
	NEXUS_LOGGED_OUT,
};

/* Why there is no connection any more. */
struct nexus_down {
	enum nexus_end end;
	bool is_permanent;      /* trying the same again would not help */
	bool redirect_for_good; /* NEXUS_MOVED: 0102, not 0101 */
	bool was_online;
	uint16_t time2wait_s; /* the target asked not to come back before (11.9.1, 11.15.3) */
	bool chap_again;      /* it failed after the target had chosen another algorithm than MD5 */
	char redirect[LIMIT_ADDRESS_BYTES + 1];
	struct fault fault; /* not set after a logout that we asked for */
};

struct nexus_ping {
	uint32_t bytes, bytes_same;
	uint64_t rtt_us;
	bool timed_out;
	void *user;
};

/*
 * Somebody who knows the target's secret must say whether its response is
 * right (CHAP_BI without a local secret).  A copy: it may go to another thread.
 */
struct nexus_query {
	unsigned stamp; /* which login asks */
	uint8_t identifier;
	size_t challenge_len;
	uint8_t challenge[CHAPCFG_CHALLENGE_BYTES];
	uint8_t response[CHAP_DIGEST_MAX];
	size_t response_len;
	char name[CHAP_NAME_MAX + 1];
};
/* RADIUS is asked, and answers, within this: part of the login's time. */
#define NEXUS_VERIFY_MS 12000
/* A logout that is not answered within this is none. */
#define NEXUS_LOGOUT_MS 5000

/* None of these may free the nexus, except down(). */
struct nexus_ops {
	void (*online)(void *user);
	void (*down)(void *user, const struct nexus_down *down);
	void (*text)(void *user, const uint8_t *bytes, size_t n); /* or NULL */
	void (*text_done)(void *user, bool ok);                   /* or NULL */
	void (*ping)(void *user, const struct nexus_ping *ping);  /* or NULL */
	/* The target says that its LUNs are not what they were (unit attention 3F/0E). */
	void (*luns_changed)(void *user); /* or NULL */
	/* nexus_verified() is the answer; or NULL: nobody can be asked. */
	void (*verify)(void *user, const struct nexus_query *q);
};

struct nexus_cfg {
	const char *label; /* for the log: "session 3"; copied */
	uint8_t isid[6];
	uint16_t slots;
	struct account account; /* what it points to is borrowed */
};

struct nexus;

/* NULL when memory is short.  Owns `login`. */
struct nexus *nexus_new(struct loop *loop, const struct nexus_cfg *cfg, struct nexus_login *login,
    const struct nexus_ops *ops, void *user);
/* Closes without a word; what it held is handed back REQ_OFFLINE.  NULL is fine. */
void nexus_free(struct nexus *n);

/*
 * Log in over fd, which is the nexus's from now on.  `login` (owned; NULL: as
 * before) counts from this login on.  Must not be attached.  An error comes
 * as down().
 */
void nexus_attach(struct nexus *n, int fd, struct nexus_login *login);
/* The verdict on a query, or (why->is_set) that there is none; harmless when that login is over. */
void nexus_verified(struct nexus *n, unsigned stamp, bool ok, const struct fault *why);
bool nexus_is_online(const struct nexus *n);
bool nexus_is_attached(const struct nexus *n);
/* The LUNs are the same: let requests out. */
void nexus_release(struct nexus *n);
void nexus_submit(struct nexus *n, struct req *r);
/* As sess_fail_unsent(), REQ_OFFLINE. */
void nexus_fail_unsent(struct nexus *n, const uint8_t lun[8]);
/* Hand every request back REQ_OFFLINE; only while not attached. */
void nexus_fail_all(struct nexus *n);

/* Log out; down() follows.  -ENOTCONN when not online. */
int nexus_logout(struct nexus *n);
/* Close the connection at once for this reason (copied); down() follows, later. */
void nexus_drop(struct nexus *n, const struct fault *why);
/* As sess_send_targets() and sess_ping(). */
int nexus_send_targets(struct nexus *n);
int nexus_ping(struct nexus *n, uint32_t len, void *user);

/* What the login gave; valid while online. */
const struct sess *nexus_sess(const struct nexus *n);

#endif
