#include "iscsi_resolvd/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "ipc/helper_args.h"
#include "names/hostname.h"
#include "sys/log.h"

/* A name server that hangs costs a thread for about half a minute; names that work need none that
 * long. */
#define THREADS_MAX 32
#define WHY_BYTES   512

struct resolve {
	struct loop *loop;
	struct lookup_pool *pool;
	struct list requests;
};

struct request {
	struct resolve *all;
	struct list link;
	struct helper_call *call;
	struct lookup_waiter waiter;
	struct agenda_timer deadline;
	int timeout_ms;
	char name[LIMIT_HOST_BYTES + 1];
};

struct resolve *
resolve_new(struct loop *loop, const struct lookup_ops *ops)
{
	struct resolve *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->pool = lookup_pool_new(loop, ops, THREADS_MAX, LIMIT_RESOLVES);
	if (r->pool == NULL) {
		free(r);
		return NULL;
	}
	list_init(&r->requests);
	return r;
}

static void
request_free(struct request *q)
{
	agenda_clear(loop_agenda(q->all->loop), &q->deadline);
	list_remove(&q->link);
	free(q);
}

static void
answer_error(struct request *q, int err, const char *reason)
{
	log_debug("cannot resolve %s: %s", q->name, reason);
	helper_call_error(q->call, err, reason);
	request_free(q);
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	LIST_EACH(node, tmp, &r->requests)
	{
		struct request *q = LIST_ENTRY(node, struct request, link);

		lookup_leave(r->pool, &q->waiter);
		answer_error(q, -ECANCELED, "iscsi_resolvd ends");
	}
	lookup_pool_free(r->pool);
	free(r);
}

static void
resolved(struct lookup_waiter *w, const struct lookup_result *result)
{
	struct request *q = LIST_ENTRY(w, struct request, waiter);
	json_t *addresses, *answer;

	if (result->err < 0) {
		answer_error(q, result->err, result->why);
		return;
	}
	addresses = json_array();
	for (size_t i = 0; i < result->count; i++)
		if (json_array_append_new(addresses, json_string(result->addresses[i])) < 0)
			break;
	answer = json_array_size(addresses) == result->count
		     ? json_pack("{s:O}", "addresses", addresses)
		     : NULL;
	json_decref(addresses);
	if (answer == NULL) {
		answer_error(q, -ENOMEM, "out of memory");
		return;
	}
	helper_call_reply(q->call, answer, -1);
	request_free(q);
}

static void
deadline_passed(struct agenda_timer *t)
{
	struct request *q = LIST_ENTRY(t, struct request, deadline);
	char reason[WHY_BYTES];

	lookup_leave(q->all->pool, &q->waiter);
	snprintf(reason, sizeof reason,
	    "no answer within %d ms; check the name servers in /etc/resolv.conf", q->timeout_ms);
	answer_error(q, -ETIMEDOUT, reason);
}

static void
cancelled(void *user, struct helper_call *call)
{
	struct request *q = user;

	(void)call;
	lookup_leave(q->all->pool, &q->waiter);
	answer_error(q, -ECANCELED, "cancelled");
}

static const char *
explain(int err)
{
	switch (err) {
	case -EBUSY:
		return "too many names are being resolved; try again later";
	case -EAGAIN:
		return "no thread can be started; check the limits on processes";
	default:
		return strerror(-err);
	}
}

static void
resolve_name(struct resolve *r, struct helper_call *call, const char *name, int timeout_ms)
{
	struct request *q = calloc(1, sizeof *q);
	int err;

	if (q == NULL) {
		helper_call_error(call, -ENOMEM, "iscsi_resolvd is out of memory");
		return;
	}
	q->all = r;
	q->call = call;
	q->timeout_ms = timeout_ms;
	q->waiter.done = resolved;
	q->deadline.expired = deadline_passed;
	memcpy(q->name, name, strlen(name));
	list_push_back(&r->requests, &q->link);
	err = lookup_start(r->pool, &q->waiter, name);
	if (err < 0) {
		answer_error(q, err, explain(err));
		return;
	}
	agenda_set(loop_agenda(r->loop), &q->deadline,
	    loop_now_update(r->loop) + (uint64_t)timeout_ms * 1000);
	helper_call_on_cancel(call, cancelled, q);
}

void
resolve_handle(void *user, struct helper_call *call)
{
	const json_t *args = helper_call_args(call);
	char why[WHY_BYTES];
	const char *name, *fault;
	int timeout_ms, err = -EINVAL;

	if (strcmp(helper_call_op(call), "resolve") != 0) {
		snprintf(why, sizeof why, "iscsi_resolvd knows no operation \"%.64s\"",
		    helper_call_op(call));
		helper_call_error(call, -EOPNOTSUPP, why);
		return;
	}
	name = helper_args_string(args, "name", NULL, why, sizeof why);
	if (name != NULL)
		err = helper_args_int(
		    args, "timeout_ms", 1, LIMIT_RESOLVE_MS, &timeout_ms, why, sizeof why);
	if (err < 0) {
		helper_call_error(call, err, why);
		return;
	}
	fault = hostname_fault(name);
	if (fault != NULL) {
		snprintf(why, sizeof why, "the name \"%.255s\" %s", name, fault);
		helper_call_error(call, -EINVAL, why);
		return;
	}
	resolve_name(user, call, name, timeout_ms);
}
