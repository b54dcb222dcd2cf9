/* For tests: a session in a fake world, with an owner that keeps what it is told. */
#ifndef INI_FAKE_OWNER_H
#define INI_FAKE_OWNER_H

#include "ini/fake_lu.h"
#include "ini/fake_world.h"
#include "ini/session.h"

struct fake_owner {
	struct fake_world w;
	struct session *s;
	struct lu unit[2];
	unsigned moves, closes, luns_changes, redirects, pongs, probes, places;
	bool is_slow; /* what is to be kept is not written down by itself: fake_owner_keep() */
	bool is_keeping;
	struct fence_place kept[SESSION_PLACES]; /* n_kept, as it was told last */
	size_t n_kept;
	bool frees;               /* the session, when it is told that it is closed */
	struct session_view view; /* of the last move */
	struct settings_redirect redirect;
	struct session_ping ping; /* the last answer */
	struct fault probe_fault;
	size_t probe_n;
};

/* n units; not open yet. */
void fake_owner_init(struct fake_owner *o, uint64_t seed, unsigned n_units);
/* With these settings. */
void fake_owner_init_with(
    struct fake_owner *o, uint64_t seed, unsigned n_units, struct settings *settings);
/* One unit, and lives before that were at these places. */
void fake_owner_init_after(
    struct fake_owner *o, uint64_t seed, const struct fence_place *places, size_t n);
/* Closes it (within its bound), and checks that nothing is left. */
void fake_owner_fini(struct fake_owner *o);
/* Open it and let it come online. */
void fake_owner_online(struct fake_owner *o);
/* What was told is written down. */
void fake_owner_keep(struct fake_owner *o);
void fake_owner_ping(struct fake_owner *o);
void fake_owner_probe(struct fake_owner *o);
/* Let time pass until the session is in this state, at most so long; false: it is not. */
bool fake_owner_until(struct fake_owner *o, enum session_state state, uint64_t us);

#endif
