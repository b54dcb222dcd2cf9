#include "driver/iscsi/host.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "sys/log.h"

/* Units whose last command is on its way back are looked at again so often. */
#define HOST_DRAIN_US 10000

struct host {
	struct list link; /* office.hosts */
	struct office *office;
	struct iscsi_world world;
	struct mail_slot slot;
	struct host_cfg cfg;
	struct session *s;
	void *user;                /* the adaptation layer's */
	struct list opens, closes; /* questions that are not answered yet */
	bool is_last;
	struct agenda_timer drain;
	struct agenda_work opened; /* the session has decided what to do about an open */
	/* Notes: at home, or away; what happened meanwhile is told when they are back. */
	struct mail_view *view;
	struct mail_luns *luns;
	bool is_view_due, are_luns_due;
	uint64_t redirects;              /* as they were told */
	bool is_online, is_out, is_down; /* as events told */
	/* What the driver's statistics have of it already. */
	struct ini_counts counted;
	uint64_t failed_counted;
};

/* ---- notes ---- */

static void
tell_view(struct host *h)
{
	h->is_view_due = !mail_is_home(&h->view->mail);
	if (h->is_view_due)
		return;
	session_view(h->s, &h->view->view);
	mail_ask(&h->view->mail, &mail_view, &h->cfg.wanted, &h->slot.at);
}

void
host_view_back(void *owner, struct mail *m)
{
	struct host *h = owner;

	(void)m; /* h->view */
	if (h->is_view_due)
		tell_view(h);
}

static void
tell_luns(struct host *h)
{
	h->are_luns_due = !mail_is_home(&h->luns->mail);
	if (!h->are_luns_due)
		mail_ask(&h->luns->mail, &mail_luns, &h->cfg.wanted, &h->slot.at);
}

void
host_luns_back(void *owner, struct mail *m)
{
	struct host *h = owner;

	(void)m; /* h->luns */
	if (h->are_luns_due)
		tell_luns(h);
}

/* One that is away is dropped when it is back. */
static void
free_note(struct mail *m)
{
	if (mail_is_home(m))
		free(m);
}

/* ---- the driver's statistics ---- */

/* What all sessions count together. */
static void
count(struct host *h)
{
	const struct ini_counts *now = session_counts(h->s);
	uint64_t failed = h->office->ops->failed(h->user);

	stat_add_n(
	    h->office->stats, STAT_TRANSPORT_GLOBAL_normal_opened, now->opened - h->counted.opened);
	stat_add_n(
	    h->office->stats, STAT_TRANSPORT_GLOBAL_normal_failed, now->failed - h->counted.failed);
	stat_add_n(h->office->stats, STAT_TRANSPORT_GLOBAL_ios_offline, failed - h->failed_counted);
	h->counted = *now;
	h->failed_counted = failed;
}

/* ---- the session's events ---- */

static bool
is_trying(const struct session_view *v)
{
	return v->state == SESSION_TRY || v->state == SESSION_DOWN_TRY;
}

/* Whoever wants it online is told as soon as that is so, or a try has failed. */
static void
answer_opens(struct host *h, const struct session_view *v)
{
	struct list *node;

	if (is_trying(v))
		return;
	while ((node = list_pop(&h->opens)) != NULL) {
		struct mail_open *q = LIST_ENTRY(node, struct mail_open, link);

		if (v->state != SESSION_ONLINE) {
			q->fault = v->last;
			if (!q->fault.is_set)
				fault_set(&q->fault, FAULT_OFFLINE, "scan again",
				    "the session is not online");
		}
		mail_answer(&q->base.mail);
	}
}

