#include "lu/lu.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lu/lu_impl.h"
#include "lu/pass.h"

#define SAY_LINES     5
#define SAY_PERIOD_US 10000000

/* ---- sentences ---- */

static void say_of(struct lu *u, struct path *p, enum say_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));
static void
say_of(struct lu *u, struct path *p, enum say_level level, const char *fmt, va_list ap)
{
	char text[700];
	int n;

	if (p->ops->say == NULL)
		return;
	n = snprintf(text, sizeof text, "disk %s: ", u->blk.name);
	(void)vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap); /* a long one is cut */
	p->ops->say(p, level, text);
}

void
lu_say(struct lu *u, enum say_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_of(u, lu_path_after(u, NULL)->path, level, fmt, ap);
	va_end(ap);
}

void
lunpath_say(struct lunpath *lp, enum say_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_of(lp->lu, lp->path, level, fmt, ap);
	va_end(ap);
}

/* May one more be said now? */
static bool
is_seldom(struct lu *u)
{
	uint64_t now = agenda_now(u->agenda);

	if (u->said == 0 || now - u->said_since_us >= SAY_PERIOD_US) {
		if (u->unsaid > 0)
			lu_say(u, SAY_ERR, "%u more errors were not logged", u->unsaid);
		u->said_since_us = now;
		u->said = u->unsaid = 0;
	}
	if (u->said >= SAY_LINES) {
		u->unsaid++;
		return false;
	}
	u->said++;
	return true;
}

