#include "plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "act.h"
#include "crash.h"
#include "kept.h"
#include "net.h"
#include "target.h"
#include "user.h"
#include "visits.h"
#include "ways.h"

/* What ends connections does its worst while a write is under way: half of it waits for one. */
static bool
is_trap(const struct plan_row *r)
{
	switch (r->kind) {
	case PLAN_NET_RESET:
	case PLAN_NET_LOSE_UP:
	case PLAN_NET_LOSE_DOWN:
	case PLAN_NET_FREEZE_DOWN:
	case PLAN_CLOSE:
	case PLAN_CRASH:
	case PLAN_MOVE:
	case PLAN_ADMIN_CUT:
	case PLAN_INI_KILLED:
	case PLAN_INI_DEAD:
	case PLAN_INI_REPLACED:
	case PLAN_TWIN:
	case PLAN_NEIGHBOUR:
	case PLAN_CONTROLLER:
	case PLAN_ALUA:
		return (r->arg & 0x100) != 0;
	default:
		return false;
	}
}

static void
apply(struct sim *w, const struct plan_row *r)
{
	struct act a = { .w = w,
		.o = &w->owners[r->session],
		.t = &w->targets[r->session],
		.p = &w->targets[r->session].places[r->place],
		.place = r->place,
		.arg = r->arg,
		.us = r->for_us };

	a.c = target_nexus(a.t);
	a.net = a.o->line.net;
	for (unsigned i = r->session; i < SIM_SEEKS; i += SIM_SESSIONS)
		if (w->seeks[i].host.line.net != NULL && (r->arg & 0x10000) != 0)
			a.net = w->seeks[i].host.line.net;
	TRACE(w, "plan %u: %s (session %u, %t)", r - w->plan, TRACE_TEXT(act_text(r->kind)),
	    r->session, r->for_us);
	visits_fault(r->kind);
	act_do(r->kind, &a);
	net_thaw(w);
}

/* The disk that should stand there: its unit's, or one that stands nowhere. */
static struct disk *
home_of(struct target *t, unsigned place)
{
	const struct owner *o = &t->w->owners[t->i];
	struct disk *mine = kept_home(o, place), *d = mine != NULL ? mine : &t->disks[place];

	if (t->w->is_array)
		return &t->disks[target_place(t, place, t->w->targets)];

	for (unsigned i = 0; mine == NULL && i < t->w->places; i++) {
		if ((i != place && kept_home(o, i) == d) || (i < place && t->places[i].disk == d)) {
			d = &t->disks[(d - t->disks + 1) % SIM_DISKS];
			i = UINT32_MAX; /* look again */
		}
	}
	return d;
}

static void
go_home(struct target *t, unsigned place)
{
	struct place *p = &t->places[place];
	struct disk *d = home_of(t, place);

	p->back_us = 0;
	if (p->disk == d)
		return;
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (i != place && t->places[i].disk == d)
			act_change(t, i, NULL, 0x3f0e);
	act_change(t, place, d, 0x3f0e);
}

static uint64_t
next_us(const struct sim *w)
{
	uint64_t at = w->next_plan < w->plans ? w->plan[w->next_plan].at_us : UINT64_MAX;

	for (unsigned i = 0; i < w->sessions; i++)
		for (unsigned k = 0; k < w->places; k++) {
			uint64_t back = w->targets[i].places[k].back_us;

			at = back != 0 && back < at ? back : at;
		}
	for (unsigned i = 0; i < w->sessions; i++)
		if (w->targets[i].alua.until_us != 0 && w->targets[i].alua.until_us < at)
			at = w->targets[i].alua.until_us;
	return at;
}

static void
due(struct agenda_timer *t)
{
	struct sim *w = LIST_ENTRY(t, struct sim, plan_timer);
	uint64_t now = sim_now(w);

	for (unsigned i = 0; i < w->sessions; i++)
		for (unsigned k = 0; k < w->places; k++)
			if (w->targets[i].places[k].back_us != 0 &&
			    w->targets[i].places[k].back_us <= now)
				go_home(&w->targets[i], k);
	for (unsigned i = 0; i < w->sessions; i++)
		if (w->targets[i].alua.until_us != 0 && w->targets[i].alua.until_us <= now)
			target_set_port(&w->targets[i], w->targets[i].alua.next, 0);
	while (w->next_plan < w->plans && w->plan[w->next_plan].at_us <= now) {
		const struct plan_row *r = &w->plan[w->next_plan++];

		if (!r->is_dropped && is_trap(r))
			w->targets[r->session].trap = r;
		else if (!r->is_dropped)
			apply(w, r);
	}
	if (next_us(w) != UINT64_MAX)
		agenda_set(&w->agenda, t, next_us(w));
}

