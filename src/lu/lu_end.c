/* How commands end: what a request makes of it, and what its unit does. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "lu/lu_impl.h"

/* A write that is refused as protected has the mode read again, so often at most. */
#define PROTECT_PACE_US 10000000

/* ---- how much a unit takes ---- */

/*
 * SAM-5, section 5.3.1: TASK SET FULL is there so that an initiator learns how
 * much a unit takes.  One below what was out is where it is safe again; every
 * `depth` good answers try one more, so that the queue finds its size anew
 * when other initiators have gone.
 */
static void
full(struct lunpath *lp)
{
	lp->depth = lp->share.busy > 1 ? lp->share.busy - 1 : 1;
	lp->credit = 0;
}

static void
good(struct lunpath *lp, const struct req *r)
{
	uint64_t now = agenda_now(lp->path->agenda);

	lp->lu->good_us = now;
	lp->commands++;
	if (lp->lu->only == NULL)
		lp->average_us += ((int64_t)(now - r->submit_us) - (int64_t)lp->average_us) / 8;
	if (lp->depth == UINT_MAX || ++lp->credit < lp->depth)
		return;
	lp->credit = 0;
	if (++lp->depth > LIMIT_TASKS_DEFAULT)
		lp->depth = UINT_MAX;
}

/* ---- requests end ---- */

/* The slot is free, and the request ended: it comes from the path, never from inside submit. */
static void
finish(struct lu *u, struct io *io, int result)
{
	struct blk_req *r = io->blk;

	pool_put(io->lp->path->pool, &io->lp->share, io);
	if (hold_withhold(u, r, &result))
		return;
	lu_loss_answer(u, r, result);
	r->result = result;
	r->done(r);
	lu_loss_answered(u);
}

static void
fail(struct lu *u, struct io *io, int result)
{
	char why[480];

	if (result != -EOPNOTSUPP) {
		u->counts.errors++;
		lu_say_seldom(u, "%s", retry_describe(why, sizeof why, &io->req));
	}
	finish(u, io, result);
}

static void
count_time(struct lu *u, const struct blk_req *b)
{
	uint64_t us = agenda_now(u->agenda) - b->hold.since_us;

	if (u->latency == NULL)
		u->latency = calloc(1, sizeof *u->latency);
	if (u->latency != NULL)
		hist_add(b->op == BLK_READ ? &u->latency->reads : &u->latency->writes, us);
}

static void
count(struct lu *u, const struct blk_req *b)
{
	switch (b->op) {
	case BLK_READ:
		u->counts.reads++;
		u->counts.bytes_read += b->len;
		count_time(u, b);
		break;
	case BLK_WRITE:
		u->counts.writes++;
		u->counts.bytes_written += b->len;
		count_time(u, b);
		break;
	case BLK_FLUSH:
		u->counts.flushes++;
		break;
	case BLK_DISCARD:
		u->counts.discards++;
		break;
	case BLK_WRITE_ZEROES:
		u->counts.zeroes++;
		break;
	}
}

/* All of it is done; what does it answer? */
static int
result_of(struct lu *u, const struct blk_req *b)
{
	if (b->op != BLK_FLUSH)
		return 0;
	lu_loss_flushed(u, b->hold.mark, b->hold.since_us);
	return lu_loss_flush_result(u);
}

/*
 * A command of it did what it should: is that all?  FUA where the target has no
 * such bit is a flush behind the data; where the cache was lost in between, the data is
 * written again.
 */
static bool
is_all(struct lu *u, struct blk_req *b, uint32_t chunk)
{
	struct blk_hold *h = &b->hold;

	h->bounces = h->tries = h->excused = h->oddities = 0;
	h->stood = 0;
	h->deadline_us = 0;
	if (b->op == BLK_FLUSH)
		return true;
	if (h->is_sync) {
		h->is_sync = false;
		if (h->mark == u->losses)
			return true;
		h->at = 0;
		return false;
	}
	/*
	 * The cache was lost since its first command was sent, so what commands of it wrote may be
	 * gone, and no flush would tell: that minds writes that were answered.  All of it again.
	 */
	if (lu_loss_has_hit(u, b)) {
		h->at = 0;
		return false;
	}
	h->at += chunk;
	if (h->at < b->len)
		return false;
	/* What the unit says of FUA now may not be what it said when this was sent. */
	if (b->op != BLK_WRITE || !b->fua || h->is_through || !lu_io_must_sync(u))
		return true;
	h->is_sync = true;
	h->mark = u->losses;
	return false;
}

static void
went_on(struct lu *u, struct io *io)
{
	struct blk_req *b = io->blk;
	int result;

	if (!is_all(u, b, io->chunk)) {
		pool_put(io->lp->path->pool, &io->lp->share, io);
		hold_put(u, b);
		return;
	}
	count(u, b);
	result = result_of(u, b);
	if (result != 0)
		u->counts.errors++;
	finish(u, io, result);
}

/* Did all data move?  What is short is an error, whatever the status says. */
static bool
is_complete(const struct req *r)
{
	if (r->dir == REQ_READ)
		return r->data_got == r->data_len;
	return r->dir != REQ_WRITE || !r->underflow;
}

/* The target does not know the command: is there another way? */
static bool
has_other_way(struct lu *u, struct io *io)
{
	if (io->blk->hold.is_sync || io->blk->op == BLK_FLUSH) {
		/*
		 * A target whose caching page says that its write cache is on must be
		 * able to empty it; one that says nothing of a cache has none.
		 */
		if (u->info.has_mode && u->info.mode.has_caching)
			return false;
		u->has_no_sync = true;
		lu_say(u, SAY_INFO, "the target knows no SYNCHRONIZE CACHE and names no cache");
		went_on(u, io);
		return true;
	}
	if (io->blk->op == BLK_WRITE_ZEROES && io->req.cdb[0] == CDB_WRITE_SAME_16) {
		struct blk_req *b = io->blk;

		u->has_no_write_same = true;
		pool_put(io->lp->path->pool, &io->lp->share, io);
		hold_put(u, b);
		return true;
	}
	return false;
}

