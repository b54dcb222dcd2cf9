/*
 * The world (ini/world.h) of a worker: connections and verdicts from the
 * interface driver's thread by mail, sockets in the worker's loop, random bytes
 * of the kernel.  Every event of a connection passes here once, and is counted
 * and told of here (diag/account.h).  On the worker's thread.
 */
#ifndef ISCSI_WORLD_H
#define ISCSI_WORLD_H

#include "driver/diag/account.h"
#include "engine/mailbox.h"
#include "ini/world.h"
#include "sys/log.h"

/* What the worlds of one worker share; borrowed. */
struct world_thread {
	struct loop *loop;
	struct mailbox *box;
	struct mail_address isw;
	struct log_limit *said; /* what all of them say, by level */
	struct tapping *tapping;
	struct spare *spare;
};

/* The world of one session, or of one discovery. */
struct iscsi_world {
	struct world world;
	const struct world_thread *thread;
	struct account account;                   /* what it points to is borrowed */
	struct log_limit said[LOG_LVL_DEBUG + 1]; /* what it says, by level */
};

void world_init(
    struct iscsi_world *w, const struct world_thread *thread, const struct account *account);

#endif
