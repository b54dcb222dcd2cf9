/*
 * A run is in one state: down, dialling, logging in, online, or stopping (the
 * world was told to close and has not said yet that it did).  What is known of
 * the end is gathered in `down` while events come; over() decides at the
 * connection's end whether the run goes on elsewhere (a redirection, MD5
 * alone) or is over.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "ini/login_run_impl.h"

/* The world has so long beyond what it was given to connect; then it is not waited for. */
#define CONNECT_GRACE_US 1000000

/* ---- the end of a try ---- */

void
login_run_finish(struct login_run_impl *i)
{
	struct login_run_down d;
	struct fault why = { 0 };

	assert(i->state != RUN_DOWN && !i->is_asking && !i->connect_deadline.armed);
	if (i->down.was_redirected && !i->down.was_online && !i->down.was_stopped)
		i->counts->redirects_lost++;
	if (i->down.fault == NULL && i->down.end != LOGIN_RUN_LOGGED_OUT) {
		fault_set(&why, FAULT_OFFLINE, "", "the target ended the session");
		fault_keep(&i->down.fault, &why);
	}
	chapcfg_refresh(&i->settings->chap, (uint8_t[CHAPCFG_RANDOM_BYTES]){ 0 });
	explicit_bzero(&i->md5, sizeof i->md5);
	i->state = RUN_DOWN;
	i->settings = NULL;
	d = i->down;
	i->down.fault = NULL; /* it may be started again meanwhile */
	i->ops->down(i->user, &d);
	fault_keep(&d.fault, NULL);
}

static void
finish_later(struct agenda_work *w)
{
	login_run_finish(LIST_ENTRY(w, struct login_run_impl, tell_down));
}

void
login_run_stop_asking(struct login_run_impl *i)
{
	if (i->is_asking)
		i->world->ops->verify_cancel(i->world, &i->run);
	i->is_asking = false;
}

/* ---- a try ---- */

/* How the one before ended. */
static void
forget(struct login_run_impl *i)
{
	fault_keep(&i->down.fault, NULL);
	fault_keep(&i->unasked, NULL);
	i->down = (struct login_run_down){ 0 };
}

void
login_run_dial(struct login_run_impl *i)
{
	bool was_redirected = i->hops > 0;

	i->state = RUN_DIALING;
	forget(i);
	i->down.was_redirected = was_redirected;
	i->md5_may_help = i->has_redirect = false;
	agenda_set(i->world->agenda, &i->connect_deadline,
	    agenda_now(i->world->agenda) + LOGIN_RUN_CONNECT_MS * 1000ull + CONNECT_GRACE_US);
	i->world->ops->connect(i->world, &i->run, &i->at, &i->settings->from, LOGIN_RUN_CONNECT_MS);
}

void
login_run_start(struct login_run *r, const struct portal_address *to, struct settings *settings)
{
	struct login_run_impl *i = r->impl;

	assert(i->state == RUN_DOWN);
	i->settings = settings;
	i->at = *to;
	i->expected_tpgt = to->tpgt;
	i->hops = 0;
	i->is_md5_only = false;
	login_run_dial(i);
}

static void
set_limits(struct sess_cfg *cfg, const struct timers *t)
{
	cfg->login_timeout_ms = t->ms[TIMER_login];
	cfg->logout_timeout_ms = LOGIN_RUN_LOGOUT_MS;
	cfg->request_timeout_ms = t->ms[TIMER_command];
	cfg->abort_timeout_ms = t->ms[TIMER_abort];
	cfg->reset_timeout_ms = t->ms[TIMER_reset];
	cfg->nop_timeout_ms = t->ms[TIMER_nop];
	cfg->nop_interval_ms = t->ms[TIMER_nop_interval];
}

void
login_run_limits(struct login_run *r, const struct timers *t)
{
	set_limits(&r->impl->cfg, t);
	sess_configure(r->impl->sess, &r->impl->cfg);
}

/* What this login says of us.  False: there cannot be one; i->down.fault says why. */
static bool
configure(struct login_run_impl *i)
{
	struct settings *s = i->settings;
	struct fault why = { 0 };
	uint8_t random[CHAPCFG_RANDOM_BYTES];

	i->cfg.login = (struct login_cfg){
		.initiator_name = s->initiator_name,
		.initiator_alias = s->initiator_alias,
		.target_name = i->target[0] != '\0' ? i->target : NULL,
		.expected_tpgt = i->expected_tpgt,
		.offer = s->offer,
	};
	if (s->has_chap && s->chap.cfg.n_algorithms == 0) {
		i->down.is_permanent = true;
		fault_set(&why, FAULT_INVALID,
		    "choose others with iscsiutil, or configure the target's secret here",
		    "none of the CHAP algorithms that are allowed can be used");
		fault_keep(&i->down.fault, &why);
		return false;
	}
	if (s->has_chap) {
		/* A challenge that somebody could foresee proves nothing. */
		if (!i->world->ops->random(i->world, random, sizeof random)) {
			fault_set(&why, FAULT_INTERNAL, "try again",
			    "there are no random bytes for a CHAP challenge");
			fault_keep(&i->down.fault, &why);
			return false;
		}
		chapcfg_refresh(&s->chap, random);
		explicit_bzero(random, sizeof random);
		i->md5.identifier = s->chap.cfg.identifier;
		i->cfg.login.chap = i->is_md5_only ? &i->md5 : &s->chap.cfg;
	}
	set_limits(&i->cfg, &s->timers);
	sess_configure(i->sess, &i->cfg);
	return true;
}

