#include "iisnsd/follow.h"

#include <sys/random.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "iisnsd/follow_answer.h"
#include "ipc/helper_args.h"

#define WHY_BYTES 512
/* What the servers may take to hear that this initiator goes. */
#define GOODBYE_MS 200

/* A call that waits. */
struct waiter {
	struct list link; /* follow.followers or follow.refreshers */
	struct follow *f;
	struct helper_call *call;
	struct agenda_timer timer;
	int64_t seen; /* follow: what the driver knows */
	struct {
		const struct server *server;
		unsigned outcomes;
	} until[LIMIT_ISNS_SERVERS]; /* refresh: n of them */
	size_t n;
};

struct follow {
	const struct server_cfg *cfg;
	struct list servers; /* in the order they were named */
	char name[LIMIT_ISCSI_NAME_BYTES + 1], alias[LIMIT_ALIAS_BYTES + 1];
	int64_t serial; /* of what can be told now */
	struct list followers, refreshers;
	unsigned n_calls;
	struct agenda_work tell;
};

/* ---- calls that wait ---- */

static void
waiter_end(struct waiter *w)
{
	agenda_clear(loop_agenda(w->f->cfg->loop), &w->timer);
	list_remove(&w->link);
	w->f->n_calls--;
	free(w);
}

static void
answer(struct waiter *w)
{
	json_t *o = follow_answer(&w->f->servers, w->f->serial, 0);

	if (o != NULL)
		helper_call_reply(w->call, o, -1);
	else
		helper_call_error(w->call, -ENOMEM, "iisnsd is out of memory");
	waiter_end(w);
}

static void
cancelled(void *user, struct helper_call *call)
{
	helper_call_error(call, -ECANCELED, "cancelled");
	waiter_end(user);
}

static void
time_is_up(struct agenda_timer *t)
{
	answer(LIST_ENTRY(t, struct waiter, timer));
}

static void
wait_for(struct follow *f, struct list *list, struct helper_call *call, int timeout_ms,
    struct waiter **ret)
{
	struct waiter *w = f->n_calls < LIMIT_ISNS_CALLS ? calloc(1, sizeof *w) : NULL;

	*ret = w;
	if (w == NULL) {
		helper_call_error(call, -EBUSY, "too many questions wait; try again later");
		return;
	}
	f->n_calls++;
	w->f = f;
	w->call = call;
	w->timer.expired = time_is_up;
	list_push_back(list, &w->link);
	agenda_set(loop_agenda(f->cfg->loop), &w->timer,
	    loop_now_update(f->cfg->loop) + (uint64_t)timeout_ms * 1000);
	helper_call_on_cancel(call, cancelled, w);
}

/* ---- what servers say ---- */

static bool
is_refreshed(const struct waiter *w)
{
	for (size_t i = 0; i < w->n; i++)
		LIST_EACH(node, tmp, &w->f->servers)
		{
			const struct server *s = LIST_ENTRY(node, struct server, link);

			if (s == w->until[i].server && s->state != SERVER_WAITING &&
			    (int)(s->outcomes - w->until[i].outcomes) < 0)
				return false;
		}
	return true;
}

/* At the end of a turn: what changes together is told once. */
static void
tell(struct agenda_work *work)
{
	struct follow *f = LIST_ENTRY(work, struct follow, tell);

	LIST_EACH(node, tmp, &f->followers)
	{
		struct waiter *w = LIST_ENTRY(node, struct waiter, link);

		if (w->seen != f->serial)
			answer(w);
	}
	LIST_EACH(node, tmp, &f->refreshers)
	{
		struct waiter *w = LIST_ENTRY(node, struct waiter, link);

		if (is_refreshed(w))
			answer(w);
	}
}

static void
changed(struct server *s)
{
	struct follow *f = s->user;

	f->serial++;
	agenda_defer(loop_agenda(f->cfg->loop), &f->tell);
}

/* ---- the driver's questions ---- */

static struct server *
find(struct follow *f, const char *text)
{
	LIST_EACH(node, tmp, &f->servers)
	{
		struct server *s = LIST_ENTRY(node, struct server, link);

		if (strcmp(s->text, text) == 0)
			return s;
	}
	return NULL;
}

/* Servers that are not named any more, or to which this initiator is another one by now, go. */
static void
drop_servers(struct follow *f, const json_t *list, bool is_other)
{
	const json_t *v;
	size_t i;

	LIST_EACH(node, tmp, &f->servers)
	LIST_ENTRY(node, struct server, link)->is_wanted = false;
	json_array_foreach(list, i, v)
	{
		struct server *s = find(f, json_string_value(v));

		if (s != NULL)
			s->is_wanted = !is_other;
	}
	LIST_EACH(node, tmp, &f->servers)
	{
		struct server *s = LIST_ENTRY(node, struct server, link);

		if (s->is_wanted)
			continue;
		list_remove(&s->link);
		server_free(s, 0);
		f->serial++;
	}
}

static void
asked(struct server *s)
{
	struct follow *f = s->user;

	agenda_defer(loop_agenda(f->cfg->loop), &f->tell);
}

/* 0, or a negative errno with a sentence. */
static int
set_servers(struct follow *f, const json_t *list, const char *name, const char *alias, char *why)
{
	bool is_other = strcmp(f->name, name) != 0 || strcmp(f->alias, alias) != 0;
	const json_t *v;
	size_t i;

	drop_servers(f, list, is_other);
	cut_copy(f->name, sizeof f->name, name);
	cut_copy(f->alias, sizeof f->alias, alias);
	json_array_foreach(list, i, v)
	{
		struct server *s = find(f, json_string_value(v));

		if (s == NULL) {
			s = server_new(
			    f->cfg, json_string_value(v), name, alias, changed, asked, f, why);
			if (s == NULL)
				return -EINVAL;
			f->serial++;
		} else {
			list_remove(&s->link);
		}
		list_push_back(&f->servers, &s->link);
	}
	return 0;
}

