#include "check.h"

#include "ini/session_impl.h"
#include "lu/lu_impl.h"
#include "target.h"
#include "ways.h"

/* The longest that a request may be out: it waits, its last command is late, aborted, and the
 * unit reset. */
static uint64_t
patience_us(const struct unit *u)
{
	const struct sim *w = u->o->w;
	uint32_t ms = u->o->longest_ms;

	/* One that has left may have had it. */
	for (unsigned i = 0; w->is_array && i < w->sessions; i++)
		ms = w->owners[i].longest_ms > ms ? w->owners[i].longest_ms : ms;
	return 2 * ms * 1000ull + 60 * SECOND;
}

/* It is another one only where another one stood since it was the same. */
static void
check_identity(struct owner *o, struct unit *n)
{
	const struct disk *d = o->t->places[n->place].disk, *mine = n->home->disk;
	const struct lunpath *lp = ways_path(n);

	if (lp->state == LU_SAME && d == mine && !lunpath_is_asked(lp))
		n->was_foreign = false;
	n->was_foreign |= d != NULL && d != mine;
	if (lp->state != LU_OTHER)
		return;
	if (lu_state(n->home->lu) == LU_OTHER)
		n->home->excused_us = sim_now(o->w);
	if (!n->was_foreign)
		sim_fail(o->w, "identity", "unit %u.%u is another one, and none stood there", o->i,
		    n->place);
}

/* The unit is fine, whatever leads to it. */
static bool
is_unit_calm(const struct unit *u)
{
	uint64_t now = sim_now(u->o->w);

	if (!lu_is_ready(u->lu) || shadow_is_any(&u->lu->shadow))
		return false;
	EACH_WAY(u, n)
	{
		const struct target *t = n->o->t;
		const struct place *p = &t->places[n->place];

		if (p->uas > 0 || p->disk != u->disk || p->busy_until_us > now ||
		    p->full_until_us > now || p->check_until_us > now || !tscsi_serves(t) ||
		    t->held_until_us > now || t->window_closed_until_us > now ||
		    t->slow_us > 100000 || t->window < 8 || ways_path(n)->is_out)
			return false;
	}
	return true;
}

/* So is this way to it. */
static bool
is_way_calm(const struct unit *n)
{
	const struct owner *o = n->o;
	const struct weather *x = &o->weather;
	uint64_t now = sim_now(o->w);

	return o->s->path.is_up && o->s->path.on_trial == NULL && x->up_frozen_us <= now &&
	       x->down_frozen_us <= now && o->line.net != NULL && !o->line.net->up.is_lost &&
	       !o->line.net->down.is_lost;
}

/* Nothing is wrong with it over one of its ways, or was of late: what is out now is waited for
 * where another way fell silent, and then for nothing. */
static bool
is_calm(const struct unit *u)
{
	if (!is_unit_calm(u))
		return false;
	EACH_WAY(u, n)
	if (is_way_calm(n))
		return true;
	return false;
}

/* What a target has swallowed is late, aborted, and its unit reset, within this; a flush takes
 * longer. */
static uint64_t
calm_bound_us(const struct unit *u)
{
	uint64_t us = 15 * SECOND;

	EACH_WAY(u, n)
	{
		const struct timers *t = &n->o->timers;

		us += 1000ull * (t->ms[TIMER_command] + t->ms[TIMER_abort] + t->ms[TIMER_reset]);
	}
	return us;
}

/* Flushes and their like have limits of their own, and may hold a slot for so long. */
static bool
has_long(const struct owner *o)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		for (unsigned k = 0; k < SIM_REQS; k++) {
			const struct user_req *q = &o->units[i].req[k];

			if (q->is_out && !q->is_waiting &&
			    (q->r.fua || (q->r.op != BLK_READ && q->r.op != BLK_WRITE)))
				return true;
		}
	return false;
}

static void
check_calm(struct owner *o, struct unit *u, uint64_t now)
{
	bool was_calm = u->is_calm;

	/* What was in its way may have gone just now, and nothing happened for long before. */
	u->is_calm = is_calm(u) && !has_long(o);
	if (!u->is_calm || !was_calm)
		u->calm_us = now;
	if (now - u->calm_us <= calm_bound_us(u))
		return;
	for (unsigned i = 0; i < SIM_REQS; i++) {
		const struct user_req *q = &u->req[i];

		if (q->is_out && !q->is_waiting && (q->r.op == BLK_READ || q->r.op == BLK_WRITE) &&
		    now - q->since_us > calm_bound_us(u))
			sim_fail(o->w, "served",
			    "a request of unit %u.%u waits although nothing is in its way", o->i,
			    u->place);
	}
}

/* Over whichever of its ways that serve. */
static bool
may_go(const struct unit *u)
{
	for (unsigned i = 0; i < u->lu->n_group; i++) {
		const struct lunpath *lp = u->lu->group[i];
		const struct path *p = lp->path;
		const struct session *s = LIST_ENTRY(p, struct session, path);

		if (!p->is_up || p->on_trial != NULL || lp->share.busy > 0 ||
		    pool_used(p->pool) >= (s->window > 1 ? s->window - 1 : 1))
			return false;
	}
	return lu_is_ready(u->lu);
}

/* Requests are out. */
static void
check_requests(struct owner *o, struct unit *u, uint64_t now)
{
	if (!list_empty(&u->lu->queue) && may_go(u))
		sim_fail(o->w, "served", "unit %u.%u may go, and does not", o->i, u->place);
	check_calm(o, u, now);
	if (ways_promise_us(u) == UINT64_MAX || now - u->served_us <= patience_us(u))
		return;
	for (unsigned i = 0; i < SIM_REQS; i++)
		if (u->req[i].is_out && !u->req[i].is_waiting &&
		    now - u->req[i].since_us > patience_us(u))
			sim_fail(
			    o->w, "ends", "a request of unit %u.%u does not end", o->i, u->place);
}

static void
check_unit(struct owner *o, struct unit *u, uint64_t now)
{
	if (u->out > 0)
		check_requests(o, u, now);
	else
		u->calm_us = now;
	if (u->lu->strays != 0)
		sim_fail(o->w, "machine", "unit %u.%u met an event without a row", o->i, u->place);
}

void
check_owner(struct owner *o)
{
	uint64_t now = sim_now(o->w);
	unsigned busy = 0;

	for (unsigned i = 0; i < o->w->places; i++) {
		const struct lunpath *lp = ways_path(&o->units[i]);

		if (o->units[i].lu != NULL)
			check_unit(o, &o->units[i], now);
		if (lp == NULL)
			continue;
		if (lp->state != LU_CLOSED)
			check_identity(o, &o->units[i]);
		busy += lp->share.busy;
	}
	if (busy != pool_used(o->s->path.pool))
		sim_fail(o->w, "machine", "units of session %u have %u slots, the pool says %u",
		    o->i, busy, pool_used(o->s->path.pool));
}
