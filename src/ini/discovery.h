/*
 * Discovery: a session with a portal that asks SendTargets=All and is closed
 * again.  Bounded in time and memory, whatever the portal does.
 */
#ifndef INI_DISCOVERY_H
#define INI_DISCOVERY_H

#include "core/sendtargets.h"
#include "ini/counts.h"
#include "ini/login_run.h"

/* The answer to SendTargets, from the first byte of the question to the last of the answer. */
#define DISCOVERY_TEXT_US 15000000

struct discovered {
	char name[LIMIT_ISCSI_NAME_BYTES + 1];
	char host[LIMIT_ADDRESS_BYTES + 1];
	uint16_t port, tpgt;
	/*
	 * The portal was named with several tags, though it belongs to one portal group
	 * (RFC 7143, 4.1.1): the login tells which.
	 */
	bool is_tag_open;
};

/* What the portal sent that could not be used. */
struct discovery_bad {
	enum sendtargets_kind kind;
	char culprit[256], reason[160];
};
#define DISCOVERY_BAD_MAX 32

struct discovery_result {
	struct fault fault;       /* set: found nothing, or not all */
	struct discovered *found; /* n of them; taken by setting it to NULL */
	size_t n, n_targets;
	struct discovery_bad bad[DISCOVERY_BAD_MAX]; /* the first of n_bad */
	size_t n_bad;
	bool was_online;
	struct ini_counts counts;
	struct conn_counts core;
};
/* Called once, from the agenda; the discovery is gone afterwards. */
typedef void discovery_done(void *user, struct discovery_result *r);

struct discovery;
/* `settings` is owned; isid is a discovery session's.  NULL when memory is short. */
struct discovery *discovery_start(struct world *world, const struct portal_address *at,
    const uint8_t isid[6], struct settings *settings, discovery_done *done, void *user);
/* done() will not be called.  NULL is fine. */
void discovery_cancel(struct discovery *x);

#endif