static bool
check_servers(const json_t *list)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > LIMIT_ISNS_SERVERS)
		return false;
	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v) || json_string_length(v) != strlen(json_string_value(v)))
			return false;
	}
	return true;
}

struct question {
	const json_t *servers;
	const char *name, *alias;
	int64_t seen;
	int timeout_ms, from;
};

static int
get_question(const json_t *args, struct question *q, char *why)
{
	q->servers = json_object_get(args, "servers");
	q->name = helper_args_string(args, "name", NULL, why, WHY_BYTES);
	q->alias = q->name != NULL ? helper_args_string(args, "alias", "", why, WHY_BYTES) : NULL;
	q->seen = json_integer_value(json_object_get(args, "seen"));
	q->from = 0;
	if (q->alias == NULL)
		return -EINVAL;
	if (!check_servers(q->servers)) {
		snprintf(why, WHY_BYTES,
		    "the argument \"servers\" must be a list of at most %d strings",
		    LIMIT_ISNS_SERVERS);
		return -EINVAL;
	}
	if (q->name[0] == '\0' || strlen(q->name) > LIMIT_ISCSI_NAME_BYTES ||
	    strlen(q->alias) > LIMIT_ALIAS_BYTES) {
		snprintf(why, WHY_BYTES, "the initiator's name or alias cannot be registered");
		return -EINVAL;
	}
	if (json_object_get(args, "from") != NULL &&
	    helper_args_int(args, "from", 0, INT32_MAX, &q->from, why, WHY_BYTES) < 0)
		return -EINVAL;
	return helper_args_int(
	    args, "timeout_ms", 1, LIMIT_ISNS_MS, &q->timeout_ms, why, WHY_BYTES);
}

static void
follow(struct follow *f, struct helper_call *call)
{
	char why[WHY_BYTES];
	struct waiter *w;
	struct question q;
	int err = get_question(helper_call_args(call), &q, why);

	if (err == 0)
		err = set_servers(f, q.servers, q.name, q.alias, why);
	if (err < 0) {
		helper_call_error(call, err, why);
		return;
	}
	if (q.seen == f->serial && q.from == 0) {
		wait_for(f, &f->followers, call, q.timeout_ms, &w);
		if (w != NULL)
			w->seen = q.seen;
		return;
	}
	/* The rest of what was told, or what has become of it, from its beginning. */
	helper_call_reply(call,
	    follow_answer(&f->servers, f->serial, q.seen == f->serial ? (size_t)q.from : 0), -1);
}

static void
refresh(struct follow *f, struct helper_call *call)
{
	const json_t *args = helper_call_args(call);
	char why[WHY_BYTES];
	struct waiter *w;
	int timeout_ms, err = helper_args_int(
			    args, "timeout_ms", 1, LIMIT_ISNS_MS, &timeout_ms, why, sizeof why);
	const char *one = helper_args_string(args, "server", "", why, sizeof why);

	if (err < 0 || one == NULL) {
		helper_call_error(call, -EINVAL, why);
		return;
	}
	wait_for(f, &f->refreshers, call, timeout_ms, &w);
	if (w == NULL)
		return;
	LIST_EACH(node, tmp, &f->servers)
	{
		struct server *s = LIST_ENTRY(node, struct server, link);

		if (one[0] != '\0' && strcmp(one, s->text) != 0)
			continue;
		w->until[w->n].server = s;
		w->until[w->n++].outcomes = server_refresh(s);
	}
	agenda_defer(loop_agenda(f->cfg->loop), &f->tell);
}

void
follow_handle(struct follow *f, struct helper_call *call)
{
	const char *op = helper_call_op(call);
	char why[WHY_BYTES];

	if (strcmp(op, "follow") == 0) {
		follow(f, call);
	} else if (strcmp(op, "refresh") == 0) {
		refresh(f, call);
	} else {
		snprintf(why, sizeof why, "iisnsd knows no operation \"%.64s\"", op);
		helper_call_error(call, -EOPNOTSUPP, why);
	}
}

/* ---- beginning and end ---- */

struct follow *
follow_new(const struct server_cfg *cfg)
{
	struct follow *f = calloc(1, sizeof *f);
	uint32_t start;

	if (f == NULL)
		return NULL;
	f->cfg = cfg;
	list_init(&f->servers);
	list_init(&f->followers);
	list_init(&f->refreshers);
	agenda_work_init(&f->tell, tell);
	/* What a driver saw of another life of ours is not taken for this one's. */
	if (getrandom(&start, sizeof start, GRND_NONBLOCK) != sizeof start)
		start = (uint32_t)loop_now_update(cfg->loop);
	f->serial = 1 + (int64_t)start * 4096;
	return f;
}

static void
end_all(struct list *waiters)
{
	LIST_EACH(node, tmp, waiters)
	{
		struct waiter *w = LIST_ENTRY(node, struct waiter, link);

		helper_call_error(w->call, -ECANCELED, "iisnsd ends");
		waiter_end(w);
	}
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	end_all(&f->followers);
	end_all(&f->refreshers);
	agenda_cancel(&f->tell);
	LIST_EACH(node, tmp, &f->servers)
	{
		struct server *s = LIST_ENTRY(node, struct server, link);

		list_remove(&s->link);
		server_free(s, GOODBYE_MS);
	}
	free(f);
}
