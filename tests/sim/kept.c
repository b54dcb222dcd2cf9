#include "kept.h"

#include <string.h>

#include "conf.h"

/* The registry's thread has what changed by itself in its file within this. */
#define LATE_US 20000
#define SLOW_US 1900000

void
kept_settings(struct owner *o, const struct settings *s)
{
	o->kept.settings = *s;
	o->kept.redirect = o->kept.redirect_before = s->redirect;
}

void
kept_redirect(struct owner *o, const struct settings_redirect *r)
{
	if (sim_now(o->w) >= o->kept.redirect_us)
		o->kept.redirect_before = o->kept.redirect;
	o->kept.redirect = *r;
	o->kept.redirect_us = sim_now(o->w) + rng_below(&o->rng, LATE_US);
}

static void
written(struct agenda_timer *t)
{
	struct owner *o = LIST_ENTRY(t, struct owner, kept.write);

	o->kept.written = o->kept.places;
	if (o->s != NULL)
		session_kept(o->s);
}

void
kept_init(struct owner *o)
{
	o->kept.write.expired = written;
}

void
kept_places(struct owner *o, const struct fence_place *list, size_t n)
{
	uint32_t us = rng_chance(&o->rng, 50) ? SLOW_US : LATE_US;

	o->kept.places.n = n;
	memcpy(o->kept.places.list, list, n * sizeof *list);
	agenda_set(&o->w->agenda, &o->kept.write, sim_now(o->w) + rng_below(&o->rng, us));
}

void
kept_crash(struct owner *o)
{
	if (sim_now(o->w) < o->kept.redirect_us)
		o->kept.redirect = o->kept.redirect_before;
	o->kept.redirect_us = 0;
	agenda_clear(&o->w->agenda, &o->kept.write);
	o->kept.places = o->kept.written;
}

struct settings *
kept_snapshot(struct owner *o)
{
	struct settings *s = settings_new();

	*s = o->kept.settings;
	s->redirect = o->kept.redirect;
	conf_auth(o, s);
	return s;
}

static void
remember(struct owner *o, unsigned place, const struct identity *id, struct disk *d)
{
	o->kept.unit[place].id = *id;
	o->kept.unit[place].disk = d;
}

/* As compare() of driver/iscsial/luns_probe.c. */
struct disk *
kept_unit(struct owner *o, unsigned place, const struct identity *id, struct disk *d)
{
	struct disk *known = o->kept.unit[place].disk;

	if (known == NULL) {
		remember(o, place, id, d);
		return d;
	}
	switch (identity_compare(&o->kept.unit[place].id, id)) {
	case IDENTITY_SAME:
	case IDENTITY_ALIKE:
		return known;
	case IDENTITY_UNCERTAIN:
		return NULL;
	case IDENTITY_OTHER:
		break;
	}
	if (known == d)
		sim_fail(o->w, "identity", "disk %u at place %u.%u is not known any more", d->uid,
		    o->i, place);
	if (o->kept.unit[place].is_installed || o->units[place].is_kept)
		return NULL;
	remember(o, place, id, d);
	return d;
}

struct disk *
kept_home(const struct owner *o, unsigned place)
{
	if (o->units[place].lu != NULL || o->units[place].is_kept)
		return o->units[place].disk;
	return o->kept.unit[place].is_installed ? o->kept.unit[place].disk : NULL;
}
