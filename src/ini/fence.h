/*
 * Nexuses of a session that may still hold commands of ours.  A command that
 * was sent and not answered may be executed by the target until the nexus that
 * carried it is dead:
 *
 *   a login with the same initiator name and ISID in the same portal group has
 *   reinstated the session (RFC 7143, section 6.3.5);
 *   a Logout Response said that the session is closed (11.15);
 *   Time2Wait and Time2Retain have passed since it was lost (7.5, 13.15, 13.16)
 *   and a second of grace.
 *
 * Nexuses are numbered by login.  Bounded, pure.
 */
#ifndef INI_FENCE_H
#define INI_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

/* Portal groups a target sends us through in an outage; more are counted as one. */
#define FENCE_ROWS     4
#define FENCE_GRACE_US 1000000

/* Where a nexus is. */
struct fence_place {
	char name[LIMIT_ISCSI_NAME_BYTES + 1]; /* the initiator's */
	int32_t tpgt;                          /* -1: unknown, or several: no login reinstates it */
	uint32_t retain_s; /* Time2Wait and Time2Retain: so long it lives when it is lost */
};
struct fence_row {
	uint64_t nexus;
	uint64_t dead_us; /* UINT64_MAX: it is not lost */
	struct fence_place at;
};
struct fence {
	uint64_t newest;
	size_t n;
	struct fence_row row[FENCE_ROWS]; /* by number, those that may live */
};

/* A login at b reinstates a nexus at a. */
bool fence_reinstates(const struct fence_place *a, const struct fence_place *b);
/* This place is in the list, where a nexus lives at least as long. */
bool fence_covers(const struct fence_place *list, size_t n, const struct fence_place *at);

/* A login is done: this is a new nexus (numbers grow). */
void fence_login(struct fence *f, uint64_t nexus, const struct fence_place *at);
/* One of a life before; when it was lost nobody knows: now, at the latest. */
void fence_past(struct fence *f, uint64_t nexus, const struct fence_place *at, uint64_t now_us);
/* The newest nexus' connection is gone; the target may have said other times. */
void fence_lost(struct fence *f, uint64_t now_us, uint16_t time2wait_s, uint16_t time2retain_s);
/* The target answered the logout of the newest nexus, unless that was lost before. */
void fence_logged_out(struct fence *f);
/* Nexuses up to this one are dead at now_us. */
uint64_t fence_dead(struct fence *f, uint64_t now_us);
/* Those that may live, the oldest first, each place once: how many. */
size_t fence_living(const struct fence *f, struct fence_place ret[FENCE_ROWS]);
/* When the last of those that may live is dead, if none of them is heard of any more; 0: none. */
uint64_t fence_last_us(const struct fence *f, uint64_t now_us);
/* When fence_dead() grows by itself; UINT64_MAX: never. */
uint64_t fence_next_us(const struct fence *f);

#endif
