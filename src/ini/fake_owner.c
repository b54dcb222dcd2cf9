#include "ini/fake_owner.h"

#include <assert.h>
#include <string.h>

#include "base/cut.h"

static void
moved(void *user, const struct session_view *v)
{
	struct fake_owner *o = user;

	o->moves++;
	o->view = *v;
	assert(v->state == session_state(o->s));
}

static void
redirected(void *user, const struct settings_redirect *r)
{
	struct fake_owner *o = user;

	o->redirects++;
	o->redirect = *r;
}

static void
luns_changed(void *user)
{
	((struct fake_owner *)user)->luns_changes++;
}

static void
placed(void *user, const struct fence_place *list, size_t n)
{
	struct fake_owner *o = user;

	assert(!o->is_keeping && n <= SESSION_PLACES);
	o->places++;
	o->is_keeping = true;
	memcpy(o->kept, list, n * sizeof *list);
	o->n_kept = n;
	if (!o->is_slow)
		fake_owner_keep(o);
}

void
fake_owner_keep(struct fake_owner *o)
{
	if (!o->is_keeping)
		return;
	o->is_keeping = false;
	session_kept(o->s);
}

static void
closed(void *user)
{
	struct fake_owner *o = user;

	o->closes++;
	assert(session_state(o->s) == SESSION_CLOSED);
	if (o->frees) {
		session_free(o->s);
		o->s = NULL;
	}
}

static const struct session_ops ops = { moved, redirected, luns_changed, placed, closed };

static void
init(struct fake_owner *o, uint64_t seed, unsigned n_units, struct settings *settings,
    const struct fence_place *places, size_t n_places)
{
	struct session_cfg cfg = { .world = &o->w.world,
		.instance = 3,
		.target = "iqn.2026-11.org.openisw:tgt",
		.at = { .host = "192.0.2.1", .port = 3260, .tpgt = 1 },
		.isid = { 0x80, 1, 2, 3, 0, 3 },
		.places = places,
		.n_places = n_places,
		.ops = &ops,
		.user = o };

	memset(o, 0, sizeof *o);
	fake_world_init(&o->w, seed);
	o->s = session_new(&cfg, settings);
	assert(o->s != NULL);
	for (unsigned i = 0; i < n_units; i++) {
		fake_lu_init(&o->unit[i], session_path(o->s), i);
		session_add_unit(o->s, &o->unit[i]);
	}
}

void
fake_owner_init_with(
    struct fake_owner *o, uint64_t seed, unsigned n_units, struct settings *settings)
{
	init(o, seed, n_units, settings, NULL, 0);
}

void
fake_owner_init_after(
    struct fake_owner *o, uint64_t seed, const struct fence_place *places, size_t n)
{
	init(o, seed, 1, fake_settings(), places, n);
}

void
fake_owner_init(struct fake_owner *o, uint64_t seed, unsigned n_units)
{
	fake_owner_init_with(o, seed, n_units, fake_settings());
}

void
fake_owner_fini(struct fake_owner *o)
{
	unsigned before = o->closes;
	bool is_closed;

	session_close(o->s);
	is_closed = fake_owner_until(o, SESSION_CLOSED, 6000000);
	assert(is_closed);
	fake_world_run(&o->w, 1000);
	assert(o->closes == before + 1);
	for (int i = 0; i < 2; i++)
		if (o->unit[i].path != NULL) {
			assert(lu_is_idle(&o->unit[i]));
			session_remove_unit(o->s, &o->unit[i]);
		}
	session_free(o->s);
	fake_world_fini(&o->w);
}

bool
fake_owner_until(struct fake_owner *o, enum session_state state, uint64_t us)
{
	uint64_t end = o->w.agenda.now_us + us;

	do {
		if (session_state(o->s) == state)
			return true;
	} while (fake_world_step(&o->w, end - o->w.agenda.now_us));
	return session_state(o->s) == state;
}

void
fake_owner_online(struct fake_owner *o)
{
	bool is_online;

	session_open(o->s, true, true);
	is_online = fake_owner_until(o, SESSION_ONLINE, 1000000);
	assert(is_online);
}

static void
ponged(void *user, const struct session_ping *ping)
{
	struct fake_owner *o = user;

	o->pongs++;
	o->ping = *ping;
}

void
fake_owner_ping(struct fake_owner *o)
{
	bool ok = session_ping(o->s, 64, ponged, o);

	assert(ok);
}

static void
probed(void *user, struct probe_result *r)
{
	struct fake_owner *o = user;

	o->probes++;
	o->probe_fault = r->fault;
	o->probe_n = r->n;
}

void
fake_owner_probe(struct fake_owner *o)
{
	bool ok = session_probe(o->s, probed, o);

	assert(ok);
}
