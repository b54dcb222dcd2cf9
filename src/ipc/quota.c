#include "ipc/quota.h"

#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"

void
ipc_quota_init(struct ipc_quota *q)
{
	*q = (struct ipc_quota){ 0 };
	list_init(&q->users);
}

static struct ipc_user *
find(struct ipc_quota *q, uid_t uid)
{
	LIST_EACH(node, tmp, &q->users)
	{
		struct ipc_user *u = LIST_ENTRY(node, struct ipc_user, link);

		if (u->uid == uid)
			return u;
	}
	return NULL;
}

struct ipc_user *
ipc_quota_enter(struct ipc_quota *q, uid_t uid, bool is_stranger)
{
	struct ipc_user *u = find(q, uid);

	if (is_stranger ? q->n_strangers >= LIMIT_IPC_STRANGERS ||
			      (u != NULL && u->n_clients >= LIMIT_IPC_USER_CLIENTS)
			: q->n_own >= LIMIT_IPC_CLIENTS)
		return NULL;
	if (u == NULL) {
		u = calloc(1, sizeof *u);
		if (u == NULL)
			return NULL;
		u->uid = uid;
		u->is_stranger = is_stranger;
		list_push_back(&q->users, &u->link);
	}
	u->n_clients++;
	if (is_stranger)
		q->n_strangers++;
	else
		q->n_own++;
	return u;
}

void
ipc_quota_leave(struct ipc_quota *q, struct ipc_user *u)
{
	assert(u->n_clients > 0);
	if (u->is_stranger)
		q->n_strangers--;
	else
		q->n_own--;
	if (--u->n_clients > 0)
		return;
	assert(u->bytes == 0);
	list_remove(&u->link);
	free(u);
}

void
ipc_quota_add(struct ipc_quota *q, struct ipc_user *u, size_t bytes)
{
	u->bytes += bytes;
	if (u->is_stranger)
		q->strangers_bytes += bytes;
}

void
ipc_quota_sub(struct ipc_quota *q, struct ipc_user *u, size_t bytes)
{
	assert(u->bytes >= bytes);
	u->bytes -= bytes;
	if (u->is_stranger)
		q->strangers_bytes -= bytes;
}

bool
ipc_quota_may_ask(const struct ipc_quota *q, const struct ipc_user *u)
{
	return !u->is_stranger || (u->bytes <= LIMIT_IPC_USER_BYTES &&
				      q->strangers_bytes <= LIMIT_IPC_STRANGERS_BYTES);
}
