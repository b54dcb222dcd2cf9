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
 */
#include <assert.h>
#include <errno.h>

#include "lu/lu_impl.h"

static struct blk_req *
req_of(struct list *node)
{
	return LIST_ENTRY(node, struct blk_req, link);
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
	lu_loss_answered(u);
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
		if (hold_trial_blocks(u, r))
			return;
		io = pool_get(p->pool, &u->share);
		if (io == NULL)
			return;
		list_remove(&r->link);
		hold_trial_begin(u, io, r);
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
