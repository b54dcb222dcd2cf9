#include "owner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cut.h"
#include "check.h"
#include "conf.h"
#include "host.h"
#include "ini/isid.h"
#include "ini/session_impl.h"
#include "kept.h"
#include "lu/lu_impl.h"
#include "net.h"
#include "scan.h"
#include "target.h"
#include "user.h"
#include "ways.h"

/* ---- settings ---- */

bool
owner_fails_loss(const struct owner *o)
{
	return session_path(o->s)->volatile_loss_fails;
}

void
owner_settings(struct owner *o, bool clear_redirect)
{
	struct settings *s;

	if (o->s == NULL)
		return;
	o->renames += rng_chance(&o->rng, 100);
	s = conf_choose(o);
	if (!clear_redirect)
		s->redirect = o->s->redirect;
	kept_settings(o, s);
	o->must_dial = -1;
	session_settings(o->s, s);
	/* What was lost before was, or is, told by the choice of then. */
	for (unsigned i = 0; i < SIM_DISKS; i++)
		o->t->disks[i].is_loss_due = false;
	owner_excuse(o); /* what waited may be late by the new limits */
	ways_note_promises(o->w);
}

/* Units that are closed and idle go. */
static void
sweep(struct owner *o)
{
	o->is_sweep_due = ways_sweep(o);
	for (unsigned i = 0; i < o->w->places; i++) {
		struct unit *u = &o->units[i];

		o->is_sweep_due |= u->is_closing;
		if (u->lu == NULL || !u->is_closing || !lu_is_idle(u->lu))
			continue;
		if (u->out > 0)
			sim_fail(o->w, "once", "unit %u.%u is idle, and %u requests are out", o->i,
			    i, u->out);
		session_remove_unit(o->s, u->lu);
		ways_forget(u);
		lu_free(u->lu);
		u->lu = NULL;
		u->is_closing = false;
		if (!o->is_closing)
			scan_again(o);
	}
}

/* ---- the session ---- */

static void
moved(void *user, const struct session_view *v)
{
	struct owner *o = user;

	if (v->state == o->state)
		return;
	TRACE(o->w, "session %u: %u -> %u", o->i, o->state, v->state);
	o->state = v->state;
	if (v->state == SESSION_ONLINE) {
		o->online_us = sim_now(o->w);
		scan_again(o);
	}
}

static void
redirected(void *user, const struct settings_redirect *r)
{
	struct owner *o = user;

	TRACE(o->w, "session %u: a redirection is %s", o->i,
	    TRACE_TEXT(r->is_set ? "remembered" : "forgotten"));
	kept_redirect(o, r);
}

static void
luns_changed(void *user)
{
	struct owner *o = user;

	o->is_probe_due = true;
}

static void
placed(void *user, const struct fence_place *list, size_t n)
{
	struct owner *o = user;

	TRACE(o->w, "session %u: it may live at %u places, the last one in group %d", o->i, n,
	    n > 0 ? list[n - 1].tpgt : -1);
	kept_places(o, list, n);
}

static void
closed(void *user)
{
	struct owner *o = user;

	TRACE(o->w, "session %u: closed", o->i);
	o->is_open = false;
	if (!o->w->is_ending)
		agenda_set(
		    &o->w->agenda, &o->later, sim_now(o->w) + rng_span(&o->rng, 1000, 10 * SECOND));
}

static const struct session_ops session_ops = { moved, redirected, luns_changed, placed, closed };

static void
ponged(void *user, const struct session_ping *ping)
{
	struct owner *o = user;

	o->is_pinging = false;
	if (!ping->fault.is_set && ping->bytes_same != ping->bytes && !o->w->is_healed)
		TRACE(o->w, "session %u: %u of %u bytes came back", o->i, ping->bytes_same,
		    ping->bytes);
}

void
owner_ping(struct owner *o)
{
	if (o->s == NULL || o->is_pinging)
		return;
	o->is_pinging = session_ping(o->s, rng_below(&o->rng, 1024), ponged, o);
}

void
owner_open(struct owner *o)
{
	o->is_open = true;
	o->is_closing = false;
	session_open(o->s, true, rng_chance(&o->rng, 200));
}

static void
unit_close(struct unit *u)
{
	if (u->is_kept || u->lu != NULL)
		user_forget(u);
	u->is_kept = false;
	if (u->lu == NULL || u->is_closing)
		return;
	u->is_closing = u->o->is_sweep_due = true;
	lu_close(u->lu, -ENXIO);
}

/* Nothing of a place is used any more. */
static void
place_close(struct unit *n)
{
	unit_close(n);
	ways_stop(n);
	n->o->is_sweep_due |= n->is_leaving;
}

void
owner_hide(struct owner *o, unsigned place)
{
	place_close(&o->units[place]);
}

