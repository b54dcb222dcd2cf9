#include <errno.h>
#include <string.h>

#include "base/be.h"
#include "lu/fake_pool.h"
#include "lu/sim.h"

#define SLACK_US 1000000

unsigned
sim_book_write(struct sim *s, const struct sim_req *q)
{
	unsigned number = ++s->n_writes;

	if (number >= SIM_WRITES)
		sim_fail(s, "the book is full");
	s->writes[number] = (struct sim_write){ .place = q->place,
		.first = q->first,
		.n = q->n,
		.is_zeros = q->r.op != BLK_WRITE,
		.start = q->start };
	return number;
}

static bool
has_block(const struct sim_write *w, unsigned place, unsigned block)
{
	return w->place == place && block >= w->first && block < w->first + w->n;
}

/* ---- what the target does ---- */

void
sim_book_ghost(struct sim *s, const struct sim_disk *d, unsigned number)
{
	const struct sim_write *w = &s->writes[number];

	if (s->is_strict && w->is_acked)
		sim_fail(s, "write %u was answered, and is executed late", number);
	for (unsigned b = w->first; w->is_ended && b < w->first + w->n; b++)
		if (s->writes[d->cache[b]].start > w->end)
			sim_fail(s,
			    "old write %u lands on the newer write %u in block %u of unit %u",
			    number, d->cache[b], b, w->place);
}

void
sim_book_exec(struct sim *s, struct sim_disk *d, unsigned number, bool is_through)
{
	struct sim_write *w = &s->writes[number];

	w->exec = s->tick;
	w->is_lost = false;
	w->is_stable = w->is_stable || is_through;
	for (unsigned b = w->first; b < w->first + w->n; b++) {
		d->cache[b] = number;
		if (is_through)
			d->stable[b] = number;
	}
}

void
sim_book_sync(struct sim *s, struct sim_disk *d, unsigned place)
{
	memcpy(d->stable, d->cache, sizeof d->stable);
	for (unsigned i = 1; i <= s->n_writes; i++)
		if (s->writes[i].place == place && s->writes[i].exec != 0 && !s->writes[i].is_lost)
			s->writes[i].is_stable = true;
}

void
sim_book_lost(struct sim *s)
{
	for (unsigned i = 0; i < SIM_DISKS; i++)
		memcpy(s->disks[i].cache, s->disks[i].stable, sizeof s->disks[i].cache);
	for (unsigned i = 1; i <= s->n_writes; i++) {
		struct sim_write *w = &s->writes[i];

		if (w->exec == 0 || w->is_stable || w->is_lost)
			continue;
		w->is_lost = true;
		if (w->is_acked) {
			sim_trace(s, "write %u of unit %u is lost", i, w->place);
			s->is_loss_due[w->place] = true;
			s->loss_tick[w->place] = s->tick;
		}
	}
}

/* ---- what the user sees ---- */

/* Could block `b` hold write `number` for somebody who began to read at `start`? */
static bool
may_hold(const struct sim *s, unsigned place, unsigned b, unsigned number, uint64_t start)
{
	const struct sim_write *w = &s->writes[number];

	if (number != 0 && !has_block(w, place, b))
		return false;
	if (number != 0 && !w->is_ended)
		return true;
	for (unsigned i = 1; i <= s->n_writes; i++) {
		const struct sim_write *o = &s->writes[i];

		if (i != number && has_block(o, place, b) && o->is_acked && !o->is_lost &&
		    o->start > w->end && o->end < start)
			return false;
	}
	return true;
}

static void
check_read(struct sim *s, const struct sim_req *q)
{
	for (unsigned i = 0; i < q->n; i++) {
		unsigned number = be_get32(q->buf + 512 * i), b = q->first + i;
		bool is_right = may_hold(s, q->place, b, number, q->start);

		if (number > s->n_writes)
			sim_fail(s, "block %u of unit %u holds garbage", b, q->place);
		for (unsigned k = 1; number == 0 && !is_right && k <= s->n_writes; k++)
			is_right = s->writes[k].is_zeros && may_hold(s, q->place, b, k, q->start);
		if (!is_right)
			sim_fail(s, "block %u of unit %u holds old write %u", b, q->place, number);
	}
}

static void
check_flush(struct sim *s, const struct sim_req *q)
{
	if (s->is_loss_due[q->place] && (!s->is_cached || q->sync > s->loss_tick[q->place]))
		sim_fail(
		    s, "a flush of unit %u says yes although answered writes are lost", q->place);
	for (unsigned i = 1; i <= s->n_writes; i++) {
		const struct sim_write *w = &s->writes[i];

		if (w->place == q->place && w->is_acked && w->end < q->start && !w->is_stable &&
		    !w->is_lost)
			sim_fail(s, "a flush of unit %u left write %u in the cache", q->place, i);
	}
}

static void
check_error(struct sim *s, const struct sim_req *q)
{
	uint64_t age = s->agenda.now_us - q->since_us;
	bool is_late = age >= s->path[0].path.replacement_us;
	bool is_ender = q->losses >= RETRY_TRIES && (q->is_poison || !s->only_poison_ends);

	if (q->may_fail || q->was_other || lu_state(s->u[q->place]) == LU_OTHER || is_late ||
	    is_ender || q->oddities >= RETRY_TRIES || sim_is_given_up(s))
		return;
	if (q->losses + q->oddities >= RETRY_TRIES && !s->only_poison_ends)
		return;
	if (q->r.op == BLK_FLUSH && s->losses[q->place] > s->bad_flushes[q->place]) {
		s->bad_flushes[q->place] = s->losses[q->place];
		return;
	}
	sim_fail(s,
	    "a request of unit %u (%d) fails with %d after %llu us, %u losses, for no reason",
	    q->place, q->r.op, q->r.result, (unsigned long long)age, q->losses);
}

