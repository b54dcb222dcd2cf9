#include "world.h"

#include <stddef.h>
#include <string.h>

#include "core/spare.h"
#include "crash.h"
#include "ledger.h"
#include "main.h"
#include "net.h"
#include "owner.h"
#include "plan.h"
#include "seek.h"
#include "target.h"
#include "user.h"

/* Turns that a world may take when all is well; more is a spin. */
#define CALM_STEPS 400000 /* of each session */
/* Once faults stop: a login under way is late, the target's time has passed, backoff, logins, what
 * is swallowed is late (a flush after ten minutes, where the promise has no end), aborted, and its
 * unit reset; each in its time. */
#define CALM_US (900 * SECOND)

void
world_make(struct sim *w, uint64_t seed, const char *drop, bool is_recorded, bool is_traced)
{
	static const enum sim_theme themes[] = { SIM_ANYTHING, SIM_ANYTHING, SIM_ANYTHING,
		SIM_ANYTHING, SIM_FENCES, SIM_FENCES, SIM_FENCES, SIM_CACHES, SIM_CACHES,
		SIM_CHANGES, SIM_CHANGES };
	struct rng *r = &w->rng, paths;

	memset(w, 0, offsetof(struct sim, trace));
	w->traces = w->requests = w->failed = w->commands = w->pdus = w->logins = 0;
	w->ghosts = w->killed = w->again = 0;
	w->seed = seed;
	w->is_recorded = is_recorded || is_traced;
	w->is_traced = is_traced;
	w->begin_us = 1000 * SECOND;
	agenda_init(&w->agenda, w->begin_us);
	rng_init(r, seed, 0);
	w->theme = themes[rng_below(r, sizeof themes / sizeof *themes)];
	w->sessions = 1 + rng_below(r, SIM_SESSIONS);
	w->places = 1 + rng_below(r, SIM_PLACES);
	w->horizon_us = rng_between(r, SECOND, SECOND << (1 + rng_below(r, 7)));
	w->blocks = rng_chance(r, 300) ? SIM_BLOCKS / 4 : SIM_BLOCKS;
	if (w->theme == SIM_FENCES) {
		/* Close together in time and place, so that old writes meet newer ones. */
		w->horizon_us = rng_between(r, 2 * SECOND, 16 * SECOND);
		w->blocks = 3 + rng_below(r, 6);
	}
	w->think_us = w->horizon_us * w->sessions * w->places / (20 + rng_below(r, 150));
	/* A unit in use is not adopted. */
	if (w->theme == SIM_CHANGES && rng_chance(r, 500))
		w->think_us *= 6;
	for (unsigned i = 0; i < 5; i++)
		w->op_weight[i] = i < 2 ? 20 + rng_below(r, 60) : rng_below(r, 20);
	if (w->theme == SIM_CACHES) {
		w->op_weight[BLK_FLUSH] += 15;
		w->op_weight[BLK_WRITE_ZEROES] += 40;
	}
	/* From a stream of its own: the others stay as they were. */
	rng_init(&paths, seed, 2);
	w->is_array = w->sessions > 1 && rng_chance(&paths, 400);
	w->has_alua = w->is_array && rng_chance(&paths, 700);
	w->can_set = w->has_alua && rng_chance(&paths, 500);
	w->is_ready_anyway = rng_chance(&paths, 400);
	crash_init(w);
	list_init(&w->free_conns);
	list_init(&w->free_tasks);
	plan_make(w);
	plan_drop(w, drop);
}

static void
check(struct sim *w)
{
	for (unsigned i = 0; i < w->sessions; i++) {
		owner_check(&w->owners[i]);
		seek_check(&w->seeks[i]);
		seek_check(&w->seeks[i + SIM_SESSIONS]);
	}
}

/* The next turn; false: nothing is due ever, or not before `until`. */
static bool
turn(struct sim *w, uint64_t until_us)
{
	uint64_t next = agenda_next_us(&w->agenda);

	if (next > until_us) {
		w->agenda.now_us = until_us;
		return false;
	}
	if (next > w->agenda.now_us)
		w->agenda.now_us = next;
	w->step++;
	agenda_run(&w->agenda);
	check(w);
	return true;
}

/* Turns until it is so for all sessions, within a bound. */
static void
wait_for(struct sim *w, bool (*is_so)(struct owner *o), const char *what)
{
	uint64_t end = sim_now(w) + CALM_US, steps = w->step + CALM_STEPS * w->sessions;
	unsigned i = 0;
	char how[200];

	while (i < w->sessions) {
		if (is_so(&w->owners[i])) {
			i++;
			continue;
		}
		if (turn(w, end) && w->step <= steps)
			continue;
		owner_describe(&w->owners[i], how, sizeof how);
		sim_fail(w, "liveness", "session %u %sis not %s although all is well (%s)", i,
		    w->step > steps ? "spins, and " : "", what, how);
	}
}

static bool
is_well(struct owner *o)
{
	return owner_is_well(o);
}

static bool
is_idle(struct owner *o)
{
	return owner_is_idle(o);
}

static bool
has_found(struct owner *o)
{
	return o->w->seeks[o->i].x == NULL && o->w->seeks[o->i + SIM_SESSIONS].x == NULL;
}

/* Those that were under way end as they end; then each finds all there is. */
static void
seek_all(struct sim *w)
{
	wait_for(w, has_found, "at the end of its discovery");
	for (unsigned i = 0; i < w->sessions; i++) {
		seek_start(&w->seeks[i]);
		seek_start(&w->seeks[i + SIM_SESSIONS]);
	}
	wait_for(w, has_found, "at the end of its discovery");
}

static bool
is_gone(struct owner *o)
{
	return owner_is_gone(o);
}

static void
read_all(struct sim *w)
{
	for (unsigned i = 0; i < w->sessions; i++)
		for (unsigned k = 0; k < w->places; k++)
			if (w->owners[i].units[k].lu != NULL)
				user_read_all(&w->owners[i].units[k]);
	wait_for(w, is_idle, "idle");
}

static void
end(struct sim *w)
{
	w->is_ending = true;
	for (unsigned i = 0; i < w->sessions; i++)
		owner_close(&w->owners[i], false);
	wait_for(w, is_gone, "closed");
	for (unsigned i = 0; i < w->sessions; i++) {
		owner_fini(&w->owners[i]);
		seek_fini(&w->seeks[i]);
		seek_fini(&w->seeks[i + SIM_SESSIONS]);
		target_fini(&w->targets[i]);
	}
	net_forget_all(w);
	spare_free(w->spare);
	if (w->agenda.timers != NULL || !list_empty(&w->agenda.works))
		sim_fail(w, "at rest", "something is left to be done");
	if (ledger_blocks() != 0)
		sim_fail(w, "at rest", "%zu blocks of memory are left", ledger_blocks());
}

void
world_run(struct sim *w, uint64_t steps)
{
	w->spare = spare_new();
	for (unsigned i = 0; i < w->sessions; i++) {
		target_init(&w->targets[i], w, i);
		owner_init(&w->owners[i], w, i);
		seek_init(&w->seeks[i], w, i);
		seek_init(&w->seeks[i + SIM_SESSIONS], w, i);
	}
	plan_start(w);
	while (w->step < steps && turn(w, w->begin_us + w->horizon_us))
		;
	plan_heal(w);
	wait_for(w, is_well, "online and well");
	read_all(w);
	if (rng_chance(&w->rng, 300))
		seek_all(w);
	else
		wait_for(w, has_found, "at the end of its discovery");
	end(w);
}
