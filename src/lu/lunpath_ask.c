/* Who stands at the end of a path: when it is asked, and what is made of the answers. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lu/lu_impl.h"

/* No answer: again after this, then twice as long each time. */
#define AGAIN_US     100000
#define AGAIN_MAX_US 2000000
/* Nobody there, or another unit: it may come back by itself; soon enough for I/O that waits. */
#define ABSENT_US   2000000
#define OTHER_US    10000000
#define AWAY_MAX_US 30000000
/* It is the same, but not all of what it is like was answered. */
#define DETAIL_US    1000000
#define DETAIL_TIMES 8
/* A port that changes its state; one that is in a state in which nothing is executed. */
#define TRANSITION_US 250000
#define IDLE_PORT_US  5000000
/* A path that carried nothing for so long is asked whether it still serves. */
#define CHECK_US 10000000

static const struct ask_ops ops;
static void again_in(struct lunpath *lp, uint64_t us);

bool
lunpath_is_asked(const struct lunpath *lp)
{
	return lp->ask != NULL && lp->ask->is_busy;
}

bool
lunpath_is_ask_out(const struct lunpath *lp)
{
	return lp->ask != NULL && !ask_is_idle(lp->ask);
}

/* Nobody asks, and no command is out: it needs no memory. */
static void
rest(struct agenda_work *w)
{
	struct lunpath *lp = LIST_ENTRY(w, struct lunpath, rest);

	if (lunpath_is_asked(lp) || lunpath_is_ask_out(lp))
		return;
	free(lp->ask);
	lp->ask = NULL;
}

/* False: there is no memory for it now. */
static bool
make_ask(struct lunpath *lp)
{
	if (lp->ask == NULL)
		lp->ask = malloc(sizeof *lp->ask);
	if (lp->ask == NULL)
		return false;
	ask_init(lp->ask, lp->path, &ops);
	lp->ask->user = lp;
	lp->ask->is_ready_first = true;
	return true;
}

static void
start(struct lunpath *lp)
{
	struct identity known;
	struct lu_info *i;

	lp->is_ask_due = lp->is_answered = false;
	if (!make_ask(lp)) {
		again_in(lp, AGAIN_US);
		return;
	}
	i = &lp->ask->info;
	lp->ask->is_check = lp->is_check;
	lp->is_check = false;
	i->facts = lp->lu->info.facts;
	i->alua = lp->alua;
	i->number = lp->number;
	memcpy(i->wire, lp->wire, sizeof i->wire);
	identity_unpack(lp->lu->info.id, &known);
	ask_expect(lp->ask, &known);
	lp->ask->is_size_first = lunpath_has_mate(lp);
	lp->ask_n++;
	ask_start(lp->ask);
}

void
lunpath_ask_now(struct lunpath *lp)
{
	agenda_clear(lp->path->agenda, &lp->ask_timer);
	if (lunpath_is_asked(lp))
		ask_restart(lp->ask);
	else if (lunpath_is_ask_out(lp))
		lp->is_ask_due = true;
	else if (lp->path->quiet_until_us > agenda_now(lp->path->agenda))
		agenda_set(lp->path->agenda, &lp->ask_timer, lp->path->quiet_until_us);
	else
		start(lp);
}

static void
learning_ends(struct lunpath *lp)
{
	if (!lp->is_learning)
		return;
	lp->is_learning = false;
	lp->path->ops->learned(lp->path);
}

void
lunpath_ask_stop(struct lunpath *lp)
{
	agenda_clear(lp->path->agenda, &lp->ask_timer);
	lp->is_ask_due = false;
	if (lp->ask != NULL) {
		ask_stop(lp->ask);
		agenda_defer(lp->path->agenda, &lp->rest);
	}
	learning_ends(lp);
}

static uint64_t
growing(uint64_t first, unsigned n, uint64_t max)
{
	uint64_t us = first << (n < 10 ? n : 10);

	return us < max ? us : max;
}

/* How long an absent unit is left alone. */
static uint64_t
absent_us(const struct lunpath *lp, unsigned n)
{
	bool is_waited_for = !list_empty(&lp->lu->queue) || !list_empty(&lp->lu->aside);

	return is_waited_for ? ABSENT_US : growing(ABSENT_US, n, AWAY_MAX_US);
}

void
lunpath_ask_within(struct lunpath *lp, uint64_t us)
{
	uint64_t at = agenda_now(lp->path->agenda) + us;

	if (lp->state != LU_UNKNOWN && lp->state != LU_CLOSED && !lunpath_is_asked(lp) &&
	    (!lp->ask_timer.armed || lp->ask_timer.at_us > at))
		agenda_set(lp->path->agenda, &lp->ask_timer, at);
}

