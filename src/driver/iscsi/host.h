/*
 * A session on its worker: the machine (ini/session.h) with its world, what the
 * main loop asks of it, and what it tells the main loop (wanted.h).  What stands
 * behind it, units that are shown as disks, is the adaptation layer's; see struct
 * host_ops.
 */
#ifndef ISCSI_HOST_H
#define ISCSI_HOST_H

#include "driver/iscsi/office.h"

struct host;

/* The adaptation layer's half; all on the worker's thread. */
struct host_ops {
	/* A session begins; what it returns is host_user(). */
	void *(*begin)(struct host *h, const void *cfg);
	/* It is being closed: no I/O from now on; its units are closed (lu_close()). */
	void (*close)(void *user);
	/* Nothing of its units is under way any more. */
	bool (*is_idle)(const void *user);
	/* Closed and idle: its units end.  The session may be opened again. */
	void (*empty)(void *user);
	/* After empty(): it ends. */
	void (*end)(void *user);
	/* What its units counted: heap, or NULL with none. */
	struct host_lun_counts *(*counts)(const void *user, size_t *ret_n);
	/* I/Os of theirs that failed because the session was offline, ever. */
	uint64_t (*failed)(const void *user);
	void (*clear)(void *user);
};

/* Takes what cfg owns. */
void host_begin(struct office *o, const struct host_cfg *cfg);

struct session *host_session(const struct host *h);
void *host_user(const struct host *h);
bool host_is_closing(const struct host *h);
const struct host_cfg *host_cfg(const struct host *h);
const struct office *host_office(const struct host *h);
/* Whom notes to the other half go to, and come from. */
const struct mail_address *host_wanted(const struct host *h);
const struct mail_address *host_address(const struct host *h);

#endif
