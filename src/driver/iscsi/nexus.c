#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/iscsi/nexus_impl.h"
#include "sys/log.h"

/* Units whose last command is on its way back are looked at again so often. */
#define HOST_DRAIN_US 10000

/* ---- notes ---- */

static void
tell_view(struct nexus *x)
{
	x->is_view_due = x->view != NULL;
	if (x->is_view_due)
		return;
	x->view = call_alloc(sizeof *x->view);
	session_view(x->s, &x->view->view);
	mail_ask(&x->view->mail, &mail_view, &x->cfg.wanted, &x->slot.at);
}

void
nexus_view_back(void *owner, struct mail *m)
{
	struct nexus *x = owner;

	assert(m == &x->view->mail);
	free(x->view);
	x->view = NULL;
	if (x->is_view_due)
		tell_view(x);
}

static void
tell_luns(struct nexus *x)
{
	x->are_luns_due = x->luns != NULL;
	if (x->are_luns_due)
		return;
	x->luns = call_alloc(sizeof *x->luns);
	mail_ask(&x->luns->mail, &mail_luns, &x->cfg.wanted, &x->slot.at);
}

void
nexus_luns_back(void *owner, struct mail *m)
{
	struct nexus *x = owner;

	assert(m == &x->luns->mail);
	free(x->luns);
	x->luns = NULL;
	if (x->are_luns_due)
		tell_luns(x);
}

void
nexus_places_back(void *owner, struct mail *m)
{
	struct nexus *x = owner;

	assert(m == &x->places->mail);
	free(x->places);
	x->places = NULL;
	session_kept(x->s);
}

/* ---- the driver's statistics ---- */

void
nexus_count(struct nexus *x)
{
	const struct ini_counts *now = session_counts(x->s);
	uint64_t failed = x->iothread->ops->failed(x->user);

	stat_add_n(x->iothread->stats, STAT_TRANSPORT_GLOBAL_normal_opened,
	    now->opened - x->counted.opened);
	stat_add_n(x->iothread->stats, STAT_TRANSPORT_GLOBAL_normal_failed,
	    now->failed - x->counted.failed);
	stat_add_n(
	    x->iothread->stats, STAT_TRANSPORT_GLOBAL_ios_offline, failed - x->failed_counted);
	x->counted = *now;
	x->failed_counted = failed;
}

/* ---- the session's events ---- */

static bool
is_trying(const struct session_view *v)
{
	return v->state == SESSION_TRY || v->state == SESSION_DOWN_TRY;
}

/* The session is online anew, or will not be soon. */
static bool
is_over(const struct nexus *x, const struct mail_open *q, const struct session_view *v)
{
	if (!q->is_renewal || v->state == SESSION_CLOSED || v->state == SESSION_LOGOUT)
		return true;
	if (v->state == SESSION_ONLINE)
		return v->online_us != q->online_us;
	return session_counts(x->s)->failed != q->failed;
}