static void
tell_redirected(struct host *h, const struct session_view *v)
{
	uint64_t n = session_counts(h->s)->redirects;
	char to[LIMIT_ADDRESS_BYTES + 16];
	bool is_v6 = strchr(v->at.host, ':') != NULL;

	if (v->state != SESSION_ONLINE || n == h->redirects)
		return;
	h->redirects = n;
	(void)snprintf(to, sizeof to, is_v6 ? "[%s]:%u,%d" : "%s:%u,%d", v->at.host, v->at.port,
	    (int)v->at.tpgt); /* the room is for this */
	diag_ISCSI_LOG_REDIRECT_OCCURRED(&h->world.account.about, h->cfg.about, to);
}

/* An outage and its end are events, also where the log has them in more words. */
static void
tell_outage(struct host *h, const struct session_view *v)
{
	const struct diag_ctx *about = &h->world.account.about;

	switch (v->state) {
	case SESSION_ONLINE:
		if (h->is_out)
			diag_OPENISW_LOG_SESSION_BACK(about);
		h->is_online = true;
		h->is_out = h->is_down = false;
		break;
	case SESSION_TRY:
	case SESSION_WAIT:
		if (h->is_online)
			diag_OPENISW_LOG_SESSION_LOST(about, v->last.message);
		h->is_out |= h->is_online;
		h->is_online = false;
		break;
	case SESSION_DOWN:
	case SESSION_DOWN_TRY:
		if (!h->is_down)
			diag_OPENISW_LOG_SESSION_GIVEN_UP(about, v->last.message);
		h->is_out = h->is_down = true;
		h->is_online = false;
		break;
	case SESSION_LOGOUT:
	case SESSION_CLOSED:
	case SESSION_STATES: /* no state: how many there are */
		h->is_online = h->is_out = h->is_down = false;
		break;
	}
}

static void
session_moved(void *user, const struct session_view *v)
{
	struct host *h = user;

	count(h);
	tell_outage(h, v);
	tell_redirected(h, v);
	tell_view(h);
	answer_opens(h, v);
}

static void
session_redirected(void *user, const struct settings_redirect *r)
{
	struct host *h = user;
	struct mail_redirect *m = call_alloc(sizeof *m);

	m->redirect = *r;
	mail_tell(&m->mail, &mail_redirect, &h->cfg.wanted);
}

static void
session_luns_changed(void *user)
{
	tell_luns(user);
}

/* ---- the end ---- */

static void opened(struct agenda_work *w);

static void
host_end(struct host *h)
{
	assert(list_empty(&h->opens) && list_empty(&h->closes));
	h->office->ops->end(h->user);
	agenda_cancel(&h->opened);
	session_free(h->s);
	mailbox_close(&h->slot);
	list_remove(&h->link);
	free_note(&h->view->mail);
	free_note(&h->luns->mail);
	free(h);
}

/* The session is closed; when its units are idle, too, who asked for it is told. */
static void
drain(struct agenda_timer *t)
{
	struct host *h = LIST_ENTRY(t, struct host, drain);
	struct session_view v;
	struct list *node;
	bool is_last = h->is_last;

	if (!h->office->ops->is_idle(h->user)) {
		agenda_set(
		    h->world.world.agenda, t, agenda_now(h->world.world.agenda) + HOST_DRAIN_US);
		return;
	}
	h->office->ops->empty(h->user);
	count(h);
	session_view(h->s, &v);
	while ((node = list_pop(&h->closes)) != NULL) {
		struct mail_close *q = LIST_ENTRY(node, struct mail_close, link);

		session_core_counts(h->s, &q->core);
		q->counts = *session_counts(h->s);
		q->is_logout_lost = v.is_logout_lost;
		q->last = v.last;
		mail_answer(&q->base.mail);
	}
	if (is_last)
		host_end(h);
}

static void
session_closed(void *user)
{
	struct host *h = user;

	agenda_set(h->world.world.agenda, &h->drain, agenda_now(h->world.world.agenda));
}

static const struct session_ops session_ops = {
	.moved = session_moved,
	.redirected = session_redirected,
	.luns_changed = session_luns_changed,
	.closed = session_closed,
};

/* ---- the beginning ---- */

