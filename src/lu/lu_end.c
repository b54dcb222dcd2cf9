/* How commands end: what a request makes of it, and what its unit does. */
#include <assert.h>
#include <errno.h>
#include <limits.h>

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
full(struct lu *u)
{
	u->depth = u->share.busy > 1 ? u->share.busy - 1 : 1;
	u->credit = 0;
}

static void
good(struct lu *u)
{
	u->good_us = agenda_now(u->path->agenda);
	if (u->depth == UINT_MAX || ++u->credit < u->depth)
		return;
	u->credit = 0;
	if (++u->depth > LIMIT_TASKS_DEFAULT)
		u->depth = UINT_MAX;
}

/* ---- requests end ---- */

/* The slot is free, and the request ended: it comes from the path, never from inside submit. */
static void
finish(struct lu *u, struct io *io, int result)
{
	struct blk_req *r = io->blk;

	pool_put(u->path->pool, &u->share, io);
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
count(struct lu *u, const struct blk_req *b)
{
	uint64_t us = agenda_now(u->path->agenda) - b->hold.since_us;

	switch (b->op) {
	case BLK_READ:
		u->counts.reads++;
		u->counts.bytes_read += b->len;
		hist_add(&u->latency.reads, us);
		break;
	case BLK_WRITE:
		u->counts.writes++;
		u->counts.bytes_written += b->len;
		hist_add(&u->latency.writes, us);
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

/* All of it is done; what does it answer, and what does the cache hold now? */
static int
result_of(struct lu *u, const struct blk_req *b)
{
	switch (b->op) {
	case BLK_READ:
		break;
	case BLK_WRITE:
		if (!b->fua)
			lu_loss_wrote(u);
		break;
	case BLK_DISCARD:
	case BLK_WRITE_ZEROES:
		lu_loss_wrote(u);
		break;
	case BLK_FLUSH:
		lu_loss_flushed(u, b->hold.mark, b->hold.since_us);
		return lu_loss_flush_result(u);
	}
	return 0;
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
	if (h->mark != u->losses && (b->op == BLK_WRITE || b->op == BLK_WRITE_ZEROES) &&
	    lu_io_must_sync(u)) {
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
		pool_put(u->path->pool, &u->share, io);
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
	if (io->blk->op == BLK_WRITE_ZEROES && !u->has_no_write_same) {
		struct blk_req *b = io->blk;

		u->has_no_write_same = true;
		pool_put(u->path->pool, &u->share, io);
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
learn_protection(struct lu *u)
{
	uint64_t now = agenda_now(u->path->agenda);

	if (u->state != LU_SAME || (u->info.has_mode && u->info.mode.is_write_protected) ||
	    (u->protect_us != 0 && now - u->protect_us < PROTECT_PACE_US))
		return;
	u->protect_us = now;
	lu_doubt(u);
}

static void
failed(struct lu *u, struct io *io, const struct retry_verdict *v)
{
	bool is_optional = io->blk->op == BLK_DISCARD || io->blk->op == BLK_WRITE_ZEROES;

	if (v->action == SENSE_UNSUPPORTED && has_other_way(u, io))
		return;
	/* Only an optional command may be "not supported"; a read or write failed. */
	fail(u, io, v->error == EOPNOTSUPP && !is_optional ? -EIO : -v->error);
	if (v->action == SENSE_WRITE_PROTECTED)
		learn_protection(u);
}

/* It was not executed, or nobody knows: back to its place. */
static void
back(struct lu *u, struct io *io, uint64_t delay_us)
{
	struct blk_req *b = io->blk;

	pool_put(u->path->pool, &u->share, io);
	hold_bounce(u, b, delay_us);
}

/* The connection is gone, or it was asked to come back. */
static void
held(struct lu *u, struct io *io)
{
	struct blk_req *b = io->blk;
	bool is_lost = io->req.result == REQ_LOST;

	if (is_lost && b->op != BLK_READ && b->op != BLK_FLUSH &&
	    b->hold.nexus > u->path->dead_nexus)
		shadow_cast(&u->shadow, b->hold.order, b->offset, b->len, b->hold.nexus);
	b->hold.was_lost = is_lost;
	b->hold.is_blamed = is_lost && hold_may_end(b);
	if (b->hold.is_blamed)
		u->path->blamed_nexus = u->path->nexus;
	if ((is_lost || !io->is_withdrawn) && u->state != LU_UNKNOWN && u->state != LU_CLOSED)
		lu_down(u);
	back(u, io, 0);
}

static void
judge(struct lu *u, struct io *io)
{
	struct retry_verdict v = retry_judge(&io->req, io->blk->hold.bounces);

	if (v.has_sense && v.step != RETRY_DONE)
		lu_loss_sense(u, &v.sense);
	switch (v.step) {
	case RETRY_DONE:
		went_on(u, io);
		break;
	case RETRY_AGAIN:
		if (io->req.result == REQ_DONE && io->req.status == SENSE_STATUS_TASK_SET_FULL)
			full(u);
		back(u, io, v.delay_us);
		break;
	case RETRY_ASK:
		back(u, io, v.delay_us);
		if (u->state != LU_CLOSED && u->state != LU_UNKNOWN)
			lu_ask_after(u, &v);
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
worked(struct lu *u)
{
	u->worked_nexus = u->path->nexus;
	u->path->ops->worked(u->path);
}

void
lu_end(struct req *r)
{
	struct io *io = LIST_ENTRY(r, struct io, req);
	struct lu *u = io->lu;
	struct path *p = u->path;
	bool is_good = r->result == REQ_DONE && r->status == SENSE_STATUS_GOOD;

	path_landed(p);
	if (io->is_trial)
		hold_trial_over(u);
	if (!is_good) {
		hold_trial_learn(p, io);
		judge(u, io);
	} else if (!is_complete(r)) {
		fail(u, io, -EIO);
	} else {
		if (u->worked_nexus != p->nexus)
			worked(u);
		good(u);
		went_on(u, io);
	}
	pool_wake(p->pool);
	if (!list_empty(&u->queue) || p->on_trial != NULL)
		hold_pump(u);
	hold_landed(p);
}
