/*
 * What the events of a session mean for the guide's statistics and messages.
 * On the session's thread.
 */
#ifndef DRIVER_DIAG_ACCOUNT_H
#define DRIVER_DIAG_ACCOUNT_H

#include "driver/diag/report.h"
#include "driver/diag/stat.h"

struct account {
	struct diag_ctx about;
	struct stat_block *session; /* may be NULL, as below: counted for nobody */
	struct stat_block *driver;
};

/* How far a connection had come when it ended. */
enum account_phase {
	ACCOUNT_LOGIN,  /* a login response was awaited */
	ACCOUNT_ACTIVE, /* in use */
	ACCOUNT_LOGOUT, /* a logout response was awaited */
	ACCOUNT_DONE,   /* it had come */
	ACCOUNT_OURS,   /* we ended it ourselves */
};

void account_event(const struct account *a, const struct sess_event *ev);
/* The socket ended with `err` (negative errno, 0: the protocol's `why`). */
void account_closed(
    const struct account *a, enum account_phase phase, int err, enum conn_result why);
/* A login could not begin: -ENOMEM, -ENOBUFS, or another errno of the socket. */
void account_no_login(const struct account *a, int err);
/* A connection to `host` could not be made: `err`, negative; is_name: its name was not found. */
void account_dial(const struct account *a, const char *host, int err, bool is_name);

#endif