void
owner_close(struct owner *o, bool is_cut)
{
	if (!o->is_open || o->is_closing)
		return;
	TRACE(o->w, "session %u: it is to be %s", o->i,
	    TRACE_TEXT(is_cut ? "closed without an answer" : "closed"));
	o->is_closing = true;
	o->is_probe_due = false;
	for (unsigned i = 0; i < SIM_PLACES; i++)
		place_close(&o->units[i]);
	/* The logout finds nobody, and no answer. */
	if (is_cut && o->line.net != NULL) {
		net_lose(&o->line.net->up);
		net_lose(&o->line.net->down);
	}
	session_close(o->s);
}

void
owner_close_in(struct owner *o, enum session_state state)
{
	o->close_in = state;
}

static void
begin(struct owner *o, struct settings *settings, const struct heard *heard)
{
	struct session_cfg cfg = {
		.instance = o->i + 1, .heard = heard, .ops = &session_ops, .user = o
	};

	isid_normal(cfg.isid, 0x123456, o->i + 1);
	cfg.world = &o->world;
	cfg.target = o->t->name;
	(void)snprintf(cfg.at.host, sizeof cfg.at.host, "10.0.%u.0", o->i);
	cfg.at.port = 3260;
	cfg.at.tpgt = o->tpgt;
	cfg.places = o->kept.places.list;
	cfg.n_places = o->kept.places.n;
	o->s = session_new(&cfg, settings);
	o->state = session_state(o->s);
	owner_open(o);
}

/* As one that starts: it is not redirected yet, or was for good.  heard: by one before it in this
 * life. */
static void
begin_anew(struct owner *o, const struct heard *heard)
{
	struct settings *settings = kept_snapshot(o);
	const struct settings_redirect *r = &settings->redirect;

	o->must_dial = 0;
	if (r->is_set)
		(void)sscanf(r->to.host, "10.0.%*u.%d", &o->must_dial);
	begin(o, settings, heard);
}

/* Open it again, as soon as nothing of the old units is left. */
static void
later(struct agenda_timer *t)
{
	struct owner *o = LIST_ENTRY(t, struct owner, later);
	struct heard heard;

	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (o->units[i].lu != NULL || o->units[i].way != NULL) {
			agenda_set(&o->w->agenda, t, sim_now(o->w) + 1000);
			return;
		}
	if (o->w->is_ending)
		return;
	/* Its target was removed, and added again. */
	if (rng_chance(&o->rng, 500)) {
		TRACE(o->w, "session %u: it is made anew", o->i);
		agenda_clear(&o->w->agenda, &o->kept.write); /* nobody waits for the answer */
		o->kept.written = o->kept.places;
		heard = *session_heard(o->s);
		session_free(o->s);
		begin_anew(o, &heard);
	} else {
		owner_open(o);
	}
}

/* owner_check() looks after every turn what is due. */
static void
woken(struct agenda_timer *t)
{
	(void)t;
}

void
owner_excuse(struct owner *o)
{
	o->excused_us = sim_now(o->w);
}

void
owner_init(struct owner *o, struct sim *w, unsigned i)
{
	struct settings *settings;

	o->w = w;
	o->i = i;
	o->t = &w->targets[i];
	rng_init(&o->rng, w->seed, 0x100 + i);
	rng_init(&o->weather.rng, w->seed, 0x200 + i);
	o->weather.latency_us = rng_span(&o->rng, 20, 5000);
	host_init(o);
	kept_init(o);
	o->later.expired = later;
	o->wake.expired = woken;
	o->tpgt = rng_chance(&o->rng, 500) ? -1 : (int32_t)o->t->groups[0];
	o->must_dial = 0;
	o->close_in = SESSION_STATES;
	for (unsigned k = 0; k < SIM_PLACES; k++) {
		o->units[k].o = o;
		o->units[k].place = k;
		scan_init(&o->units[k]);
		rng_init(&o->units[k].rng, w->seed, 0x300 + i * SIM_PLACES + k);
		o->kept.unit[k].is_installed = rng_chance(&o->units[k].rng, 300);
		/* A disk of an array stays, and a path to it is no device. */
		if (w->is_array)
			o->kept.unit[k].is_installed = i == 0;
	}
	ways_init(o);
	settings = conf_choose(o);
	kept_settings(o, settings);
	begin(o, settings, NULL);
}

/* The first may have been heard, and its acknowledgement may be under way. */
static bool
is_loss_coming(const struct place *p)
{
	for (unsigned i = p->told != NULL; i < p->uas; i++)
		if (p->ua[i] == 0x2901 || p->ua[i] == 0x2904)
			return true;
	return false;
}

/* A loss that was on its way to the life before when that ended: nobody knows of it.  Each path is
 * told for itself, and any may be the first in the next life. */
static void
forget_loss(struct unit *u)
{
	bool is_due = true;

	EACH_MATE(u->o->t, m)
	is_due &= is_loss_coming(&m->places[target_place(u->o->t, u->place, m)]);
	u->disk->is_loss_due &= is_due || u->is_loss_kept;
}

