/*
 * Where requests wait.  One queue a unit, in the order in which they came; what
 * comes back from the path without having been executed goes back to its
 * place.  What may not go now although the unit is the same (it pauses, or the
 * blocks lie in a shadow) stands aside, so that the head of the queue decides
 * at once.
 *
 * A request's time begins when it first cannot go on, and ends when it gets on.
 * Waiting for a slot does not count, nor does a queue that moves.  One timer a unit stands for all
 * pauses and deadlines: it is never late, and when it is early it looks again.
 *
 * A request that was under way at several losses is a suspect: it flies alone, so that the next
 * loss says who ended the connection.  Others wait for that a while: what ends connections does so
 * soon, and what flew alone for that long is no suspect any more.  Where commands of others do not
 * come back for long, it flies beside them: they have settled, and a loss is the suspect's.  So
 * much for most tries; before the last one, others have flown for long, and it flies for long:
 * nothing fails for a loss that another one may have caused.
 */
#include <assert.h>
#include <errno.h>

#include "lu/lu_impl.h"

/* Losses after which a request flies alone. */
#define SUSPECT_TRIES 2
/* So long others wait until it may fly, and while it flies; and both when it is the last try. */
#define TRIAL_WAIT_US   500000ull
#define TRIAL_FLIGHT_US 1000000ull
#define TRIAL_LONG_US   3000000ull
/* One that finds no slot stands aside for so long. */
#define TRIAL_PAUSE_US 4000000ull
/* So much later flies who had one more loss. */
#define TRIAL_STEP_US 100000ull

static struct blk_req *
req_of(struct list *node)
{
	return LIST_ENTRY(node, struct blk_req, link);
}

/* What it has to stand: the last try is a long one. */
static uint8_t
trial_of(const struct blk_req *r)
{
	return r->hold.tries + 1 < RETRY_TRIES ? 1 : 2;
}

static bool
is_suspect(const struct blk_req *r)
{
	return r->hold.tries >= SUSPECT_TRIES && r->hold.stood < trial_of(r);
}

static bool
is_modifying(const struct blk_req *r)
{
	return r->op == BLK_WRITE || r->op == BLK_DISCARD || r->op == BLK_WRITE_ZEROES;
}

/* ---- ends ---- */

static void
deliver(struct agenda_work *w)
{
	struct lu *u = LIST_ENTRY(w, struct lu, deliver);
	struct list *node;

	while ((node = list_pop(&u->finished)) != NULL)
		req_of(node)->done(req_of(node));
}

void
hold_finish(struct lu *u, struct blk_req *r, int err)
{
	if (err != 0 && err != -EOPNOTSUPP)
		u->counts.errors++;
	if (err == -EIO && !u->path->is_up)
		u->counts.failed_offline++;
	r->result = err;
	list_push_back(&u->finished, &r->link);
	agenda_defer(u->path->agenda, &u->deliver);
}

static void
fail_list(struct lu *u, struct list *l, int err)
{
	struct list *node;

	while ((node = list_pop(l)) != NULL)
		hold_finish(u, req_of(node), err);
}

void
hold_fail(struct lu *u, int err)
{
	fail_list(u, &u->queue, err);
	fail_list(u, &u->aside, err);
	agenda_clear(u->path->agenda, &u->hold_timer);
	pool_forget(u->path->pool, &u->share);
}

/* ---- the queue ---- */

/* Requests that come back are older than those that wait, so the place is near the front. */
static void
insert(struct lu *u, struct blk_req *r)
{
	struct list *at = &u->queue;

	if (!list_empty(&u->queue) && req_of(u->queue.prev)->hold.order > r->hold.order)
		while (req_of(at->next)->hold.order < r->hold.order)
			at = at->next;
	else
		at = u->queue.prev;
	list_insert(at, &r->link);
}

