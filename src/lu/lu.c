#include "lu/lu.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lu/lu_impl.h"

#define SAY_LINES     5
#define SAY_PERIOD_US 10000000

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

/* ---- sentences ---- */

void
lu_say(struct lu *u, enum say_level level, const char *fmt, ...)
{
	char text[700];
	va_list ap;
	int n;

	if (u->path->ops->say == NULL)
		return;
	n = snprintf(text, sizeof text, "disk %s: ", u->blk.name);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap); /* a long one is cut */
	va_end(ap);
	u->path->ops->say(u->path, level, text);
}

void
lu_say_seldom(struct lu *u, const char *fmt, ...)
{
	uint64_t now = agenda_now(u->path->agenda);
	char text[600];
	va_list ap;

	if (u->said == 0 || now - u->said_since_us >= SAY_PERIOD_US) {
		if (u->unsaid > 0)
			lu_say(u, SAY_ERR, "%u more errors were not logged", u->unsaid);
		u->said_since_us = now;
		u->said = u->unsaid = 0;
	}
	if (u->said >= SAY_LINES) {
		u->unsaid++;
		return;
	}
	u->said++;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (u->path->ops->io_failed != NULL)
		u->path->ops->io_failed(u->path, u->blk.name, text);
	else
		lu_say(u, SAY_ERR, "%s", text);
}

/* ---- the machine ---- */

/* What must be true between two moves. */
static void
check(const struct lu *u)
{
	bool is_asked = u->ask.is_busy || u->is_ask_due || u->ask_timer.armed;

	switch (u->state) {
	case LU_UNKNOWN:
		assert(!u->ask.is_busy && !u->ask_timer.armed);
		break;
	case LU_ASKING:
	case LU_ABSENT:
		assert(is_asked);
		break;
	case LU_SAME:
		break;
	case LU_OTHER:
		assert(is_asked);
		assert(list_empty(&u->queue) && list_empty(&u->aside));
		break;
	case LU_CLOSED:
		assert(!u->ask.is_busy && !u->ask_timer.armed && !u->hold_timer.armed);
		assert(list_empty(&u->queue) && list_empty(&u->aside));
		break;
	}
	hold_check(u);
}

static void
enter(struct lu *u, enum lu_event e)
{
	switch (u->state) {
	case LU_UNKNOWN:
		lu_ask_stop(u);
		break;
	case LU_ASKING:
		lu_ask_now(u);
		break;
	case LU_SAME:
		u->good_us = agenda_now(u->path->agenda);
		hold_review(u);
		break;
	case LU_OTHER:
		hold_fail(u, -EIO);
		if (e == LU_EV_DOUBT)
			lu_ask_now(u);
		break;
	case LU_ABSENT:
		if (e == LU_EV_DOUBT)
			lu_ask_now(u);
		break;
	case LU_CLOSED:
		lu_ask_stop(u);
		hold_fail(u, u->close_err);
		break;
	}
}

void
lu_go(struct lu *u, enum lu_event e, const struct fault *why)
{
	enum lu_state from = u->state;
	const struct row *row = NULL;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].from == from && rows[i].event == e)
			row = &rows[i];
	if (row == NULL) {
		u->strays++;
		lu_say(u, SAY_ERR, "\"%s\" came while %s: a fault of this program", event_names[e],
		    state_names[from]);
		return;
	}
	u->state = row->to;
	if (row->to == LU_SAME)
		fault_clear(&u->why);
	else if (why != NULL)
		u->why = *why;
	if (row->to != from) {
		u->ask_n = 0;
		agenda_defer(u->path->agenda, &u->tell);
	}
	if (from == LU_SAME && row->to != LU_SAME)
		hold_stop(u);
	enter(u, e);
	check(u);
	hold_pump(u);
}

/* What is due to be told. */
static void
tell(struct agenda_work *w)
{
	struct lu *u = LIST_ENTRY(w, struct lu, tell);
	enum lu_state from = u->told;

	if (u->is_changed && u->state != LU_CLOSED) {
		u->is_changed = false;
		if (u->ops->changed != NULL)
			u->ops->changed(u->user, u);
	}
	if (u->state == from)
		return;
	u->told = u->state;
	if (u->ops->moved != NULL)
		u->ops->moved(u->user, u, from, u->why.is_set ? &u->why : NULL);
}

/* ---- requests ---- */

static void
submit(struct blk_dev *b, struct blk_req *r)
{
	struct lu *u = LIST_ENTRY(b, struct lu, blk);
	int result;

	r->hold = (struct blk_hold){ .order = u->order++, .since_us = agenda_now(u->path->agenda) };
	if (u->state == LU_CLOSED) {
		hold_finish(u, r, u->close_err);
	} else if (lu_io_trivial(u, r, &result)) {
		if (result == 0 && r->op == BLK_FLUSH)
			result = lu_loss_flush_result(u);
		hold_finish(u, r, result);
	} else {
		hold_take(u, r);
	}
}