/* Whoever wants it online is told as soon as that is so, or a try has failed. */
static void
answer_opens(struct nexus *x, const struct session_view *v)
{
	if (is_trying(v))
		return;
	LIST_EACH(node, tmp, &x->opens)
	{
		struct mail_open *q = LIST_ENTRY(node, struct mail_open, link);

		if (!is_over(x, q, v))
			continue;
		list_remove(&q->link);
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
tell_redirected(struct nexus *x, const struct session_view *v)
{
	uint64_t n = session_counts(x->s)->redirects;
	char to[LIMIT_ADDRESS_BYTES + 16];
	bool is_v6 = strchr(v->at.host, ':') != NULL;

	if (v->state != SESSION_ONLINE || n == x->redirects)
		return;
	x->redirects = n;
	(void)snprintf(to, sizeof to, is_v6 ? "[%s]:%u,%d" : "%s:%u,%d", v->at.host, v->at.port,
	    (int)v->at.tpgt); /* the room is for this */
	diag_ISCSI_LOG_REDIRECT_OCCURRED(&x->world.account.about, x->cfg.about, to);
}

/* An outage and its end are events, also where the log has them in more words. */
static void
tell_outage(struct nexus *x, const struct session_view *v)
{
	const struct diag_ctx *about = &x->world.account.about;
	/* A login may last longer than its session may be away. */
	const char *why = v->last.is_set ? v->last.message : "its login is not over yet";

	switch (v->state) {
	case SESSION_ONLINE:
		if (x->is_out)
			diag_OPENISW_LOG_SESSION_BACK(about);
		x->is_online = true;
		x->is_out = x->is_down = false;
		break;
	case SESSION_TRY:
	case SESSION_WAIT:
		if (x->is_online)
			diag_OPENISW_LOG_SESSION_LOST(about, why);
		x->is_out |= x->is_online;
		x->is_online = false;
		break;
	case SESSION_DOWN:
	case SESSION_DOWN_TRY:
		if (!x->is_down)
			diag_OPENISW_LOG_SESSION_GIVEN_UP(about, why);
		x->is_out = x->is_down = true;
		x->is_online = false;
		break;
	case SESSION_LOGOUT:
	case SESSION_CLOSED:
	case SESSION_STATES: /* no state: how many there are */
		x->is_online = x->is_out = x->is_down = false;
		break;
	}
}

static void
session_moved(void *user, const struct session_view *v)
{
	struct nexus *x = user;

	nexus_count(x);
	tell_outage(x, v);
	tell_redirected(x, v);
	tell_view(x);
	answer_opens(x, v);
}

static void
session_redirected(void *user, const struct settings_redirect *r)
{
	struct nexus *x = user;
	struct mail_redirect *m = call_alloc(sizeof *m);

	m->redirect = *r;
	mail_tell(&m->mail, &mail_redirect, &x->cfg.wanted);
}

static void
session_luns_changed(void *user)
{
	tell_luns(user);
}

static void
session_placed(void *user, const struct fence_place *list, size_t n)
{
	struct nexus *x = user;

	assert(x->places == NULL);
	x->places = call_alloc(sizeof *x->places);
	memcpy(x->places->list, list, n * sizeof *list);
	x->places->n = n;
	mail_ask(&x->places->mail, &mail_places, &x->cfg.wanted, &x->slot.at);
}

/* ---- the end ---- */

static void opened(struct agenda_work *w);

static void
nexus_end(struct nexus *x)
{
	assert(list_empty(&x->opens) && list_empty(&x->closes));
	x->iothread->ops->end(x->user);
	agenda_cancel(&x->opened);
	session_free(x->s);
	mailbox_close(&x->slot);
	list_remove(&x->link);
	free(x); /* notes that are away are dropped when they are back */
}

/* The session is closed; when its units are idle, too, who asked for it is told. */
static void
drain(struct agenda_timer *t)
{
	struct nexus *x = LIST_ENTRY(t, struct nexus, drain);
	struct session_view v;
	struct list *node;
	bool is_last = x->is_last;

	if (!x->iothread->ops->is_idle(x->user)) {
		agenda_set(
		    x->world.world.agenda, t, agenda_now(x->world.world.agenda) + HOST_DRAIN_US);
		return;
	}
	x->iothread->ops->empty(x->user);
	nexus_count(x);
	session_view(x->s, &v);
	while ((node = list_pop(&x->closes)) != NULL) {
		struct mail_close *q = LIST_ENTRY(node, struct mail_close, link);

		session_core_counts(x->s, &q->core);
		q->counts = *session_counts(x->s);
		q->is_logout_lost = v.is_logout_lost;
		q->last = v.last;
		q->is_any_left = session_places(x->s) > 0;
		if (q->is_last && session_heard(x->s)->n > 0) {
			q->heard = call_alloc(sizeof *q->heard);
			*q->heard = *session_heard(x->s);
		}
		mail_answer(&q->base.mail);
	}
	if (is_last)
		nexus_end(x);
}

static void
session_closed(void *user)
{
	struct nexus *x = user;

	agenda_set(x->world.world.agenda, &x->drain, agenda_now(x->world.world.agenda));
}

static const struct session_ops session_ops = {
	.moved = session_moved,
	.redirected = session_redirected,
	.luns_changed = session_luns_changed,
	.placed = session_placed,
	.closed = session_closed,
};

/* ---- the beginning ---- */

void
nexus_begin(struct iothread *o, const struct nexus_cfg *cfg)
{
	struct nexus *x = call_alloc(sizeof *x);
	struct session_cfg s = { .world = &x->world.world,
		.instance = cfg->instance,
		.target = x->cfg.target,
		.at = cfg->at,
		.places = cfg->places,
		.n_places = cfg->n_places,
		.heard = cfg->heard,
		.ops = &session_ops,
		.user = x };
	struct account account = { .session = cfg->stats, .driver = o->stats };

	x->iothread = o;
	x->cfg = *cfg;
	x->cfg.settings = NULL; /* the session's */
	cut_copy(x->filters, sizeof x->filters, cfg->settings->filters);
	x->cfg.places = NULL;
	x->cfg.heard = NULL;
	account.about =
	    (struct diag_ctx){ (int32_t)cfg->instance, x->cfg.target, x->cfg.about, o->diag };
	memcpy(s.isid, cfg->isid, sizeof s.isid);
	list_init(&x->opens);
	list_init(&x->closes);
	x->drain.expired = drain;
	agenda_work_init(&x->opened, opened);
	world_init(&x->world, &o->thread, &account);
	list_push_back(&o->nexuses, &x->link);
	mailbox_open(o->thread.box, &x->slot, cfg->instance, cfg->wanted.generation, x);
	(void)loop_now_update(o->thread.loop);
	x->s = session_new(&s, cfg->settings);
	if (x->s == NULL) {
		log_crit("out of memory: the driver cannot go on");
		abort();
	}
	free(cfg->places);
	free(cfg->heard);
	x->user = o->ops->begin(x, o->ops_cfg);
}

struct nexus *
nexus_find(const struct iothread *o, uint32_t instance)
{
	LIST_EACH(node, tmp, &o->nexuses)
	if (LIST_ENTRY(node, struct nexus, link)->cfg.instance == instance)
		return LIST_ENTRY(node, struct nexus, link);
	return NULL;
}

struct session *
nexus_session(const struct nexus *x)
{
	return x->s;
}

void *
nexus_user(const struct nexus *x)
{
	return x->user;
}

bool
nexus_is_closing(const struct nexus *x)
{
	return !list_empty(&x->closes);
}

const struct nexus_cfg *
nexus_cfg(const struct nexus *x)
{
	return &x->cfg;
}

const char *
nexus_filters(const struct nexus *x)
{
	return x->filters;
}

const struct diag_ctx *
nexus_about(const struct nexus *x)
{
	return &x->world.account.about;
}

const struct iothread *
nexus_iothread(const struct nexus *x)
{
	return x->iothread;
}

const struct mail_address *
nexus_wanted(const struct nexus *x)
{
	return &x->cfg.wanted;
}

const struct mail_address *
nexus_address(const struct nexus *x)
{
	return &x->slot.at;
}

struct nexus *
nexus_at_work(void *owner)
{
	struct nexus *x = owner;

	(void)loop_now_update(x->iothread->thread.loop);
	return x;
}

/* ---- open and close ---- */

/* It is online already, or may not try now, or is on its way and tells how that goes. */
static void
opened(struct agenda_work *w)
{
	struct nexus *x = LIST_ENTRY(w, struct nexus, opened);
	struct session_view v;

	session_view(x->s, &v);
	answer_opens(x, &v);
}

void
nexus_take_open(void *owner, struct mail *m)
{
	struct nexus *x = nexus_at_work(owner);
	struct mail_open *q = LIST_ENTRY(m, struct mail_open, base.mail);
	struct session_view v;

	if (nexus_is_closing(x)) {
		fault_set(&q->fault, FAULT_OFFLINE, "try again when it is closed",
		    "the session is being closed");
		mail_answer(m);
		return;
	}
	session_view(x->s, &v);
	q->online_us = v.online_us;
	q->failed = session_counts(x->s)->failed;
	q->is_renewal = q->is_renewal && session_renew(x->s);
	list_push_back(&x->opens, &q->link);
	session_open(x->s, q->keep, q->is_now);
	agenda_defer(x->world.world.agenda, &x->opened);
}

void
nexus_refuse_open(struct mail *m)
{
	fault_set(&LIST_ENTRY(m, struct mail_open, base.mail)->fault, FAULT_OFFLINE, "scan again",
	    "the session was closed");
}

void
nexus_take_close(void *owner, struct mail *m)
{
	struct nexus *x = nexus_at_work(owner);
	struct mail_close *q = LIST_ENTRY(m, struct mail_close, base.mail);
	bool is_first = list_empty(&x->closes);

	x->is_last |= q->is_last;
	list_push_back(&x->closes, &q->link);
	if (!is_first)
		return;
	x->iothread->ops->close(x->user);
	session_close(x->s);
}

void
nexus_refuse_close(struct mail *m)
{
	LIST_ENTRY(m, struct mail_close, base.mail)->is_gone = true;
}

/* ---- settings ---- */

void
nexus_take_settings(void *owner, struct mail *m)
{
	struct nexus *x = nexus_at_work(owner);
	struct mail_settings *n = LIST_ENTRY(m, struct mail_settings, mail);

	if (strcmp(x->filters, n->settings->filters) != 0) {
		cut_copy(x->filters, sizeof x->filters, n->settings->filters);
		x->iothread->ops->configured(x->user);
	}
	session_settings(x->s, n->settings);
	free(n);
}

void
nexus_drop_settings(struct mail *m)
{
	struct mail_settings *n = LIST_ENTRY(m, struct mail_settings, mail);

	settings_free(n->settings);
	free(n);
}

void
nexus_take_tag(void *owner, struct mail *m)
{
	struct nexus *x = nexus_at_work(owner);

	session_tag(x->s, LIST_ENTRY(m, struct mail_tag, mail)->tpgt);
	free(m);
}