void
lunpath_ask_soon(struct lunpath *lp)
{
	if (lp->ask_timer.armed)
		lunpath_ask_within(lp, ABSENT_US);
}

static void
again_in(struct lunpath *lp, uint64_t us)
{
	agenda_set(lp->path->agenda, &lp->ask_timer, agenda_now(lp->path->agenda) + us);
}

/* One of several, over which I/O may go: it is asked for a sign of life where none goes. */
static bool
lunpath_is_checked(const struct lunpath *lp)
{
	return lunpath_serves(lp) && lunpath_has_mate(lp);
}

void
lunpath_check_later(struct lunpath *lp)
{
	if (lunpath_is_checked(lp))
		lunpath_ask_within(lp, CHECK_US);
}

/* The time to ask again has come; nothing says that anything changed. */
static void
expired(struct agenda_timer *t)
{
	struct lunpath *lp = LIST_ENTRY(t, struct lunpath, ask_timer);

	if (lunpath_is_checked(lp) && !lp->is_incomplete) {
		lp->is_check = lp->commands == lp->checked;
		lp->checked = lp->commands;
		if (!lp->is_check) {
			again_in(lp, CHECK_US);
			return;
		}
	}
	lunpath_ask_now(lp);
}

/* ---- answers ---- */

static void
is_absent(struct lunpath *lp)
{
	bool is_news = lp->state != LU_ABSENT;
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "look at the target's configuration",
	    "the target has no LUN %u now; it is waited for", lp->number);
	if (is_news)
		lunpath_say(lp, SAY_WARN, "%s", why.message);
	/* The timer comes first: a unit that is absent is always asked again. */
	again_in(lp, absent_us(lp, is_news ? 0 : lp->ask_n));
	lunpath_go(lp, LU_EV_IS_ABSENT, &why);
	if (is_news)
		lp->path->ops->notice(lp->path, lp, PATH_UNITS_CHANGED);
}

static void
is_other(struct lunpath *lp, const struct lu_info *now)
{
	bool is_news = lp->state != LU_OTHER;
	struct identity was;
	struct fault why = { 0 };

	identity_unpack(lp->lu->info.id, &was);
	fault_set(&why, FAULT_OFFLINE,
	    "restore the unit on the target; or remove the device (rmsf) and scan again",
	    "LUN %u is not the unit that it was: it was %.150s, now there is %.150s; it gets no "
	    "I/O",
	    lp->number, identity_name(&was), identity_name(&now->id));
	if (is_news)
		lunpath_say(lp, SAY_ERR, "%s", why.message);
	again_in(lp, growing(OTHER_US, is_news ? 0 : lp->ask_n, AWAY_MAX_US));
	lunpath_go(lp, LU_EV_IS_OTHER, &why);
	/* Where one was exchanged, others may have been. */
	if (is_news)
		lp->path->ops->notice(lp->path, lp, PATH_UNITS_CHANGED);
}

/* It calls itself like this, too; without memory it is not kept this time. */
static void
lu_is_named(struct lu *u, const struct identity *now)
{
	struct identity id = *now, known;

	identity_unpack(u->info.id, &known);
	identity_keep(&id, &known);
	(void)lu_name(u, &id); /* it has the names that it had */
}

static void
is_same(struct lunpath *lp, const struct lu_info *now, bool is_alike)
{
	if (is_alike && !lp->is_alike_said) {
		lp->is_alike_said = true;
		lunpath_say(lp, SAY_NOTE,
		    "the unit has no name of its own; it is taken for the same because vendor, "
		    "product, block size and capacity are");
	}
	if (identity_has_name(&now->id)) {
		lu_is_named(lp->lu, &now->id);
		lp->lu->info.id->block_bytes = lp->lu->info.capacity.block_bytes;
		lp->lu->info.id->size_bytes = lp->lu->info.capacity.bytes;
	}
	lp->lu->info.nexus = now->nexus;
	lp->lu->info.doubts = now->doubts;
	lp->is_answered = true;
	lunpath_go(lp, LU_EV_IS_SAME, NULL);
}

static void
is_silent(struct lunpath *lp, const struct fault *why)
{
	if (lp->state != LU_ASKING)
		return;
	if (lp->why == NULL || lp->ask_n == 1)
		lunpath_say_seldom(lp, "who the unit is could not be asked: %s", why->message);
	fault_keep(&lp->why, why);
	lu_settle(lp->lu);
}

static void
is_uncertain(struct lunpath *lp)
{
	struct identity was;
	struct fault why = { 0 };

	identity_unpack(lp->lu->info.id, &was);
	fault_set(&why, FAULT_OFFLINE, "look at the target's log",
	    "LUN %u does not say who it is; it was %.200s", lp->number, identity_name(&was));
	is_silent(lp, &why);
}