/*
 * It may only be read, and we did not know: the mode is read again, so that all hear of
 * it.  Blocks may be protected where the unit is not: not for each write.
 */
static void
learn_protection(struct lunpath *lp)
{
	struct lu *u = lp->lu;
	uint64_t now = agenda_now(u->agenda);

	if (lp->state != LU_SAME || (u->info.has_mode && u->info.mode.is_write_protected) ||
	    (u->protect_us != 0 && now - u->protect_us < PROTECT_PACE_US))
		return;
	u->protect_us = now;
	lunpath_doubt(lp);
}

static void
failed(struct lu *u, struct io *io, const struct retry_verdict *v)
{
	bool is_optional = io->blk->op == BLK_DISCARD || io->blk->op == BLK_WRITE_ZEROES;
	struct lunpath *lp = io->lp;

	if (v->action == SENSE_UNSUPPORTED && has_other_way(u, io))
		return;
	/* Only an optional command may be "not supported"; a read or write failed. */
	fail(u, io, v->error == EOPNOTSUPP && !is_optional ? -EIO : -v->error);
	if (v->action == SENSE_WRITE_PROTECTED)
		learn_protection(lp);
}

/* It was not executed, or nobody knows: back to its place. */
static void
back(struct lu *u, struct io *io, uint64_t delay_us)
{
	struct blk_req *b = io->blk;

	pool_put(io->lp->path->pool, &io->lp->share, io);
	hold_bounce(u, b, delay_us);
}

/* Can another path take at once what this one sent back for now? */
static bool
is_anywhere_else(struct lunpath *lp, const struct req *r)
{
	bool is_busy = r->result != REQ_DONE || r->status == SENSE_STATUS_BUSY;

	return lu_is_ready(lp->lu) && ((is_busy && lunpath_spare(lp)) || !lunpath_serves(lp));
}

/* The connection is gone, or it was asked to come back. */
static void
held(struct lu *u, struct io *io)
{
	bool is_lost = io->req.result == REQ_LOST, is_withdrawn = io->is_withdrawn;
	struct lunpath *lp = io->lp;
	struct blk_req *b = io->blk;
	struct path *p = lp->path;

	if (is_lost && b->op != BLK_READ && b->op != BLK_FLUSH && b->hold.nexus > p->dead_nexus) {
		shadow_cast(&u->shadow, b->hold.order, b->offset, b->len, lp->index, b->hold.nexus);
		b->hold.is_ghostly = true;
	}
	b->hold.was_lost = is_lost;
	b->hold.is_blamed = is_lost && hold_may_end(b);
	if (b->hold.is_blamed)
		p->blamed_nexus = p->nexus;
	if ((is_lost || !is_withdrawn) && lp->state != LU_UNKNOWN && lp->state != LU_CLOSED)
		lunpath_lost(lp);
	back(u, io, 0);
}

static void
judge(struct lu *u, struct io *io)
{
	struct retry_verdict v = lu_loss_judge(u, &io->req, io->blk->hold.bounces);
	struct lunpath *lp = io->lp;
	uint8_t state;

	switch (v.step) {
	case RETRY_DONE:
		went_on(u, io);
		break;
	case RETRY_AGAIN:
		if (io->req.result == REQ_DONE && io->req.status == SENSE_STATUS_TASK_SET_FULL)
			full(lp);
		if (v.has_sense && alua_of_sense(&v.sense, &state))
			lunpath_met(lp, state);
		if (io->req.result == REQ_TIMEOUT)
			lunpath_was_late(lp);
		back(u, io, is_anywhere_else(lp, &io->req) ? 0 : v.delay_us);
		break;
	case RETRY_ASK:
		back(u, io, v.delay_us);
		if (lp->state != LU_CLOSED && lp->state != LU_UNKNOWN)
			lunpath_ask_after(lp, &v);
		break;
	case RETRY_HELD:
		held(u, io);
		break;
	case RETRY_TRY:
		if (++io->blk->hold.oddities >= RETRY_TRIES)
			fail(u, io, -EIO);
		else
			back(u, io, v.delay_us);
		break;
	case RETRY_FAIL:
		failed(u, io, &v);
		break;
	}
}

static void
worked(struct lunpath *lp)
{
	lp->worked_nexus = lp->path->nexus;
	lp->path->ops->worked(lp->path);
}

void
lu_end(struct req *r)
{
	struct io *io = LIST_ENTRY(r, struct io, req);
	struct lunpath *lp = io->lp;
	struct lu *u = lp->lu;
	struct path *p = lp->path;
	bool is_good = r->result == REQ_DONE && r->status == SENSE_STATUS_GOOD;

	path_landed(p);
	lp->errors += !is_good && r->result != REQ_UNSENT;
	if (io->is_trial)
		hold_trial_over(lp);
	if (!is_good) {
		hold_trial_learn(p, io);
		judge(u, io);
	} else if (!is_complete(r)) {
		fail(u, io, -EIO);
	} else {
		if (lp->worked_nexus != p->nexus)
			worked(lp);
		good(lp, r);
		went_on(u, io);
	}
	pool_wake(p->pool);
	if (!list_empty(&u->queue) || p->on_trial != NULL)
		hold_pump(u);
	hold_landed(p);
}
