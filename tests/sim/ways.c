#include "ways.h"

#include "ini/session_impl.h"
#include "kept.h"
#include "lu/lu_impl.h"
#include "owner.h"
#include "scan.h"
#include "target.h"

struct lunpath *
ways_path(const struct unit *n)
{
	if (n->home != n)
		return n->way;
	return n->lu != NULL ? lu_first_path(n->lu) : NULL;
}

struct unit *
ways_next(const struct unit *u, const struct unit *at)
{
	struct sim *w = u->o->w;
	unsigned i = at != NULL ? at->o->i * SIM_PLACES + at->place + 1 : 0;

	for (; i < SIM_SESSIONS * SIM_PLACES; i++) {
		struct unit *n = &w->owners[i / SIM_PLACES].units[i % SIM_PLACES];

		if (n == u || (n->home == u && n->way != NULL))
			return n;
	}
	return NULL;
}

/* ---- joining ---- */

static bool
is_open(const struct owner *o)
{
	return o->s != NULL && o->is_open && !o->is_closing;
}

static void
join(struct unit *n, struct lu *u, const struct lu_info *info)
{
	ways_note_promise(n->home);
	n->way = lu_join(u, session_path(n->o->s), info);
	n->is_leaving = false;
	n->moved_us = n->excused_us = sim_now(n->o->w);
	session_add_path(n->o->s, n->way);
	TRACE(n->o->w, "unit %x: a path by %x", n->home->o->i << 4 | n->home->place,
	    n->o->i << 4 | n->place);
}

/* As another session tells of it; its own asks as soon as it is there. */
static void
show(struct unit *u, const struct lu_info *info, struct disk *d)
{
	struct lu_info here = *info;

	if (is_open(u->o) && info->is_sized && lu_info_elsewhere(&here, u->place) &&
	    kept_unit(u->o, u->place, &here.id, d) == d)
		scan_begin(u, &here, d);
}

void
ways_found(struct unit *n, const struct lu_info *info, struct disk *d)
{
	struct unit *u = n->home;

	/* Where it belongs: what stands elsewhere leads nowhere. */
	if (d != &n->o->t->disks[u->place])
		return;
	if (u->lu == NULL)
		show(u, info, d);
	if (n->way != NULL)
		return; /* that joined it */
	if (u->lu == NULL || u->is_closing || !is_open(n->o) || !lu_has_room(u->lu)) {
		scan_later(n->o);
		return;
	}
	if (!lu_fits(u->lu, info)) {
		scan_later(n->o);
		return;
	}
	join(n, u->lu, info);
}

void
ways_known(struct unit *u)
{
	const struct sim *w = u->o->w;

	for (unsigned i = 0; i < w->sessions; i++)
		for (unsigned k = 0; k < w->places; k++) {
			struct unit *n = (struct unit *)&w->owners[i].units[k];
			struct lu_info info;

			if (n == u || n->home != u || n->way != NULL || !is_open(n->o) ||
			    n->o->kept.unit[k].disk != u->disk)
				continue;
			lu_kept_get(lu_info(u->lu), &info);
			if (lu_info_elsewhere(&info, k))
				join(n, u->lu, &info);
		}
}

/* ---- the end ---- */

void
ways_stop(struct unit *n)
{
	if (n->way == NULL)
		return;
	lunpath_stop(n->way);
	n->is_leaving = true;
}

bool
ways_sweep(struct owner *o)
{
	bool is_any_left = false;

	for (unsigned i = 0; i < o->w->places; i++) {
		struct unit *n = &o->units[i];

		if (n->way == NULL || !n->is_leaving)
			continue;
		if (!lunpath_is_idle(n->way) || (o->is_closing && o->is_open)) {
			is_any_left = true;
			continue;
		}
		TRACE(o->w, "unit %x: the path by %x leaves", n->home->o->i << 4 | n->home->place,
		    o->i << 4 | i);
		ways_note_promise(n->home);
		lu_leave(n->home->lu, n->way, session_dead_us(o->s));
		n->way = NULL;
		ways_note_promise(n->home);
		n->is_leaving = false;
		if (!o->is_closing)
			scan_again(o);
	}
	return is_any_left;
}

void
ways_forget(struct unit *u)
{
	EACH_WAY(u, n)
	{
		if (n == u)
			continue;
		n->way = NULL;
		n->is_leaving = false;
		if (!u->o->w->is_down && is_open(n->o))
			scan_again(n->o);
	}
}

/* ---- what is so for all of them ---- */

uint64_t
ways_losses(const struct unit *u)
{
	const struct sim *w = u->o->w;
	uint64_t n = 0;

	if (!w->is_array)
		return u->o->losses;
	for (unsigned i = 0; i < w->sessions; i++)
		n += w->owners[i].losses;
	return n;
}

uint64_t
ways_promise_us(const struct unit *u)
{
	uint64_t most = 0;

	EACH_WAY(u, n)
	{
		uint32_t ms = n->o->timers.ms[TIMER_replacement];

		if (ms == 0)
			return UINT64_MAX;
		most = ms * 1000ull > most ? ms * 1000ull : most;
	}
	return most;
}

void
ways_note_promise(struct unit *u)
{
	uint64_t us = ways_promise_us(u);

	for (unsigned i = 0; i < SIM_REQS; i++)
		if (u->req[i].is_out && u->req[i].promise_us > us)
			u->req[i].promise_us = us;
}

void
ways_note_promises(struct sim *w)
{
	for (unsigned i = 0; i < w->sessions; i++)
		for (unsigned k = 0; k < w->places; k++)
			ways_note_promise(&w->owners[i].units[k]);
}

static bool
owner_gave_up(const struct owner *o, uint64_t since_us)
{
	switch (session_state(o->s)) {
	case SESSION_DOWN:
	case SESSION_DOWN_TRY:
	case SESSION_LOGOUT:
	case SESSION_CLOSED:
		return true;
	case SESSION_TRY:
	case SESSION_ONLINE:
	case SESSION_WAIT:
	case SESSION_STATES:
		break;
	}
	return o->is_closing || o->excused_us >= since_us;
}

bool
ways_gave_up(const struct unit *u, uint64_t since_us)
{
	EACH_WAY(u, n)
	if (!n->is_leaving && !owner_gave_up(n->o, since_us))
		return false;
	return true;
}

bool
ways_are_strict(const struct unit *u)
{
	EACH_WAY(u, n)
	if (session_path(n->o->s)->is_strict)
		return true;
	return false;
}

bool
ways_fail_loss(const struct unit *u)
{
	EACH_WAY(u, n)
	if (!owner_fails_loss(n->o))
		return false;
	return true;
}

void
ways_init(struct owner *o)
{
	struct sim *w = o->w;

	for (unsigned k = 0; k < SIM_PLACES; k++) {
		struct unit *n = &o->units[k];

		n->home = n;
		if (w->is_array && o->i > 0 && k < w->places)
			n->home = &w->owners[0].units[target_place(o->t, k, w->targets)];
	}
}
