/* What a run makes of its session's events, and of the answer to a question about the target. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cut.h"
#include "ini/login_run_impl.h"
#include "ini/login_run_words.h"

#define NOTE_US 1000000

void
login_run_say(const struct login_run_impl *i, enum say_level level, const char *fmt, ...)
{
	char text[512];
	size_t n;
	va_list ap;

	(void)snprintf(text, sizeof text, "%s: ", i->label); /* the label is shorter */
	n = strlen(text);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof text - n, fmt, ap); /* a longer one is cut */
	va_end(ap);
	i->world->ops->say(i->world, level, text);
}

static void
went_online(struct login_run_impl *i)
{
	i->state = RUN_ONLINE;
	i->down.was_online = true;
	i->counts->opened++;
	if (i->hops > 0)
		i->counts->redirects++;
	i->ops->online(i->user);
}

/* May another CHAP algorithm mend this failure? */
static bool
is_chap_failure(const struct sess_event *ev)
{
	/* MD5 was what it chose. */
	if (ev->login.chap_algorithm == CHAP_MD5)
		return false;
	/* To some a list that they do not understand is 0200, to others 0201 or 0202. */
	if (ev->login.step == LOGIN_REFUSED)
		return ev->login.status_class == 2 && ev->login.status_detail <= 2;
	return ev->login.step == LOGIN_VIOLATION && ev->login.chap_algorithm != 0 &&
	       (ev->login.violation == VIOLATION_CHAP_R ||
		   ev->login.violation == VIOLATION_CHAP_WRONG ||
		   ev->login.violation == VIOLATION_CHAP_NO_HASH);
}

static void
login_failed(struct login_run_impl *i, const struct sess_event *ev)
{
	if (ev->login.step == LOGIN_REDIRECTED) {
		i->has_redirect = true;
		i->is_for_good = ev->login.status_detail == 2;
		cut_copy(i->redirect, sizeof i->redirect,
		    ev->login.redirect != NULL ? ev->login.redirect : "");
		return;
	}
	login_run_refused(&i->down, ev, fault_kept(i->unasked));
	i->md5_may_help = is_chap_failure(ev);
}

static void
verify(struct login_run_impl *i, const struct chap_query *q)
{
	uint64_t now = agenda_now(i->world->agenda);
	uint64_t left_us = i->login_end_us > now ? i->login_end_us - now : 0;
	struct verify_query copy = { .stamp = i->stamp,
		.identifier = q->identifier,
		/* The target has to answer once more. */
		.timeout_ms = (uint32_t)(left_us * 4 / 5 / 1000 + 1) };

	/* Both are ours to choose and MD5's length: nobody is asked about anything else. */
	if (q->challenge_len > sizeof copy.challenge || q->response_len > sizeof copy.response) {
		sess_verified(i->sess, CHAP_VERDICT_NONE, agenda_now(i->world->agenda));
		login_run_kick(&i->run);
		return;
	}
	memcpy(copy.challenge, q->challenge, q->challenge_len);
	copy.challenge_len = q->challenge_len;
	memcpy(copy.response, q->response, q->response_len);
	copy.response_len = q->response_len;
	cut_copy(copy.name, sizeof copy.name, q->name);
	i->is_asking = true;
	i->world->ops->verify(i->world, &i->run, &copy);
}

void
login_run_verified(
    struct login_run *r, unsigned stamp, bool ok, bool timed_out, const struct fault *why)
{
	struct login_run_impl *i = r->impl;

	if (stamp != i->stamp || !i->is_asking) {
		if (i->state == RUN_LOGIN)
			i->counts->auth_wrong_stamp++;
		else
			i->counts->auth_no_connection++;
		return;
	}
	i->is_asking = false;
	i->counts->auth_timeouts += timed_out;
	fault_keep(&i->unasked, why);
	sess_verified(i->sess,
	    why->is_set ? CHAP_VERDICT_NONE
	    : ok        ? CHAP_VERDICT_RIGHT
			: CHAP_VERDICT_WRONG,
	    agenda_now(i->world->agenda));
	login_run_kick(r);
}

static void
logged_out(struct login_run_impl *i, uint8_t response)
{
	struct fault why = { 0 };

	if (response == 0) {
		i->down.end = LOGIN_RUN_LOGGED_OUT;
		return;
	}
	i->down.end = LOGIN_RUN_LOST;
	fault_set(&why, FAULT_OFFLINE, "look at the target's log",
	    "the target answered the logout with response %u: %s", response,
	    login_run_logout_text(response));
	fault_keep(&i->down.fault, &why);
}

/*
 * What a target may send in any number is said once in NOTE_US, with how much
 * was left out.
 */
static void
note(struct login_run_impl *i, enum run_note kind, enum say_level level, const char *sentence)
{
	uint64_t now = agenda_now(i->world->agenda);
	struct run_noted *n = &i->noted[kind];

	if (n->said_us != 0 && now - n->said_us < NOTE_US) {
		n->left_out++;
		return;
	}
	if (n->left_out > 0)
		login_run_say(
		    i, level, "%s; and %u more of that kind before", sentence, n->left_out);
	else
		login_run_say(i, level, "%s", sentence);
	n->said_us = now;
	n->left_out = 0;
}

static void
note_event(struct login_run_impl *i, const struct sess_event *ev)
{
	char text[160];

	if (ev->kind == SESS_EV_TMF) {
		(void)snprintf(text, sizeof text, "task management function %u %s",
		    (unsigned)ev->tmf.function,
		    ev->tmf.ending.how != SESS_END_ANSWERED ? "was not answered"
		    : ev->tmf.response == 0                 ? "was completed"
							    : "was refused by the target");
		note(i, RUN_NOTE_TMF, SAY_WARN, text);
	} else if (ev->kind == SESS_EV_REJECT) {
		(void)snprintf(text, sizeof text, "the target rejected a PDU, reason 0x%02x",
		    ev->reject_reason);
		note(i, RUN_NOTE_REJECT, SAY_WARN, text);
	} else if (ev->kind == SESS_EV_ASYNC) {
		(void)snprintf(text, sizeof text, "the target sent asynchronous message %u: %s",
		    ev->async.event, login_run_async_text(ev->async.event));
		note(i, RUN_NOTE_ASYNC, SAY_INFO, text);
	} else if (ev->kind == SESS_EV_LOGOUT) {
		logged_out(i, ev->logout_response);
	}
}

void
login_run_event(struct login_run *r, const struct sess_event *ev)
{
	struct login_run_impl *i = r->impl;

	switch (ev->kind) {
	case SESS_EV_ONLINE:
		if (i->state == RUN_LOGIN)
			went_online(i);
		break;
	case SESS_EV_LOGIN_FAILED:
		if (i->state == RUN_LOGIN)
			login_failed(i, ev);
		break;
	case SESS_EV_VERIFY:
		if (i->state == RUN_LOGIN)
			verify(i, &ev->verify);
		break;
	case SESS_EV_TEXT:
	case SESS_EV_TEXT_DONE:
	case SESS_EV_PING:
	case SESS_EV_TMF:
	case SESS_EV_LOGOUT:
	case SESS_EV_ASYNC:
	case SESS_EV_REJECT:
		note_event(i, ev);
		if (i->ops->event != NULL)
			i->ops->event(i->user, ev);
		break;
	case SESS_EV_KEYS: /* the world's, as is */
	case SESS_EV_REQ:
	case SESS_EV_CLOSE: /* comes as closed() */
		break;
	}
}