void
sim_book_end(struct sim *s, struct sim_req *q)
{
	struct sim_write *w = &s->writes[q->write];

	if (!q->is_out)
		sim_fail(s, "a request ends twice");
	if (q->losses > RETRY_TRIES)
		sim_fail(s, "a request of unit %u was tried %u times", q->place, q->losses);
	q->is_out = false;
	s->ended++;
	s->failed += q->r.result != 0;
	sim_trace(s, "request of unit %u op %d write %u ends with %d", q->place, q->r.op, q->write,
	    q->r.result);
	if (q->r.result != 0)
		check_error(s, q);
	else if (q->r.op == BLK_READ)
		check_read(s, q);
	else if (q->r.op == BLK_FLUSH)
		check_flush(s, q);
	if (q->write != 0) {
		w->is_ended = true;
		w->is_acked = q->r.result == 0;
		w->end = s->tick;
		if (w->is_acked && w->exec == 0)
			sim_fail(s, "write %u is answered and was not executed", q->write);
		if (w->is_acked && q->r.fua && !w->is_stable)
			sim_fail(s, "FUA write %u is answered from the cache", q->write);
		if (w->is_acked && w->is_lost && !w->is_stable) {
			sim_trace(s, "write %u of unit %u was lost", q->write, w->place);
			s->is_loss_due[q->place] = true;
			s->loss_tick[q->place] = s->tick;
		}
	}
	if (q->r.op == BLK_FLUSH && q->r.result != 0)
		s->is_loss_due[q->place] = false;
}

/* ---- always ---- */

/* Then a request that may go may wait for its turn. */
static bool
is_queue_moving(const struct sim *s, unsigned place)
{
	return lu_is_ready(s->u[place]) && s->agenda.now_us - s->u[place]->good_us <
					       1000ull * s->path[0].path.command_ms + SLACK_US;
}

/* Is there a path over which its next request may go now, and none with a trial? */
static bool
is_served(const struct sim *s, const struct lu *u)
{
	bool is_free = false;

	for (unsigned i = 0; i < u->n_group; i++) {
		const struct lunpath *lp = u->group[i];

		if (lp->path->on_trial != NULL)
			return false;
		is_free |= lp->path->is_up && lp->share.busy == 0 &&
			   pool_used(lp->path->pool) < (s->window > 1 ? s->window - 1 : 1);
	}
	return is_free;
}

static bool
is_asked(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	if (lunpath_is_asked(lp))
		return true;
	return false;
}

static void
check_unit(struct sim *s, unsigned place)
{
	struct lu *u = s->u[place];

	if (u->strays != 0)
		sim_fail(s, "unit %u met an event without a row", place);
	if (!list_empty(&u->queue) && is_served(s, u))
		sim_fail(s, "unit %u is not served", place);
	if (lu_state(u) == LU_SAME && s->at[place] == place && !is_asked(u))
		s->was_foreign[place] = false;
	if (lu_state(u) == LU_OTHER && !s->was_foreign[place])
		sim_fail(s, "unit %u is another one, and none other was there", place);
	if ((lu_state(u) == LU_OTHER || sim_is_given_up(s)) &&
	    !(list_empty(&u->queue) && list_empty(&u->aside)))
		sim_fail(s, "requests of unit %u wait for nothing", place);
	for (size_t i = 0; i < SIM_REQS; i++) {
		struct sim_req *q = &s->reqs[place][i];

		if (!q->is_out)
			continue;
		q->was_other = q->was_other || lu_state(u) == LU_OTHER;
		if (q->is_poison && !hold_may_end(&q->r))
			sim_fail(s, "a poison of unit %u is taken for innocent", place);
		if (!q->is_away && q->stuck_us == 0 && !lu_is_ready(u))
			q->stuck_us = s->agenda.now_us;
		if (!q->is_away && q->stuck_us != 0 && !is_queue_moving(s, place) &&
		    s->agenda.now_us > q->stuck_us + s->path[0].path.replacement_us + SLACK_US)
			sim_fail(s, "a request of unit %u waits for too long", place);
	}
}

/* Others wait for a trial to begin, for its command to leave, and while it flies: no longer. */
static void
check_trial(struct sim *s, const struct path *p)
{
	const struct lunpath *lp = p->on_trial;

	for (size_t i = 0; i < SIM_CMDS; i++)
		if (s->cmds[i].is_withdrawn)
			return;
	if (lp != NULL && s->agenda.now_us - p->trial_from_us > 3 * SIM_FUSE_US + SLACK_US)
		sim_fail(s, "others wait for a trial of unit %u for too long", lp->number);
}

static void
check_path(struct sim *s, unsigned path)
{
	const struct path *p = &s->path[path].path;
	unsigned busy = 0, out = 0;

	check_trial(s, p);
	for (unsigned i = 0; i < SIM_PLACES; i++)
		busy += sim_way(s, i, path)->share.busy;
	for (size_t i = 0; i < SIM_CMDS; i++)
		out +=
		    s->cmds[i].stage != SIM_FREE && s->cmds[i].r != NULL && s->cmds[i].path == path;
	if (busy != pool_used(p->pool))
		sim_fail(s, "units have %u slots, the pool says %u", busy, pool_used(p->pool));
	fake_pool_check(p->pool);
	if (out != p->in_flight)
		sim_fail(s, "%u commands are out, the path says %u", out, p->in_flight);
}

void
sim_book_check(struct sim *s)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		check_unit(s, i);
	for (unsigned i = 0; i < s->n_paths; i++)
		check_path(s, i);
}
