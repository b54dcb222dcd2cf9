/*
 * A session's life is the table of sstate.def; this file does what a change of
 * state asks for.  The seat on the worker is made when the session is opened
 * and given up when it is closed; in between it keeps the requests of the
 * disks over lost connections.
 */
#include "driver/iscsi/session.h"

#include <sys/random.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/iname.h"
#include "driver/call.h"
#include "driver/cut.h"
#include "driver/iscsi/isid.h"
#include "driver/iscsi/redirect.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsial/luns.h"
#include "sys/log.h"

/* Online for so long, a connection has proved itself: its loss is mended at once. */
#define SESSION_STEADY_US 10000000

struct wait {
	struct list link;
	session_opened *opened;
	session_closed *closed;
	void *user;
};

static void dial(struct session *s);
static void lost(struct session *s, const struct fault *why, bool try_at_once);

/* ---- words ---- */

void
session_address_text(const struct registry_address *a, char ret_text[LIMIT_ADDRESS_BYTES + 16])
{
	bool is_v6 = strchr(a->address, ':') != NULL;

	(void)snprintf(ret_text, LIMIT_ADDRESS_BYTES + 16, is_v6 ? "[%s]:%u,%u" : "%s:%u,%u",
	    a->address, a->port, a->tpgt); /* the room is for this */
}

const char *
session_label(const struct session *s)
{
	static char text[LIMIT_ISCSI_NAME_BYTES + LIMIT_ADDRESS_BYTES + 64];
	char address[LIMIT_ADDRESS_BYTES + 16];

	session_address_text(&s->a, address);
	(void)snprintf(text, sizeof text, "session %u (%s at %s)", s->instance, s->target, address);
	return text;
}

/* ---- states ---- */

/* The guide has three states, and counts by them. */
static enum stat_id
by_word(const char *word, enum stat_id online, enum stat_id transient, enum stat_id offline)
{
	return strcmp(word, "online") == 0      ? online
	       : strcmp(word, "transient") == 0 ? transient
						: offline;
}

/* False: the event has no row; nothing happened. */
static bool
go(struct session *s, enum sstate_event ev)
{
	const char *before = sstate_word(s->state);
	enum sstate to;

	if (!sstate_next(s->state, ev, &to)) {
		stat_add(&s->stats, by_word(before, STAT_TRANSPORT_SESSION_unexpected_online,
					STAT_TRANSPORT_SESSION_unexpected_transient,
					STAT_TRANSPORT_SESSION_unexpected_offline));
		return false;
	}
	if (strcmp(before, sstate_word(to)) != 0)
		stat_add(&s->stats,
		    by_word(sstate_word(to), STAT_TRANSPORT_SESSION_to_online,
			STAT_TRANSPORT_SESSION_to_transient, STAT_TRANSPORT_SESSION_to_offline));
	log_debug("session %u: %s -> %s", s->instance, sstate_name(s->state), sstate_name(to));
	s->state = to;
	return true;
}

/* Has it a row?  For what is asked of a session at any time, and is nothing unexpected. */
static bool
may_go(const struct session *s, enum sstate_event ev)
{
	enum sstate to;

	return sstate_next(s->state, ev, &to);
}

static void
tell(struct session *s)
{
	struct list waiters, *node;

	list_init(&waiters);
	list_splice_front(&waiters, &s->waiters);
	while ((node = list_pop(&waiters)) != NULL) {
		struct wait *w = LIST_ENTRY(node, struct wait, link);

		w->opened(w->user, s);
		free(w);
	}
}

/* ---- a try ---- */

/* What messages say it is about, and where events are counted. */
static struct account
make_account(struct session *s)
{
	return (struct account){ .about = { (int32_t)s->instance, s->target, s->about },
		.session = &s->stats,
		.driver = &s->d->stats };
}

static struct nexus_login *
make_login(struct session *s, struct fault *ret_fault)
{
	struct registry_scope scope = { REGISTRY_TARGET_ADDRESS, s->target, &s->a };
	struct nexus_login *login = settings_login(s->d->reg, &scope, s->md5_only, ret_fault);

	if (login == NULL)
		return NULL;
	cut_copy(login->target_name, sizeof login->target_name, s->target);
	/* A redirection may lead to another portal group. */
	login->expected_tpgt = s->is_elsewhere ? -1 : s->a.tpgt;
	cut_copy(s->initiator_name_tried, sizeof s->initiator_name_tried, login->initiator_name);
	return login;
}

