/*
 * One discovery: who is asked for targets, in which order, within a time limit.
 *
 * RFC 2608, section 6, has the order: agents that are configured; directory
 * agents that multicast finds, where those do not serve all scopes or do not
 * answer; service agents by multicast, for scopes that no directory agent
 * serves.  Several are asked at once, each for its scopes; what they say is
 * merged.  Then the attributes of each target are asked for (the portal group
 * tag is one).  Whatever is known when the time is over is the result.
 *
 * Nothing is remembered between discoveries: somebody typed ioscan and wants to
 * see what is there now.
 */
#ifndef ISLPD_RUN_H
#define ISLPD_RUN_H

#include "engine/loop.h"
#include "islpd/config.h"
#include "islpd/found.h"
#include "islpd/notes.h"
#include "islpd/scopes.h"
#include "names/lookup.h"

struct run;

/*
 * The discovery is over; called once, never from inside run_new().  err is 0,
 * also when nobody answered; a negative errno: there is no network to ask.
 * The run may be freed.
 */
typedef void run_done(void *user, struct run *r, int err);

/*
 * name: an iSCSI name that alone is looked for, or NULL.  names looks up those
 * agents that are configured by name; it and config are borrowed.  NULL: no
 * memory.
 */
struct run *run_new(struct loop *loop, const struct config *config, struct lookup_pool *names,
    const struct scopes *scopes, const char *name, unsigned timeout_ms, run_done *done, void *user);
/* Ends it where it is; done() is not called any more.  NULL is fine. */
void run_free(struct run *r);

/* The result. */
const struct found *run_found(const struct run *r);
const struct notes *run_notes(const struct run *r);

struct run_agent {
	char address[80];            /* "192.0.2.1:427"; a host name where it has none */
	bool is_directory;           /* else a service agent, or not known */
	size_t targets;              /* that it was the first to name */
	const struct scopes *scopes; /* that it was asked for */
	const char *error;           /* a sentence; NULL: it answered */
};
/* False: there are no more. */
bool run_agent(const struct run *r, size_t i, struct run_agent *ret);

#endif