void
hold_put(struct lu *u, struct blk_req *r)
{
	if (u->state == LU_OTHER)
		lu_ask_soon(u);
	if (u->state == LU_CLOSED || u->state == LU_OTHER) {
		hold_finish(u, r, u->state == LU_CLOSED ? u->close_err : -EIO);
		return;
	}
	if (u->state == LU_ABSENT)
		lu_ask_soon(u);
	if (!u->path->is_up && u->path->ops->wanted != NULL)
		u->path->ops->wanted(u->path);
	if (u->path->is_given_up) {
		hold_finish(u, r, -EIO);
		return;
	}
	if (u->state != LU_SAME)
		hold_clock(u, r);
	insert(u, r);
}

void
hold_bounce(struct lu *u, struct blk_req *r, uint64_t delay_us)
{
	uint64_t now = agenda_now(u->path->agenda);

	u->counts.retries++;
	if (r->hold.bounces < UINT8_MAX)
		r->hold.bounces++;
	hold_clock(u, r);
	if (hold_is_late(u, r)) {
		hold_expire(u, r);
		return;
	}
	r->hold.not_before_us = now + delay_us;
	if (delay_us == 0 || u->state != LU_SAME || u->path->is_given_up) {
		hold_put(u, r);
		return;
	}
	list_push_back(&u->aside, &r->link);
	hold_alarm(u, r->hold.not_before_us);
}

/*
 * Whoever has more losses flies later after a login, so that the innocent among the
 * suspects get through before the one that is not ends the connection again.
 */
uint64_t
hold_trial_from_us(const struct lu *u, const struct blk_req *r)
{
	if (!is_suspect(r))
		return 0;
	return u->path->no_trial_before_us + (r->hold.tries - SUSPECT_TRIES) * TRIAL_STEP_US;
}

/* Why r may not go although the unit gets requests; then its time counts. */
static bool
is_barred(struct lu *u, const struct blk_req *r)
{
	uint64_t now = agenda_now(u->path->agenda);

	if (r->hold.not_before_us > now || hold_trial_from_us(u, r) > now)
		return true;
	return shadow_is_any(&u->shadow) && is_modifying(r) &&
	       shadow_covers(&u->shadow, r->hold.order, r->offset, r->len);
}

/* When it is to be looked at again, if time alone bars it; UINT64_MAX: it is not time. */
static uint64_t
barred_until_us(const struct lu *u, const struct blk_req *r)
{
	uint64_t now = agenda_now(u->path->agenda), trial = hold_trial_from_us(u, r);

	if (r->hold.not_before_us > now)
		return r->hold.not_before_us;
	return trial > now ? trial : UINT64_MAX;
}

void
hold_review(struct lu *u)
{
	LIST_EACH(node, tmp, &u->aside)
	{
		struct blk_req *r = req_of(node);

		if (is_barred(u, r)) {
			hold_alarm(u, barred_until_us(u, r));
			continue;
		}
		list_remove(node);
		insert(u, r);
	}
}

void
hold_stop(struct lu *u)
{
	if (u->path->on_trial == u && !u->is_flying)
		hold_trial_over(u);
	LIST_EACH(node, tmp, &u->queue)
	hold_clock(u, req_of(node));
	hold_sweep(u); /* what was late and only waited for its turn */
	hold_withdraw(u, false);
}

/* ---- sending ---- */

void
hold_trial_over(struct lu *u)
{
	assert(u->path->on_trial == u);
	u->path->on_trial = NULL;
	u->is_flying = false;
	pool_wake(u->path->pool);
}

static void
limit_trial(struct lu *u, uint64_t us)
{
	u->trial_until_us = agenda_now(u->path->agenda) + us;
	hold_alarm(u, u->trial_until_us);
}

/* May a suspect fly now?  If not, nothing else is sent until it may. */
static bool
may_fly(struct lu *u, const struct blk_req *r)
{
	struct path *p = u->path;
	uint64_t now = agenda_now(p->agenda);
	uint64_t wait_us = trial_of(r) == 1 ? TRIAL_WAIT_US : TRIAL_LONG_US;

	if (p->on_trial != u) {
		p->on_trial = u;
		p->trial_from_us = now;
		limit_trial(u, wait_us);
	}
	return p->in_flight == 0 || (p->in_flight == p->settled && now - p->settled_us >= wait_us);
}

