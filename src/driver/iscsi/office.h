/*
 * A worker's part of the transport driver: where the main loop has sessions and
 * discoveries begun.  One a worker.
 */
#ifndef ISCSI_OFFICE_H
#define ISCSI_OFFICE_H

#include "driver/iscsi/mail.h"
#include "driver/iscsi/world.h"
#include "engine/worker.h"

struct host_ops;

struct office {
	struct worker *worker;
	struct world_place place;
	struct mail_slot slot;
	struct stat_block *stats; /* the driver's, as what follows */
	const struct host_ops *ops;
	const void *ops_cfg; /* for the ops */
	struct list hosts;   /* host.link */
	struct list works;   /* discoveries that are under way */
};

struct office_cfg {
	struct worker *worker; /* owned from now on */
	struct mail_address isw;
	struct stat_block *stats;
	/* The adaptation layer's half of a session; see host.h. */
	const struct host_ops *ops;
	const void *ops_cfg;
};

/* NULL when memory is short: the worker stays the caller's. */
struct office *office_new(const struct office_cfg *cfg);
/*
 * Ends the thread.  False: a session is still there, which uses its thread; then
 * nothing is freed.  NULL is fine.
 */
bool office_free(struct office *o);

#endif
