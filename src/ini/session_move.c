/* What a move of a session's state asks for.  Called by go() alone, before it checks the invariant.
 */
#include <string.h>

#include "base/cut.h"
#include "ini/session_impl.h"

/* Online for so long with nothing that waits, it has done what was asked of it: nothing. */
#define STEADY_US 1000000

uint64_t
session_give_up_us(const struct session *s)
{
	if (s->outage_us == 0 || s->path.replacement_us == UINT64_MAX)
		return UINT64_MAX;
	return s->outage_us + s->path.replacement_us;
}

/* ---- a try ---- */

static void
begin_try(struct session *s)
{
	if (s->next_settings != NULL) {
		settings_free(s->settings);
		s->settings = s->next_settings;
		s->next_settings = NULL;
		s->redirect = s->settings->redirect; /* it may have been cleared */
	}
	s->is_elsewhere = s->redirect.is_set && !s->skip_redirect;
	s->at = s->a;
	if (s->is_elsewhere) {
		s->at = s->redirect.to;
		s->at.tpgt = -1; /* it may be another portal group */
	}
	s->counts.reopen_opens += s->has_login;
	s->tried_us = session_now(s);
	s->not_before_us = 0;
	login_run_start(s->run, &s->at, s->settings);
}

static void
opened(struct session *s, enum session_state from)
{
	if (from == SESSION_CLOSED) {
		s->is_logout_lost = false;
		s->outage_us = session_now(s);
		session_path_given_up(s, false);
	}
	begin_try(s);
}

/* ---- online ---- */

/*
 * A permanent redirection counts once it led to a login that proved itself; and no
 * more when the original address serves us again.
 */
static void
note_redirect(struct session *s)
{
	const struct neg_params *p = sess_params(s->sess);
	bool is_for_good, is_proved = !s->settings->has_chap || p->auth_method == NEG_AUTH_CHAP;
	const struct portal_address *at = login_run_at(s->run, &is_for_good);
	bool was_sent_on = at->port != s->at.port || strcmp(at->host, s->at.host) != 0;

	if (was_sent_on && is_for_good && is_proved) {
		s->redirect.is_set = true;
		s->redirect.to = *at;
		s->must_tell_redirect = true;
	} else if (!s->is_elsewhere && s->redirect.is_set) {
		s->redirect.is_set = false;
		s->must_tell_redirect = true;
	}
	s->skip_redirect = false;
	s->at = *at;
}

static void
went_online(struct session *s)
{
	struct fence_place here;

	session_place(s, &here);
	cut_copy(s->initiator_name, sizeof s->initiator_name, s->settings->initiator_name);
	s->login_serial = s->settings->serial;
	note_redirect(s);
	s->is_reopened = s->has_login;
	s->has_login = s->keep = true;
	s->online_us = session_now(s);
	s->time2wait_s = 0;
	fault_keep(&s->last, NULL);
	fence_login(&s->fence, s->path.nexus + 1, &here);
	session_say(s, SAY_NOTE, "online");
	session_path_up(s);
}

/* ---- the connection ended, or there was none ---- */

/* One line for an outage, not one for each try. */
static void
say_lost(struct session *s, const struct fault *why)
{
	if (!why->is_set)
		return;
	if (why->is_silent || (s->last != NULL && strcmp(s->last->message, why->message) == 0))
		session_say(s, SAY_DEBUG, "%s", why->message);
	else
		session_say(s, SAY_WARN, "%s; %s", why->message,
		    why->next[0] != '\0' ? why->next : "it is tried again");
}

static uint64_t
time2wait_us(const struct session *s)
{
	uint64_t us = s->down.time2wait_s * 1000000ull,
		 most_us = session_timers(s)->ms[TIMER_time2wait_max] * 1000ull;

	return us < most_us ? us : most_us;
}

/* When to try again. */
static void
plan(struct session *s)
{
	uint64_t now = session_now(s), give_up = session_give_up_us(s), last_try;
	/* Within the promise of a session that has served I/O some may come at any time. */
	bool is_waited_for = s->state == SESSION_WAIT && ((s->has_login && !s->down.is_permanent) ||
							     session_path_has_waiting(s));
	uint32_t random = 0;

	/* Without random bytes the tries are merely less spread. */
	(void)s->world->ops->random(s->world, &random, sizeof random);
	if (s->down.is_permanent)
		backoff_seldom(&s->backoff);
	s->next_try_us = now + backoff_next_us(&s->backoff, is_waited_for, random);
	if (s->next_try_us < s->tried_us + SESSION_TRY_PACE_US)
		s->next_try_us = s->tried_us + SESSION_TRY_PACE_US;
	/* One try is made before I/O is given up. */
	if (s->state == SESSION_WAIT && give_up != UINT64_MAX) {
		uint64_t early = s->path.replacement_us / 2;

		last_try = give_up - (early < SESSION_LAST_TRY_US ? early : SESSION_LAST_TRY_US);
		if (now < last_try && s->next_try_us > last_try)
			s->next_try_us = last_try;
	}
	/* RFC 7143, 7.5: not before the target's Time2Wait has passed. */
	if (s->next_try_us < s->not_before_us)
		s->next_try_us = s->not_before_us;
}

