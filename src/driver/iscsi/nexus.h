/*
 * A session on its worker: the machine (ini/session.h) with its world, what the
 * main loop asks of it, and what it tells the main loop (wanted.h).  What stands
 * behind it, units that are shown as disks, is the adaptation layer's; see struct
 * nexus_ops.
 */
#ifndef ISCSI_NEXUS_H
#define ISCSI_NEXUS_H

#include "driver/iscsi/iothread.h"

struct nexus;

/* The adaptation layer's half; all on the worker's thread. */
struct nexus_ops {
	/* A session begins; what it returns is nexus_user(). */
	void *(*begin)(struct nexus *x, const void *cfg);
	/* It is being closed: no I/O from now on; its units are closed (lu_close()). */
	void (*close)(void *user);
	/* Nothing of its units is under way any more. */
	bool (*is_idle)(const void *user);
	/* Closed and idle: its units end.  The session may be opened again. */
	void (*empty)(void *user);
	/* After empty(): it ends. */
	void (*end)(void *user);
	/* What its units counted: heap, or NULL with none. */
	struct nexus_lun_counts *(*counts)(const void *user, size_t *ret_n);
	/* I/Os of theirs that failed because the session was offline, ever. */
	uint64_t (*failed)(const void *user);
	void (*clear)(void *user);
	/* nexus_filters() is another one now. */
	void (*configured)(void *user);
};

/* Takes what cfg owns. */
void nexus_begin(struct iothread *o, const struct nexus_cfg *cfg);

/* NULL: this worker has no such session. */
struct nexus *nexus_find(const struct iothread *o, uint32_t instance);
struct session *nexus_session(const struct nexus *x);
void *nexus_user(const struct nexus *x);
bool nexus_is_closing(const struct nexus *x);
const struct nexus_cfg *nexus_cfg(const struct nexus *x);
/* What is configured to stand in front of its disks (export/filterspec.h). */
const char *nexus_filters(const struct nexus *x);
/* Of its messages. */
const struct diag_ctx *nexus_about(const struct nexus *x);
const struct iothread *nexus_iothread(const struct nexus *x);
/* Whom notes to the other half go to, and come from. */
const struct mail_address *nexus_wanted(const struct nexus *x);
const struct mail_address *nexus_address(const struct nexus *x);

#endif