struct sess *
login_run_connected(struct login_run *r, const char *local, const char *peer)
{
	struct login_run_impl *i = r->impl;

	if (i->state != RUN_DIALING)
		return NULL;
	agenda_clear(i->world->agenda, &i->connect_deadline);
	cut_copy(i->local, sizeof i->local, local);
	cut_copy(i->peer, sizeof i->peer, peer);
	if (!configure(i)) {
		i->down.end = LOGIN_RUN_REFUSED;
		i->state = RUN_STOPPING;
		agenda_defer(i->world->agenda, &i->tell_down);
		return NULL;
	}
	i->stamp++;
	i->state = RUN_LOGIN;
	i->login_end_us = agenda_now(i->world->agenda) + i->cfg.login_timeout_ms * 1000ull;
	return i->sess;
}

void
login_run_unreachable(struct login_run *r, int err, bool is_name, const struct fault *why)
{
	struct login_run_impl *i = r->impl;

	if (i->state != RUN_DIALING)
		return;
	agenda_clear(i->world->agenda, &i->connect_deadline);
	i->counts->open_failures++;
	i->counts->resolve_failures += is_name;
	i->down.end = LOGIN_RUN_UNREACHABLE;
	i->down.err = err;
	i->down.is_name = is_name;
	fault_keep(&i->down.fault, why);
	login_run_finish(i);
}

static void
connect_took_too_long(struct agenda_timer *t)
{
	struct login_run_impl *i = LIST_ENTRY(t, struct login_run_impl, connect_deadline);
	struct fault why = { 0 };

	i->world->ops->disconnect(i->world, &i->run, false);
	fault_set(&why, FAULT_TIMEOUT, "look at the network",
	    "no connection was made in %u seconds", LOGIN_RUN_CONNECT_MS / 1000);
	login_run_unreachable(&i->run, -ETIMEDOUT, false, &why);
}

/* ---- stopping ---- */

void
login_run_stop(struct login_run *r, const struct fault *why, bool is_reset)
{
	struct login_run_impl *i = r->impl;
	bool was_dialing = i->state == RUN_DIALING;

	if (i->state == RUN_DOWN || i->state == RUN_STOPPING)
		return;
	login_run_stop_asking(i);
	agenda_clear(i->world->agenda, &i->connect_deadline);
	fault_keep(&i->down.fault, why);
	i->down.end = was_dialing ? LOGIN_RUN_UNREACHABLE : LOGIN_RUN_LOST;
	i->down.was_stopped = true;
	i->state = RUN_STOPPING;
	i->world->ops->disconnect(i->world, r, is_reset);
	if (was_dialing)
		agenda_defer(i->world->agenda, &i->tell_down);
}

/* ---- requests ---- */

/* Without a connection nobody else does. */
static void
drain(struct login_run_impl *i)
{
	struct sess_event ev;

	while (sess_next(i->sess, &ev))
		if (ev.kind == SESS_EV_REQ)
			ev.req->done(ev.req);
}

static void
drain_later(struct agenda_work *w)
{
	drain(LIST_ENTRY(w, struct login_run_impl, drain));
}

void
login_run_kick(struct login_run *r)
{
	struct login_run_impl *i = r->impl;

	agenda_defer(i->world->agenda, sess_conn(i->sess) != NULL ? r->send : &i->drain);
}

/* ---- making, freeing, looking ---- */

struct login_run *
login_run_new(const struct login_run_cfg *cfg, struct ini_counts *counts)
{
	struct login_run_impl *i = calloc(1, sizeof *i);

	if (i == NULL)
		return NULL;
	i->run.impl = i;
	i->world = cfg->world;
	i->ops = cfg->ops;
	i->user = cfg->user;
	i->counts = counts;
	cut_copy(i->label, sizeof i->label, cfg->label);
	cut_copy(i->target, sizeof i->target, cfg->target != NULL ? cfg->target : "");
	i->cfg.slots = cfg->slots;
	i->cfg.spare = cfg->world->spare;
	memcpy(i->cfg.isid, cfg->isid, sizeof i->cfg.isid);
	i->connect_deadline.expired = connect_took_too_long;
	agenda_work_init(&i->drain, drain_later);
	agenda_work_init(&i->tell_down, finish_later);
	i->sess = sess_new(&i->cfg);
	if (i->sess == NULL) {
		free(i);
		return NULL;
	}
	return &i->run;
}

void
login_run_free(struct login_run *r)
{
	struct login_run_impl *i;

	if (r == NULL)
		return;
	i = r->impl;
	login_run_stop_asking(i);
	agenda_clear(i->world->agenda, &i->connect_deadline);
	agenda_cancel(&i->tell_down);
	if (i->state != RUN_DOWN)
		i->world->ops->disconnect(i->world, r, false);
	i->state = RUN_DOWN;
	i->world->ops->forget(i->world, r);
	sess_disconnected(i->sess, agenda_now(i->world->agenda));
	drain(i);
	agenda_cancel(&i->drain);
	forget(i);
	sess_free(i->sess);
	explicit_bzero(&i->md5, sizeof i->md5);
	free(i);
}

bool
login_run_is_down(const struct login_run *r)
{
	return r->impl->state == RUN_DOWN;
}

bool
login_run_is_online(const struct login_run *r)
{
	return r->impl->state == RUN_ONLINE;
}

const struct portal_address *
login_run_at(const struct login_run *r, bool *ret_is_permanent)
{
	*ret_is_permanent = r->impl->hops > 0 && r->impl->is_for_good;
	return &r->impl->at;
}

const char *
login_run_local(const struct login_run *r)
{
	return r->impl->local;
}

const char *
login_run_peer(const struct login_run *r)
{
	return r->impl->peer;
}

struct sess *
login_run_sess(struct login_run *r)
{
	return r->impl->sess;
}