static void
dialed(void *user, const struct dial_result *r)
{
	struct session *s = user;
	struct account account = make_account(s);
	struct nexus_login *login;
	struct fault why = { 0 };

	s->dial = NULL;
	if (r->fd < 0) {
		if (!r->fault.is_silent)
			account_dial(&account, s->at.address, r->err, r->is_name);
		lost(s, &r->fault, false);
		return;
	}
	login = make_login(s, &why);
	if (login == NULL) {
		(void)close(r->fd); /* nothing was sent on it */
		lost(s, &why, false);
		return;
	}
	(void)go(s, SSTATE_EV_CONNECTED); /* a dial is out in CONNECT and DOWN_TRY only */
	cut_copy(s->local, sizeof s->local, r->local);
	cut_copy(s->peer, sizeof s->peer, r->peer);
	seat_attach(s->seat, r->fd, login);
}

/* Where this try goes: where a redirection just sent us, or a permanent one did, or the address. */
static void
choose_address(struct session *s)
{
	if (s->hops > 0)
		return;
	s->at = s->a;
	s->is_elsewhere =
	    !s->skip_redirect && registry_redirect_get(s->d->reg, s->target, &s->a, &s->at) == 0;
}

static void
dial(struct session *s)
{
	struct registry_scope scope = { REGISTRY_TARGET_ADDRESS, s->target, &s->a };
	struct dial_from from;

	choose_address(s);
	if (s->has_login)
		stat_add(&s->stats, STAT_TRANSPORT_SESSION_reopen_opens);
	settings_from(s->d->reg, &scope, &from);
	s->dial =
	    dial_start(&s->d->isw, s->at.address, s->at.port, &from, SESSION_CONNECT_MS, dialed, s);
}

static void
retry(struct agenda_timer *t)
{
	struct session *s = LIST_ENTRY(t, struct session, retry);

	if (go(s, SSTATE_EV_OPEN))
		dial(s);
}

/* From now on so long I/O waits; without a limit, for ever. */
static void
arm_give_up(struct session *s)
{
	struct registry_scope scope = { REGISTRY_TARGET_ADDRESS, s->target, &s->a };
	struct timers timers;

	settings_timers(s->d->reg, &scope, &timers);
	s->replacement_s = timers.s[TIMER_replacement];
	if (s->replacement_s > 0)
		agenda_set(loop_agenda(s->d->loop), &s->give_up,
		    loop_now_update(s->d->loop) + s->replacement_s * 1000000ull);
}

static void
give_up(struct agenda_timer *t)
{
	struct session *s = LIST_ENTRY(t, struct session, give_up);

	if (!go(s, SSTATE_EV_GIVE_UP))
		return;
	log_err("%s: offline for %u seconds: its I/O fails until it is back", session_label(s),
	    s->replacement_s);
	seat_give_up(s->seat);
	luns_offline(s);
}

/* ---- the connection ended, or there was none ---- */

static void
log_lost(const struct session *s, const struct fault *why, const struct fault *before)
{
	/* One line for an outage, not one for each try. */
	if (why->is_silent || (before->is_set && strcmp(before->message, why->message) == 0))
		log_debug("%s: %s", session_label(s), why->message);
	else
		log_warn("%s: %s; %s", session_label(s), why->message,
		    why->next[0] != '\0' ? why->next : "it is tried again");
}

static void
lost(struct session *s, const struct fault *why, bool try_at_once)
{
	struct fault before = s->last;
	uint64_t now = loop_now_update(s->d->loop);
	bool was_online = s->state == SSTATE_ONLINE;
	uint32_t random = 0;

	if (!go(s, SSTATE_EV_LOST))
		return;
	verify_cancel(s->verify);
	s->verify = NULL;
	if (was_online) {
		stat_add(&s->stats, STAT_TRANSPORT_SESSION_reopens);
		arm_give_up(s);
		if (now - s->online_us >= SESSION_STEADY_US)
			backoff_reset(&s->backoff);
	}
	if (try_at_once) {
		agenda_set(loop_agenda(s->d->loop), &s->retry, now);
		return;
	}
	if (!was_online)
		stat_add(&s->d->stats, STAT_TRANSPORT_GLOBAL_normal_failed);
	s->last = *why;
	log_lost(s, why, &before);
	/* The next try takes the other way where there are two, unless this one had worked. */
	s->skip_redirect = s->is_elsewhere && !was_online;
	s->hops = 0;
	if (s->keep) {
		uint64_t wait_us;

		/* Without random bytes the tries are merely less spread. */
		(void)getrandom(&random, sizeof random, GRND_NONBLOCK);
		wait_us = backoff_next_us(&s->backoff, random);
		if (wait_us < s->time2wait_s * 1000000ull)
			wait_us = s->time2wait_s * 1000000ull;
		s->time2wait_s = 0;
		agenda_set(loop_agenda(s->d->loop), &s->retry, now + wait_us);
	}
	tell(s);
	if (!s->keep)
		session_close(s, NULL, NULL);
}

