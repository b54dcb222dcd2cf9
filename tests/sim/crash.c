/*
 * A process that is killed runs nothing more: no object of it is closed or told.  Its memory is
 * taken away (ledger.h), and with it whatever the agenda has of it; what is left is what the
 * simulator itself is made of, the networks and targets.
 */
#include "crash.h"

#include "core/spare.h"
#include "ledger.h"
#include "owner.h"
#include "seek.h"

#define TIMERS_MAX 4096

static void
forget_timers(struct agenda *a)
{
	static struct agenda_timer *left[TIMERS_MAX];
	unsigned n = 0;

	while (a->timers != NULL && n < TIMERS_MAX) {
		struct agenda_timer *t = a->timers;

		agenda_clear(a, t);
		if (!ledger_has(t))
			left[n++] = t;
	}
	for (unsigned i = 0; i < n; i++)
		agenda_set(a, left[i], left[i]->at_us);
	LIST_EACH(node, tmp, &a->works)
	if (ledger_has(node))
		list_remove(node);
}

static const char *const texts[] = {
	[CRASH_KILLED] = "is killed",
	[CRASH_DEAD] = "is gone, and nobody hears of it",
	[CRASH_REPLACED] = "is killed, and its users wait for another one",
};

static void
end(struct sim *w, enum crash_kind kind, uint64_t us)
{
	TRACE(w, "the initiator %s", TRACE_TEXT(texts[kind]));
	w->is_down = true;
	for (unsigned i = 0; i < w->sessions; i++) {
		owner_vanish(&w->owners[i], kind);
		seek_vanish(&w->seeks[i], kind == CRASH_DEAD);
		seek_vanish(&w->seeks[i + SIM_SESSIONS], kind == CRASH_DEAD);
	}
	w->seek_serial = 0; /* it is not remembered */
	forget_timers(&w->agenda);
	ledger_drop();
	agenda_set(&w->agenda, &w->restart, sim_now(w) + us);
}

void
crash(struct sim *w, enum crash_kind kind, uint64_t us, unsigned relapses)
{
	if (w->is_down)
		return;
	w->relapses = relapses;
	end(w, kind, us);
}

static void
begin(struct sim *w)
{
	w->is_down = false;
	w->life++;
	TRACE(w, "the initiator begins its life %u", w->life);
	w->spare = spare_new();
	for (unsigned i = 0; i < SIM_SEEKS; i++)
		w->seeks[i].host.world.spare = w->spare;
	for (unsigned i = 0; i < w->sessions; i++) {
		w->owners[i].world.spare = w->spare;
		owner_return(&w->owners[i]);
	}
}

/* While it dials, logs in, scans, or is asked again. */
static void
restart(struct agenda_timer *t)
{
	struct sim *w = LIST_ENTRY(t, struct sim, restart);

	begin(w);
	if (w->relapses == 0)
		return;
	w->relapses--;
	agenda_set(&w->agenda, &w->relapse, sim_now(w) + rng_span(&w->crash_rng, 20, SECOND));
}

static void
relapse(struct agenda_timer *t)
{
	struct sim *w = LIST_ENTRY(t, struct sim, relapse);

	if (!w->is_down)
		end(w, CRASH_REPLACED, rng_span(&w->crash_rng, 1000, SECOND));
}

void
crash_over(struct sim *w)
{
	agenda_clear(&w->agenda, &w->restart);
	agenda_clear(&w->agenda, &w->relapse);
	w->relapses = 0;
	if (w->is_down)
		begin(w);
}

void
crash_init(struct sim *w)
{
	w->restart.expired = restart;
	w->relapse.expired = relapse;
	rng_init(&w->crash_rng, w->seed, 0x900);
	w->is_down = false;
	w->life = w->relapses = 0;
}
