#include "driver/isw/isw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/call.h"
#include "driver/isw/dial.h"
#include "driver/isw/verdict.h"
#include "engine/worker.h"
#include "sys/log.h"

/* So many numbers does a daemon tell at most, and so long it may take. */
#define ISW_COUNTERS_MAX 64
#define ISW_COUNTERS_US  3000000

/* Connections that are being made to one address, and those that wait for their turn. */
struct isw_queue {
	struct list link;    /* isw.queues */
	struct list waiting; /* isw_connect.turn */
	unsigned busy;
	struct portal_address to;
	struct connect_from from;
};

struct isw {
	struct isw_cfg cfg;
	struct worker *worker;
	struct loop *loop;
	struct mailbox *box;
	struct mail_slot slot;
	/* The thread's from here on. */
	struct helper_server *daemon[ISW_DAEMONS];
	struct dialer dialer;
	struct verify_cfg radius;
	struct verdict verdict;
	struct list queues, connects, verifies;
	int err, failed; /* of the start: which daemon's socket could not be made */
};

/* ---- connections ---- */

static bool
is_same_way(const struct isw_queue *q, const struct isw_connect *c)
{
	return q->to.port == c->to.port && strcmp(q->to.host, c->to.host) == 0 &&
	       strcmp(q->from.source, c->from.source) == 0 &&
	       strcmp(q->from.interface, c->from.interface) == 0 &&
	       strcmp(q->from.congestion_control, c->from.congestion_control) == 0;
}

static struct isw_queue *
queue_for(struct isw *w, const struct isw_connect *c)
{
	struct isw_queue *q;

	LIST_EACH(node, tmp, &w->queues)
	{
		q = LIST_ENTRY(node, struct isw_queue, link);
		if (is_same_way(q, c))
			return q;
	}
	q = call_alloc(sizeof *q);
	q->to = c->to;
	q->from = c->from;
	list_init(&q->waiting);
	list_push_back(&w->queues, &q->link);
	return q;
}

/* Its answer is complete. */
static void
answer(struct isw_connect *c)
{
	agenda_clear(loop_agenda(c->isw->loop), &c->patience);
	list_remove(&c->link);
	list_remove(&c->turn);
	mail_answer(&c->mail);
}

static void dialed(void *user, const struct dial_result *r);

static void
start(struct isw *w, struct isw_connect *c)
{
	uint64_t now = loop_now_update(w->loop);
	uint64_t left_ms = c->patience.at_us > now ? (c->patience.at_us - now) / 1000 : 0;

	agenda_clear(loop_agenda(w->loop), &c->patience);
	list_remove(&c->turn);
	c->queue->busy++;
	c->dial = dial_start(&w->dialer, c->to.host, c->to.port, &c->from,
	    left_ms > 0 ? (uint32_t)left_ms : 1, dialed, c);
}

/* One is done with: who waited has the same fate where it failed, else its turn. */
static void
next(struct isw *w, struct isw_queue *q, const struct isw_connect *failed)
{
	q->busy--;
	while (failed != NULL && !list_empty(&q->waiting)) {
		struct isw_connect *c = LIST_ENTRY(q->waiting.next, struct isw_connect, turn);

		c->fault = failed->fault;
		c->err = failed->err;
		c->is_name = failed->is_name;
		answer(c);
	}
	while (q->busy < ISW_CONNECTS_MAX && !list_empty(&q->waiting))
		start(w, LIST_ENTRY(q->waiting.next, struct isw_connect, turn));
	if (q->busy == 0) {
		list_remove(&q->link);
		free(q);
	}
}

static void
dialed(void *user, const struct dial_result *r)
{
	struct isw_connect *c = user;
	struct isw *w = c->isw;
	struct isw_queue *q = c->queue;

	c->dial = NULL;
	c->fd = r->fd;
	memcpy(c->local, r->local, sizeof c->local);
	memcpy(c->peer, r->peer, sizeof c->peer);
	c->fault = r->fault;
	c->err = r->err;
	c->is_name = r->is_name;
	if (r->fd < 0) {
		next(w, q, c);
		answer(c);
	} else {
		answer(c);
		next(w, q, NULL);
	}
}

static void
impatient(struct agenda_timer *t)
{
	struct isw_connect *c = LIST_ENTRY(t, struct isw_connect, patience);

	c->err = -ETIMEDOUT;
	fault_set(&c->fault, FAULT_TIMEOUT, "check the network and the target",
	    "cannot connect to %s port %u: earlier attempts take too long", c->to.host, c->to.port);
	answer(c);
}