void
host_begin(struct office *o, const struct host_cfg *cfg)
{
	struct host *h = call_alloc(sizeof *h);
	struct session_cfg s = { .world = &h->world.world,
		.instance = cfg->instance,
		.target = h->cfg.target,
		.at = cfg->at,
		.ops = &session_ops,
		.user = h };
	struct account account = { .session = cfg->stats, .driver = o->stats };

	h->office = o;
	h->cfg = *cfg;
	h->cfg.settings = NULL; /* the session's */
	account.about =
	    (struct diag_ctx){ (int32_t)cfg->instance, h->cfg.target, h->cfg.about, o->diag };
	memcpy(s.isid, cfg->isid, sizeof s.isid);
	list_init(&h->opens);
	list_init(&h->closes);
	h->drain.expired = drain;
	agenda_work_init(&h->opened, opened);
	world_init(&h->world, &o->place, &account);
	h->view = call_alloc(sizeof *h->view);
	h->luns = call_alloc(sizeof *h->luns);
	list_push_back(&o->hosts, &h->link);
	mailbox_open(o->place.box, &h->slot, cfg->instance, cfg->wanted.generation, h);
	(void)loop_now_update(o->place.loop);
	h->s = session_new(&s, cfg->settings);
	if (h->s == NULL) {
		log_crit("out of memory: the driver cannot go on");
		abort();
	}
	h->user = o->ops->begin(h, o->ops_cfg);
}

struct session *
host_session(const struct host *h)
{
	return h->s;
}

void *
host_user(const struct host *h)
{
	return h->user;
}

bool
host_is_closing(const struct host *h)
{
	return !list_empty(&h->closes);
}

const struct host_cfg *
host_cfg(const struct host *h)
{
	return &h->cfg;
}

const struct office *
host_office(const struct host *h)
{
	return h->office;
}

const struct mail_address *
host_wanted(const struct host *h)
{
	return &h->cfg.wanted;
}

const struct mail_address *
host_address(const struct host *h)
{
	return &h->slot.at;
}

/* Before it does what it was asked: what the session is told now counts from now. */
static struct host *
at_work(void *owner)
{
	struct host *h = owner;

	(void)loop_now_update(h->office->place.loop);
	return h;
}

/* ---- open and close ---- */

/* It is online already, or may not try now, or is on its way and tells how that goes. */
static void
opened(struct agenda_work *w)
{
	struct host *h = LIST_ENTRY(w, struct host, opened);
	struct session_view v;

	session_view(h->s, &v);
	answer_opens(h, &v);
}

void
host_take_open(void *owner, struct mail *m)
{
	struct host *h = at_work(owner);
	struct mail_open *q = LIST_ENTRY(m, struct mail_open, base.mail);

	if (host_is_closing(h)) {
		fault_set(&q->fault, FAULT_OFFLINE, "try again when it is closed",
		    "the session is being closed");
		mail_answer(m);
		return;
	}
	list_push_back(&h->opens, &q->link);
	session_open(h->s, q->keep, q->is_now);
	agenda_defer(h->world.world.agenda, &h->opened);
}

void
host_refuse_open(struct mail *m)
{
	fault_set(&LIST_ENTRY(m, struct mail_open, base.mail)->fault, FAULT_OFFLINE, "scan again",
	    "the session was closed");
}

void
host_take_close(void *owner, struct mail *m)
{
	struct host *h = at_work(owner);
	struct mail_close *q = LIST_ENTRY(m, struct mail_close, base.mail);
	bool is_first = list_empty(&h->closes);

	h->is_last |= q->is_last;
	list_push_back(&h->closes, &q->link);
	if (!is_first)
		return;
	h->office->ops->close(h->user);
	session_close(h->s);
}

void
host_refuse_close(struct mail *m)
{
	LIST_ENTRY(m, struct mail_close, base.mail)->is_gone = true;
}

/* ---- settings ---- */