/* Before anything goes over it. */
static void
take_port(struct lunpath *lp)
{
	if (lp->ask->has_report || lp->ask->has_met)
		lunpath_take_alua(lp, &lp->ask->info.alua);
}

/* It is the unit, by its name. */
static bool
is_meant(struct lunpath *lp, bool is_alike)
{
	take_port(lp);
	if (lunpath_size_is_denied(lp)) {
		lunpath_size_disagrees(lp);
		return false;
	}
	lunpath_size_agrees(lp);
	is_same(lp, &lp->ask->info, is_alike);
	return true;
}

static bool
known(struct ask *a)
{
	struct lunpath *lp = a->user;
	struct identity was;

	assert(lp->state != LU_UNKNOWN && lp->state != LU_CLOSED);
	switch (a->info.answer) {
	case LU_NO_ANSWER:
		is_silent(lp, &a->info.fault);
		break;
	case LU_NOBODY:
		is_absent(lp);
		break;
	case LU_SOMEBODY:
		identity_unpack(lp->lu->info.id, &was);
		switch (identity_compare(&was, &a->info.id)) {
		case IDENTITY_SAME:
			return is_meant(lp, false);
		case IDENTITY_ALIKE:
			return is_meant(lp, true);
		case IDENTITY_OTHER:
			is_other(lp, &a->info);
			break;
		case IDENTITY_UNCERTAIN:
			is_uncertain(lp);
			break;
		}
		break;
	}
	return false;
}

/* How long a port that does not serve is left alone; the target may not say that it does again. */
static uint64_t
port_us(const struct lunpath *lp)
{
	if (lp->alua.state == ALUA_TRANSITIONING)
		return TRANSITION_US;
	return lu_is_ready(lp->lu) ? IDLE_PORT_US : IDLE_PORT_US / 5;
}

/* What was not answered this time is what the unit has now: another path may have told since. */
static void
keep_unanswered(const struct lunpath *lp, struct lu_info *now)
{
	const struct ask *a = lp->ask;
	const struct lu_facts *known = &lp->lu->info.facts;

	if (!a->has_size) {
		now->is_sized = true;
		now->capacity = known->capacity;
	}
	if (!a->has_mode) {
		now->has_mode = known->has_mode;
		now->is_mode_refused |= known->is_mode_refused;
		now->mode = known->mode;
	}
	if (!a->has_limits)
		now->limits = known->limits;
	if (!a->has_provision)
		now->provision = known->provision;
	if (!ask_is_served(a))
		now->is_incomplete = known->is_incomplete;
}

/* What it is like. */
static void
take_details(struct lunpath *lp)
{
	struct lu_info now = lp->ask->info;

	keep_unanswered(lp, &now);
	now.is_disk = true;
	now.id.block_bytes = now.capacity.block_bytes;
	now.id.size_bytes = now.capacity.bytes;
	lp->lu->has_no_sync = lp->lu->has_no_write_same = false;
	lp->lu->is_size_sure |= lp->ask->has_size;
	lp->lu->is_mode_sure |= lp->ask->has_mode || lp->ask->info.is_mode_refused;
	lu_describe(lp->lu, &now);
	lunpath_take_alua(lp, &now.alua);
}

static void
done(struct ask *a)
{
	struct lunpath *lp = a->user;

	lp->is_incomplete = a->info.is_incomplete;
	agenda_defer(lp->path->agenda, &lp->rest);
	if (a->is_stopped) {
		if (lp->is_ask_due)
			start(lp);
		return;
	}
	switch (lp->state) {
	case LU_ASKING:
		again_in(lp, growing(AGAIN_US, lp->ask_n > 0 ? lp->ask_n - 1 : 0, AGAIN_MAX_US));
		break;
	case LU_SAME:
		if (lp->is_answered)
			take_details(lp);
		if (a->info.is_incomplete && lp->ask_n < DETAIL_TIMES)
			again_in(lp, growing(DETAIL_US, lp->ask_n, AWAY_MAX_US));
		else if (!alua_serves(lp->alua.state))
			again_in(lp, port_us(lp));
		else
			lunpath_check_later(lp);
		break;
	case LU_OTHER:
		if (!lp->ask_timer.armed)
			again_in(lp, growing(OTHER_US, lp->ask_n, AWAY_MAX_US));
		break;
	case LU_ABSENT:
		if (!lp->ask_timer.armed)
			again_in(lp, absent_us(lp, lp->ask_n));
		break;
	case LU_UNKNOWN:
	case LU_CLOSED:
		break;
	}
	learning_ends(lp);
}

/* ---- doubts ---- */

/* 3F/0E: REPORTED LUNS DATA HAS CHANGED. */
void
lu_notify(struct path *p, struct lunpath *from, const struct sense *s)
{
	p->ops->notice(p, from, PATH_UNITS_CHANGED);
	if (s != NULL && s->asc == 0x3f && s->ascq == 0x0e)
		p->ops->notice(p, from, PATH_LUNS_CHANGED);
}

