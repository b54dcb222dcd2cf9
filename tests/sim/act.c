#include "act.h"

#include "book.h"
#include "crash.h"
#include "net.h"
#include "owner.h"
#include "scan.h"
#include "seek.h"
#include "target.h"
#include "ways.h"

/* ---- networks ---- */

static void
net_reset(const struct act *a)
{
	if (a->net == NULL)
		return;
	a->net->down.is_lost = a->net->up.is_lost = false;
	if (a->net->t != NULL)
		tconn_close(a->net->t, true);
}

static void
net_freeze_up(const struct act *a)
{
	sim_until(&a->o->weather.up_frozen_us, a->w, a->us);
}

static void
net_freeze_down(const struct act *a)
{
	sim_until(&a->o->weather.down_frozen_us, a->w, a->us);
}

static void
net_freeze(const struct act *a)
{
	net_freeze_up(a);
	net_freeze_down(a);
}

static void
net_lose_up(const struct act *a)
{
	if (a->net != NULL)
		net_lose(&a->net->up);
}

static void
net_lose_down(const struct act *a)
{
	if (a->net != NULL)
		net_lose(&a->net->down);
}

static void
net_refuse(const struct act *a)
{
	sim_until(&a->o->weather.refuse_until_us, a->w, a->us);
}

static void
net_black(const struct act *a)
{
	sim_until(&a->o->weather.black_until_us, a->w, a->us);
}

static void
net_corrupt(const struct act *a)
{
	sim_until(&a->o->weather.corrupt_until_us, a->w, a->us);
}

static void
net_split(const struct act *a)
{
	sim_until(&a->o->weather.split_until_us, a->w, a->us);
}

static void
net_slow(const struct act *a)
{
	a->o->weather.latency_us = 20 + a->arg % 20000;
}

/* ---- targets ---- */

static void
t_close(const struct act *a)
{
	if (a->c != NULL)
		tconn_close(a->c, (a->arg & 1) != 0);
}

static void
t_crash(const struct act *a)
{
	target_crash(a->t, a->us);
}

static void
t_reset(const struct act *a)
{
	for (unsigned i = 0; i < SIM_DISKS; i++)
		book_lose(a->w, &a->t->disks[i]);
	EACH_MATE(a->t, m)
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		ttask_clear_place(m, i);
		tscsi_attention(&m->places[i], (a->arg & 1) != 0 ? 0x2901 : 0x2904);
	}
}

static void
t_controller(const struct act *a)
{
	if (a->w->is_array)
		target_restart(a->t, a->us);
}

/* Some by themselves, most for a while on the way; seldom none serves afterwards. */
static void
t_alua(const struct act *a)
{
	static const uint8_t states[] = { 0, 0, 0, 1, 1, 2, 2, 3 };
	bool is_any = (a->arg & 7) == 0;
	unsigned draw = a->arg >> 3;

	if (!a->w->has_alua)
		return;
	EACH_MATE(a->t, m)
	{
		m->alua.next = states[draw & 7];
		is_any |= m->alua.next < 2;
		draw >>= 3;
	}
	if (!is_any)
		a->t->alua.next = 0;
	EACH_MATE(a->t, m)
	{
		if (m->alua.next == m->alua.state)
			continue;
		if ((a->arg & 0x30000) != 0)
			target_set_port(m, 0x0f, a->us < 5 * SECOND ? a->us : 5 * SECOND);
		else
			target_set_port(m, m->alua.next, 0);
	}
}

static void
t_busy(const struct act *a)
{
	sim_until(&a->p->busy_until_us, a->w, a->us);
}

static void
t_full(const struct act *a)
{
	sim_until(&a->p->full_until_us, a->w, a->us);
}

static void
t_check(const struct act *a)
{
	a->p->check = a->arg;
	sim_until(&a->p->check_until_us, a->w, a->us);
}

static void
t_stall(const struct act *a)
{
	sim_until(&a->p->stall_until_us, a->w, a->us);
	sim_until(&a->t->held_until_us, a->w, a->us);
}

static void
t_swallow(const struct act *a)
{
	sim_until(&a->p->swallow_until_us, a->w, a->us);
	sim_until(&a->t->held_until_us, a->w, a->us);
}

static void
t_late(const struct act *a)
{
	sim_until(&a->p->late_until_us, a->w, a->us);
	sim_until(&a->t->held_until_us, a->w, a->us);
}