void
host_take_settings(void *owner, struct mail *m)
{
	struct host *h = at_work(owner);
	struct mail_settings *n = LIST_ENTRY(m, struct mail_settings, mail);

	session_settings(h->s, n->settings);
	free(n);
}

void
host_drop_settings(struct mail *m)
{
	struct mail_settings *n = LIST_ENTRY(m, struct mail_settings, mail);

	settings_free(n->settings);
	free(n);
}

void
host_take_tag(void *owner, struct mail *m)
{
	struct host *h = at_work(owner);

	session_tag(h->s, LIST_ENTRY(m, struct mail_tag, mail)->tpgt);
	free(m);
}

/* ---- what is asked of it ---- */

static void
probed(void *user, struct probe_result *r)
{
	struct mail_probe *q = user;

	q->result = *r;
	r->luns = NULL;
	mail_answer(&q->base.mail);
}

void
host_take_probe(void *owner, struct mail *m)
{
	struct host *h = at_work(owner);
	struct mail_probe *q = LIST_ENTRY(m, struct mail_probe, base.mail);

	if (session_probe(h->s, probed, q))
		return;
	fault_set(
	    &q->result.fault, FAULT_INTERNAL, "free some memory", "out of memory for a probe");
	mail_answer(m);
}

void
host_refuse_probe(struct mail *m)
{
	fault_set(&LIST_ENTRY(m, struct mail_probe, base.mail)->result.fault, FAULT_OFFLINE,
	    "scan again", "the LUNs could not be probed: the session was closed");
}

void
host_drop_probe(struct mail *m)
{
	struct mail_probe *q = LIST_ENTRY(m, struct mail_probe, base.mail);

	free(q->result.luns);
	free(q);
}

static void
pinged(void *user, const struct session_ping *ping)
{
	struct mail_ping *q = user;

	q->result = *ping;
	mail_answer(&q->base.mail);
}

void
host_take_ping(void *owner, struct mail *m)
{
	struct host *h = at_work(owner);
	struct mail_ping *q = LIST_ENTRY(m, struct mail_ping, base.mail);

	if (session_ping(h->s, q->bytes, pinged, q))
		return;
	fault_set(&q->result.fault, FAULT_INTERNAL, "free some memory", "out of memory for a ping");
	mail_answer(m);
}

void
host_refuse_ping(struct mail *m)
{
	fault_set(&LIST_ENTRY(m, struct mail_ping, base.mail)->result.fault, FAULT_OFFLINE,
	    "wait until the session is online", "the session was closed");
}

void
host_take_counts(void *owner, struct mail *m)
{
	struct host *h = at_work(owner);
	struct mail_counts *q = LIST_ENTRY(m, struct mail_counts, base.mail);

	count(h);
	session_core_counts(h->s, &q->core);
	q->counts = *session_counts(h->s);
	q->luns = h->office->ops->counts(h->user, &q->n);
	mail_answer(m);
}

void
host_refuse_counts(struct mail *m)
{
	LIST_ENTRY(m, struct mail_counts, base.mail)->is_gone = true;
}

void
host_drop_counts(struct mail *m)
{
	struct mail_counts *q = LIST_ENTRY(m, struct mail_counts, base.mail);

	free(q->luns);
	free(q);
}

void
host_take_clear(void *owner, struct mail *m)
{
	struct host *h = owner;

	h->office->ops->clear(h->user);
	free(m);
}

void
host_take_trace(void *owner, struct mail *m)
{
	struct host *h = at_work(owner);
	struct mail_trace *q = LIST_ENTRY(m, struct mail_trace, base.mail);

	q->now_us = agenda_now(h->world.world.agenda);
	q->n = trace_copy(session_trace(h->s), q->entry, TRACE_ENTRIES);
	mail_answer(m);
}

void
host_refuse_trace(struct mail *m)
{
	LIST_ENTRY(m, struct mail_trace, base.mail)->n = 0;
}
