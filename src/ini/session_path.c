/* The nexus as its units see it (lu/path.h), and what they learn that concerns the others. */
#include <string.h>

#include "ini/session_impl.h"
#include "scsi/sense.h"

/* ---- what units ask of it ---- */

static struct session *
of_path(struct path *p)
{
	return LIST_ENTRY(p, struct session, path);
}

static void
path_submit(struct path *p, struct req *r)
{
	struct session *s = of_path(p);

	/* Straight to the session: this is the way of every command. */
	sess_submit(s->sess, r, session_now(s));
	if (p->is_up)
		agenda_defer(s->world->agenda, s->run->send);
	else
		login_run_kick(s->run);
}

static bool
path_withdraw(struct path *p, struct req *r)
{
	struct session *s = of_path(p);

	if (!sess_withdraw(s->sess, r, session_now(s)))
		return false;
	login_run_kick(s->run);
	return true;
}

/* Slots of the pool: what the session has, and what the target takes. */
static void
set_window(struct session *s)
{
	uint32_t n = sess_window(s->sess);

	/* At least one command tries, or nobody would ever hear of a wider window. */
	n = n < 1 ? 1 : n > SESSION_SLOTS ? SESSION_SLOTS : n;
	if (n == s->window)
		return;
	s->window = n;
	pool_window(s->path.pool, n);
}

static void
path_learned(struct path *p)
{
	session_ask_learned(of_path(p));
}

static void
path_worked(struct path *p)
{
	struct session *s = of_path(p);

	if (s->state != SESSION_ONLINE)
		return;
	s->outage_us = 0;
	backoff_reset(&s->backoff);
	set_window(s);
}

/* I/O waits from now on: what seemed to have time has not. */
static void
path_wanted(struct path *p)
{
	struct session *s = of_path(p);
	uint64_t at = s->tried_us + BACKOFF_WAITED_MAX_MS * 1000ull;

	at = at < session_now(s) ? session_now(s) : at;
	at = at < s->not_before_us ? s->not_before_us : at;
	if ((s->state != SESSION_WAIT && s->state != SESSION_DOWN) || s->next_try_us <= at)
		return;
	s->next_try_us = at;
	agenda_defer(s->world->agenda, &s->progress);
}

static void
path_say(struct path *p, enum say_level level, const char *sentence)
{
	session_say(of_path(p), level, "%s", sentence);
}

static void
path_io_failed(struct path *p, const char *disk, const char *sentence)
{
	struct session *s = of_path(p);

	if (s->world->ops->io_failed != NULL)
		s->world->ops->io_failed(s->world, disk, sentence);
	else
		session_say(s, SAY_ERR, "disk %s: %s", disk, sentence);
}

/* ---- notices ---- */

static void
doubt_all(struct session *s, const struct lunpath *but)
{
	LIST_EACH(node, tmp, &s->units)
	if (lunpath_of_link(node) != but)
		lunpath_doubt(lunpath_of_link(node));
}

/*
 * The other units may have changed too, so they are held until they have been asked: at
 * once, and where a target says so again and again at a pace.
 */
static void
units_changed(struct session *s, const struct lunpath *from)
{
	uint64_t now = session_now(s), oldest = SESSION_LOOK_BURST * SESSION_LOOK_US;

	s->path.doubts++;
	if (s->path.quiet_until_us <= now) {
		s->path.quiet_until_us = s->look_us;
		s->look_us = now > oldest && s->look_us < now - oldest ? now - oldest : s->look_us;
		s->look_us += SESSION_LOOK_US;
	}
	doubt_all(s, from);
}

static void
luns_changed(struct session *s)
{
	uint64_t now = session_now(s);

	if (s->luns_told_us != 0 && now - s->luns_told_us < SESSION_NOTICE_US) {
		agenda_set(s->world->agenda, &s->notice_timer, s->luns_told_us + SESSION_NOTICE_US);
		return;
	}
	s->luns_told_us = now;
	s->must_tell_luns = true;
	agenda_defer(s->world->agenda, &s->progress);
}

static void
notice_due(struct agenda_timer *t)
{
	struct session *s = LIST_ENTRY(t, struct session, notice_timer);

	luns_changed(s);
}

static void
path_notice(struct path *p, struct lunpath *from, enum path_notice what)
{
	struct session *s = of_path(p);

	s->counts.notices++;
	switch (what) {
	case PATH_UNITS_CHANGED:
		units_changed(s, from);
		break;
	case PATH_LUNS_CHANGED:
		luns_changed(s);
		break;
	}
}

static void
path_overheard(struct path *p, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s)
{
	session_units_overheard(of_path(p), lun, s);
}