void
plan_spring(struct target *t)
{
	const struct plan_row *r = t->trap;
	const struct tconn *c = target_nexus(t);

	t->trap = NULL;
	if (r == NULL || t->w->is_healed)
		return;
	/* What it held may be executed while the next login is elsewhere. */
	if (t->w->theme == SIM_FENCES && c != NULL && (r->arg & 0x600) != 0) {
		t->redirect_from = c->portal;
		t->is_redirect_permanent = (r->arg & 0x800) != 0;
		sim_until(&t->redirect_until_us, t->w, 5 * SECOND);
	}
	apply(t->w, r);
}

static int
by_time(const void *a, const void *b)
{
	const struct plan_row *x = a, *y = b;

	return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

/*
 * Few kinds a world, many of each: so they meet in all combinations.  Some worlds have a theme:
 * nexuses that are lost and live on, caches that are lost, units that change.
 */
static bool
likes(const struct sim *w, struct rng *r, unsigned kind)
{
	static const unsigned long long themes[SIM_THEMES] = {
#define BIT(id) (1ull << PLAN_##id)
		[SIM_FENCES] = BIT(NET_RESET) | BIT(CLOSE) | BIT(NET_LOSE_UP) | BIT(NET_LOSE_DOWN) |
			       BIT(REDIRECT) | BIT(MOVE) | BIT(LATE) | BIT(NET_FREEZE_DOWN) |
			       BIT(ASYNC) | BIT(LOGIN_REFUSE) | BIT(INI_KILLED) | BIT(INI_DEAD) |
			       BIT(INI_REPLACED) | BIT(TWIN) | BIT(NEIGHBOUR),
		[SIM_CACHES] = BIT(CRASH) | BIT(RESET) | BIT(NET_RESET) | BIT(LATE) |
			       BIT(ADMIN_SCAN) | BIT(STALL) | BIT(CLOSE) | BIT(INI_REPLACED),
		[SIM_CHANGES] = BIT(VANISH) | BIT(REPLACE) | BIT(SWAP) | BIT(RESIZE) | BIT(ASYNC) |
				BIT(ADMIN_SCAN) | BIT(NET_RESET) | BIT(LATE) | BIT(INI_KILLED) |
				BIT(INI_REPLACED),
#undef BIT
	};

	if (kind == PLAN_ALUA || kind == PLAN_CONTROLLER || kind == PLAN_ADMIN_PATH)
		return w->is_array && rng_chance(r, 500);
	if (w->theme == SIM_ANYTHING)
		return rng_chance(r, kind == PLAN_INI_REPLACED ? 500 : 250);
	return rng_chance(r, 700) && (themes[w->theme] >> kind & 1) != 0;
}

void
plan_make(struct sim *w)
{
	struct rng r, one;
	bool is_liked[PLAN_KINDS];
	unsigned liked = 0;

	rng_init(&r, w->seed, 1);
	for (unsigned i = 0; i < PLAN_KINDS; i++)
		liked += is_liked[i] = likes(w, &r, i);
	w->plans = liked == 0 ? 0 : rng_below(&r, SIM_PLAN);
	for (unsigned i = 0; i < w->plans; i++) {
		struct plan_row *p = &w->plan[i];

		rng_init(&one, w->seed, 0x1000 + i);
		do
			p->kind = rng_below(&one, PLAN_KINDS);
		while (!is_liked[p->kind]);
		p->at_us = w->begin_us + rng_between(&one, 1000, w->horizon_us);
		p->for_us = rng_between(&one, 1000, 1000ull << rng_below(&one, 16));
		p->session = rng_below(&one, w->sessions);
		p->place = rng_below(&one, w->places);
		p->arg = rng_below(&one, 1u << 20);
		p->is_dropped = false;
	}
	qsort(w->plan, w->plans, sizeof w->plan[0], by_time);
}

void
plan_drop(struct sim *w, const char *list)
{
	while (list != NULL && *list != '\0') {
		char *end;
		unsigned long i = strtoul(list, &end, 10);

		if (end == list)
			break;
		if (i < w->plans)
			w->plan[i].is_dropped = true;
		list = *end == ',' ? end + 1 : end;
	}
}

void
plan_print(const struct sim *w)
{
	for (unsigned i = 0; i < w->plans; i++)
		if (!w->plan[i].is_dropped)
			(void)printf("plan %u %.6f %s session %u place %u for %.6f\n", i,
			    (double)(w->plan[i].at_us - w->begin_us) / 1e6,
			    act_name(w->plan[i].kind), w->plan[i].session, w->plan[i].place,
			    (double)w->plan[i].for_us / 1e6);
}

void
plan_start(struct sim *w)
{
	w->plan_timer.expired = due;
	w->next_plan = 0;
	if (next_us(w) != UINT64_MAX)
		agenda_set(&w->agenda, &w->plan_timer, next_us(w));
}

static void
heal_target(struct target *t)
{
	t->down_until_us = t->login_silent_until_us = t->login_refuse_until_us = 0;
	t->redirect_until_us = t->window_closed_until_us = t->tmf_until_us = 0;
	t->list_silent_until_us = t->list_slow_until_us = t->secret_until_us =
	    t->impostor_until_us = 0;
	t->held_until_us = 0;
	t->twin_until_us = t->list_spoilt_until_us = 0;
	t->rejects = 0;
	t->slow_us = 1000;
	t->trap = NULL;
	for (unsigned i = 0; i < t->w->places; i++) {
		struct place *p = &t->places[i];

		p->busy_until_us = p->full_until_us = p->check_until_us = p->stall_until_us = 0;
		p->swallow_until_us = p->late_until_us = 0;
		go_home(t, i);
	}
	ttask_hurry(t);
	if (target_nexus(t) != NULL)
		tctl_ping(target_nexus(t), false); /* the window, if it was closed */
}

/* A unit that got another size is only asked for it over the paths that it has. */
static bool
has_stale_size(const struct sim *w)
{
	for (unsigned k = 0; k < w->places; k++) {
		const struct unit *u = &w->owners[0].units[k];

		if (u->lu != NULL &&
		    lu_blk(u->lu)->size_bytes != (uint64_t)u->disk->blocks * SIM_BLOCK)
			return true;
	}
	return false;
}

/* One of them serves, and none changes any more. */
static void
heal_ports(struct sim *w)
{
	unsigned good = has_stale_size(w) ? 0 : rng_below(&w->rng, w->sessions);

	for (unsigned i = 0; i < w->sessions; i++) {
		struct target *t = &w->targets[i];
		uint8_t state = t->alua.state == 0x0f ? t->alua.next : t->alua.state;

		target_set_port(t, i == good ? 0 : state, 0);
	}
}

void
plan_heal(struct sim *w)
{
	agenda_clear(&w->agenda, &w->plan_timer);
	w->is_healed = true;
	w->healed_us = sim_now(w);
	TRACE(w, "all is well from now on");
	crash_over(w);
	for (unsigned i = 0; i < w->sessions; i++) {
		struct weather *x = &w->owners[i].weather;

		x->up_frozen_us = x->down_frozen_us = x->split_until_us = x->corrupt_until_us = 0;
		x->refuse_until_us = x->black_until_us = 0;
		x->latency_us = 100;
		w->owners[i].is_probe_due = true;
		agenda_set(&w->agenda, &w->owners[i].wake,
		    w->owners[i].probe_us > sim_now(w) ? w->owners[i].probe_us : sim_now(w));
		for (unsigned k = 0; k < SIM_PLACES; k++) {
			user_stop(&w->owners[i].units[k]);
			agenda_clear(&w->agenda, &w->owners[i].units[k].adopt);
			if (ways_path(&w->owners[i].units[k]) != NULL)
				lunpath_restore(ways_path(&w->owners[i].units[k]));
		}
		heal_target(&w->targets[i]);
	}
	if (w->has_alua)
		heal_ports(w);
	net_thaw(w);
}
