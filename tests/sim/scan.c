/* Scans, and the units that they find, as driver/iscsial does it. */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include "ini/session_impl.h"
#include "kept.h"
#include "lu/lu_impl.h"
#include "user.h"
#include "ways.h"

/* Scans that come by themselves. */
#define PROBE_PACE_US 20000

static const char *const state_names[] = {
#define LU_STATE(id, text) [LU_##id] = text,
#include "lu/lu_fsm.def"
};

static void
unit_changed(void *user, struct lu *u)
{
	struct unit *n = user;

	/* What is on its way goes by what was true before. */
	n->o->t->places[n->place].changed_us = n->excused_us = sim_now(n->o->w);
	TRACE(n->o->w, "unit %x: %u blocks now", n->o->i << 4 | n->place,
	    lu_blk(u)->size_bytes / SIM_BLOCK);
}

static void
unit_moved(void *user, struct lu *u, enum lu_state from, const struct fault *why)
{
	struct unit *n = user;

	(void)from;
	(void)why;
	n->moved_us = sim_now(n->o->w);
	TRACE(
	    n->o->w, "unit %x: %s", n->o->i << 4 | n->place, TRACE_TEXT(state_names[lu_state(u)]));
}

static void
unit_loss(void *user, struct lu *u, bool is_due)
{
	struct unit *n = user;

	(void)u;
	n->is_loss_kept = is_due;
}

static const struct lu_ops unit_ops = {
	.moved = unit_moved, .changed = unit_changed, .loss = unit_loss
};

/* Which disk it says it is. */
static struct disk *
disk_of(struct owner *o, const struct lu_info *info)
{
	const char *name = identity_first(&info->id);

	for (unsigned i = 0; i < SIM_DISKS && name != NULL; i++)
		if (strcmp(name, o->t->disks[i].name) == 0)
			return &o->t->disks[i];
	sim_fail(o->w, "simulator", "LUN %u calls itself \"%s\"", info->number,
	    name != NULL ? name : "");
}

/* Two ways to one disk get no device. */
static bool
is_taken(const struct owner *o, unsigned place, const struct disk *d)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if ((i != place || o->units[i].lu != NULL) && kept_home(o, i) == d)
			return true;
	return false;
}

void
scan_begin(struct unit *u, const struct lu_info *info, struct disk *d)
{
	struct owner *o = u->o;

	u->lu = lu_new(session_path(o->s), info, "c0t0d0", &unit_ops, u);
	u->disk = d;
	u->moved_us = sim_now(o->w);
	u->is_closing = false;
	u->excused_us = u->calm_us = sim_now(o->w);
	TRACE(o->w, "unit %x: disk %u%s", o->i << 4 | u->place, d->uid,
	    TRACE_TEXT(u->is_kept ? ", as before" : ""));
	if (u->is_kept) {
		u->is_kept = false;
		session_take_over_unit(o->s, u->lu, u->is_loss_kept);
		ways_known(u);
		user_resume(u);
		return;
	}
	u->is_loss_kept = false;
	d->is_loss_due = false;
	d->begin_tick = o->w->tick;
	session_add_unit(o->s, u->lu);
	ways_known(u);
	user_start(u);
}

/* Nobody uses it, and it is not too late for it. */
static void
adopt(struct agenda_timer *t)
{
	struct unit *u = LIST_ENTRY(t, struct unit, adopt);
	struct owner *o = u->o;
	struct disk *d = u->found_disk;

	if (u->lu == NULL || u->out > 0 || u->is_closing || d == u->disk ||
	    is_taken(o, u->place, d) || kept_unit(o, u->place, &u->found.id, d) != d)
		return;
	TRACE(o->w, "unit %x: adopts disk %u", o->i << 4 | u->place, d->uid);
	u->disk = d;
	d->is_loss_due = false;
	d->begin_tick = o->w->tick;
	if (!lu_adopt(u->lu, &u->found))
		abort();
}

static void
unit_adopt(struct owner *o, struct unit *u, const struct lu_info *info, struct disk *d)
{
	if (u->out > 0 || u->is_closing || d == u->disk || !rng_chance(&o->rng, 600))
		return;
	u->found = *info;
	u->found_disk = d;
	if (o->w->is_healed || rng_chance(&o->rng, 500))
		adopt(&u->adopt);
	else
		agenda_set(
		    &o->w->agenda, &u->adopt, sim_now(o->w) + rng_span(&o->rng, 10, SECOND / 2));
}

void
scan_again(struct owner *o)
{
	o->is_probe_due = true;
	agenda_set(&o->w->agenda, &o->wake, o->probe_us);
}

void
scan_later(struct owner *o)
{
	o->probe_us = sim_now(o->w) + SECOND;
	scan_again(o);
}

/* One LUN of an array, which is known to be there and to be this disk. */
static void
found_path(struct owner *o, struct unit *n, const struct lu_info *info, struct disk *d)
{
	if (n->way == NULL && kept_unit(o, n->place, &info->id, d) == d)
		ways_found(n, info, d);
	else if (n->way == NULL)
		scan_later(o);
}

static void
probed(void *user, struct probe_result *r)
{
	struct owner *o = user;

	o->is_probing = false;
	o->is_probe_due |= r->fault.is_set;
	o->probe_us = sim_now(o->w) + PROBE_PACE_US;
	if (o->is_probe_due)
		agenda_set(&o->w->agenda, &o->wake, o->probe_us);
	if (r->fault.is_set)
		sim_say(o->w, r->fault.message);
	TRACE(o->w, "host %u: a scan finds %u LUNs%s", o->i, r->n,
	    TRACE_TEXT(r->fault.is_set ? ", and failed" : ""));
	for (size_t i = 0; i < r->n && !r->fault.is_set && o->is_open && !o->is_closing; i++) {
		const struct lu_info *info = &r->luns[i];
		struct unit *u = &o->units[info->number % SIM_PLACES];
		struct disk *d;

		if (info->answer != LU_SOMEBODY || !info->is_disk ||
		    (!info->is_sized && u->home == u && (u->lu == NULL || !o->w->is_array))) {
			if (o->w->is_array)
				scan_later(o);
			else
				scan_again(o);
			continue;
		}
		d = disk_of(o, info);
		if (o->w->is_healed && o->t->places[u->place].disk != d) {
			scan_again(o); /* it is older than the change */
			continue;
		}
		if (u->home != u) {
			found_path(o, u, info, d);
			continue;
		}
		if (o->w->is_array && d != &o->t->disks[u->place]) {
			scan_later(o); /* each of its disks has its place */
			continue;
		}
		if (is_taken(o, u->place, d))
			continue;
		if (u->lu == NULL)
			d = kept_unit(o, u->place, &info->id, d);
		if (d == NULL)
			scan_again(o);
		else if (u->lu == NULL)
			scan_begin(u, info, d);
		else
			unit_adopt(o, u, info, d);
	}
	free(r->luns);
	r->luns = NULL;
}

void
scan_start(struct owner *o)
{
	if (o->s == NULL || o->is_probing || o->is_closing)
		return;
	o->is_probe_due = false;
	o->is_probing = session_probe(o->s, probed, o);
}

void
scan_init(struct unit *u)
{
	u->adopt.expired = adopt;
}
