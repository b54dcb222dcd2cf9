/* A unit asks who it is: when, and what it makes of the answers. */
#include <assert.h>
#include <errno.h>

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

static void
start(struct lu *u)
{
	struct lu_info *i = &u->ask.info;

	u->is_ask_due = u->is_answered = false;
	*i = u->info;
	u->ask.expect = &u->info.id;
	u->ask_n++;
	ask_start(&u->ask);
}

void
lu_ask_now(struct lu *u)
{
	agenda_clear(u->path->agenda, &u->ask_timer);
	if (u->ask.is_busy)
		ask_restart(&u->ask);
	else if (!ask_is_idle(&u->ask))
		u->is_ask_due = true;
	else if (u->path->quiet_until_us > agenda_now(u->path->agenda))
		agenda_set(u->path->agenda, &u->ask_timer, u->path->quiet_until_us);
	else
		start(u);
}

static void
learning_ends(struct lu *u)
{
	if (!u->is_learning)
		return;
	u->is_learning = false;
	u->path->ops->learned(u->path);
}

void
lu_ask_stop(struct lu *u)
{
	agenda_clear(u->path->agenda, &u->ask_timer);
	u->is_ask_due = false;
	ask_stop(&u->ask);
	learning_ends(u);
}

static uint64_t
growing(uint64_t first, unsigned n, uint64_t max)
{
	uint64_t us = first << (n < 10 ? n : 10);

	return us < max ? us : max;
}

/* How long an absent unit is left alone. */
static uint64_t
absent_us(const struct lu *u, unsigned n)
{
	bool is_waited_for = !list_empty(&u->queue) || !list_empty(&u->aside);

	return is_waited_for ? ABSENT_US : growing(ABSENT_US, n, AWAY_MAX_US);
}

void
lu_ask_soon(struct lu *u)
{
	uint64_t soon = agenda_now(u->path->agenda) + ABSENT_US;

	if (u->ask_timer.armed && u->ask_timer.at_us > soon)
		agenda_set(u->path->agenda, &u->ask_timer, soon);
}

static void
again_in(struct lu *u, uint64_t us)
{
	agenda_set(u->path->agenda, &u->ask_timer, agenda_now(u->path->agenda) + us);
}

/* The time to ask again has come; nothing says that anything changed. */
static void
expired(struct agenda_timer *t)
{
	struct lu *u = LIST_ENTRY(t, struct lu, ask_timer);

	lu_ask_now(u);
}

/* ---- answers ---- */

static void
is_absent(struct lu *u)
{
	bool is_news = u->state != LU_ABSENT;
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "look at the target's configuration",
	    "the target has no LUN %u now; it is waited for", u->info.number);
	if (is_news)
		lu_say(u, SAY_WARN, "%s", why.message);
	/* The timer comes first: a unit that is absent is always asked again. */
	again_in(u, absent_us(u, is_news ? 0 : u->ask_n));
	lu_go(u, LU_EV_IS_ABSENT, &why);
	if (is_news)
		u->path->ops->notice(u->path, u, PATH_UNITS_CHANGED);
}

static void
is_other(struct lu *u, const struct lu_info *now)
{
	bool is_news = u->state != LU_OTHER;
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE,
	    "restore the unit on the target; or remove the device (rmsf) and scan again",
	    "LUN %u is not the unit that it was: it was %.150s, now there is %.150s; it gets no "
	    "I/O",
	    u->info.number, identity_name(&u->info.id), identity_name(&now->id));
	if (is_news)
		lu_say(u, SAY_ERR, "%s", why.message);
	again_in(u, growing(OTHER_US, is_news ? 0 : u->ask_n, AWAY_MAX_US));
	lu_go(u, LU_EV_IS_OTHER, &why);
	/* Where one was exchanged, others may have been. */
	if (is_news)
		u->path->ops->notice(u->path, u, PATH_UNITS_CHANGED);
}

