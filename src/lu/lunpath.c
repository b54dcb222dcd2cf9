#include "lu/lunpath.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lu/lu_impl.h"
#include "lu/pass.h"

/* What a command met is asked after this. */
#define MET_US 100000

static const char *const state_names[] = {
#define LU_STATE(id, text) [LU_##id] = text,
#include "lu/lu_fsm.def"
};
static const char *const event_names[] = {
#define LU_EVENT(id, text) [LU_EV_##id] = text,
#include "lu/lu_fsm.def"
};

static const struct row {
	enum lu_state from;
	enum lu_event event;
	enum lu_state to;
} rows[] = {
#define LU_ROW(from, event, to) { LU_##from, LU_EV_##event, LU_##to },
#include "lu/lu_fsm.def"
};

/* ---- the machine ---- */

/* What must be true between two moves. */
static void
check(const struct lunpath *lp)
{
	bool is_asked = lunpath_is_asked(lp) || lp->is_ask_due || lp->ask_timer.armed;

	switch (lp->state) {
	case LU_UNKNOWN:
		assert(!lunpath_is_asked(lp) && !lp->ask_timer.armed);
		break;
	case LU_ASKING:
	case LU_ABSENT:
	case LU_OTHER:
		assert(is_asked);
		break;
	case LU_SAME:
		break;
	case LU_CLOSED:
		assert(!lunpath_is_asked(lp) && !lp->ask_timer.armed);
		break;
	}
	hold_check(lp->lu);
}

static void
enter(struct lunpath *lp, enum lu_event e)
{
	switch (lp->state) {
	case LU_UNKNOWN:
	case LU_CLOSED:
		lunpath_ask_stop(lp);
		break;
	case LU_ASKING:
		lunpath_ask_now(lp);
		break;
	case LU_SAME:
		lp->lu->good_us = agenda_now(lp->path->agenda);
		hold_review(lp->lu);
		break;
	case LU_OTHER:
	case LU_ABSENT:
		if (e == LU_EV_DOUBT)
			lunpath_ask_now(lp);
		break;
	}
}

void
lunpath_go(struct lunpath *lp, enum lu_event e, const struct fault *why)
{
	enum lu_state from = lp->state;
	const struct row *row = NULL;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].from == from && rows[i].event == e)
			row = &rows[i];
	if (row == NULL) {
		lp->lu->strays++;
		lunpath_say(lp, SAY_ERR, "\"%s\" came while %s: a fault of this program",
		    event_names[e], state_names[from]);
		return;
	}
	lp->state = row->to;
	if (from == LU_SAME && e == LU_EV_DOWN)
		lunpath_was_lost(lp);
	if (row->to == LU_SAME && from != LU_SAME)
		lunpath_is_back(lp);
	if (row->to == LU_SAME || why != NULL)
		fault_keep(&lp->why, row->to != LU_SAME ? why : NULL);
	if (row->to != from)
		lp->ask_n = 0;
	if (row->to != LU_ASKING)
		lp->claim_bytes = 0;
	lu_settle(lp->lu);
	if (from == LU_SAME && row->to != LU_SAME) {
		hold_stop(lp);
		/* It may have been the one that contradicted a size. */
		LU_EACH_PATH(lp->lu, other)
		if (other->claim_bytes != 0)
			lunpath_ask_within(other, 0);
	}
	hold_settle(lp->lu);
	enter(lp, e);
	check(lp);
	hold_pump(lp->lu);
}

/* ---- what the port is to the unit ---- */

static void
set_alua(struct lunpath *lp, const struct alua *alua)
{
	bool did_serve = lunpath_serves(lp), is_new = alua->state != lp->alua.state;

	lp->alua = *alua;
	lu_settle(lp->lu);
	/* Groups change places: another one may serve now. */
	LU_EACH_PATH(lp->lu, other)
	if (is_new && other != lp && other->state == LU_SAME && !alua_serves(other->alua.state))
		lunpath_ask_within(other, 0);
	if (did_serve && !lunpath_serves(lp))
		hold_stop(lp);
	if (!did_serve && lunpath_serves(lp))
		hold_review(lp->lu);
}

void
lunpath_take_alua(struct lunpath *lp, const struct alua *alua)
{
	if (lp->alua.state != alua->state)
		lunpath_say(lp, alua_serves(alua->state) ? SAY_NOTE : SAY_WARN,
		    "the target port group of this path is %s now (it was %s)",
		    alua_word(alua->state), alua_word(lp->alua.state));
	set_alua(lp, alua);
	hold_pump(lp->lu);
}

void
lunpath_met(struct lunpath *lp, uint8_t state)
{
	struct alua now = lp->alua;

	now.state = state;
	if (state != lp->alua.state)
		lunpath_say(
		    lp, SAY_WARN, "the target port group of this path is %s", alua_word(state));
	set_alua(lp, &now);
	lunpath_ask_within(lp, MET_US);
}

