/*
 * Calls of others and the world's events leave facts behind: what is wanted,
 * that the run has ended.  progress() alone looks at everything and decides
 * what comes next; go() alone moves the state, has session_enter() do what the
 * move asks for, and then checks the invariant.  Alternatives refused: acting
 * where a fact arrives, which is how a give-up once crossed a login and a ping
 * was lost on a close.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ini/session_impl.h"

static const struct {
	const char *name, *word;
} states[] = {
#define SESSION_STATE(id, word, text) { #id, word },
#include "ini/session_fsm.def"
};
static const char *const events[] = {
#define SESSION_EVENT(id, text) #id,
#include "ini/session_fsm.def"
};
static const struct {
	enum session_state from;
	enum session_event event;
	enum session_state to;
} rows[] = {
#define SESSION_ROW(from, event, to) { SESSION_##from, SESSION_EV_##event, SESSION_##to },
#include "ini/session_fsm.def"
};

const char *
session_state_word(enum session_state s)
{
	return states[s].word;
}

void
session_say(const struct session *s, enum say_level level, const char *fmt, ...)
{
	bool is_v6 = strchr(s->a.host, ':') != NULL;
	char text[SESSION_LABEL_BYTES + 1024], tag[16] = "";
	size_t n;
	va_list ap;

	if (s->a.tpgt >= 0)
		(void)snprintf(tag, sizeof tag, ",%d", s->a.tpgt); /* a number fits */
	(void)snprintf(text, sizeof text, "session %u (%s at %s%s%s:%u%s): ", s->instance,
	    s->target, is_v6 ? "[" : "", s->a.host, is_v6 ? "]" : "", s->a.port,
	    tag); /* it is longer */
	n = strlen(text);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof text - n, fmt, ap); /* a longer one is cut */
	va_end(ap);
	s->world->ops->say(s->world, level, text);
}

uint64_t
session_now(const struct session *s)
{
	return agenda_now(s->world->agenda);
}

/* ---- the machine ---- */

static bool
is_down(enum session_state s)
{
	return s == SESSION_DOWN || s == SESSION_DOWN_TRY;
}

static bool
is_trying(enum session_state s)
{
	return s == SESSION_TRY || s == SESSION_DOWN_TRY;
}

static bool
is_pausing(enum session_state s)
{
	return s == SESSION_WAIT || s == SESSION_DOWN;
}

static void
arm(struct session *s, struct agenda_timer *t, bool is_wanted, uint64_t at_us)
{
	if (is_wanted && at_us != UINT64_MAX)
		agenda_set(s->world->agenda, t, at_us);
	else
		agenda_clear(s->world->agenda, t);
}

/* Timers follow from the state, so none is ever armed outside its own. */
static void
arm_all(struct session *s)
{
	bool may_give_up = s->state == SESSION_TRY || s->state == SESSION_WAIT;

	bool is_kept_waiting = s->state == SESSION_CLOSED && s->is_wanted && !s->must_tell_closed;

	arm(s, &s->retry, is_pausing(s->state) || is_kept_waiting,
	    is_kept_waiting ? s->not_before_us : s->next_try_us);
	arm(s, &s->give_up, may_give_up, session_give_up_us(s));
	arm(s, &s->fence_timer, true, fence_next_us(&s->fence));
	arm(s, &s->keep_timer, session_place_is_waited_for(s), s->logged_in_us + SESSION_KEEP_US);
}

static void
check_invariant(const struct session *s)
{
	bool is_online = s->state == SESSION_ONLINE;

	assert(s->path.is_up == is_online);
	assert(!(s->path.is_up && s->path.is_given_up));
	assert(s->path.is_given_up ==
	       (is_down(s->state) || s->state == SESSION_LOGOUT || s->state == SESSION_CLOSED));
	assert(!is_online || login_run_is_online(s->run) || s->has_down);
	assert(!is_trying(s->state) || !login_run_is_down(s->run) || s->has_down);
	assert(!is_pausing(s->state) || login_run_is_down(s->run));
	assert(s->state == SESSION_CLOSED || is_pausing(s->state) == s->retry.armed);
	assert(!s->give_up.armed || s->state == SESSION_TRY || s->state == SESSION_WAIT);
	assert(s->path.dead_nexus <= s->path.nexus);
	if (s->state == SESSION_CLOSED)
		assert(login_run_is_down(s->run) && s->outage_us == 0);
	assert(is_online || session_ask_is_ended(s));
	session_place_check(s);
}