static void
is_same(struct lu *u, const struct lu_info *now, bool is_alike)
{
	if (is_alike && !u->is_alike_said) {
		u->is_alike_said = true;
		lu_say(u, SAY_NOTE,
		    "the unit has no name of its own; it is taken for the same because vendor, "
		    "product, block size and capacity are");
	}
	if (identity_has_name(&now->id)) {
		struct identity id = now->id;

		identity_keep(&id, &u->info.id);
		u->info.id = id;
		u->info.id.block_bytes = u->info.capacity.block_bytes;
		u->info.id.size_bytes = u->info.capacity.bytes;
	}
	u->info.nexus = now->nexus;
	u->info.doubts = now->doubts;
	u->is_answered = true;
	lu_go(u, LU_EV_IS_SAME, NULL);
}

static void
is_silent(struct lu *u, const struct fault *why)
{
	if (u->state != LU_ASKING)
		return;
	if (!u->why.is_set || u->ask_n == 1)
		lu_say_seldom(u, "who the unit is could not be asked: %s", why->message);
	u->why = *why;
}

static void
is_uncertain(struct lu *u)
{
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "look at the target's log",
	    "LUN %u does not say who it is; it was %.200s", u->info.number,
	    identity_name(&u->info.id));
	is_silent(u, &why);
}

static bool
known(struct ask *a)
{
	struct lu *u = LIST_ENTRY(a, struct lu, ask);

	assert(u->state != LU_UNKNOWN && u->state != LU_CLOSED);
	switch (a->info.answer) {
	case LU_NO_ANSWER:
		is_silent(u, &a->info.fault);
		break;
	case LU_NOBODY:
		is_absent(u);
		break;
	case LU_SOMEBODY:
		switch (identity_compare(&u->info.id, &a->info.id)) {
		case IDENTITY_SAME:
			is_same(u, &a->info, false);
			return true;
		case IDENTITY_ALIKE:
			is_same(u, &a->info, true);
			return true;
		case IDENTITY_OTHER:
			is_other(u, &a->info);
			break;
		case IDENTITY_UNCERTAIN:
			is_uncertain(u);
			break;
		}
		break;
	}
	return false;
}

/* What it is like: what was not answered stays as it was. */
static void
take_details(struct lu *u)
{
	struct lu_info now = u->ask.info;

	now.id = u->info.id;
	if (!now.is_sized) {
		now.is_sized = true;
		now.capacity = u->info.capacity;
	}
	now.is_disk = true;
	now.id.block_bytes = now.capacity.block_bytes;
	now.id.size_bytes = now.capacity.bytes;
	u->has_no_sync = u->has_no_write_same = false;
	lu_describe(u, &now);
}

static void
done(struct ask *a)
{
	struct lu *u = LIST_ENTRY(a, struct lu, ask);

	if (a->is_stopped) {
		if (u->is_ask_due)
			start(u);
		return;
	}
	switch (u->state) {
	case LU_ASKING:
		again_in(u, growing(AGAIN_US, u->ask_n > 0 ? u->ask_n - 1 : 0, AGAIN_MAX_US));
		break;
	case LU_SAME:
		if (u->is_answered)
			take_details(u);
		if (a->info.is_incomplete && u->ask_n < DETAIL_TIMES)
			again_in(u, growing(DETAIL_US, u->ask_n, AWAY_MAX_US));
		break;
	case LU_OTHER:
		if (!u->ask_timer.armed)
			again_in(u, growing(OTHER_US, u->ask_n, AWAY_MAX_US));
		break;
	case LU_ABSENT:
		if (!u->ask_timer.armed)
			again_in(u, absent_us(u, u->ask_n));
		break;
	case LU_UNKNOWN:
	case LU_CLOSED:
		break;
	}
	learning_ends(u);
}

/* ---- doubts ---- */

