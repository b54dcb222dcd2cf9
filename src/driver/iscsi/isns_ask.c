/* Having a server asked now, for a scan. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/call.h"
#include "driver/iscsi/isns_impl.h"

/* What iisnsd may need to say that time is up, and the copy to come. */
#define GRACE_US 2000000

struct isns_ask {
	struct list link; /* isns.asks */
	struct isns *x;
	isns_asked *done;
	void *user;
	int64_t id;     /* of the request; -1: it was answered */
	int64_t serial; /* what the copy must be, or newer; 0: not known yet */
	struct fault why;
	struct agenda_timer timer;
};

static void
finish(struct isns_ask *a)
{
	list_remove(&a->link);
	agenda_clear(loop_agenda(a->x->d->loop), &a->timer);
	a->done(a->user, &a->why);
	free(a);
}

static void
late(struct agenda_timer *t)
{
	struct isns_ask *a = LIST_ENTRY(t, struct isns_ask, timer);

	if (!a->why.is_set)
		fault_set(&a->why, FAULT_TIMEOUT, "look at iisnsd's log",
		    "iisnsd does not say in time what the server names");
	if (a->id >= 0)
		(void)helper_server_cancel(a->x->daemon, a->id); /* it is too late */
	finish(a);
}

static void
arm(struct isns_ask *a, uint64_t us)
{
	agenda_set(loop_agenda(a->x->d->loop), &a->timer, loop_now_update(a->x->d->loop) + us);
}

static void
answered(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct isns_ask *a = user;

	if (fd >= 0)
		(void)close(fd); /* asking hands none over: not wanted */
	a->id = -1;
	if (err != 0) {
		fault_set(&a->why, err == -ETIMEDOUT ? FAULT_TIMEOUT : FAULT_OFFLINE,
		    "look at iisnsd's log", "iSNS discovery failed: %s", why);
		finish(a);
		return;
	}
	a->serial = json_integer_value(json_object_get(result, "serial"));
	if (a->serial == a->x->copy.serial)
		finish(a);
	else
		arm(a, GRACE_US); /* the copy is coming */
}

void
isns_asks_look(struct isns *x)
{
	/* A copy that was made after the answer is as new as it. */
	LIST_EACH(node, tmp, &x->asks)
	{
		struct isns_ask *a = LIST_ENTRY(node, struct isns_ask, link);

		if (a->id < 0 && a->serial != 0)
			finish(a);
	}
}

struct isns_ask *
isns_ask(struct driver *d, const char *text, isns_asked *done, void *user)
{
	struct isns_ask *a = call_alloc(sizeof *a);
	json_t *args = json_pack("{s:s, s:i}", "server", text, "timeout_ms", ISNS_TIMEOUT_MS);

	a->x = d->isns;
	a->done = done;
	a->user = user;
	a->timer.expired = late;
	a->id = -ENOTCONN;
	list_push_back(&a->x->asks, &a->link);
	if (isns_pid(d) == 0)
		fault_set(&a->why, FAULT_OFFLINE, "start it: iscsi start, or iisnsd",
		    "iisnsd, which asks iSNS servers, is not running");
	else if (args != NULL)
		a->id = helper_server_request(a->x->daemon, "refresh", json_incref(args),
		    loop_now_update(d->loop) + ISNS_TIMEOUT_MS * 1000ull + GRACE_US, answered, a);
	json_decref(args);
	if (a->id < 0 && !a->why.is_set)
		fault_set(&a->why, FAULT_INTERNAL, "scan again", "iisnsd cannot be asked: %s",
		    strerror((int)-a->id));
	arm(a, a->id < 0 ? 0 : ISNS_TIMEOUT_MS * 1000ull + 2 * (uint64_t)GRACE_US);
	return a;
}

void
isns_ask_cancel(struct isns_ask *a)
{
	if (a->id >= 0)
		(void)helper_server_cancel(a->x->daemon, a->id); /* it is not wanted */
	list_remove(&a->link);
	agenda_clear(loop_agenda(a->x->d->loop), &a->timer);
	free(a);
}

void
isns_asks_end(struct isns *x)
{
	LIST_EACH(node, tmp, &x->asks)
	isns_ask_cancel(LIST_ENTRY(node, struct isns_ask, link));
}
