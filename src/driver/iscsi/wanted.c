#include "driver/iscsi/wanted.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/diag/diag.h"
#include "driver/iscsi/iothread.h"
#include "driver/iscsi/losses.h"
#include "driver/iscsi/places.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted_find.h"
#include "ini/isid.h"
#include "sys/log.h"

/* Somebody waits: for an answer of the nexus, or for the end of this turn where none was asked. */
struct opening {
	struct mail_open question; /* first: freed as one */
	struct driver *d;
	uint32_t instance;
	bool is_counted; /* in wanted.openings */
	wanted_opened *done;
	void *user;
};
struct closing {
	struct mail_close question; /* likewise */
	struct driver *d;
	uint32_t instance;
	wanted_closed *done;
	void *user;
};

/* ---- words ---- */

void
wanted_address_text(const struct registry_address *a, char ret_text[WANTED_ADDRESS_BYTES])
{
	bool is_v6 = strchr(a->address, ':') != NULL;

	(void)snprintf(ret_text, WANTED_ADDRESS_BYTES, is_v6 ? "[%s]:%u,%u" : "%s:%u,%u",
	    a->address, a->port, a->tpgt); /* the room is for this */
}

const char *
wanted_label(const struct wanted *w, char ret_text[WANTED_LABEL_BYTES])
{
	(void)snprintf(ret_text, WANTED_LABEL_BYTES, "session %u (%s at %s)", w->instance,
	    w->target, w->about); /* the room is for this */
	return ret_text;
}

const char *
wanted_word(const struct wanted *w)
{
	return session_state_word(w->view.state);
}

bool
wanted_is_online(const struct wanted *w)
{
	return w->view.state == SESSION_ONLINE && w->closing == 0;
}

bool
wanted_is_closed(const struct wanted *w)
{
	return w->view.state == SESSION_CLOSED && w->closing == 0;
}

/* ---- which there are ---- */

static void
tell_tag(struct wanted *w)
{
	struct mail_tag *m;

	if (!w->has_nexus)
		return;
	m = call_alloc(sizeof *m);
	m->tpgt = w->is_tag_open ? -1 : w->a.tpgt;
	mail_tell(&m->mail, &mail_tag, &w->nexus);
}

/* Discovery reports another tag for an address that we know. */
static void
new_tag(struct wanted *w, const struct registry_address *a)
{
	w->a = *a;
	wanted_address_text(&w->a, w->about);
	tell_tag(w);
}

void
wanted_open_tag(struct driver *d, const char *target, const struct registry_address *a)
{
	struct fault why;
	struct wanted *w = wanted_get(d, target, a, &why);

	/* Who visits it next is told why there is none. */
	if (w == NULL || w->is_tag_open)
		return;
	w->is_tag_open = true;
	tell_tag(w);
}

/* What somebody typed in is his: its tag stays what it is. */
static bool
is_typed(struct wanted *w)
{
	struct registry_target *list = NULL;
	bool is = false;
	size_t n = 0;

	if (registry_target_list(w->d->reg, w->target, &list, &n) != 0)
		return true;
	for (size_t k = 0; n > 0 && k < list[0].n_addresses; k++)
		is |= list[0].addresses[k].source == REGISTRY_STATIC &&
		      registry_address_same(&list[0].addresses[k].a, &w->a);
	registry_targets_free(list, n);
	return is;
}

/* The tag that the target answers with is kept, so that the next start of the driver knows it. */
static void
keep_tag(struct wanted *w)
{
	struct registry_address a = w->a;

	if (!w->is_tag_open || w->view.is_elsewhere || w->view.login.tpgt < 0 ||
	    w->view.login.tpgt == w->a.tpgt || is_typed(w))
		return;
	a.tpgt = (uint16_t)w->view.login.tpgt;
	if (registry_target_seen(w->d->reg, w->target, NULL, REGISTRY_SENDTARGETS, &a,
		(int64_t)time(NULL), NULL) != 0) {
		log_warn("the tag of %s at %s is not kept: %s", w->target, w->about,
		    registry_error(w->d->reg)->message);
		return;
	}
	new_tag(w, &a);
}

/* That of sessions to the same target, or to units that are known; else they take turns. */
static unsigned
worker_of(const struct wanted *w)
{
	struct driver *d = w->d;
	const struct wanted *s = wanted_of_target(d, w->target, NULL);
	unsigned worker;

	while (s == w)
		s = wanted_of_target(d, w->target, s);
	if (s != NULL)
		return s->worker;
	worker = d->wanted_ops->worker(d, w->instance, d->next_iothread);
	if (worker == d->next_iothread)
		d->next_iothread = (d->next_iothread + 1) % d->n_iothreads;
	return worker;
}