/* ---- beginning and end ---- */

/*
 * Another object may have stood for this unit before and was closed, its requests failed: what they
 * had sent may still be executed, as long as its nexus lives.
 */
static void
mind_the_past(struct lu *u)
{
	const struct path *p = u->path;
	uint64_t last = p->nexus - (p->is_up && p->nexus > 0);

	if (last > p->dead_nexus)
		shadow_cast_all(&u->shadow, last);
}

struct lu *
lu_new(struct path *path, const struct lu_info *info, const char *name, const struct lu_ops *ops,
    void *user)
{
	struct lu *u = calloc(1, sizeof *u);

	if (u == NULL)
		return NULL;
	assert(info->answer == LU_SOMEBODY && info->is_disk && info->is_sized);
	u->path = path;
	u->ops = ops;
	u->user = user;
	u->depth = UINT_MAX;
	list_init(&u->link);
	agenda_work_init(&u->tell, tell);
	(void)snprintf(u->blk.name, sizeof u->blk.name, "%s", name);
	u->blk.submit = submit;
	u->blk.user = u;
	hold_init(u);
	lu_ask_init(u);
	pool_join(path->pool, &u->share);
	mind_the_past(u);
	lu_describe(u, info);
	u->is_changed = false; /* nobody has seen it yet */
	agenda_cancel(&u->tell);
	u->state = u->told = LU_UNKNOWN;
	if (path->is_up && info->nexus == path->nexus && info->doubts == path->doubts &&
	    !info->is_incomplete)
		u->state = u->told = LU_SAME;
	else if (path->is_up)
		lu_go(u, LU_EV_UP, NULL);
	return u;
}

void
lu_free(struct lu *u)
{
	if (u == NULL)
		return;
	assert(lu_is_idle(u) && !u->ask.is_out && u->path->on_trial != u);
	pool_leave(u->path->pool, &u->share);
	agenda_clear(u->path->agenda, &u->hold_timer);
	agenda_clear(u->path->agenda, &u->ask_timer);
	ask_stop(&u->ask);
	agenda_cancel(&u->deliver);
	agenda_cancel(&u->tell);
	list_remove(&u->link);
	free(u);
}

void
lu_close(struct lu *u, int err)
{
	u->close_err = err;
	lu_go(u, LU_EV_CLOSE, NULL);
}

bool
lu_is_idle(const struct lu *u)
{
	return u->share.busy == 0 && ask_is_idle(&u->ask) && list_empty(&u->queue) &&
	       list_empty(&u->aside) && list_empty(&u->finished);
}

/* ---- the path ---- */

void
lu_path_up(struct lu *u)
{
	assert(u->path->is_up);
	(void)shadow_lift(&u->shadow, u->path->dead_nexus);
	if (u->state != LU_UNKNOWN && u->state != LU_CLOSED)
		lu_path_down(u, true);
	lu_go(u, LU_EV_UP, NULL);
}

void
lu_down(struct lu *u)
{
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "", "the connection to the target is gone");
	lu_go(u, LU_EV_DOWN, &why);
}

void
lu_path_down(struct lu *u, bool is_silent)
{
	if (u->state != LU_CLOSED)
		hold_lost(u, is_silent);
	lu_down(u);
}

void
lu_path_given_up(struct lu *u)
{
	if (u->state != LU_CLOSED)
		hold_fail(u, -EIO);
}

void
lu_path_fenced(struct lu *u)
{
	if (!shadow_lift(&u->shadow, u->path->dead_nexus))
		return;
	hold_review(u);
	hold_pump(u);
}

void
lu_go_on(struct lu *u)
{
	hold_pump(u);
}

/* ---- for displays ---- */

struct blk_dev *
lu_blk(struct lu *u)
{
	return &u->blk;
}

const struct lu_info *
lu_info(const struct lu *u)
{
	return &u->info;
}

enum lu_state
lu_state(const struct lu *u)
{
	return u->state;
}

const struct fault *
lu_why(const struct lu *u)
{
	return &u->why;
}

struct lu_counts
lu_counts(const struct lu *u)
{
	return u->counts;
}

const struct lu_latency *
lu_latency(const struct lu *u)
{
	return &u->latency;
}

void
lu_clear_counts(struct lu *u)
{
	memset(&u->counts, 0, sizeof u->counts);
	memset(&u->latency, 0, sizeof u->latency);
}

struct list *
lu_link(struct lu *u)
{
	return &u->link;
}

struct lu *
lu_of_link(struct list *link)
{
	return LIST_ENTRY(link, struct lu, link);
}
