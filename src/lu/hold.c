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
	if (err == -EIO && !lu_is_up(u))
		u->counts.failed_offline++;
	r->result = err;
	list_push_back(&u->finished, &r->link);
	agenda_defer(u->agenda, &u->deliver);
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
	fail_list(u, &u->withheld, err);
	agenda_clear(u->agenda, &u->hold_timer);
	LU_EACH_PATH(u, lp)
	pool_forget(lp->path->pool, &lp->share);
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

static bool
is_strict(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	if (lp->path->is_strict)
		return true;
	return false;
}

bool
hold_withhold(struct lu *u, struct blk_req *r, int *result)
{
	if (!r->hold.is_ghostly || !shadow_lives(&u->shadow, r->hold.order) || !is_strict(u))
		return false;
	if (u->state == LU_CLOSED) {
		*result = u->close_err; /* nobody waits any more */
		return false;
	}
	r->result = *result;
	list_push_back(&u->withheld, &r->link);
	hold_clock(u, r);
	return true;
}

static void
answer(struct lu *u, struct blk_req *r, int result)
{
	lu_loss_answer(u, r, result);
	hold_finish(u, r, result);
}

/* It is on stable storage. */
static bool
is_durable(const struct blk_req *r)
{
	return r->op == BLK_WRITE && r->fua;
}

/* Those of which nothing can be executed late any more; and those that have waited for too long. */
static void
release(struct lu *u)
{
	LIST_EACH(node, tmp, &u->withheld)
	{
		struct blk_req *r = req_of(node);

		if (shadow_lives(&u->shadow, r->hold.order) && !hold_is_late(u, r)) {
			hold_alarm(u, r->hold.deadline_us);
			if (u->shadow.until_us != 0)
				hold_alarm(u, u->shadow.until_us);
			continue;
		}
		list_remove(node);
		/* What it wrote is gone, and no flush would tell: nobody was answered then. */
		if (r->result == 0 && !hold_is_late(u, r) && !is_durable(r) &&
		    lu_loss_has_hit(u, r)) {
			r->hold.at = 0;
			hold_put(u, r);
			continue;
		}
		answer(u, r, shadow_lives(&u->shadow, r->hold.order) ? -EIO : r->result);
	}
}

void
hold_settle(struct lu *u)
{
	if (u->state == LU_OTHER)
		hold_fail(u, -EIO);
	else if (u->state == LU_CLOSED)
		hold_fail(u, u->close_err);
}

/* I/O came while no path leads to the unit: what could bring one back, at once. */
static void
want(struct lu *u)
{
	LU_EACH_PATH(u, lp)
	{
		if (lp->state == LU_OTHER || lp->state == LU_ABSENT || lp->state == LU_SAME)
			lunpath_ask_soon(lp);
		if (!lp->path->is_up && lp->path->ops->wanted != NULL)
			lp->path->ops->wanted(lp->path);
	}
	lu_set_wanted(u);
}

void
hold_put(struct lu *u, struct blk_req *r)
{
	if (!lu_is_ready(u))
		want(u);
	if (u->state == LU_CLOSED || u->state == LU_OTHER) {
		hold_finish(u, r, u->state == LU_CLOSED ? u->close_err : -EIO);
		return;
	}
	if (lu_is_given_up(u)) {
		hold_finish(u, r, -EIO);
		return;
	}
	if (!lu_is_ready(u))
		hold_clock(u, r);
	insert(u, r);
}