void
hold_trial_limit(struct lu *u)
{
	struct path *p = u->path;
	uint64_t now = agenda_now(p->agenda);

	if (p->on_trial != u)
		return;
	if (now < u->trial_until_us) {
		hold_alarm(u, u->trial_until_us);
		return;
	}
	if (!u->is_flying && p->trial_from_us != 0) {
		/* It flies beside them, if there is a slot. */
		p->settled = p->in_flight;
		p->settled_us = p->trial_from_us;
		p->trial_from_us = 0;
		limit_trial(u, TRIAL_STEP_US);
		return;
	}
	if (u->is_flying) {
		/* It goes on flying, as one of many. */
		for (struct io *io = pool_next(p->pool, u, NULL); io != NULL;
		     io = pool_next(p->pool, u, io)) {
			if (io->is_trial)
				io->blk->hold.stood = trial_of(io->blk);
			io->is_trial = false;
		}
	} else {
		p->no_trial_before_us = now + TRIAL_PAUSE_US;
	}
	hold_trial_over(u);
}

/* Is anybody else's, or our own, trial in the way of the head of the queue? */
static bool
is_blocked(struct lu *u, const struct blk_req *head)
{
	struct path *p = u->path;

	if (p->on_trial == u && !u->is_flying && !is_suspect(head))
		hold_trial_over(u);
	if (p->on_trial != NULL && (p->on_trial != u || u->is_flying)) {
		pool_wait(p->pool, &u->share);
		return true;
	}
	return is_suspect(head) && !may_fly(u, head);
}

/* Size and flags of the unit may be others since it came. */
static bool
is_answered(struct lu *u, struct blk_req *r)
{
	int result;

	if (r->hold.at != 0 || r->hold.is_sync || !lu_io_trivial(u, r, &result))
		return false;
	list_remove(&r->link);
	if (result == 0 && r->op == BLK_FLUSH)
		result = lu_loss_flush_result(u);
	hold_finish(u, r, result);
	return true;
}

void
hold_take(struct lu *u, struct blk_req *r)
{
	struct path *p = u->path;
	struct io *io;

	if (u->state == LU_SAME && p->is_up && p->on_trial == NULL && list_empty(&u->queue) &&
	    u->share.busy < u->depth && !shadow_is_any(&u->shadow) &&
	    (io = pool_get(p->pool, &u->share)) != NULL) {
		io->is_trial = false;
		lu_io_send(u, io, r);
		return;
	}
	hold_put(u, r);
	hold_pump(u);
}

void
hold_pump(struct lu *u)
{
	struct path *p = u->path;

	while (
	    u->state == LU_SAME && p->is_up && u->share.busy < u->depth && !list_empty(&u->queue)) {
		struct blk_req *r = req_of(u->queue.next);
		struct io *io;

		if (r->hold.deadline_us != 0 && is_answered(u, r))
			continue;
		if (is_barred(u, r)) {
			list_remove(&r->link);
			list_push_back(&u->aside, &r->link);
			hold_clock(u, r);
			hold_alarm(u, barred_until_us(u, r));
			continue;
		}
		if (is_blocked(u, r))
			return;
		io = pool_get(p->pool, &u->share);
		if (io == NULL)
			return;
		list_remove(&r->link);
		io->is_trial = u->is_flying = is_suspect(r);
		if (u->is_flying)
			limit_trial(u, trial_of(r) == 1 ? TRIAL_FLIGHT_US : TRIAL_LONG_US);
		lu_io_send(u, io, r);
	}
	if (p->on_trial == u && !u->is_flying && list_empty(&u->queue))
		hold_trial_over(u);
}

void
hold_check(const struct lu *u)
{
	assert(u->share.busy <= pool_used(u->path->pool));
	assert(!u->is_flying || u->path->on_trial == u);
	assert(u->path->on_trial != u || u->is_flying || u->state == LU_SAME);
	assert(u->queue.next == &u->queue || u->queue.prev == u->queue.next ||
	       req_of(u->queue.next)->hold.order < req_of(u->queue.prev)->hold.order);
}

void
hold_init(struct lu *u)
{
	list_init(&u->queue);
	list_init(&u->aside);
	list_init(&u->finished);
	agenda_work_init(&u->deliver, deliver);
	u->hold_timer.expired = hold_expired;
}