void
lunpath_limits(struct lunpath *lp)
{
	lu_settle(lp->lu);
	hold_pump(lp->lu);
}

/* ---- what the owner of the path tells ---- */

void
lunpath_up(struct lunpath *lp)
{
	assert(lp->path->is_up);
	if (shadow_lift(&lp->lu->shadow, lp->index, lp->path->dead_nexus))
		hold_review(lp->lu);
	if (lp->state != LU_UNKNOWN && lp->state != LU_CLOSED)
		lunpath_down(lp, true);
	lunpath_go(lp, LU_EV_UP, NULL);
}

void
lunpath_lost(struct lunpath *lp)
{
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "", "the connection to the target is gone");
	lunpath_go(lp, LU_EV_DOWN, &why);
}

void
lunpath_down(struct lunpath *lp, bool is_silent)
{
	if (!lp->lu->is_closed)
		hold_lost(lp, is_silent);
	lunpath_lost(lp);
}

void
lunpath_given_up(struct lunpath *lp)
{
	if (!lp->lu->is_closed && lu_is_given_up(lp->lu))
		hold_fail(lp->lu, -EIO);
	pass_pump(lp->lu);
}

void
lunpath_fenced(struct lunpath *lp)
{
	if (!shadow_lift(&lp->lu->shadow, lp->index, lp->path->dead_nexus))
		return;
	hold_review(lp->lu);
	hold_pump(lp->lu);
	pass_pump(lp->lu);
}

void
lunpath_go_on(struct lunpath *lp)
{
	hold_pump(lp->lu);
}

void
lunpath_stop(struct lunpath *lp)
{
	lunpath_go(lp, LU_EV_CLOSE, NULL);
}

bool
lunpath_is_idle(const struct lunpath *lp)
{
	return lp->share.busy == 0 && !lunpath_is_ask_out(lp) && lp->set == NULL;
}

/* ---- beginning and end ---- */

/*
 * Another object may have stood for this unit before and was closed, its requests failed: what they
 * had sent may still be executed, as long as its nexus lives.
 */
static void
mind_the_past(struct lunpath *lp)
{
	const struct path *p = lp->path;
	uint64_t last = p->nexus - (p->is_up && p->nexus > 0);

	if (last > p->dead_nexus)
		shadow_cast_all(&lp->lu->shadow, lp->index, last);
}

bool
lunpath_is_of_now(const struct lunpath *lp, const struct lu_info *info)
{
	const struct path *p = lp->path;

	return p->is_up && info->nexus == p->nexus && info->doubts == p->doubts &&
	       !info->is_incomplete;
}

struct lunpath *
lunpath_new(struct lu *u, struct path *path, const struct lu_info *info)
{
	struct lunpath *lp = calloc(1, sizeof *lp);

	if (lp == NULL)
		return NULL;
	assert(u->indexes != (1u << LIMIT_UNIT_PATHS) - 1 && path->agenda == u->agenda);
	lp->lu = u;
	lp->path = path;
	lp->index = (uint8_t)__builtin_ctz(~u->indexes);
	u->indexes |= 1u << lp->index;
	lp->number = info->number;
	memcpy(lp->wire, info->wire, sizeof lp->wire);
	lp->alua = info->alua;
	lp->depth = UINT_MAX;
	list_init(&lp->link);
	list_push_back(&u->paths, &lp->mate);
	lunpath_ask_init(lp);
	pool_join(path->pool, &lp->share);
	mind_the_past(lp);
	return lp;
}

void
lunpath_free(struct lunpath *lp)
{
	struct path *p = lp->path;

	assert(lunpath_is_idle(lp) && p->on_trial != lp);
	pool_leave(p->pool, &lp->share);
	agenda_clear(p->agenda, &lp->ask_timer);
	agenda_cancel(&lp->rest);
	free(lp->ask);
	fault_keep(&lp->why, NULL);
	lp->lu->indexes &= ~(1u << lp->index);
	list_remove(&lp->link);
	list_remove(&lp->mate);
	free(lp);
}

/* ---- for displays ---- */

struct lu *
lunpath_lu(struct lunpath *lp)
{
	return lp->lu;
}

enum lu_state
lunpath_state(const struct lunpath *lp)
{
	return lp->state;
}

uint32_t
lunpath_number(const struct lunpath *lp)
{
	return lp->number;
}

const uint8_t *
lunpath_wire(const struct lunpath *lp)
{
	return lp->wire;
}

struct list *
lunpath_link(struct lunpath *lp)
{
	return &lp->link;
}

struct lunpath *
lunpath_of_link(struct list *link)
{
	return LIST_ENTRY(link, struct lunpath, link);
}
