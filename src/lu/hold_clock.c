/* How long requests wait (hold.c): pauses, deadlines, tries. */
#include <errno.h>

#include "lu/lu_impl.h"

/* What is late and only waits for its turn is looked at again after this. */
#define TURN_US 1000000

static struct blk_req *
req_of(struct list *node)
{
	return LIST_ENTRY(node, struct blk_req, link);
}

/* The timer goes off at `at` or before. */
void
hold_alarm(struct lu *u, uint64_t at)
{
	if (at != UINT64_MAX && (!u->hold_timer.armed || at < u->hold_timer.at_us))
		agenda_set(u->agenda, &u->hold_timer, at);
}

/* From now on its time counts. */
void
hold_clock(struct lu *u, struct blk_req *r)
{
	uint64_t now = agenda_now(u->agenda);

	if (r->hold.deadline_us == 0)
		r->hold.deadline_us =
		    lu_promise_us(u) < UINT64_MAX - now ? now + lu_promise_us(u) : UINT64_MAX;
	hold_alarm(u, r->hold.deadline_us);
}

bool
hold_is_late(const struct lu *u, const struct blk_req *r)
{
	return r->hold.deadline_us != 0 && r->hold.deadline_us <= agenda_now(u->agenda);
}

void
hold_expire(struct lu *u, struct blk_req *r)
{
	lu_say_seldom(u, "a request at byte %llu fails: it has waited for %llu s",
	    (unsigned long long)r->offset,
	    (unsigned long long)((agenda_now(u->agenda) - r->hold.since_us) / 1000000));
	hold_finish(u, r, -EIO);
}

/*
 * Does the unit work, so that what may go only waits for its turn?  A long queue
 * after a long outage is none of the path's or the target's faults.
 */
static bool
is_at_work(const struct lu *u)
{
	uint64_t ms = 0;

	LU_EACH_PATH(u, lp)
	if (lp->path->command_ms > ms)
		ms = lp->path->command_ms;
	return lu_is_ready(u) && agenda_now(u->agenda) - u->good_us < 1000 * ms;
}

/* Fail what is late, and find the next moment that counts. */
static void
look_at(struct lu *u, struct list *l)
{
	LIST_EACH(node, tmp, l)
	{
		struct blk_req *r = req_of(node);

		if (hold_is_late(u, r) && l == &u->queue && is_at_work(u)) {
			hold_alarm(u, agenda_now(u->agenda) + TURN_US);
			continue;
		}
		if (hold_is_late(u, r)) {
			list_remove(node);
			hold_expire(u, r);
			continue;
		}
		if (r->hold.deadline_us != 0)
			hold_alarm(u, r->hold.deadline_us);
		if (r->hold.not_before_us > agenda_now(u->agenda))
			hold_alarm(u, r->hold.not_before_us);
		if (hold_trial_from_us(u, r) > agenda_now(u->agenda))
			hold_alarm(u, hold_trial_from_us(u, r));
	}
}

/* Commands that are with the path but have not left are late, too. */
void
hold_withdraw(struct lunpath *lp, bool only_late)
{
	struct path *p = lp->path;
	struct lu *u = lp->lu;

	for (struct io *io = pool_next(p->pool, lp, NULL); io != NULL;
	     io = pool_next(p->pool, lp, io)) {
		if (only_late && !hold_is_late(u, io->blk)) {
			if (io->blk->hold.deadline_us != 0)
				hold_alarm(u, io->blk->hold.deadline_us);
			continue;
		}
		/* It comes back UNSENT, or it has left and ends as it ends. */
		if (!io->is_withdrawn)
			io->is_withdrawn = p->ops->withdraw(p, &io->req);
	}
}

void
hold_sweep(struct lu *u)
{
	look_at(u, &u->queue);
	look_at(u, &u->aside);
}

void
hold_expired(struct agenda_timer *t)
{
	struct lu *u = LIST_ENTRY(t, struct lu, hold_timer);

	(void)shadow_pass(&u->shadow, agenda_now(u->agenda));
	hold_sweep(u);
	LU_EACH_PATH(u, lp)
	{
		hold_withdraw(lp, true);
		hold_trial_limit(lp);
	}
	hold_review(u);
	hold_pump(u);
}

/* ---- losses ---- */

/*
 * Others may have ended the connection, and it has flown for long before: it is excused.  Where
 * they are found it owes nothing; where nobody is for long, it may have been itself, later than
 * others wait.
 */
static bool
is_excused(const struct path *p, struct blk_hold *h)
{
	if (p->blamed_nexus != p->nexus || h->is_blamed)
		return false;
	if (h->found != p->found)
		h->excused = 0;
	h->found = p->found;
	return ++h->excused < RETRY_EXCUSED;
}

/* Only what was under way when a connection was ended (not: fell silent) may have ended it. */
static void
count_tries(struct lunpath *lp, struct list *l, bool is_silent)
{
	struct lu *u = lp->lu;

	LIST_EACH(node, tmp, l)
	{
		struct blk_req *r = req_of(node);

		if (!r->hold.was_lost || r->hold.path != lp->index)
			continue;
		r->hold.was_lost = false;
		if (is_silent || is_excused(lp->path, &r->hold) || ++r->hold.tries < RETRY_TRIES)
			continue;
		list_remove(node);
		lp->path->found += r->hold.is_blamed;
		lu_say_seldom(u,
		    "a request at byte %llu fails: the connection ended %u times while it was "
		    "under way",
		    (unsigned long long)r->offset, r->hold.tries);
		hold_finish(u, r, -EIO);
	}
}

void
hold_lost(struct lunpath *lp, bool is_silent)
{
	count_tries(lp, &lp->lu->queue, is_silent);
	count_tries(lp, &lp->lu->aside, is_silent);
	hold_review(lp->lu);
}