void
session_path_async(struct session *s, const struct sess_event *ev)
{
	struct sense sense;

	/* 11.9.1: with sense data. */
	if (ev->async.event != 0)
		return;
	s->counts.notices++;
	units_changed(s, NULL);
	if (!sense_parse(ev->async.sense, ev->async.sense_len, &sense))
		return;
	path_overheard(&s->path, ev->async.lun, &sense);
	if (sense.asc == 0x3f && sense.ascq == 0x0e)
		luns_changed(s);
}

/* ---- what units are told, facts first ---- */

static const struct path_ops ops = {
	.submit = path_submit,
	.withdraw = path_withdraw,
	.notice = path_notice,
	.overheard = path_overheard,
	.learned = path_learned,
	.worked = path_worked,
	.wanted = path_wanted,
	.say = path_say,
	.io_failed = path_io_failed,
};

void
session_path_init(struct session *s, struct agenda *agenda)
{
	s->path.ops = &ops;
	s->path.agenda = agenda;
	s->path.is_given_up = true;
	s->notice_timer.expired = notice_due;
}

enum path_policy
session_policy(unsigned way)
{
	static const enum path_policy policies[] = {
		[CHOICE_path_policy_queue_depth] = PATH_POLICY_QUEUE_DEPTH,
		[CHOICE_path_policy_round_robin] = PATH_POLICY_ROUND_ROBIN,
		[CHOICE_path_policy_latency] = PATH_POLICY_LATENCY,
		[CHOICE_path_policy_failover] = PATH_POLICY_FAILOVER,
		[CHOICE_path_policy_fixed] = PATH_POLICY_FIXED,
	};

	return policies[way];
}

uint64_t
session_failback_us(uint32_t ms)
{
	return ms < TIMERS_MANUAL_MS ? ms * 1000ull : UINT64_MAX;
}

void
session_path_limits(struct session *s)
{
	const struct settings *set = s->next_settings != NULL ? s->next_settings : s->settings;
	uint32_t replacement_ms = set->timers.ms[TIMER_replacement];

	s->path.replacement_us = replacement_ms > 0 ? replacement_ms * 1000ull : UINT64_MAX;
	s->path.volatile_loss_fails =
	    set->choices.way[CHOICE_volatile_loss] == CHOICE_volatile_loss_fail;
	s->path.command_ms = set->timers.ms[TIMER_command];
	s->path.policy = session_policy(set->choices.way[CHOICE_path_policy]);
	s->path.is_preferred = set->choices.way[CHOICE_path_preferred] == CHOICE_path_preferred_yes;
	s->path.is_strict = set->choices.way[CHOICE_fences] == CHOICE_fences_strict;
	s->path.may_set_groups =
	    set->choices.way[CHOICE_explicit_alua] == CHOICE_explicit_alua_needed;
	s->path.failback_us = session_failback_us(set->timers.ms[TIMER_failback]);
	LIST_EACH(node, tmp, &s->units)
	lunpath_limits(lunpath_of_link(node));
}

void
session_path_up(struct session *s)
{
	s->path.nexus++;
	s->path.dead_nexus = fence_dead(&s->fence, session_now(s));
	s->path.is_up = true;
	s->path.is_given_up = false;
	s->path.quiet_until_us = 0;
	/* Who waited gets some work done before a suspect may end the connection again. */
	s->path.no_trial_before_us = session_now(s) + SESSION_BEFORE_TRIAL_US;
	set_window(s);
	LIST_EACH(node, tmp, &s->units)
	lunpath_up(lunpath_of_link(node));
}

void
session_path_fenced(struct session *s)
{
	uint64_t dead = fence_dead(&s->fence, session_now(s));

	if (dead == s->path.dead_nexus)
		return;
	s->path.dead_nexus = dead;
	LIST_EACH(node, tmp, &s->units)
	lunpath_fenced(lunpath_of_link(node));
}

void
session_path_down(struct session *s, bool is_silent)
{
	s->path.is_up = false;
	LIST_EACH(node, tmp, &s->units)
	lunpath_down(lunpath_of_link(node), is_silent);
	session_path_fenced(s);
}

void
session_path_given_up(struct session *s, bool is_given_up)
{
	s->path.is_up = s->path.is_up && !is_given_up;
	s->path.is_given_up = is_given_up;
	if (!is_given_up)
		return;
	LIST_EACH(node, tmp, &s->units)
	lunpath_given_up(lunpath_of_link(node));
}

bool
session_path_has_waiting(const struct session *s)
{
	for (const struct list *node = s->units.next; node != &s->units; node = node->next)
		if (!lu_is_idle(lunpath_lu(lunpath_of_link((struct list *)(uintptr_t)node))))
			return true;
	return false;
}

void
session_path_fini(struct session *s)
{
	agenda_clear(s->world->agenda, &s->notice_timer);
}

struct path *
session_path(struct session *s)
{
	return &s->path;
}

unsigned
session_choice(const struct session *s, enum choice_id id)
{
	return s->settings->choices.way[id];
}