struct wanted *
wanted_get(
    struct driver *d, const char *target, const struct registry_address *a, struct fault *ret_fault)
{
	struct wanted *w = wanted_find_address(d, target, a);
	uint32_t instance;
	int err;

	if (w != NULL)
		return w;
	err = registry_session_instance(d->reg, target, a, &instance);
	if (err == -EUSERS) {
		diag_ISCSI_LOG_MAX_SSNS_OVERFLOW(
		    &(struct diag_ctx){ -1, target, a->address, d->diag });
		fault_set(ret_fault, FAULT_INTERNAL, "remove targets that are not needed any more",
		    "Attempt to allocate more than the maximum number of sessions (%u)",
		    LIMIT_SESSIONS);
		return NULL;
	}
	if (err != 0) {
		settings_fault(d->reg, ret_fault);
		return NULL;
	}
	w = wanted_find(d, instance);
	if (w != NULL) {
		new_tag(w, a);
		return w;
	}
	w = call_alloc(sizeof *w);
	w->d = d;
	w->instance = instance;
	cut_copy(w->target, sizeof w->target, target);
	w->a = *a;
	wanted_address_text(a, w->about);
	isid_normal(w->isid, d->isid_random, instance);
	agenda_work_init(&w->settle, d->wanted_ops->settle);
	w->view.state = SESSION_CLOSED;
	w->counted_since = time(NULL);
	w->keep = d->wanted_ops->is_known(d, instance);
	wanted_insert(w);
	w->worker = worker_of(w);
	return w;
}

void
wanted_free(struct wanted *w)
{
	assert(!w->has_nexus && w->closing == 0);
	agenda_clear(loop_agenda(w->d->loop), &w->look_again);
	agenda_cancel(&w->settle);
	wanted_remove(w);
	free(w->told_why);
	free(w->stats_base);
	free(w->before);
	free(w);
}

/* ---- the worker's half ---- */

static struct portal_address
portal_of(const struct registry_address *a)
{
	struct portal_address p = { .port = a->port, .tpgt = a->tpgt };

	cut_copy(p.host, sizeof p.host, a->address);
	return p;
}

/* False: what is configured could not be read. */
static bool
begin(struct wanted *w, struct fault *ret_fault)
{
	struct driver *d = w->d;
	struct registry_scope scope = { REGISTRY_TARGET_ADDRESS, w->target, &w->a };
	struct settings *settings = settings_snapshot(d->reg, &scope, ret_fault);
	struct iothread *o = d->iothreads[w->worker];
	const struct heard *heard = losses_find(d->losses, w->target);
	struct mail_begin *m;

	if (settings == NULL)
		return false;
	settings->serial = ++w->pushed;
	m = call_alloc(sizeof *m);
	if (!places_load(w, &m->cfg, ret_fault)) {
		free(m);
		settings_free(settings);
		return false;
	}
	mailbox_open(d->box, &w->slot, w->instance, ++d->generations, w);
	w->has_nexus = true;
	w->nexus = (struct mail_address){ o->thread.box, w->instance, w->slot.at.generation };
	m->cfg.instance = w->instance;
	cut_copy(m->cfg.target, sizeof m->cfg.target, w->target);
	m->cfg.at = portal_of(&w->a);
	if (w->is_tag_open)
		m->cfg.at.tpgt = -1;
	memcpy(m->cfg.isid, w->isid, sizeof m->cfg.isid);
	cut_copy(m->cfg.about, sizeof m->cfg.about, w->about);
	m->cfg.settings = settings;
	if (heard != NULL) {
		m->cfg.heard = call_alloc(sizeof *heard);
		*m->cfg.heard = *heard;
	}
	m->cfg.stats = &w->stats;
	m->cfg.wanted = w->slot.at;
	mail_tell(&m->mail, &mail_begin, &o->slot.at);
	return true;
}

static void
ended(struct wanted *w, const struct mail_close *last)
{
	if (w->before == NULL)
		w->before = call_alloc(sizeof *w->before);
	stat_add_core(&w->before->core, &last->core);
	stat_add_ini(&w->before->counts, &last->counts);
	if (last->heard != NULL)
		losses_keep(w->d->losses, w->target, last->heard);
	mailbox_close(&w->slot);
	w->has_nexus = false;
}

bool
wanted_ask(struct wanted *w, struct question *a, const struct mail_kind *kind)
{
	if (w->has_nexus)
		mail_ask(&a->mail, kind, &w->nexus, &w->d->slot.at);
	return w->has_nexus;
}

bool
wanted_tell(struct wanted *w, struct mail *m, const struct mail_kind *kind)
{
	if (w->has_nexus)
		mail_tell(m, kind, &w->nexus);
	return w->has_nexus;
}

/* ---- open ---- */