void
act_change(struct target *t, unsigned place, struct disk *d, unsigned code)
{
	struct place *p = &t->places[place];

	TRACE(
	    t->w, "target %u: at place %u stands disk %u now", t->i, place, d != NULL ? d->uid : 0);
	p->disk = d;
	p->changed_us = sim_now(t->w);
	ttask_clear_place(t, place);
	tscsi_attention(p, code);
}

/* At this target alone, or at all of an array. */
static bool
is_at(const struct act *a, const struct target *m)
{
	return m == a->t || (a->arg & 0x40) != 0;
}

static void
t_vanish(const struct act *a)
{
	if (a->p->disk == NULL || a->p->back_us != 0)
		return;
	EACH_MATE(a->t, m)
	{
		unsigned at = target_place(a->t, a->place, m);

		if (!is_at(a, m) || m->places[at].back_us != 0)
			continue;
		m->places[at].back_us = sim_now(a->w) + a->us;
		act_change(m, at, NULL, 0x3f0e);
	}
}

static bool
is_placed(const struct target *t, const struct disk *d)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (t->places[i].disk == d)
			return true;
	return false;
}

static void
t_replace(const struct act *a)
{
	struct disk *d = &a->t->disks[SIM_PLACES + a->arg % (SIM_DISKS - SIM_PLACES)];

	if (a->p->disk == NULL || a->p->back_us != 0)
		return;
	EACH_MATE(a->t, m)
	{
		unsigned at = target_place(a->t, a->place, m);

		if (!is_at(a, m) || m->places[at].back_us != 0 || is_placed(m, d))
			continue;
		m->places[at].back_us = sim_now(a->w) + a->us;
		act_change(m, at, d, (a->arg & 4) != 0 ? 0x3f0e : 0x3f03);
	}
}

static void
t_swap(const struct act *a)
{
	unsigned other = (a->place + 1) % a->w->places;
	struct disk *d = a->t->places[other].disk;

	if (other == a->place || d == NULL || a->p->disk == NULL)
		return;
	a->p->back_us = a->t->places[other].back_us = sim_now(a->w) + a->us;
	act_change(a->t, other, a->p->disk, 0x3f0e);
	act_change(a->t, a->place, d, 0x3f0e);
}

static void
t_resize(const struct act *a)
{
	if (a->p->disk == NULL)
		return;
	a->p->disk->blocks = SIM_BLOCKS + a->arg % (SIM_BLOCKS_MAX - SIM_BLOCKS);
	target_attention(a->t, a->p->disk, 0x2a09);
}

static void
t_redirect(const struct act *a)
{
	a->t->redirect_from = a->arg & 1;
	a->t->is_redirect_permanent = (a->arg & 2) != 0;
	sim_until(&a->t->redirect_until_us, a->w, a->us);
}

static void
t_move(const struct act *a)
{
	if (a->c == NULL)
		return;
	a->t->redirect_from = a->c->portal;
	a->t->is_redirect_permanent = (a->arg & 2) != 0;
	sim_until(&a->t->redirect_until_us, a->w, a->us);
	tctl_async(a->c, 1, 0, 0);
}

static void
t_async(const struct act *a)
{
	static const uint8_t events[] = { 0, 0, 1, 2, 3, 4, 5, 255 };
	static const unsigned codes[] = { 0x3f0e, 0x3f03, 0x2a09, 0x2a01 };

	if (a->c != NULL)
		tctl_async(a->c, events[a->arg % 8], a->place, codes[a->arg / 8 % 4]);
}

static void
t_reject(const struct act *a)
{
	a->t->rejects = 1;
}

static void
t_window(const struct act *a)
{
	sim_until(&a->t->window_closed_until_us, a->w, a->us);
}

static void
t_login_refuse(const struct act *a)
{
	static const uint16_t statuses[] = { 0x0200, 0x0201, 0x0203, 0x0206, 0x0300, 0x0301,
		0x0302 };

	a->t->status_class = (uint8_t)(statuses[a->arg % 7] >> 8);
	a->t->status_detail = (uint8_t)statuses[a->arg % 7];
	sim_until(&a->t->login_refuse_until_us, a->w, a->us);
}

static void
t_login_silent(const struct act *a)
{
	sim_until(&a->t->login_silent_until_us, a->w, a->us);
}

