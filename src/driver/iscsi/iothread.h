/*
 * A worker's part of the transport driver: where the main loop has sessions and
 * discoveries begun.  One a worker.
 */
#ifndef ISCSI_IOTHREAD_H
#define ISCSI_IOTHREAD_H

#include "driver/iscsi/mail.h"
#include "driver/iscsi/tapping.h"
#include "driver/iscsi/world.h"
#include "engine/worker.h"

struct nexus_ops;

struct iothread {
	struct worker *worker;
	struct world_thread thread;
	struct log_limit said[LOG_LVL_DEBUG + 1]; /* the thread's */
	struct mail_slot slot;
	struct stat_block *stats; /* the driver's, as what follows */
	struct diag *diag;
	const struct nexus_ops *ops;
	const void *ops_cfg; /* for the ops */
	struct list nexuses; /* nexus.link */
	struct list works;   /* discoveries that are under way */
	struct tapping tapping;
};

struct iothread_cfg {
	struct worker *worker; /* owned from now on */
	struct mail_address isw;
	struct stat_block *stats;
	struct diag *diag; /* may be NULL */
	/* The adaptation layer's half of a session; see nexus.h. */
	const struct nexus_ops *ops;
	const void *ops_cfg;
};

/* NULL when memory is short: the worker stays the caller's. */
struct iothread *iothread_new(const struct iothread_cfg *cfg);
/* Ends the thread.  False: a session is still there, which uses it; then nothing is freed. */
bool iothread_stop(struct iothread *o);
/* After iothread_stop(), and when nobody sends to it any more. */
void iothread_free(struct iothread *o);

#endif