static bool
follow(struct session *s, const struct nexus_down *down, struct fault *ret_why)
{
	struct registry_address to = { .tpgt = s->a.tpgt };

	if (!redirect_follow(down->redirect, &s->hops, &to, ret_why))
		return false;
	s->at = to;
	s->is_elsewhere = true;
	log_note("%s: the target has moved to %s%s", session_label(s), down->redirect,
	    down->redirect_for_good ? " for good" : " for a while");
	if (down->redirect_for_good && registry_redirect_set(s->d->reg, s->target, &s->a, &to) != 0)
		log_warn("the redirection is not kept: %s", registry_error(s->d->reg)->message);
	return true;
}

static void
seat_down(void *user, const struct nexus_down *down)
{
	struct session *s = user;
	struct fault why = down->fault;
	bool is_followed = down->end == NEXUS_MOVED && follow(s, down, &why);

	if (!why.is_set)
		fault_set(&why, FAULT_OFFLINE, "", "the target ended the session");
	/* Some targets number the algorithms their own way: MD5 is the one that all agree on. */
	if (!down->was_online)
		s->md5_only = down->chap_again;
	if (down->chap_again)
		log_info("%s: once more, with MD5 as the only CHAP algorithm", session_label(s));
	s->time2wait_s = down->time2wait_s;
	/* What would be refused again is tried seldom. */
	if (down->is_permanent && s->backoff.tries < 6)
		s->backoff.tries = 6;
	lost(s, &why, is_followed || down->chap_again);
}

/* ---- the target must prove who it is ---- */

static void
verified(void *user, const struct verify_result *r)
{
	struct session *s = user;

	s->verify = NULL;
	if (r->timed_out)
		stat_add(&s->stats, STAT_SWD_CONNECTION_auth_timeouts);
	if (s->seat != NULL)
		seat_verified(s->seat, s->verify_stamp, r->ok, &r->fault);
}

static void
seat_verify(void *user, const struct nexus_query *q)
{
	struct session *s = user;

	verify_cancel(s->verify);
	s->verify_stamp = q->stamp;
	s->verify = verify_start(&s->d->verify, q, verified, s);
}

/* ---- online ---- */

static void
keep_alias(struct session *s)
{
	if (s->login.target_alias[0] != '\0' &&
	    registry_target_alias(s->d->reg, s->target, s->login.target_alias) != 0)
		log_debug("the alias of %s is not kept: %s", s->target,
		    registry_error(s->d->reg)->message);
}

static void
tell_redirected(struct session *s)
{
	struct account account = make_account(s);
	char to[LIMIT_ADDRESS_BYTES + 16];

	session_address_text(&s->at, to);
	stat_add(&s->stats, STAT_TRANSPORT_SESSION_redirects);
	diag_ISCSI_LOG_REDIRECT_OCCURRED(&account.about, s->about, to);
}

static void
seat_online(void *user, const struct seat_login *login)
{
	struct session *s = user;

	if (!go(s, SSTATE_EV_RELEASED))
		return;
	agenda_clear(loop_agenda(s->d->loop), &s->give_up);
	stat_add(&s->d->stats, STAT_TRANSPORT_GLOBAL_normal_opened);
	if (s->hops > 0)
		tell_redirected(s);
	/* The original address works again: the permanent redirection was not for good. */
	if (!s->is_elsewhere && s->skip_redirect)
		(void)registry_redirect_remove(
		    s->d->reg, s->target, &s->a); /* tried again next time if not */
	s->skip_redirect = false;
	s->hops = 0;
	s->login = *login;
	s->is_reopened = s->has_login;
	s->has_login = true;
	s->keep = true;
	s->online_us = loop_now_update(s->d->loop);
	s->opened = time(NULL);
	cut_copy(s->initiator_name, sizeof s->initiator_name, s->initiator_name_tried);
	fault_clear(&s->last);
	keep_alias(s);
	log_note("%s: online", session_label(s));
	luns_online(s);
	tell(s);
}

