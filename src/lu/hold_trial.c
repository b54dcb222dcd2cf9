/*
 * Which request ends connections, so that it alone fails?
 *
 * What ends connections does so within TRIAL_LONG_US: that is all that is supposed.  Whatever was
 * under way for less than that when a connection ended may have ended it, and is blamed: so what
 * does is blamed each time, and fails after so many.  What once flew for longer is innocent, and
 * excused where another one is blamed.  But who else was blamed may be innocent as well.  So a
 * request that was blamed several times is a suspect, and flies alone, for a short time: others
 * wait for that, and most of the innocent are answered.  And before it would fail, no other one may
 * be blamed with it: its last try begins when all that is under way has flown for long or is
 * innocent, and nothing is sent until it has.  Nothing fails for a loss that another one may have
 * caused.
 */
#include <assert.h>

#include "lu/lu_impl.h"

/* Losses after which a request flies alone. */
#define SUSPECT_TRIES 2
/* So long others wait until it may fly, and while it flies; and both when it is the last try. */
#define TRIAL_WAIT_US   500000ull
#define TRIAL_FLIGHT_US 1000000ull
#define TRIAL_LONG_US   3200000ull
/* One that finds no slot stands aside for so long. */
#define TRIAL_PAUSE_US 4000000ull
/* So much later flies who had one more loss, and the next one behind who took all his time. */
#define TRIAL_STEP_US 100000ull

/* What it has to stand: the last try is a long one. */
static uint8_t
trial_of(const struct blk_req *r)
{
	return r->hold.tries + 1 < RETRY_TRIES ? HOLD_STOOD_ALONE : HOLD_STOOD_LONG;
}

bool
hold_is_suspect(const struct blk_req *r)
{
	return r->hold.tries >= SUSPECT_TRIES && r->hold.stood < trial_of(r);
}

/*
 * Whoever has more losses flies later after a login, so that the innocent among the
 * suspects get through before the one that is not ends the connection again.
 */
uint64_t
hold_trial_from_us(const struct lu *u, const struct blk_req *r)
{
	uint64_t from = UINT64_MAX;

	if (!hold_is_suspect(r))
		return 0;
	/* Whichever path is the first. */
	LU_EACH_PATH(u, lp)
	if (lp->state == LU_SAME && lp->path->no_trial_before_us < from)
		from = lp->path->no_trial_before_us;
	if (from == UINT64_MAX)
		from = lu_path_after(u, NULL)->path->no_trial_before_us;
	return from + (r->hold.tries - SUSPECT_TRIES) * TRIAL_STEP_US;
}

void
hold_trial_over(struct lunpath *lp)
{
	assert(lp->path->on_trial == lp);
	lp->path->on_trial = NULL;
	lp->is_flying = false;
	pool_wake(lp->path->pool);
}

static void
limit_trial(struct lunpath *lp, uint64_t at)
{
	lp->trial_until_us = at;
	hold_alarm(lp->lu, at);
}

/* From when on is it so long that io was put on its way?  UINT64_MAX: it still waits. */
static uint64_t
flown_at_us(const struct io *io, uint64_t us)
{
	return io->req.sent_us != 0 ? io->req.sent_us + us : UINT64_MAX;
}

/* Before a short trial, what waits with the session does not count: its way may be shut for long.
 */
static uint64_t
settled_io_us(const struct io *io, uint64_t us)
{
	if (!hold_may_end(io->blk))
		return 0;
	return io->req.sent_us == 0 && us < TRIAL_LONG_US ? io->req.submit_us + us
							  : flown_at_us(io, us);
}

void
hold_trial_learn(const struct path *p, const struct io *io)
{
	if (io->req.result != REQ_UNSENT && flown_at_us(io, TRIAL_LONG_US) <= agenda_now(p->agenda))
		io->blk->hold.stood = HOLD_STOOD_LONG;
}