void
hold_bounce(struct lu *u, struct blk_req *r, uint64_t delay_us)
{
	uint64_t now = agenda_now(u->agenda);

	u->counts.retries++;
	if (r->hold.bounces < UINT8_MAX)
		r->hold.bounces++;
	hold_clock(u, r);
	if (hold_is_late(u, r)) {
		hold_expire(u, r);
		return;
	}
	r->hold.not_before_us = now + delay_us;
	if (delay_us == 0 || !lu_is_ready(u) || lu_is_given_up(u)) {
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
	uint64_t now = agenda_now(u->agenda);

	if (r->hold.was_lost || r->hold.not_before_us > now || hold_trial_from_us(u, r) > now)
		return true;
	return shadow_is_any(&u->shadow) && is_modifying(r) &&
	       shadow_covers(&u->shadow, r->hold.order, r->offset, r->len);
}

/* When it is to be looked at again, if time alone bars it; UINT64_MAX: it is not time. */
static uint64_t
barred_until_us(const struct lu *u, const struct blk_req *r)
{
	uint64_t now = agenda_now(u->agenda), trial = hold_trial_from_us(u, r);

	if (r->hold.not_before_us > now)
		return r->hold.not_before_us;
	if (trial > now)
		return trial;
	return u->shadow.until_us != 0 ? u->shadow.until_us : UINT64_MAX;
}

void
hold_review(struct lu *u)
{
	release(u);
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
hold_stop(struct lunpath *lp)
{
	struct lu *u = lp->lu;

	if (lp->path->on_trial == lp && !lp->is_flying)
		hold_trial_over(lp);
	if (!lu_is_ready(u)) {
		LIST_EACH(node, tmp, &u->queue)
		hold_clock(u, req_of(node));
		hold_sweep(u); /* what was late and only waited for its turn */
	}
	hold_withdraw(lp, false);
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
	struct lunpath *lp = lu_choose(u);
	struct io *io;

	if (lp != NULL && lp->path->on_trial == NULL && list_empty(&u->queue) &&
	    !shadow_is_any(&u->shadow) && (io = pool_get(lp->path->pool, &lp->share)) != NULL) {
		io->is_trial = false;
		lu_io_send(lp, io, r);
		return;
	}
	hold_put(u, r);
	hold_pump(u);
}

/* A slot for the next request, on the path that is best for it; NULL: hold_pump() follows. */
static struct io *
get_slot(struct lu *u, struct blk_req *r, struct lunpath **ret_path)
{
	struct lunpath *lp = lu_choose(u);
	struct io *io;

	if (lp == NULL || hold_trial_blocks(lp, r))
		return NULL;
	io = pool_get(lp->path->pool, &lp->share);
	/* What is full on one path may have room on another; each of them wakes the unit. */
	for (unsigned i = 0; io == NULL && u->n_group > 1 && i < u->n_group; i++) {
		struct lunpath *next = u->group[i];

		if (next == lp || !lunpath_has_room(next) || hold_is_suspect(r))
			continue;
		if (next->path->on_trial != NULL) {
			pool_wait(next->path->pool, &next->share);
			continue;
		}
		io = pool_get(next->path->pool, &next->share);
		if (io != NULL)
			lp = next;
	}
	*ret_path = lp;
	return io;
}

/* The head of the queue goes, stands aside, or is answered.  False: it waits. */
static bool
send_head(struct lu *u)
{
	struct blk_req *r = req_of(u->queue.next);
	struct lunpath *lp;
	struct io *io;

	if (r->hold.deadline_us != 0 && is_answered(u, r))
		return true;
	if (is_barred(u, r)) {
		list_remove(&r->link);
		list_push_back(&u->aside, &r->link);
		hold_clock(u, r);
		hold_alarm(u, barred_until_us(u, r));
		return true;
	}
	io = get_slot(u, r, &lp);
	if (io == NULL)
		return false;
	list_remove(&r->link);
	hold_trial_begin(lp, io, r);
	lu_io_send(lp, io, r);
	return true;
}

void
hold_pump(struct lu *u)
{
	/* From inside: a trial that ends on the way wakes whoever waits for a slot. */
	if (u->is_pumping)
		return;
	u->is_pumping = true;
	while (lu_is_ready(u) && !list_empty(&u->queue) && send_head(u))
		continue;
	u->is_pumping = false;
	if (!list_empty(&u->queue))
		return;
	LU_EACH_PATH(u, lp)
	if (lp->path->on_trial == lp && !lp->is_flying)
		hold_trial_over(lp);
}

void
hold_check(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	{
		assert(lp->share.busy <= pool_used(lp->path->pool));
		assert(!lp->is_flying || lp->path->on_trial == lp);
		assert(lp->path->on_trial != lp || lp->is_flying || lp->state == LU_SAME);
	}
	assert(u->queue.next == &u->queue || u->queue.prev == u->queue.next ||
	       req_of(u->queue.next)->hold.order < req_of(u->queue.prev)->hold.order);
	if (u->state == LU_OTHER || u->state == LU_CLOSED)
		assert(list_empty(&u->queue) && list_empty(&u->aside) && list_empty(&u->withheld));
	assert(u->state != LU_CLOSED || !u->hold_timer.armed);
}

void
hold_init(struct lu *u)
{
	list_init(&u->queue);
	list_init(&u->aside);
	list_init(&u->withheld);
	list_init(&u->finished);
	agenda_work_init(&u->deliver, deliver);
	u->hold_timer.expired = hold_expired;
}