/* ---- the end ---- */

static void
seat_gone(void *user)
{
	struct session *s = user;
	struct list closers, *node;

	if (s->seat != NULL)
		stat_add_core(&s->core_before, seat_final_counts(s->seat));
	seat_free(s->seat);
	s->seat = NULL;
	s->is_probed = s->is_probing = false;
	(void)go(s, SSTATE_EV_GONE); /* LOGOUT has it */
	luns_offline(s);
	list_init(&closers);
	list_splice_front(&closers, &s->closers);
	while ((node = list_pop(&closers)) != NULL) {
		struct wait *w = LIST_ENTRY(node, struct wait, link);

		w->closed(w->user, s);
		free(w);
	}
	if (s->is_dropped)
		session_free(s);
}

static void
seat_changed(void *user, const struct lun_info *info)
{
	luns_changed(user, info);
}

static void
seat_replaced(void *user, uint32_t lun, const struct fault *why)
{
	(void)why; /* the bay has logged it */
	luns_replaced(user, lun);
}

static void
seat_luns_changed(void *user)
{
	struct session *s = user;

	log_note("%s: the target has other LUNs now: they are looked at", session_label(s));
	luns_probe(s, NULL, NULL);
}

static void
seat_file(void *user, uint32_t lun, enum bay_file what, const char *why)
{
	luns_file(user, lun, what, why);
}

static const struct seat_ops seat_ops = {
	.file = seat_file,
	.verify = seat_verify,
	.online = seat_online,
	.down = seat_down,
	.changed = seat_changed,
	.replaced = seat_replaced,
	.luns_changed = seat_luns_changed,
	.gone = seat_gone,
};

/* ---- what others call ---- */

struct session *
session_find(const struct driver *d, uint32_t instance)
{
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct session *s = LIST_ENTRY(node, struct session, link);

		if (s->instance == instance)
			return s;
	}
	return NULL;
}

struct session *
session_find_address(const struct driver *d, const char *target, const struct registry_address *a)
{
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct session *s = LIST_ENTRY(node, struct session, link);

		if (iname_same(s->target, target) && registry_address_same(&s->a, a))
			return s;
	}
	return NULL;
}

static void
insert(struct driver *d, struct session *s)
{
	struct list *before = &d->sessions;

	LIST_EACH(node, tmp, &d->sessions)
	{
		if (LIST_ENTRY(node, struct session, link)->instance > s->instance)
			break;
		before = node;
	}
	list_insert(before, &s->link);
}

struct session *
session_get(
    struct driver *d, const char *target, const struct registry_address *a, struct fault *ret_fault)
{
	struct session *s = session_find_address(d, target, a);
	uint32_t instance;
	int err;

	if (s != NULL)
		return s;
	err = registry_session_instance(d->reg, target, a, &instance);
	if (err == -ENOSPC) {
		diag_ISCSI_LOG_MAX_SSNS_OVERFLOW(&(struct diag_ctx){ -1, target, a->address });
		fault_set(ret_fault, FAULT_INTERNAL, "remove targets that are not needed any more",
		    "Attempt to allocate more than the maximum number of sessions (%u)",
		    LIMIT_SESSIONS);
		return NULL;
	}
	if (err != 0) {
		settings_fault(d->reg, ret_fault);
		return NULL;
	}
	/* Discovery reports another tag for an address that we know. */
	s = session_find(d, instance);
	if (s != NULL) {
		s->a = *a;
		return s;
	}
	s = call_alloc(sizeof *s);
	s->d = d;
	s->instance = instance;
	cut_copy(s->target, sizeof s->target, target);
	s->a = *a;
	isid_normal(s->isid, d->isid_random, instance);
	s->state = SSTATE_CLOSED;
	s->stats_base.cleared = time(NULL);
	s->retry.expired = retry;
	s->give_up.expired = give_up;
	s->keep = luns_known(d, instance);
	list_init(&s->waiters);
	list_init(&s->closers);
	insert(d, s);
	return s;
}

