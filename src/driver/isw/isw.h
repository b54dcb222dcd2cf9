/*
 * The interface driver: a thread of its own with the daemons that open
 * connections (iswd), resolve names (iscsi_resolvd) and ask RADIUS (iradd).
 * Workers ask it by mail and are answered by mail, so nothing that a lost
 * connection needs waits for the main loop or for a file.
 *
 * A fleet of sessions of one target does not storm it: ISW_CONNECTS_MAX
 * connections at most are made to one address at once, the others follow.
 * When one of them fails, those that wait for the same address are
 * answered with the same failure: each decides itself when to try again.
 */
#ifndef ISW_ISW_H
#define ISW_ISW_H

#include <jansson.h>

#include "driver/diag/diag.h"
#include "driver/diag/stat.h"
#include "driver/isw/verify.h"
#include "driver/question.h"
#include "engine/mailbox.h"

#define ISW_CONNECTS_MAX 4

enum isw_daemon { ISW_ISWD, ISW_RESOLVD, ISW_IRADD, ISW_DAEMONS };

struct isw;
struct dial;

struct isw_cfg {
	struct isw_daemon_cfg {
		const char *name, *path, *pid; /* of the program, its socket, its pid file */
		struct diag_ctx about;         /* who hears that it comes and goes */
	} daemon[ISW_DAEMONS];
	struct stat_block *stats; /* the driver's */
};

/* NULL with *ret_fault. */
struct isw *isw_new(const struct isw_cfg *cfg, struct fault *ret_fault);
/* Answers what is open, ends the thread.  NULL is fine. */
void isw_free(struct isw *w);
/* Whom to write to. */
const struct mail_address *isw_address(const struct isw *w);

/* ---- messages; each is a row of iscsi/mail.def ---- */

/* Question: a connection to a portal. */
struct isw_connect {
	struct mail mail;
	struct portal_address to;
	struct connect_from from;
	uint32_t timeout_ms; /* all of it, waiting for its turn too */
	/* The answer. */
	int fd;                   /* connected, non-blocking, the asker's; -1: see fault */
	char local[80], peer[80]; /* "127.0.0.1:40000"; "" where not known */
	struct fault fault;
	int err;      /* negative errno where fd is -1 */
	bool is_name; /* the host name was not resolved */
	/* The interface driver's while it has the question. */
	struct isw *isw;
	struct isw_queue *queue;
	struct list link, turn;
	struct agenda_timer patience;
	struct dial *dial;
};
void isw_take_connect(void *owner, struct mail *m);
void isw_refuse_connect(struct mail *m);
void isw_drop_connect(struct mail *m);

/* Question: does the target know its secret? */
struct isw_verify {
	struct mail mail;
	struct verify_query query;
	struct verify_result result; /* the answer */
	/* The interface driver's. */
	struct isw *isw;
	struct list link;
	struct verify *verify;
};
void isw_take_verify(void *owner, struct mail *m);
void isw_refuse_verify(struct mail *m);
void isw_drop_verify(struct mail *m);

/* Told: an answer is not wanted any more; it comes at once, and says so (-ECANCELED). */
struct isw_cancel {
	struct mail mail;
	bool is_verify;
	struct mail_address asker;
};
void isw_take_cancel(void *owner, struct mail *m);
void isw_drop_cancel(struct mail *m);

/* Told: what is configured about RADIUS has changed. */
struct isw_radius {
	struct mail mail;
	struct verify_cfg cfg; /* owned */
};
void isw_take_radius(void *owner, struct mail *m);
void isw_drop_radius(struct mail *m);

/* Question of the main loop: which daemons run. */
struct isw_status {
	struct question base;
	pid_t pid[ISW_DAEMONS]; /* the answer; 0: it does not run */
};
void isw_take_status(void *owner, struct mail *m);
void isw_refuse_status(struct mail *m);

/* Question of the main loop: what iradd has counted since it was started. */
struct isw_counters {
	struct question base;
	bool is_running;
	json_t *counters; /* the answer: numbers by their names, the asker's; NULL: err says why */
	int err;          /* a negative errno; 0 where there are counters, or it does not run */
};
void isw_take_counters(void *owner, struct mail *m);
void isw_refuse_counters(struct mail *m);
void isw_drop_counters(struct mail *m);

#endif
