/*
 * A process that is killed runs nothing more: no object of it is closed or told.  Its memory is
 * taken away (ledger.h), and with it whatever the agenda has of it; what is left is what the
 * simulator itself is made of, the networks and targets.
 */
#include "crash.h"

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

void
crash(struct sim *w, bool is_silent, uint64_t us)
{
	if (w->is_down)
		return;
	TRACE(
	    w, "the initiator is gone%s", TRACE_TEXT(is_silent ? ", and nobody hears of it" : ""));
	w->is_down = true;
	for (unsigned i = 0; i < w->sessions; i++) {
		owner_vanish(&w->owners[i], is_silent);
		seek_vanish(&w->seeks[i], is_silent);
	}
	forget_timers(&w->agenda);
	ledger_drop();
	agenda_set(&w->agenda, &w->restart, sim_now(w) + us);
}

void
crash_over(struct sim *w)
{
	agenda_clear(&w->agenda, &w->restart);
	if (!w->is_down)
		return;
	w->is_down = false;
	w->life++;
	TRACE(w, "the initiator begins its life %u", w->life);
	for (unsigned i = 0; i < w->sessions; i++)
		owner_return(&w->owners[i]);
}

static void
restart(struct agenda_timer *t)
{
	crash_over(LIST_ENTRY(t, struct sim, restart));
}

void
crash_init(struct sim *w)
{
	w->restart.expired = restart;
	w->is_down = false;
	w->life = 0;
}