static void
unit_vanish(struct unit *u, enum crash_kind kind)
{
	bool is_kept = kind == CRASH_REPLACED && !u->is_closing;

	agenda_clear(&u->o->w->agenda, &u->adopt);
	u->way = NULL;
	u->is_leaving = false;
	if (u->lu != NULL && is_kept) {
		u->is_kept = true;
		user_keep(u);
	} else if (u->lu != NULL || (u->is_kept && !is_kept)) {
		u->is_kept = false;
		user_forget(u);
	}
	if (u->is_kept)
		forget_loss(u);
	u->lu = NULL;
	u->is_closing = false;
}

void
owner_vanish(struct owner *o, enum crash_kind kind)
{
	host_vanish(o, kind == CRASH_DEAD);
	kept_crash(o);
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		unit_vanish(&o->units[i], kind);
		/* What still comes of it goes by what it knew. */
		o->t->places[i].changed_us = sim_now(o->w);
	}
	agenda_clear(&o->w->agenda, &o->later);
	o->s = NULL;
	o->is_open = o->is_closing = o->is_probing = o->is_probe_due = o->is_pinging = false;
	owner_excuse(o);
}

void
owner_return(struct owner *o)
{
	begin_anew(o, NULL);
}

void
owner_fini(struct owner *o)
{
	agenda_clear(&o->w->agenda, &o->later);
	agenda_clear(&o->w->agenda, &o->wake);
	agenda_clear(&o->w->agenda, &o->kept.write);
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		user_stop(&o->units[i]);
		agenda_clear(&o->w->agenda, &o->units[i].adopt);
	}
	if (o->s->path.in_flight != 0 || pool_used(o->s->path.pool) != 0)
		sim_fail(o->w, "at rest", "session %u: %u commands in flight, %u slots in use",
		    o->i, o->s->path.in_flight, pool_used(o->s->path.pool));
	session_free(o->s);
	o->s = NULL;
}

/* ---- after each turn ---- */

void
owner_check(struct owner *o)
{
	enum session_state s;

	if (o->s == NULL)
		return;
	s = session_state(o->s);
	if (s == SESSION_DOWN || s == SESSION_DOWN_TRY || s == SESSION_LOGOUT ||
	    s == SESSION_CLOSED)
		owner_excuse(o);
	if (s == o->close_in && !o->w->is_healed) {
		o->close_in = SESSION_STATES;
		owner_close(o, false);
	}
	check_owner(o);
	if (o->is_sweep_due)
		sweep(o);
	if (o->is_probe_due && sim_now(o->w) >= o->probe_us && s == SESSION_ONLINE &&
	    !o->is_probing && !o->is_closing)
		scan_start(o);
}

bool
owner_is_idle(const struct owner *o)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (o->units[i].lu != NULL && o->units[i].out > 0)
			return false;
	return true;
}

bool
owner_is_well(struct owner *o)
{
	if (session_state(o->s) != SESSION_ONLINE || o->is_probing || o->is_probe_due)
		return false;
	for (unsigned i = 0; i < o->w->places; i++) {
		const struct unit *u = &o->units[i];
		const struct lunpath *lp = ways_path(u);

		if (lp == NULL || lunpath_state(lp) != LU_SAME)
			return false;
		if (u->home != u)
			continue;
		if (u->lu == NULL || lu_state(u->lu) != LU_SAME || u->out > 0 ||
		    lu_blk(u->lu)->size_bytes != (uint64_t)u->disk->blocks * SIM_BLOCK)
			return false;
	}
	return true;
}

void
owner_describe(const struct owner *o, char *buf, size_t n)
{
	int at = snprintf(buf, n, "state %d%s%s", (int)session_state(o->s),
	    o->is_probing ? ", a scan is under way" : "", o->is_probe_due ? ", a scan is due" : "");

	for (unsigned i = 0; i < o->w->places && at > 0 && (size_t)at < n; i++) {
		const struct unit *u = &o->units[i];

		if (u->way != NULL)
			at += snprintf(buf + at, n - (size_t)at, "; path %u: state %d", i,
			    (int)lunpath_state(u->way));
		else if (u->lu == NULL)
			at += snprintf(buf + at, n - (size_t)at, "; no unit %u", i);
		else
			at += snprintf(buf + at, n - (size_t)at,
			    "; unit %u: state %d, %u requests out, %llu of %u blocks", i,
			    (int)lu_state(u->lu), u->out,
			    (unsigned long long)(lu_blk(u->lu)->size_bytes / SIM_BLOCK),
			    u->disk->blocks);
	}
}

bool
owner_is_gone(const struct owner *o)
{
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (o->units[i].lu != NULL || o->units[i].way != NULL)
			return false;
	return session_state(o->s) == SESSION_CLOSED && !o->is_open && !o->is_probing &&
	       !o->is_pinging;
}