/* 3F/0E: REPORTED LUNS DATA HAS CHANGED. */
void
lu_notify(struct path *p, struct lu *from, const struct sense *s)
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
lu_ask_after(struct lu *u, const struct retry_verdict *v)
{
	bool is_attention = v->has_sense && v->sense.key == SENSE_KEY_UNIT_ATTENTION;
	bool was_same = u->state == LU_SAME;

	lu_go(u, LU_EV_DOUBT, NULL);
	/* What every command under way says is told once; a unit that sleeps is the same one. */
	if (v->action != SENSE_START_UNIT && (is_attention || was_same))
		lu_notify(u->path, u, v->has_sense ? &v->sense : NULL);
}

/* A question met a unit attention: ask.c begins anew by itself. */
static void
attention(struct ask *a, const struct sense *s)
{
	struct lu *u = LIST_ENTRY(a, struct lu, ask);
	lu_loss_sense(u, s);
	if (!lu_is_doubt(s))
		return;
	if (u->state == LU_SAME)
		lu_go(u, LU_EV_DOUBT, NULL);
	lu_notify(u->path, u, s);
}

static const struct ask_ops ops = { .known = known, .done = done, .attention = attention };

void
lu_ask_init(struct lu *u)
{
	u->ask_timer.expired = expired;
	ask_init(&u->ask, u->path, &ops);
	u->ask.is_ready_first = true;
}

void
lu_doubt(struct lu *u)
{
	lu_go(u, LU_EV_DOUBT, NULL);
}

static void
learn(struct lu *u, const struct lu_info *info)
{
	struct lu_info now = *info;

	identity_keep(&now.id, &u->info.id);
	lu_describe(u, &now);
}

/* Does it say what is known, and all of it?  What it had no answer to must not be forgotten. */
static bool
confirms(const struct lu *u, const struct lu_info *info)
{
	enum identity_match match = identity_compare(&u->info.id, &info->id);

	return u->state == LU_SAME && !info->is_incomplete &&
	       (match == IDENTITY_SAME || match == IDENTITY_ALIKE);
}

/* A scan's answer may be older than a doubt: where it is not what is known, the unit asks itself.
 */
void
lu_learned(struct lu *u, const struct lu_info *info)
{
	bool is_old;

	if (u->state == LU_UNKNOWN || u->state == LU_ASKING || u->state == LU_CLOSED ||
	    (info != NULL && info->nexus != u->path->nexus))
		return;
	is_old = info == NULL || info->doubts != u->path->doubts;
	if (!is_old && info->answer == LU_NO_ANSWER)
		return;
	if (!is_old && info->answer == LU_SOMEBODY && confirms(u, info)) {
		if (info->is_disk && info->is_sized)
			learn(u, info);
		return;
	}
	u->is_learning = true;
	lu_go(u, LU_EV_DOUBT, NULL);
}

bool
lu_is_learning(const struct lu *u)
{
	return u->is_learning;
}

/*
 * A round under way began with what the unit before was like.  Only that: names of this one would
 * be joined by those that are answered.
 */
static void
forget_details(struct lu *u)
{
	struct lu_info *i = &u->ask.info;

	i->is_sized = u->info.is_sized;
	i->capacity = u->info.capacity;
	i->has_mode = u->info.has_mode;
	i->mode = u->info.mode;
	i->limits = u->info.limits;
	i->provision = u->info.provision;
}

void
lu_adopt(struct lu *u, const struct lu_info *info)
{
	bool is_of_now = info->nexus == u->path->nexus && info->doubts == u->path->doubts &&
			 !info->is_incomplete;

	assert(info->answer == LU_SOMEBODY && info->is_disk && info->is_sized);
	if (u->state == LU_CLOSED)
		return;
	u->has_no_sync = u->has_no_write_same = u->is_alike_said = false;
	u->clean = u->acked;
	u->is_heir = false;
	lu_loss_set(u, false);
	lu_describe(u, info);
	forget_details(u);
	if (u->ask.is_busy)
		ask_restart(&u->ask);
	if (u->state == LU_UNKNOWN || is_of_now)
		lu_go(u, LU_EV_ADOPT, NULL);
	if (u->state != LU_UNKNOWN && !is_of_now)
		lu_go(u, LU_EV_DOUBT, NULL);
}
