#include "check.h"

#include "ini/session_impl.h"
#include "lu/lu_impl.h"

/* The longest that a request may be out: it waits, its last command is late, aborted, and the
 * unit reset. */
static uint64_t
patience_us(const struct owner *o)
{
	return 2 * o->longest_ms * 1000ull + 60 * SECOND;
}

/* It is another one only where another one stood since it was the same. */
static void
check_identity(struct owner *o, struct unit *u)
{
	const struct disk *d = o->t->places[u->place].disk;

	if (lu_state(u->lu) == LU_SAME && d == u->disk && !u->lu->ask.is_busy)
		u->was_foreign = false;
	u->was_foreign |= d != NULL && d != u->disk;
	if (lu_state(u->lu) != LU_OTHER)
		return;
	u->excused_us = sim_now(o->w);
	if (!u->was_foreign)
		sim_fail(o->w, "identity", "unit %u.%u is another one, and none stood there", o->i,
		    u->place);
}

/* Nothing is wrong with it, or was of late: what is out now waits for nothing. */
static bool
is_calm(const struct owner *o, const struct unit *u)
{
	const struct weather *x = &o->weather;
	const struct target *t = o->t;
	const struct place *p = &t->places[u->place];
	uint64_t now = sim_now(o->w);

	if (lu_state(u->lu) != LU_SAME || !o->s->path.is_up || o->s->path.on_trial != NULL ||
	    shadow_is_any(&u->lu->shadow) || t->slow_us > 100000 || t->window < 8)
		return false;
	if (x->up_frozen_us > now || x->down_frozen_us > now || o->line.net == NULL ||
	    o->line.net->up.is_lost || o->line.net->down.is_lost)
		return false;
	if (p->uas > 0 || p->disk != u->disk || p->busy_until_us > now || p->full_until_us > now ||
	    p->check_until_us > now)
		return false;
	return t->held_until_us <= now && t->window_closed_until_us <= now;
}

/* What a target has swallowed is late, aborted, and its unit reset, within this; a flush takes
 * longer. */
static uint64_t
calm_bound_us(const struct owner *o)
{
	const struct timers *t = &o->timers;

	return 15 * SECOND +
	       1000ull * (t->ms[TIMER_command] + t->ms[TIMER_abort] + t->ms[TIMER_reset]);
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
	if (!is_calm(o, u))
		u->calm_us = now;
	if (now - u->calm_us <= calm_bound_us(o))
		return;
	for (unsigned i = 0; i < SIM_REQS; i++) {
		const struct user_req *q = &u->req[i];

		if (q->is_out && !q->is_waiting && (q->r.op == BLK_READ || q->r.op == BLK_WRITE) &&
		    now - q->since_us > calm_bound_us(o) && !has_long(o))
			sim_fail(o->w, "served",
			    "a request of unit %u.%u waits although nothing is in its way", o->i,
			    u->place);
	}
}

static bool
may_go(const struct owner *o, const struct unit *u)
{
	const struct path *p = &o->s->path;

	return lu_state(u->lu) == LU_SAME && p->is_up && p->on_trial == NULL &&
	       u->lu->share.busy == 0 &&
	       pool_used(p->pool) < (o->s->window > 1 ? o->s->window - 1 : 1);
}

/* Requests are out. */
static void
check_requests(struct owner *o, struct unit *u, uint64_t now)
{
	if (!list_empty(&u->lu->queue) && may_go(o, u))
		sim_fail(o->w, "served", "unit %u.%u may go, and does not", o->i, u->place);
	check_calm(o, u, now);
	if (o->timers.ms[TIMER_replacement] == 0 || now - u->served_us <= patience_us(o))
		return;
	for (unsigned i = 0; i < SIM_REQS; i++)
		if (u->req[i].is_out && !u->req[i].is_waiting &&
		    now - u->req[i].since_us > patience_us(o))
			sim_fail(
			    o->w, "ends", "a request of unit %u.%u does not end", o->i, u->place);
}

static void
check_unit(struct owner *o, struct unit *u, uint64_t now)
{
	check_identity(o, u);
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

	for (unsigned i = 0; i < o->w->places; i++)
		if (o->units[i].lu != NULL) {
			check_unit(o, &o->units[i], now);
			busy += o->units[i].lu->share.busy;
		}
	if (busy != pool_used(o->s->path.pool))
		sim_fail(o->w, "machine", "units of session %u have %u slots, the pool says %u",
		    o->i, busy, pool_used(o->s->path.pool));
}