static void
count_move(struct session *s, const char *before, const char *after)
{
	uint64_t *to = strcmp(after, "online") == 0    ? &s->counts.to_online
		       : strcmp(after, "offline") == 0 ? &s->counts.to_offline
						       : &s->counts.to_transient;

	if (strcmp(before, after) != 0)
		(*to)++;
}

/* A fault of ours; it changes nothing, and is not swallowed. */
static void
unexpected(struct session *s, enum session_event ev)
{
	const char *word = states[s->state].word;
	uint64_t *count = strcmp(word, "online") == 0    ? &s->counts.unexpected_online
			  : strcmp(word, "offline") == 0 ? &s->counts.unexpected_offline
							 : &s->counts.unexpected_transient;

	(*count)++;
	session_say(s, SAY_ERR,
	    "the event %s has no place in the state %s: this is a fault of "
	    "this program; please report it",
	    events[ev], states[s->state].name);
}

static void
go(struct session *s, enum session_event ev)
{
	enum session_state from = s->state;
	size_t i = 0;

	while (i < sizeof rows / sizeof *rows && (rows[i].from != from || rows[i].event != ev))
		i++;
	if (i == sizeof rows / sizeof *rows) {
		unexpected(s, ev);
		return;
	}
	s->state = rows[i].to;
	count_move(s, states[from].word, states[s->state].word);
	session_say(s, SAY_DEBUG, "%s -> %s", states[from].name, states[s->state].name);
	session_enter(s, from, ev);
	arm_all(s);
	check_invariant(s);
	s->must_tell = true;
}

/* Does anything come next, and what? */
static bool
decide(const struct session *s, enum session_event *ret_ev)
{
	uint64_t now = session_now(s);

	switch (s->state) {
	case SESSION_CLOSED:
		*ret_ev = SESSION_EV_OPEN;
		return s->is_wanted && !s->must_tell_closed && now >= s->not_before_us;
	case SESSION_LOGOUT:
		*ret_ev = SESSION_EV_GONE;
		return login_run_is_down(s->run) && sess_requests(s->sess) == 0;
	case SESSION_TRY:
	case SESSION_DOWN_TRY:
	case SESSION_ONLINE:
	case SESSION_WAIT:
	case SESSION_DOWN:
		break;
	case SESSION_STATES:
		return false;
	}
	if (s->has_down)
		*ret_ev = SESSION_EV_LOST;
	else if (s->is_close_asked || (is_pausing(s->state) && !s->keep))
		*ret_ev = SESSION_EV_CLOSE;
	else if (is_trying(s->state) && login_run_is_online(s->run) && session_place_is_kept(s))
		*ret_ev = SESSION_EV_ONLINE;
	else if (is_pausing(s->state) && now >= s->next_try_us)
		*ret_ev = SESSION_EV_OPEN;
	else if ((s->state == SESSION_TRY || s->state == SESSION_WAIT) &&
		 now >= session_give_up_us(s))
		*ret_ev = SESSION_EV_GIVE_UP;
	else
		return false;
	return true;
}

/*
 * The last thing of a turn.  Whoever is told that it is closed may free it, so
 * that is for a turn of its own, and not for one that the run began.
 */