void
isw_take_connect(void *owner, struct mail *m)
{
	struct isw *w = owner;
	struct isw_connect *c = LIST_ENTRY(m, struct isw_connect, mail);

	c->isw = w;
	c->fd = -1;
	c->err = 0;
	c->dial = NULL;
	fault_clear(&c->fault);
	list_init(&c->turn);
	list_push_back(&w->connects, &c->link);
	c->queue = queue_for(w, c);
	c->patience.expired = impatient;
	agenda_set(
	    loop_agenda(w->loop), &c->patience, loop_now_update(w->loop) + c->timeout_ms * 1000ull);
	if (c->queue->busy < ISW_CONNECTS_MAX)
		start(w, c);
	else
		list_push_back(&c->queue->waiting, &c->turn);
}

void
isw_refuse_connect(struct mail *m)
{
	struct isw_connect *c = LIST_ENTRY(m, struct isw_connect, mail);

	c->fd = -1;
	c->err = -ECANCELED;
	c->is_name = false;
	fault_set(&c->fault, FAULT_OFFLINE, "", "the connection is not wanted any more");
}

void
isw_drop_connect(struct mail *m)
{
	struct isw_connect *c = LIST_ENTRY(m, struct isw_connect, mail);

	/* Nothing was sent on it. */
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}

static void
cancel_connect(struct isw *w, struct isw_connect *c)
{
	struct isw_queue *q = c->queue;
	bool was_out = c->dial != NULL;

	dial_cancel(c->dial);
	c->dial = NULL;
	isw_refuse_connect(&c->mail);
	answer(c);
	if (was_out)
		next(w, q, NULL);
}

/* ---- verdicts ---- */

static void
verified(void *user, const struct verify_result *r)
{
	struct isw_verify *v = user;

	v->verify = NULL;
	v->result = *r;
	verdict_tell(&v->isw->verdict, &v->isw->cfg.daemon[ISW_IRADD].about,
	    v->isw->radius.server != NULL ? v->isw->radius.server : "", v->query.name, r);
	list_remove(&v->link);
	mail_answer(&v->mail);
}

void
isw_take_verify(void *owner, struct mail *m)
{
	struct isw *w = owner;
	struct isw_verify *v = LIST_ENTRY(m, struct isw_verify, mail);

	list_push_back(&w->verifies, &v->link);
	v->isw = w;
	v->verify = verify_start(w->loop, w->daemon[ISW_IRADD], &w->radius, &v->query, verified, v);
}

void
isw_refuse_verify(struct mail *m)
{
	struct isw_verify *v = LIST_ENTRY(m, struct isw_verify, mail);

	v->result = (struct verify_result){ 0 };
	fault_set(&v->result.fault, FAULT_OFFLINE, "", "the verdict is not wanted any more");
}

void
isw_drop_verify(struct mail *m)
{
	free(LIST_ENTRY(m, struct isw_verify, mail));
}

static void
cancel_verify(struct isw_verify *v)
{
	verify_cancel(v->verify);
	v->verify = NULL;
	isw_refuse_verify(&v->mail);
	list_remove(&v->link);
	mail_answer(&v->mail);
}

/* ---- what else it is told and asked ---- */

static bool
is_from(const struct mail *m, const struct mail_address *a)
{
	return m->from.box == a->box && m->from.id == a->id && m->from.generation == a->generation;
}

void
isw_take_cancel(void *owner, struct mail *m)
{
	struct isw *w = owner;
	struct isw_cancel *x = LIST_ENTRY(m, struct isw_cancel, mail);
	const struct list *asked = x->is_verify ? &w->verifies : &w->connects;

	LIST_EACH(node, tmp, asked)
	{
		struct isw_connect *c = LIST_ENTRY(node, struct isw_connect, link);
		struct isw_verify *v = LIST_ENTRY(node, struct isw_verify, link);

		if (x->is_verify && is_from(&v->mail, &x->asker))
			cancel_verify(v);
		else if (!x->is_verify && is_from(&c->mail, &x->asker))
			cancel_connect(w, c);
	}
	free(x);
}

void
isw_drop_cancel(struct mail *m)
{
	free(LIST_ENTRY(m, struct isw_cancel, mail));
}

void
isw_take_radius(void *owner, struct mail *m)
{
	struct isw *w = owner;
	struct isw_radius *r = LIST_ENTRY(m, struct isw_radius, mail);

	verify_cfg_fini(&w->radius);
	w->radius = r->cfg;
	free(r);
}

void
isw_drop_radius(struct mail *m)
{
	struct isw_radius *r = LIST_ENTRY(m, struct isw_radius, mail);

	verify_cfg_fini(&r->cfg);
	free(r);
}

void
isw_take_status(void *owner, struct mail *m)
{
	const struct isw *w = owner;
	struct isw_status *s = LIST_ENTRY(m, struct isw_status, base.mail);

	for (int i = 0; i < ISW_DAEMONS; i++)
		s->pid[i] = helper_server_pid(w->daemon[i]);
	mail_answer(m);
}

void
isw_refuse_status(struct mail *m)
{
	struct isw_status *s = LIST_ENTRY(m, struct isw_status, base.mail);

	memset(s->pid, 0, sizeof s->pid);
}

