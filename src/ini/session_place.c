/*
 * Where a session may have a nexus is written down before it goes online there:
 * who comes after us without having heard of that one (a new driver after a crash, a new
 * session after a logout that was lost) keeps its writes back until that is dead (fence.h).
 * A session that comes back to a place where it was has nothing to write down.
 */
#include <assert.h>
#include <string.h>

#include "base/cut.h"
#include "ini/session_impl.h"

void
session_place_init(struct session *s, const struct session_cfg *cfg)
{
	for (size_t i = 0; i < cfg->n_places; i++) {
		fence_past(&s->fence, ++s->path.nexus, &cfg->places[i], session_now(s));
		if (i < SESSION_PLACES)
			s->kept[s->n_kept++] = cfg->places[i];
	}
	s->path.dead_nexus = fence_dead(&s->fence, session_now(s));
}

static bool
has_logged_in(const struct session *s)
{
	return (s->state == SESSION_TRY || s->state == SESSION_DOWN_TRY) && !s->has_down &&
	       login_run_is_online(s->run);
}

void
session_place(const struct session *s, struct fence_place *ret)
{
	memset(ret, 0, sizeof *ret);
	cut_copy(ret->name, sizeof ret->name, s->settings->initiator_name);
	ret->tpgt = sess_tpgt(s->sess);
	ret->retain_s = (uint32_t)sess_time2wait(s->sess) + sess_time2retain(s->sess);
}

/* No nexus lives, but the next login will most likely be where the last one was. */
static bool
is_as_configured(const struct session *s)
{
	const struct settings *set = s->next_settings != NULL ? s->next_settings : s->settings;

	return s->n_kept == 1 && s->kept[0].tpgt == s->a.tpgt &&
	       strcmp(s->kept[0].name, set->initiator_name) == 0;
}

/* What is to be written down now: what will live once it is online, if it has logged in. */
static size_t
wanted(const struct session *s, struct fence_place ret[FENCE_ROWS])
{
	struct fence fence = s->fence;
	struct fence_place here;
	size_t n;

	if (has_logged_in(s)) {
		session_place(s, &here);
		fence_login(&fence, s->path.nexus + 1, &here);
	}
	n = fence_living(&fence, ret);
	if (n == 0 && is_as_configured(s)) {
		ret[0] = s->kept[0];
		n = 1;
	}
	return n;
}

/* Each of these is among those. */
static bool
are_all_in(
    const struct fence_place *these, size_t n, const struct fence_place *those, size_t n_those)
{
	for (size_t i = 0; i < n; i++)
		if (!fence_covers(those, n_those, &these[i]))
			return false;
	return true;
}

bool
session_place_is_kept(const struct session *s)
{
	struct fence_place here, list[FENCE_ROWS];
	size_t n = wanted(s, list);

	session_place(s, &here);
	if (fence_covers(&s->unkept, 1, &here))
		return true;
	/* Also those elsewhere that live longer than was thought. */
	return are_all_in(list, n, s->kept, s->n_kept) &&
	       (!s->is_keeping || are_all_in(list, n, s->told, s->n_told));
}

bool
session_place_is_waited_for(const struct session *s)
{
	return has_logged_in(s) && !session_place_is_kept(s);
}

void
session_place_review(struct session *s)
{
	struct fence_place list[FENCE_ROWS];
	size_t n;

	if (s->is_keeping)
		return;
	n = wanted(s, list);
	if (n == s->n_kept && are_all_in(list, n, s->kept, s->n_kept))
		return;
	memcpy(s->told, list, n * sizeof list[0]);
	s->n_told = n;
	s->is_keeping = s->must_tell_places = true;
}

void
session_kept(struct session *s)
{
	memcpy(s->kept, s->told, sizeof s->kept);
	s->n_kept = s->n_told;
	s->is_keeping = false;
	memset(&s->unkept, 0, sizeof s->unkept);
	agenda_defer(s->world->agenda, &s->progress);
}

void
session_place_check(const struct session *s)
{
	struct fence_place list[FENCE_ROWS];
	size_t n = fence_living(&s->fence, list);

	for (size_t i = 0; i < n && s->state == SESSION_ONLINE; i++)
		assert(fence_covers(s->kept, s->n_kept, &list[i]) ||
		       fence_covers(s->told, s->n_told, &list[i]) || s->unkept.name[0] != '\0');
}

size_t
session_places(const struct session *s)
{
	struct fence_place list[FENCE_ROWS];

	return fence_living(&s->fence, list);
}

uint64_t
session_dead_us(const struct session *s)
{
	return fence_last_us(&s->fence, session_now(s));
}