bool
lu_is_doubt(const struct sense *s)
{
	return s->key == SENSE_KEY_UNIT_ATTENTION && !s->is_deferred &&
	       sense_judge(SENSE_STATUS_CHECK_CONDITION, s).action != SENSE_RETRY_NOW;
}

void
lunpath_ask_after(struct lunpath *lp, const struct retry_verdict *v)
{
	bool is_attention = v->has_sense && v->sense.key == SENSE_KEY_UNIT_ATTENTION;
	bool was_same = lp->state == LU_SAME;

	lunpath_go(lp, LU_EV_DOUBT, NULL);
	/* What every command under way says is told once; a unit that sleeps is the same one. */
	if (v->action != SENSE_START_UNIT && (is_attention || was_same))
		lu_notify(lp->path, lp, v->has_sense ? &v->sense : NULL);
}

/* A question met a unit attention: ask.c begins anew by itself. */
static void
attention(struct ask *a, const struct sense *s)
{
	struct lunpath *lp = a->user;

	lu_loss_sense(lp->lu, s);
	if (!lu_is_doubt(s))
		return;
	if (lp->state == LU_SAME)
		lunpath_go(lp, LU_EV_DOUBT, NULL);
	lu_notify(lp->path, lp, s);
}

static const struct ask_ops ops = { .known = known, .done = done, .attention = attention };

void
lunpath_ask_init(struct lunpath *lp)
{
	lp->ask_timer.expired = expired;
	agenda_work_init(&lp->rest, rest);
}

void
lunpath_doubt(struct lunpath *lp)
{
	lunpath_go(lp, LU_EV_DOUBT, NULL);
}

static void
learn(struct lunpath *lp, const struct lu_info *info)
{
	lu_is_named(lp->lu, &info->id);
	lp->lu->is_size_sure = true;
	lp->lu->is_mode_sure |= lu_info_has_said_mode(&info->facts);
	lu_describe(lp->lu, info);
	lunpath_take_alua(lp, &info->alua);
}

/* Does it say what is known, and all of it?  What it had no answer to must not be forgotten. */
static bool
confirms(const struct lunpath *lp, const struct lu_info *info)
{
	struct identity was;
	enum identity_match match;

	identity_unpack(lp->lu->info.id, &was);
	match = identity_compare(&was, &info->id);
	return lp->state == LU_SAME && !info->is_incomplete && !info->is_partial &&
	       (match == IDENTITY_SAME || match == IDENTITY_ALIKE);
}

/* A scan's answer may be older than a doubt: where it is not what is known, the unit asks itself.
 */
void
lunpath_learned(struct lunpath *lp, const struct lu_info *info)
{
	bool is_old;

	if (lp->state == LU_UNKNOWN || lp->state == LU_ASKING || lp->state == LU_CLOSED ||
	    (info != NULL && info->nexus != lp->path->nexus))
		return;
	is_old = info == NULL || info->doubts != lp->path->doubts;
	if (info != NULL)
		memcpy(
		    lp->wire, info->wire, sizeof lp->wire); /* in which form it is reported now */
	if (!is_old && info->answer == LU_NO_ANSWER)
		return;
	if (!is_old && info->answer == LU_SOMEBODY && confirms(lp, info)) {
		if (info->is_disk && info->is_sized)
			learn(lp, info);
		return;
	}
	lp->is_learning = true;
	lunpath_go(lp, LU_EV_DOUBT, NULL);
}

bool
lunpath_is_learning(const struct lunpath *lp)
{
	return lp->is_learning;
}

/*
 * A round under way began with what the unit before was like.  Only that: names of this one would
 * be joined by those that are answered.
 */
static void
forget_details(struct lunpath *lp)
{
	const struct lu_facts *now = &lp->lu->info.facts;
	struct lu_info *i;

	if (lp->ask == NULL)
		return;
	i = &lp->ask->info;
	i->is_sized = now->is_sized;
	i->capacity = now->capacity;
	i->has_mode = now->has_mode;
	i->mode = now->mode;
	i->limits = now->limits;
	i->provision = now->provision;
}

void
lunpath_adopted(struct lunpath *lp, bool is_of_now)
{
	lp->is_alike_said = false;
	forget_details(lp);
	if (lunpath_is_asked(lp))
		ask_restart(lp->ask);
	if (lp->state == LU_UNKNOWN || is_of_now)
		lunpath_go(lp, LU_EV_ADOPT, NULL);
	if (lp->state != LU_UNKNOWN && !is_of_now)
		lunpath_go(lp, LU_EV_DOUBT, NULL);
}