/* From when on has all that is under way, but for the innocent, been so for so long? */
static uint64_t
settled_at_us(const struct path *p, uint64_t us)
{
	uint64_t at = p->questions > 0 ? p->asked_us + us : 0;

	for (struct io *io = pool_next(p->pool, NULL, NULL); io != NULL;
	     io = pool_next(p->pool, NULL, io))
		if (settled_io_us(io, us) > at)
			at = settled_io_us(io, us);
	return at;
}

/* May a suspect fly now?  If not, nothing else is sent until it may. */
static bool
may_fly(struct lunpath *lp, const struct blk_req *r)
{
	struct path *p = lp->path;
	uint64_t now = agenda_now(p->agenda);
	uint64_t wait_us = trial_of(r) == HOLD_STOOD_ALONE ? TRIAL_WAIT_US : TRIAL_LONG_US;
	uint64_t at = settled_at_us(p, wait_us);

	if (p->on_trial != lp) {
		p->on_trial = lp;
		p->trial_from_us = now;
	}
	limit_trial(lp, p->trial_from_us + wait_us + TRIAL_STEP_US);
	if (at > now)
		hold_alarm(lp->lu, at);
	return at <= now;
}

static struct io *
trial_io(const struct lunpath *lp)
{
	struct io *io = pool_next(lp->path->pool, lp, NULL);

	while (io != NULL && !io->is_trial)
		io = pool_next(lp->path->pool, lp, io);
	return io;
}

static uint64_t
flight_us(const struct blk_req *r)
{
	return trial_of(r) == HOLD_STOOD_ALONE ? TRIAL_FLIGHT_US : TRIAL_LONG_US;
}

/* It has had its time; true: it is over, and others are sent. */
static bool
end_flight(struct lunpath *lp, struct io *io)
{
	struct path *p = lp->path;
	uint64_t now = agenda_now(p->agenda), at = flown_at_us(io, flight_us(io->blk));

	if (at > now && at != UINT64_MAX) {
		limit_trial(lp, at);
		return false;
	}
	if (at <= now) {
		/* It goes on flying, as one of many. */
		io->blk->hold.stood = trial_of(io->blk);
		p->no_trial_before_us = now + TRIAL_STEP_US;
	} else {
		/* It has not left: the last try is another time. */
		p->no_trial_before_us = now + TRIAL_PAUSE_US;
		if (trial_of(io->blk) == HOLD_STOOD_LONG && !io->is_withdrawn)
			io->is_withdrawn = p->ops->withdraw(p, &io->req);
	}
	if (io->is_withdrawn)
		return false;
	io->is_trial = false;
	return true;
}

void
hold_trial_limit(struct lunpath *lp)
{
	struct path *p = lp->path;
	uint64_t now = agenda_now(p->agenda);

	if (p->on_trial != lp)
		return;
	if (now < lp->trial_until_us) {
		hold_alarm(lp->lu, lp->trial_until_us);
		return;
	}
	if (!lp->is_flying)
		p->no_trial_before_us = now + TRIAL_PAUSE_US;
	else if (!end_flight(lp, trial_io(lp)))
		return;
	hold_trial_over(lp);
}

/* Is anybody else's, or our own, trial in the way of the head of the queue? */
bool
hold_trial_blocks(struct lunpath *lp, const struct blk_req *head)
{
	struct path *p = lp->path;

	if (p->on_trial == lp && !lp->is_flying && !hold_is_suspect(head))
		hold_trial_over(lp);
	if (p->on_trial != NULL && (p->on_trial != lp || lp->is_flying)) {
		pool_wait(p->pool, &lp->share);
		return true;
	}
	return hold_is_suspect(head) && !may_fly(lp, head);
}

void
hold_trial_begin(struct lunpath *lp, struct io *io, const struct blk_req *r)
{
	io->is_trial = lp->is_flying = hold_is_suspect(r);
	if (lp->is_flying)
		limit_trial(lp, agenda_now(lp->path->agenda) + flight_us(r));
}