static void
tell_opened(struct opening *o)
{
	struct wanted *w = wanted_find(o->d, o->instance);

	if (w != NULL)
		w->openings -= o->is_counted;
	if (o->done != NULL)
		o->done(o->user, w, &o->question.fault);
	free(o);
}

static void
note_why(struct wanted *w, const char *why)
{
	free(w->told_why);
	w->told_why = why != NULL ? call_strdup(why) : NULL;
}

/* Why it is not open is news where it is another reason than before. */
static void
tell_not_open(struct wanted *w, const struct fault *why)
{
	const struct diag_ctx about = { (int32_t)w->instance, w->target, w->about, w->d->diag,
		NULL };

	if (why->is_silent || strcmp(w->told_why != NULL ? w->told_why : "", why->message) == 0)
		return;
	note_why(w, why->message);
	diag_OPENISW_LOG_OPEN_FAILED(&about, why->message);
}

/* The nexus of a session that never came about has ended. */
static void
retired(void *user, struct driver *d, uint32_t instance)
{
	(void)d;
	(void)instance;
	tell_opened(user);
}

static void
opened(void *arg)
{
	struct opening *o = arg;
	struct wanted *w = wanted_find(o->d, o->instance);
	bool has_failed = o->question.fault.is_set && w != NULL && w->closing == 0 && !w->keep;

	if (o->question.fault.is_set && w != NULL && w->view.state == SESSION_CLOSED) {
		w->view.last = o->question.fault;
		tell_not_open(w, &w->view.last);
	}
	/* It is not tried again by itself: whoever opens it again makes it anew. */
	if (has_failed && w->has_nexus && !o->d->is_stopping)
		wanted_close(w, true, retired, o);
	else
		tell_opened(o);
}

static void
open_answered(struct question *a)
{
	opened(LIST_ENTRY(a, struct opening, question.base));
}

static void
open_it(struct wanted *w, bool is_now, bool is_renewal, wanted_opened *done, void *user)
{
	struct opening *o = question_new(sizeof *o, open_answered, NULL);
	struct fault *why = &o->question.fault;

	o->d = w->d;
	o->instance = w->instance;
	o->done = done;
	o->user = user;
	o->question.keep = w->keep;
	o->question.is_now = is_now;
	o->question.is_renewal = is_renewal;
	o->is_counted = done != NULL && !is_renewal;
	w->openings += o->is_counted;
	if (w->closing > 0 || w->d->is_stopping)
		fault_set(why, FAULT_OFFLINE, "try again when it is closed",
		    "the session is being closed");
	if (!why->is_set && (w->has_nexus || begin(w, why)))
		mail_ask(&o->question.base.mail, &mail_open, &w->nexus, &w->d->slot.at);
	else
		call_post(w->d->loop, opened, o);
}

void
wanted_open(struct wanted *w, bool is_now, wanted_opened *done, void *user)
{
	open_it(w, is_now, false, done, user);
}

void
wanted_renew(struct wanted *w, wanted_opened *done, void *user)
{
	open_it(w, false, true, done, user);
}

/* ---- close ---- */

static void
closed(void *arg)
{
	struct closing *c = arg;
	struct driver *d = c->d;
	struct wanted *w = wanted_find(d, c->instance);
	bool is_dropped = false;

	if (w != NULL) {
		w->closing--;
		if (c->question.is_last && w->has_nexus && !c->question.is_gone)
			ended(w, &c->question);
		is_dropped = w->is_dropped && w->closing == 0 && !w->has_nexus;
	}
	/* The note that says so may still be on its way. */
	if (w != NULL && c->question.is_logout_lost) {
		w->view.is_logout_lost = true;
		w->view.last = c->question.last;
	}
	if (w != NULL && w->closing == 0) {
		w->view.state = SESSION_CLOSED;
		w->is_probed = w->is_probing = false;
		d->wanted_ops->offline(w);
	}
	if (c->done != NULL)
		c->done(c->user, d, c->instance);
	if (is_dropped && !c->question.is_any_left)
		places_forget(w);
	if (is_dropped)
		wanted_free(w);
	free(c->question.heard);
	free(c);
}

static void
close_answered(struct question *a)
{
	closed(LIST_ENTRY(a, struct closing, question.base));
}

void
wanted_close(struct wanted *w, bool is_last, wanted_closed *done, void *user)
{
	struct closing *c = question_new(sizeof *c, close_answered, NULL);

	c->d = w->d;
	c->instance = w->instance;
	c->done = done;
	c->user = user;
	c->question.is_last = is_last || w->is_dropped;
	c->question.is_any_left = true; /* unless the nexus says that none is */
	w->closing++;
	if (!w->has_nexus)
		call_post(w->d->loop, closed, c);
	else
		mail_ask(&c->question.base.mail, &mail_close, &w->nexus, &w->d->slot.at);
}

