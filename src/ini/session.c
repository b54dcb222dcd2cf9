/* A session as others see it: what they ask of it becomes facts for progress() (session_fsm.c). */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "ini/session_impl.h"

void
session_open(struct session *s, bool keep, bool is_now)
{
	uint64_t now = session_now(s);

	s->counts.opens++;
	if (s->state == SESSION_ONLINE && s->is_reopened)
		s->counts.reopen_opens_aborted++;
	s->keep |= keep;
	s->is_wanted = true;
	if (is_now && s->not_before_us > now)
		session_say(s, SAY_NOTE,
		    "tried at once, as was asked for, though the target wants us to wait %u "
		    "seconds",
		    s->time2wait_s);
	if (is_now)
		s->not_before_us = 0;
	/* Counts in WAIT and DOWN. */
	s->next_try_us = now > s->not_before_us ? now : s->not_before_us;
	agenda_defer(s->world->agenda, &s->progress);
}

bool
session_renew(struct session *s)
{
	if (s->state != SESSION_ONLINE || s->is_close_asked ||
	    sess_logout(s->sess, session_now(s)) != 0)
		return false;
	s->is_renewing = true;
	login_run_kick(s->run);
	return true;
}

void
session_close(struct session *s)
{
	s->counts.closes++;
	if (s->state == SESSION_CLOSED)
		s->counts.reopen_closes_aborted++;
	s->is_wanted = s->keep = false;
	s->is_close_asked = true;
	agenda_defer(s->world->agenda, &s->progress);
}

void
session_settings(struct session *s, struct settings *settings)
{
	login_run_limits(s->run, &settings->timers);
	if (login_run_is_down(s->run)) {
		settings_free(s->settings);
		settings_free(s->next_settings); /* it is older */
		s->settings = settings;
		s->next_settings = NULL;
	} else {
		settings_free(s->next_settings);
		s->next_settings = settings;
	}
	s->redirect = settings->redirect;
	session_path_limits(s);
	agenda_defer(s->world->agenda, &s->progress);
}

void
session_tag(struct session *s, int32_t tpgt)
{
	s->a.tpgt = tpgt;
}

static bool
make_parts(struct session *s, const struct session_cfg *cfg)
{
	char label[32];
	struct login_run_cfg run = { .world = cfg->world,
		.label = label,
		.target = s->target,
		.slots = SESSION_SLOTS,
		.ops = &session_run_ops,
		.user = s };

	(void)snprintf(label, sizeof label, "session %u", s->instance); /* fits */
	memcpy(run.isid, cfg->isid, sizeof run.isid);
	s->run = login_run_new(&run, &s->counts);
	s->sess = s->run != NULL ? login_run_sess(s->run) : NULL;
	s->path.pool = pool_new(SESSION_SLOTS);
	return s->run != NULL && s->path.pool != NULL;
}

struct session *
session_new(const struct session_cfg *cfg, struct settings *settings)
{
	struct session *s = calloc(1, sizeof *s);

	if (s == NULL) {
		settings_free(settings);
		return NULL;
	}
	s->world = cfg->world;
	s->instance = cfg->instance;
	cut_copy(s->target, sizeof s->target, cfg->target);
	s->a = s->at = cfg->at;
	s->ops = cfg->ops;
	s->user = cfg->user;
	s->settings = settings;
	s->redirect = settings->redirect;
	session_fsm_init(s);
	session_path_init(s, cfg->world->agenda);
	session_units_init(s);
	session_ask_init(s);
	if (!make_parts(s, cfg)) {
		session_free(s);
		return NULL;
	}
	session_path_limits(s);
	session_place_init(s, cfg);
	if (cfg->heard != NULL)
		s->heard = *cfg->heard;
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	assert(s->state == SESSION_CLOSED && !s->is_moving);
	session_fsm_fini(s);
	session_ask_fini(s);
	session_path_fini(s);
	login_run_free(s->run);
	pool_free(s->path.pool);
	fault_keep(&s->down.fault, NULL);
	fault_keep(&s->last, NULL);
	settings_free(s->settings);
	settings_free(s->next_settings);
	free(s);
}

/* ---- what may be known of it ---- */

const struct timers *
session_timers(const struct session *s)
{
	return s->next_settings != NULL ? &s->next_settings->timers : &s->settings->timers;
}

enum session_state
session_state(const struct session *s)
{
	return s->state;
}

const struct ini_counts *
session_counts(const struct session *s)
{
	return &s->counts;
}

void
session_core_counts(const struct session *s, struct conn_counts *ret_counts)
{
	sess_counts(s->sess, ret_counts);
}

const struct trace *
session_trace(const struct session *s)
{
	return sess_trace(s->sess);
}

static bool
is_same_place(const struct portal_address *a, const struct portal_address *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

void
session_view(const struct session *s, struct session_view *ret)
{
	struct session_login *login = &ret->login;
	struct sess *sess = s->sess;

	memset(ret, 0, sizeof *ret);
	ret->state = s->state;
	ret->last = *fault_kept(s->last);
	ret->is_logout_lost = s->is_logout_lost;
	ret->has_login = s->has_login;
	ret->is_reopened = s->is_reopened;
	ret->at = s->at;
	ret->is_elsewhere = !is_same_place(&s->at, &s->a);
	ret->next_try_us = s->retry.armed ? s->retry.at_us : 0;
	ret->give_up_us = s->give_up.armed ? s->give_up.at_us : 0;
	ret->time2wait_s = s->time2wait_s;
	cut_copy(ret->local, sizeof ret->local, login_run_local(s->run));
	cut_copy(ret->peer, sizeof ret->peer, login_run_peer(s->run));
	if (!s->has_login)
		return;
	login->params = *sess_params(sess);
	login->tsih = sess_tsih(sess);
	login->tpgt = sess_tpgt(sess);
	cut_copy(login->target_alias, sizeof login->target_alias, sess_target_alias(sess));
	cut_copy(login->initiator_name, sizeof login->initiator_name, s->initiator_name);
	login->settings_serial = s->login_serial;
	ret->online_us = s->online_us;
}