static void
t_secret(const struct act *a)
{
	sim_until(&a->t->secret_until_us, a->w, a->us);
	t_close(a);
}

static void
t_impostor(const struct act *a)
{
	sim_until(&a->t->impostor_until_us, a->w, a->us);
	t_close(a);
}

static void
t_ping(const struct act *a)
{
	for (unsigned i = 0; i < 1 + a->arg % 30 && a->c != NULL; i++)
		tctl_ping(a->c, (a->arg & 32) != 0);
}

static void
t_tmf(const struct act *a)
{
	/* 6: no answer at all; 0 would be a lie. */
	static const uint8_t responses[] = { 2, 3, 4, 5, 255, 6 };

	a->t->tmf_response = responses[a->arg % 6];
	a->t->is_reset_fine = (a->arg & 0x40) != 0;
	sim_until(&a->t->tmf_until_us, a->w, a->us);
}

/* Once, or as often as we come back. */
static void
t_twin(const struct act *a)
{
	a->t->twin_portal = a->arg & 1;
	if ((a->arg & 6) != 0)
		sim_until(&a->t->twin_until_us, a->w, a->us);
	target_twin(a->t, a->t->twin_portal);
}

static void
t_neighbour(const struct act *a)
{
	tctl_reset_unit(a->t, a->place);
}

/* ---- administrators ---- */

static void
admin_scan(const struct act *a)
{
	scan_start(a->o);
}

/* Some wait until its I/O has been given up. */
static void
admin_close(const struct act *a)
{
	if ((a->arg & 0x300) != 0x300)
		owner_close(a->o, false);
	else
		owner_close_in(a->o, (a->arg & 0x400) != 0 ? SESSION_DOWN : SESSION_DOWN_TRY);
}

static void
admin_cut(const struct act *a)
{
	owner_close(a->o, true);
}

static void
admin_settings(const struct act *a)
{
	owner_settings(a->o, false);
}

static void
admin_clear(const struct act *a)
{
	owner_settings(a->o, true);
}

static void
admin_hide(const struct act *a)
{
	owner_hide(a->o, a->place);
}

static void
admin_path(const struct act *a)
{
	struct lunpath *lp = ways_path(&a->o->units[a->place]);

	if (lp == NULL)
		return;
	if ((a->arg & 3) != 0)
		lunpath_restore(lp);
	else
		lunpath_fail(lp);
}

static void
admin_ping(const struct act *a)
{
	owner_ping(a->o);
}

static void
admin_seek(const struct act *a)
{
	seek_start(&a->w->seeks[a->o->i + ((a->arg & 0x20) != 0 ? SIM_SESSIONS : 0)]);
	if ((a->arg & 0xc0) == 0)
		seek_start(&a->w->seeks[a->o->i + ((a->arg & 0x20) == 0 ? SIM_SESSIONS : 0)]);
}

static void
t_list_silent(const struct act *a)
{
	if ((a->arg & 1) != 0)
		sim_until(&a->t->list_silent_until_us, a->w, a->us);
	else
		sim_until(&a->t->list_slow_until_us, a->w, 40 * SECOND);
	admin_seek(a);
}

static void
t_list_spoilt(const struct act *a)
{
	sim_until(&a->t->list_spoilt_until_us, a->w, 5 * SECOND);
	admin_seek(a);
}

/* ---- the initiator ---- */

static void
ini_killed(const struct act *a)
{
	crash(a->w, CRASH_KILLED, a->us, 0);
}

static void
ini_dead(const struct act *a)
{
	crash(a->w, CRASH_DEAD, a->us, 0);
}

/* Now and then together with a target, or again and again. */
static void
ini_replaced(const struct act *a)
{
	crash(a->w, CRASH_REPLACED, a->us, (a->arg & 0x3000) == 0 ? 1 + a->arg % 4 : 0);
	if ((a->arg & 0xc000) == 0)
		target_crash(a->t, a->us / 2);
}

/* ---- all of them ---- */

static const struct {
	const char *name, *text;
	void (*act)(const struct act *a);
} kinds[] = {
#define PLAN(id, function, text) { #id, text, function },
#include "plan.def"
};

void
act_do(unsigned kind, const struct act *a)
{
	kinds[kind].act(a);
}

const char *
act_name(unsigned kind)
{
	return kinds[kind].name;
}

const char *
act_text(unsigned kind)
{
	return kinds[kind].text;
}