/* ---- what the worker tells ---- */

static void
keep_alias(struct wanted *w)
{
	if (w->view.login.target_alias[0] != '\0' &&
	    registry_target_alias(w->d->reg, w->target, w->view.login.target_alias) != 0)
		log_debug("the alias of %s is not kept: %s", w->target,
		    registry_error(w->d->reg)->message);
}

static void
now_online(struct wanted *w)
{
	w->keep = true;
	w->opened = time(NULL);
	keep_alias(w);
	keep_tag(w);
	w->d->wanted_ops->online(w);
}

void
wanted_take_view(void *owner, struct mail *m)
{
	struct wanted *w = owner;
	const char *before = wanted_word(w);
	bool was_online = w->view.state == SESSION_ONLINE;
	uint64_t since = w->view.online_us;
	const struct session_login login = w->view.login;

	w->view = LIST_ENTRY(m, struct mail_view, mail)->view;
	mail_answer(m);
	w->has_login = w->has_login || w->view.has_login;
	if (!w->view.has_login)
		w->view.login = login;
	/* Two logins may be told with one note. */
	if (w->view.state == SESSION_ONLINE &&
	    (!was_online || (since != 0 && since != w->view.online_us)))
		now_online(w);
	else if (strcmp(wanted_word(w), "offline") == 0 && strcmp(before, "offline") != 0)
		w->d->wanted_ops->offline(w);
	/* The loss itself is told by the worker, with its reason. */
	if (w->view.state == SESSION_ONLINE)
		note_why(w, NULL);
	else if (was_online)
		note_why(w, w->view.last.message);
	else if (w->view.last.is_set && w->view.state != SESSION_CLOSED)
		tell_not_open(w, &w->view.last);
}

void
wanted_take_luns(void *owner, struct mail *m)
{
	struct wanted *w = owner;
	char label[WANTED_LABEL_BYTES];

	mail_answer(m);
	log_limited(&w->notes, loop_now(w->d->loop), LOG_LVL_NOTE,
	    "%s: the target has other LUNs now: they are looked at", wanted_label(w, label));
	w->d->wanted_ops->luns_changed(w);
}

void
wanted_take_redirect(void *owner, struct mail *m)
{
	struct wanted *w = owner;
	const struct settings_redirect *r = &LIST_ENTRY(m, struct mail_redirect, mail)->redirect;
	struct registry_address to = { .port = r->to.port, .tpgt = w->a.tpgt };
	int err;

	cut_copy(to.address, sizeof to.address, r->to.host);
	if (r->to.tpgt >= 0)
		to.tpgt = (uint16_t)r->to.tpgt;
	if (r->is_set)
		err = registry_redirect_set(w->d->reg, w->target, &w->a, &to);
	else
		err = registry_redirect_remove(w->d->reg, w->target, &w->a);
	if (err != 0)
		log_warn("the redirection is not kept: %s", registry_error(w->d->reg)->message);
	free(m);
}

/* ---- what is configured ---- */

bool
wanted_is_outdated(const struct wanted *w)
{
	return wanted_is_online(w) && w->view.login.settings_serial < w->changed;
}

static void
push(struct wanted *w, bool is_new)
{
	struct registry_scope own = { REGISTRY_TARGET_ADDRESS, w->target, &w->a };
	struct settings *settings;
	struct mail_settings *m;
	struct fault why = { 0 };

	if (!w->has_nexus)
		return;
	settings = settings_snapshot(w->d->reg, &own, &why);
	if (settings == NULL) {
		log_err("session %u keeps its old settings: %s", w->instance, why.message);
		return;
	}
	settings->serial = ++w->pushed;
	if (is_new)
		w->changed = w->pushed;
	m = call_alloc(sizeof *m);
	m->settings = settings;
	mail_tell(&m->mail, &mail_settings, &w->nexus);
}

struct wanted *
wanted_next(const struct driver *d, const struct registry_scope *scope, const struct wanted *after)
{
	struct wanted *w;

	if (scope == NULL || scope->level == REGISTRY_GLOBAL)
		return wanted_from(d, after == NULL ? 0 : after->instance + 1);
	if (scope->level == REGISTRY_DISCOVERY)
		return NULL;
	w = wanted_of_target(d, scope->target, after);
	while (w != NULL && scope->level == REGISTRY_TARGET_ADDRESS &&
	       !registry_address_same(scope->address, &w->a))
		w = wanted_of_target(d, scope->target, w);
	return w;
}

void
wanted_push(struct driver *d, const struct registry_scope *scope, bool is_new)
{
	for (struct wanted *w = wanted_next(d, scope, NULL); w != NULL;
	     w = wanted_next(d, scope, w))
		push(w, is_new);
}