/* What it says is its own: no more than numbers are passed on, and not too many. */
static json_t *
only_numbers(const json_t *said)
{
	json_t *o = json_object(), *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)said, name, value)
	{
		if (json_is_integer(value) && json_object_size(o) < ISW_COUNTERS_MAX)
			(void)json_object_set_new(o, name,
			    json_integer(json_integer_value(value))); /* no memory: one less */
	}
	return o;
}

static void
counted(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct isw_counters *c = user;

	(void)why;
	if (fd >= 0)
		(void)close(fd); /* nobody asked for one */
	c->err = err;
	c->counters = err == 0 ? only_numbers(result) : NULL;
	mail_answer(&c->base.mail);
}

void
isw_take_counters(void *owner, struct mail *m)
{
	struct isw *w = owner;
	struct isw_counters *c = LIST_ENTRY(m, struct isw_counters, base.mail);
	struct helper_server *iradd = w->daemon[ISW_IRADD];
	int64_t id = 0;

	c->is_running = helper_server_pid(iradd) != 0;
	if (c->is_running)
		id = helper_server_request(iradd, "statistics", json_object(),
		    loop_now_update(w->loop) + ISW_COUNTERS_US, counted, c);
	c->err = id < 0 ? (int)id : 0;
	if (id <= 0)
		mail_answer(m);
}

void
isw_refuse_counters(struct mail *m)
{
	LIST_ENTRY(m, struct isw_counters, base.mail)->err = -ECANCELED;
}

void
isw_drop_counters(struct mail *m)
{
	struct isw_counters *c = LIST_ENTRY(m, struct isw_counters, base.mail);

	json_decref(c->counters);
	free(c);
}

/* ---- start and end ---- */

static void
daemon_changed(void *user, pid_t pid)
{
	const struct isw_daemon_cfg *c = user;

	if (pid != 0)
		diag_OPENISW_LOG_DAEMON_BACK(&c->about, c->name, (int)pid);
	else
		diag_OPENISW_LOG_DAEMON_GONE(&c->about, c->name);
}

static void
begin(void *arg)
{
	struct isw *w = arg;

	for (int i = 0; i < ISW_DAEMONS && w->err == 0; i++) {
		w->err = helper_server_new(w->loop, w->cfg.daemon[i].path, w->cfg.daemon[i].pid,
		    w->cfg.daemon[i].name, daemon_changed, &w->cfg.daemon[i], &w->daemon[i]);
		if (w->err != 0)
			w->failed = i;
	}
	w->dialer = (struct dialer){ .loop = w->loop,
		.iswd = w->daemon[ISW_ISWD],
		.resolvd = w->daemon[ISW_RESOLVD],
		.stats = w->cfg.stats };
}

static void
end(void *arg)
{
	struct isw *w = arg;

	mailbox_close(&w->slot);
	LIST_EACH(node, tmp, &w->connects)
	if (LIST_ENTRY(node, struct isw_connect, link)->dial == NULL)
		cancel_connect(w, LIST_ENTRY(node, struct isw_connect, link));
	LIST_EACH(node, tmp, &w->connects)
	cancel_connect(w, LIST_ENTRY(node, struct isw_connect, link));
	LIST_EACH(node, tmp, &w->verifies)
	cancel_verify(LIST_ENTRY(node, struct isw_verify, link));
	for (int i = 0; i < ISW_DAEMONS; i++)
		helper_server_free(w->daemon[i]);
	verify_cfg_fini(&w->radius);
}

struct isw *
isw_new(const struct isw_cfg *cfg, struct fault *ret_fault)
{
	struct isw *w = call_alloc(sizeof *w);

	w->cfg = *cfg;
	list_init(&w->queues);
	list_init(&w->connects);
	list_init(&w->verifies);
	w->worker = worker_new("iscsi-isw", -1);
	if (w->worker == NULL) {
		fault_set(ret_fault, FAULT_INTERNAL, "raise the limit of threads and open files",
		    "cannot start a thread: %s", strerror(errno));
		free(w);
		return NULL;
	}
	w->loop = worker_loop(w->worker);
	w->box = mailbox_new(w->loop);
	if (w->box == NULL)
		w->err = -ENOMEM;
	else
		worker_call(w->worker, begin, w);
	if (w->err != 0) {
		fault_set(ret_fault, FAULT_INTERNAL, "check the directory and its permissions",
		    "cannot listen at %s: %s", cfg->daemon[w->failed].path, strerror(-w->err));
		isw_free(w);
		return NULL;
	}
	mailbox_open(w->box, &w->slot, 0, 1, w);
	return w;
}

void
isw_free(struct isw *w)
{
	if (w == NULL)
		return;
	worker_call(w->worker, end, w);
	worker_free(w->worker);
	mailbox_free(w->box);
	free(w);
}

const struct mail_address *
isw_address(const struct isw *w)
{
	return &w->slot.at;
}