void
session_free(struct session *s)
{
	assert(s->state == SSTATE_CLOSED && s->seat == NULL && list_empty(&s->waiters));
	list_remove(&s->link);
	free(s);
}

static bool
take_seat(struct session *s)
{
	struct driver *d = s->d;
	char label[64], dir[PATH_MAX];
	struct seat_cfg cfg = {
		.main = d->loop,
		.worker = worker_loop(d->workers[d->next_worker]),
		.export = d->export,
		.dir = dir,
		.nexus = { .label = label, .slots = SESSION_SLOTS },
		.ops = &seat_ops,
		.user = s,
	};

	session_address_text(&s->a, s->about);
	cfg.nexus.account = make_account(s);
	d->next_worker = (d->next_worker + 1) % d->n_workers;
	(void)snprintf(label, sizeof label, "session %u", s->instance);
	(void)snprintf(dir, sizeof dir, "%s/%u", d->paths.disks, s->instance);
	memcpy(cfg.nexus.isid, s->isid, sizeof cfg.nexus.isid);
	s->seat = seat_new(&cfg);
	return s->seat != NULL;
}

static bool
begin(struct session *s)
{
	if (s->state == SSTATE_CLOSED) {
		if (!take_seat(s)) {
			fault_set(&s->last, FAULT_INTERNAL, "free some memory",
			    "out of memory for a session");
			return false;
		}
		arm_give_up(s);
	}
	if (may_go(s, SSTATE_EV_OPEN) && go(s, SSTATE_EV_OPEN)) {
		agenda_clear(loop_agenda(s->d->loop), &s->retry);
		s->hops = 0;
		dial(s);
	}
	return true;
}

enum session_opening
session_open(struct session *s, session_opened *opened, void *user)
{
	bool is_closing = s->state == SSTATE_LOGOUT || s->is_gone_posted || s->d->is_stopping;
	struct wait *w;

	stat_add(&s->stats, STAT_TRANSPORT_SESSION_opens);
	if (s->state == SSTATE_ONLINE) {
		if (s->is_reopened)
			stat_add(&s->stats, STAT_TRANSPORT_SESSION_reopen_opens_aborted);
		return SESSION_IS_ONLINE;
	}
	if (is_closing || !begin(s)) {
		if (is_closing)
			fault_set(&s->last, FAULT_OFFLINE, "try again when it is closed",
			    "the session is being closed");
		return SESSION_CLOSING;
	}
	if (opened != NULL) {
		w = call_alloc(sizeof *w);
		w->opened = opened;
		w->user = user;
		list_push_back(&s->waiters, &w->link);
	}
	return SESSION_WILL_TELL;
}

void
session_forget_waiter(struct session *s, void *user)
{
	LIST_EACH(node, tmp, &s->waiters)
	{
		struct wait *w = LIST_ENTRY(node, struct wait, link);

		if (w->user == user) {
			list_remove(node);
			free(w);
		}
	}
}

static void
closed_later(void *arg)
{
	struct session *s = arg;

	s->is_gone_posted = false;
	seat_gone(s);
}

void
session_close(struct session *s, session_closed *closed, void *user)
{
	struct wait *w;

	if (closed != NULL) {
		w = call_alloc(sizeof *w);
		w->closed = closed;
		w->user = user;
		list_push_back(&s->closers, &w->link);
	}
	stat_add(&s->stats, STAT_TRANSPORT_SESSION_closes);
	if (s->state == SSTATE_CLOSED) {
		stat_add(&s->stats, STAT_TRANSPORT_SESSION_reopen_closes_aborted);
		/* It was closed all the time: the closers are told as if it had been open. */
		if (!s->is_gone_posted)
			call_post(s->d->loop, closed_later, s);
		s->is_gone_posted = true;
		return;
	}
	if (!may_go(s, SSTATE_EV_CLOSE) || !go(s, SSTATE_EV_CLOSE))
		return; /* it is being closed */
	dial_cancel(s->dial);
	s->dial = NULL;
	verify_cancel(s->verify);
	s->verify = NULL;
	agenda_clear(loop_agenda(s->d->loop), &s->retry);
	agenda_clear(loop_agenda(s->d->loop), &s->give_up);
	if (!s->last.is_set)
		fault_set(&s->last, FAULT_OFFLINE, "scan to open it again", "it was logged out");
	tell(s);
	seat_close(s->seat);
}