static void say_failed(struct lu *u, struct path *p, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void
say_failed(struct lu *u, struct path *p, const char *fmt, va_list ap)
{
	char text[600];

	if (p->ops->io_failed == NULL) {
		say_of(u, p, SAY_ERR, fmt, ap);
		return;
	}
	(void)vsnprintf(text, sizeof text, fmt, ap);
	p->ops->io_failed(p, u->blk.name, text);
}

void
lu_say_seldom(struct lu *u, const char *fmt, ...)
{
	va_list ap;

	if (!is_seldom(u))
		return;
	va_start(ap, fmt);
	say_failed(u, lu_path_after(u, NULL)->path, fmt, ap);
	va_end(ap);
}

void
lunpath_say_seldom(struct lunpath *lp, const char *fmt, ...)
{
	va_list ap;

	if (!is_seldom(lp->lu))
		return;
	va_start(ap, fmt);
	say_failed(lp->lu, lp->path, fmt, ap);
	va_end(ap);
}

/* ---- what is so for all paths together ---- */

uint64_t
lu_promise_us(const struct lu *u)
{
	uint64_t us = 0;

	LU_EACH_PATH(u, lp)
	if (lp->path->replacement_us > us)
		us = lp->path->replacement_us;
	return us;
}

bool
lu_is_up(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	if (lp->path->is_up)
		return true;
	return false;
}

bool
lu_is_given_up(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	if (!lp->path->is_given_up)
		return false;
	return true;
}

/* How much a state of a path says of the unit: the first of these that is there. */
static const enum lu_state order[] = { LU_SAME, LU_ASKING, LU_UNKNOWN, LU_ABSENT, LU_OTHER };

/* Its best path; the first one, where they are alike. */
static const struct lunpath *
best(const struct lu *u)
{
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		LU_EACH_PATH(u, lp)
	if (lp->state == order[i])
		return lp;
	return NULL;
}

static bool
is_path_news(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	if (lunpath_shown(lp) != lp->told && lunpath_shown(lp) != PATH_CHECKING &&
	    lp->state != LU_CLOSED)
		return true;
	return false;
}

void
lu_settle(struct lu *u)
{
	const struct lunpath *lp = best(u);
	enum lu_state now = u->is_closed || lp == NULL ? LU_CLOSED : lp->state;

	lu_paths_settle(u);
	pass_pump(u);
	if (now != u->state || is_path_news(u))
		agenda_defer(u->agenda, &u->tell);
	u->state = now;
}

static void
tell_paths(struct lu *u)
{
	LU_EACH_PATH(u, lp)
	{
		enum path_state from = lp->told, now = lunpath_shown(lp);

		if (now == from || now == PATH_CHECKING || lp->state == LU_CLOSED)
			continue;
		lp->told = now;
		if (u->ops->path_moved != NULL && !u->is_closed &&
		    lu_path_after(u, lu_path_after(u, NULL)) != NULL)
			u->ops->path_moved(u->user, u, lp, from);
	}
}

/* What is due to be told. */
static void
tell(struct agenda_work *w)
{
	struct lu *u = LIST_ENTRY(w, struct lu, tell);
	enum lu_state from = u->told;
	const struct fault *why;

	if (u->is_changed && u->state != LU_CLOSED) {
		u->is_changed = false;
		if (u->ops->changed != NULL)
			u->ops->changed(u->user, u);
	}
	tell_paths(u);
	if (u->state == from)
		return;
	u->told = u->state;
	why = lu_why(u);
	if (u->ops->moved != NULL)
		u->ops->moved(u->user, u, from, why->is_set ? why : NULL);
}

/* ---- requests ---- */

static void
submit(struct blk_dev *b, struct blk_req *r)
{
	struct lu *u = LIST_ENTRY(b, struct lu, blk);
	int result;

	r->hold = (struct blk_hold){ .order = u->order++, .since_us = agenda_now(u->agenda) };
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

bool
lu_name(struct lu *u, const struct identity *id)
{
	struct identity_kept *kept = identity_pack(id);

	if (kept == NULL)
		return false;
	free(u->info.id);
	u->info.id = kept;
	LU_EACH_PATH(u, lp)
	if (lp->ask != NULL)
		ask_expect(lp->ask, id);
	return true;
}

static bool
is_as_large(const struct lu *u, const struct lu_info *info)
{
	return u->info.capacity.bytes == info->capacity.bytes;
}

/* Where it is told of, or learned just now, it is the unit; else it is asked. */
static void
begin(struct lunpath *lp, const struct lu_info *info)
{
	bool is_known =
	    lunpath_is_of_now(lp, info) && (!info->is_sized || is_as_large(lp->lu, info));

	lp->state = is_known ? LU_SAME : LU_UNKNOWN;
	lp->lu->is_size_sure |= is_known && info->is_sized;
	lp->told = lunpath_shown(lp);
	lu_settle(lp->lu);
	if (lp->state == LU_UNKNOWN && lp->path->is_up)
		lunpath_go(lp, LU_EV_UP, NULL);
}

struct lu *
lu_new(struct path *path, const struct lu_info *info, const char *name, const struct lu_ops *ops,
    void *user)
{
	struct lu *u = calloc(1, sizeof *u);
	struct lunpath *lp;

	if (u == NULL)
		return NULL;
	assert(info->answer == LU_SOMEBODY && info->is_disk && info->is_sized);
	u->agenda = path->agenda;
	u->ops = ops;
	u->user = user;
	list_init(&u->paths);
	list_init(&u->passes);
	agenda_work_init(&u->tell, tell);
	u->paths_timer.expired = lu_paths_expired;
	u->set_timer.expired = lu_set_expired;
	(void)snprintf(u->blk.name, sizeof u->blk.name, "%s", name);
	u->blk.submit = submit;
	u->blk.user = u;
	hold_init(u);
	lp = lu_name(u, &info->id) ? lunpath_new(u, path, info) : NULL;
	if (lp == NULL) {
		lu_kept_fini(&u->info);
		free(u);
		return NULL;
	}
	lu_describe(u, info);
	u->is_changed = false; /* nobody has seen it yet */
	begin(lp, info);
	u->is_mode_sure = lp->state == LU_SAME && lu_info_has_said_mode(&info->facts);
	u->told = lp->state == LU_SAME ? LU_SAME : LU_UNKNOWN;
	if (u->state == u->told)
		agenda_cancel(&u->tell);
	return u;
}

bool
lu_has_room(const struct lu *u)
{
	return u->indexes != (1u << LIMIT_UNIT_PATHS) - 1;
}

bool
lu_fits(const struct lu *u, const struct lu_info *info)
{
	return !info->is_sized || (info->capacity.block_bytes == u->info.capacity.block_bytes &&
				      (!u->is_size_sure || is_as_large(u, info)));
}

struct lunpath *
lu_join(struct lu *u, struct path *path, const struct lu_info *info)
{
	struct lunpath *lp;

	assert(info->answer == LU_SOMEBODY && !u->is_closed && lu_has_room(u) && lu_fits(u, info));
	lp = lunpath_new(u, path, info);
	if (lp == NULL)
		return NULL;
	begin(lp, info);
	LU_EACH_PATH(u, each)
	lunpath_check_later(each);
	hold_review(u);
	hold_pump(u);
	return lp;
}

void
lu_leave(struct lu *u, struct lunpath *lp, uint64_t dead_us)
{
	assert(lp->lu == u && lp->state == LU_CLOSED);
	hold_lost(lp, true);
	shadow_leave(&u->shadow, lp->index, dead_us);
	if (u->current == lp)
		u->current = NULL;
	hold_alarm(u,
	    shadow_is_any(&u->shadow) && u->shadow.until_us != 0 ? u->shadow.until_us : UINT64_MAX);
	lunpath_free(lp);
	assert(!list_empty(&u->paths));
	lu_settle(u);
	hold_review(u);
	hold_pump(u);
}

void
lu_free(struct lu *u)
{
	struct lunpath *lp;

	if (u == NULL)
		return;
	assert(lu_is_idle(u));
	while ((lp = lu_path_after(u, NULL)) != NULL)
		lunpath_free(lp);
	agenda_clear(u->agenda, &u->hold_timer);
	agenda_clear(u->agenda, &u->paths_timer);
	agenda_clear(u->agenda, &u->set_timer);
	agenda_cancel(&u->deliver);
	agenda_cancel(&u->tell);
	shadow_free(&u->shadow);
	lu_kept_fini(&u->info);
	free(u->latency);
	free(u);
}

void
lu_close(struct lu *u, int err)
{
	u->close_err = err;
	u->is_closed = true;
	LU_EACH_PATH(u, lp)
	lunpath_go(lp, LU_EV_CLOSE, NULL);
}

bool
lu_is_idle(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	if (!lunpath_is_idle(lp))
		return false;
	return list_empty(&u->queue) && list_empty(&u->aside) && list_empty(&u->withheld) &&
	       list_empty(&u->finished) && list_empty(&u->passes);
}

bool
lu_adopt(struct lu *u, const struct lu_info *info)
{
	struct lunpath *first = lu_path_after(u, NULL);

	assert(info->answer == LU_SOMEBODY && info->is_disk && info->is_sized);
	if (u->state == LU_CLOSED)
		return true;
	if (!lu_name(u, &info->id))
		return false;
	u->has_no_sync = u->has_no_write_same = false;
	u->clean = u->acked;
	u->is_heir = false;
	lu_loss_set(u, false);
	memcpy(first->wire, info->wire, sizeof first->wire);
	lu_describe(u, info);
	u->is_size_sure = lunpath_is_of_now(first, info);
	u->is_mode_sure = u->is_size_sure && lu_info_has_said_mode(&info->facts);
	LU_EACH_PATH(u, lp)
	lunpath_adopted(lp, lp == first && lunpath_is_of_now(lp, info));
	return true;
}

/* ---- for displays ---- */

struct lunpath *
lu_first_path(struct lu *u)
{
	return lu_path_after(u, NULL);
}

struct blk_dev *
lu_blk(struct lu *u)
{
	return &u->blk;
}

const struct lu_kept *
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
	const struct lunpath *lp = best(u);

	return fault_kept(lp != NULL ? lp->why : lu_path_after(u, NULL)->why);
}

struct lu_counts
lu_counts(const struct lu *u)
{
	return u->counts;
}

const struct lu_latency *
lu_latency(const struct lu *u)
{
	static const struct lu_latency none;

	return u->latency != NULL ? u->latency : &none;
}

void
lu_clear_counts(struct lu *u)
{
	memset(&u->counts, 0, sizeof u->counts);
	if (u->latency != NULL)
		memset(u->latency, 0, sizeof *u->latency);
}
