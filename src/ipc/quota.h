/*
 * What the users of a control socket may take of the driver: connections, and memory
 * for answers that are not read.  Each user has his share, strangers (who are
 * neither root nor the driver's own user) together theirs, so that no user can keep another
 * out, and none of them root.
 */
#ifndef IPC_QUOTA_H
#define IPC_QUOTA_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

/* A user who has connections. */
struct ipc_user {
	struct list link;
	uid_t uid;
	bool is_stranger;
	size_t n_clients, bytes;
};

struct ipc_quota {
	struct list users;
	size_t n_strangers, n_own;
	size_t strangers_bytes;
};

void ipc_quota_init(struct ipc_quota *q);

/*
 * One more connection of this user.  NULL: there is no place, or no memory.  The record
 * lives until ipc_quota_leave() was called for each connection.
 */
struct ipc_user *ipc_quota_enter(struct ipc_quota *q, uid_t uid, bool is_stranger);
void ipc_quota_leave(struct ipc_quota *q, struct ipc_user *u);

/* So many bytes of answers wait for the user, or do not any more. */
void ipc_quota_add(struct ipc_quota *q, struct ipc_user *u, size_t bytes);
void ipc_quota_sub(struct ipc_quota *q, struct ipc_user *u, size_t bytes);
/* May a request of his be read now, which will need memory for its answer? */
bool ipc_quota_may_ask(const struct ipc_quota *q, const struct ipc_user *u);

#endif