static void
tell(struct session *s, bool may_be_freed)
{
	struct session_view v;

	session_ask_answer(s);
	if (s->must_tell_places) {
		s->must_tell_places = false;
		s->ops->placed(s->user, s->told, s->n_told);
	}
	if (s->must_tell_redirect) {
		s->must_tell_redirect = false;
		s->ops->redirected(s->user, &s->redirect);
	}
	if (s->must_tell) {
		s->must_tell = false;
		session_view(s, &v);
		s->ops->moved(s->user, &v);
	}
	if (s->must_tell_luns) {
		s->must_tell_luns = false;
		s->ops->luns_changed(s->user);
	}
	if (s->must_tell_closed && !may_be_freed) {
		agenda_defer(s->world->agenda, &s->progress);
	} else if (s->must_tell_closed && session_ask_is_idle(s)) {
		s->must_tell_closed = false;
		if (s->is_wanted)
			agenda_defer(s->world->agenda, &s->progress);
		s->ops->closed(s->user);
	}
}

/* Whether it was open or not: who asked for it to be closed gets the same answer. */
static void
answer_closers(struct session *s)
{
	if (s->state != SESSION_CLOSED || !s->is_close_asked)
		return;
	s->is_close_asked = false;
	s->must_tell_closed = true;
}

static void
turn(struct session *s, bool may_be_freed)
{
	enum session_event ev;

	assert(!s->is_moving);
	s->is_moving = true;
	answer_closers(s);
	while (decide(s, &ev)) {
		go(s, ev);
		answer_closers(s);
	}
	/* A request that came too late is on its way back. */
	if (s->state == SESSION_LOGOUT && login_run_is_down(s->run))
		agenda_defer(s->world->agenda, &s->progress);
	session_place_review(s);
	arm_all(s);
	check_invariant(s);
	s->is_moving = false;
	tell(s, may_be_freed);
}

static void
progress(struct session *s)
{
	turn(s, false);
}

/* ---- what happens ---- */

static void
progress_later(struct agenda_work *w)
{
	turn(LIST_ENTRY(w, struct session, progress), true);
}

static void
retry_due(struct agenda_timer *t)
{
	progress(LIST_ENTRY(t, struct session, retry));
}

static void
give_up_due(struct agenda_timer *t)
{
	progress(LIST_ENTRY(t, struct session, give_up));
}

static void
fence_due(struct agenda_timer *t)
{
	struct session *s = LIST_ENTRY(t, struct session, fence_timer);

	session_path_fenced(s);
	progress(s);
}

static void
keep_due(struct agenda_timer *t)
{
	struct session *s = LIST_ENTRY(t, struct session, keep_timer);

	session_say(s, SAY_ERR,
	    "where the session is logged in could not be written down in %u seconds; should the "
	    "driver end before that is done, what it has sent last is not waited for",
	    SESSION_KEEP_US / 1000000);
	session_place(s, &s->unkept);
	progress(s);
}

static void
run_online(void *user)
{
	struct session *s = user;

	s->logged_in_us = session_now(s);
	progress(s);
}

static void
run_down(void *user, const struct login_run_down *down)
{
	struct session *s = user;

	s->has_down = true;
	fault_keep(&s->down.fault, NULL);
	s->down = *down;
	s->down.fault = NULL;
	fault_keep(&s->down.fault, down->fault);
	progress(s);
}

static void
run_event(void *user, const struct sess_event *ev)
{
	struct session *s = user;

	if (ev->kind == SESS_EV_PING)
		session_ask_ponged(s, ev);
	if (ev->kind == SESS_EV_ASYNC)
		session_path_async(s, ev);
	if (ev->kind == SESS_EV_LOGOUT && ev->logout_response == 0)
		fence_logged_out(&s->fence);
}

const struct login_run_ops session_run_ops = { run_online, run_down, run_event };

/* ---- for session.c ---- */

void
session_fsm_init(struct session *s)
{
	s->state = SESSION_CLOSED;
	agenda_work_init(&s->progress, progress_later);
	s->retry.expired = retry_due;
	s->give_up.expired = give_up_due;
	s->fence_timer.expired = fence_due;
	s->keep_timer.expired = keep_due;
}

void
session_fsm_fini(struct session *s)
{
	agenda_cancel(&s->progress);
	agenda_clear(s->world->agenda, &s->retry);
	agenda_clear(s->world->agenda, &s->fence_timer);
	agenda_clear(s->world->agenda, &s->keep_timer);
}