static void
was_lost(struct session *s)
{
	uint64_t now = session_now(s);
	bool was_steady;

	s->counts.reopens++;
	fence_lost(&s->fence, now, s->down.time2wait_s, s->down.time2retain_s);
	session_ask_end(s, fault_kept(s->down.fault));
	session_path_down(s, s->down.end == LOGIN_RUN_SILENT);
	was_steady = now - s->online_us >= STEADY_US && !session_path_has_waiting(s);
	if (was_steady)
		backoff_reset(&s->backoff);
	if (s->outage_us == 0 || was_steady)
		s->outage_us = now;
}

static void
lost(struct session *s, enum session_state from)
{
	uint64_t not_before = session_now(s) + time2wait_us(s);
	struct fault why = { 0 };

	s->has_down = false;
	if (from == SESSION_ONLINE) {
		was_lost(s);
	} else {
		s->counts.failed++;
		/* The next try takes the other way where there are two. */
		s->skip_redirect = s->is_elsewhere;
	}
	if (s->down.time2wait_s > 0) {
		s->time2wait_s = s->down.time2wait_s;
		s->not_before_us = not_before;
	}
	plan(s);
	say_lost(s, fault_kept(s->down.fault));
	fault_set(&why, FAULT_OFFLINE, "it is tried again",
	    s->is_renewing ? "it logs in anew, with what is configured now"
			   : "the session ended as the target had asked");
	fault_keep(&s->last, s->down.fault != NULL ? s->down.fault : &why);
	/* Nothing is wrong, so nothing is waited for but what the target wants. */
	if (s->is_renewing)
		s->next_try_us = s->not_before_us;
	s->is_renewing = false;
	fault_keep(&s->down.fault, NULL);
}

static void
gave_up(struct session *s)
{
	char text[TIMERS_TEXT_BYTES];

	timers_print((uint32_t)(s->path.replacement_us / 1000), text);
	session_say(s, SAY_ERR, "offline for %s seconds: its I/O fails until it is back", text);
	session_path_given_up(s, true);
}

/* ---- closing ---- */

static void
closing(struct session *s, enum session_state from)
{
	struct fault why = { 0 };
	bool is_asked = s->is_close_asked;

	fault_set(&why, FAULT_OFFLINE, "scan to open it again", "the session was closed");
	session_ask_end(s, &why);
	session_path_given_up(s, true);
	if (!is_asked)
		s->is_wanted = false; /* the first try failed, and nobody keeps it */
	if (from == SESSION_ONLINE && sess_logout(s->sess, session_now(s)) == 0) {
		login_run_kick(s->run);
		return;
	}
	if (is_asked && s->last == NULL)
		fault_keep(&s->last, &why);
	login_run_stop(s->run, &why, true); /* harmless when it is down */
}

/* A logout that is not answered is no logout. */
static void
not_logged_out(struct session *s)
{
	if (!s->down.was_stopped)
		say_lost(s, fault_kept(s->down.fault));
	fault_keep(&s->last, s->down.fault);
	s->is_logout_lost = true;
}

static void
gone(struct session *s)
{
	struct fault why = { 0 };

	if (s->has_down) {
		fence_lost(&s->fence, session_now(s), s->down.time2wait_s, s->down.time2retain_s);
		if (s->down.time2wait_s > 0)
			s->not_before_us = session_now(s) + time2wait_us(s);
		s->time2wait_s = s->down.time2wait_s;
		fault_set(&why, FAULT_OFFLINE, "scan to open it again", "it was logged out");
		if (s->down.end == LOGIN_RUN_LOGGED_OUT)
			fault_keep(&s->last, &why);
		else if (s->last == NULL)
			not_logged_out(s);
	}
	s->has_down = s->is_renewing = false;
	s->outage_us = 0;
	s->skip_redirect = false;
	backoff_reset(&s->backoff);
	session_path_down(s, false);
	fault_keep(&s->down.fault, NULL);
}

void
session_enter(struct session *s, enum session_state from, enum session_event ev)
{
	switch (ev) {
	case SESSION_EV_OPEN:
		opened(s, from);
		break;
	case SESSION_EV_ONLINE:
		went_online(s);
		break;
	case SESSION_EV_LOST:
		lost(s, from);
		break;
	case SESSION_EV_GIVE_UP:
		gave_up(s);
		break;
	case SESSION_EV_CLOSE:
		closing(s, from);
		break;
	case SESSION_EV_GONE:
		gone(s);
		break;
	case SESSION_EVENTS:
		break;
	}
}
