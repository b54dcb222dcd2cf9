#include "lu/shadow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_AT_FIRST 8

struct shadow_row {
	uint64_t first, end; /* bytes; end is behind the last */
	uint64_t nexus;      /* of the last command */
	uint64_t order;      /* whose */
	uint8_t path;
};

void
shadow_free(struct shadow *s)
{
	free(s->at);
	*s = (struct shadow){ 0 };
}

/* False: there are as many as there may be, or there is no memory. */
static bool
has_room(struct shadow *s)
{
	unsigned room = s->room > 0 ? 2 * s->room : ROWS_AT_FIRST;
	struct shadow_row *grown;

	if (s->n < s->room)
		return true;
	grown = s->room < SHADOW_MAX ? malloc(room * sizeof *grown) : NULL;
	if (grown == NULL)
		return false;
	if (s->n > 0)
		memcpy(grown, s->at, s->n * sizeof *grown);
	free(s->at);
	s->at = grown;
	s->room = room;
	return true;
}

void
shadow_cast_all(struct shadow *s, unsigned path, uint64_t nexus)
{
	assert(path < LIMIT_UNIT_PATHS && nexus > 0);
	s->n_all += s->all[path] == 0;
	if (nexus > s->all[path])
		s->all[path] = nexus;
}

/* A write that was lost over several paths has a shadow for each. */
void
shadow_cast(
    struct shadow *s, uint64_t order, uint64_t first, uint64_t len, unsigned path, uint64_t nexus)
{
	assert(len > 0 && first + len > first);
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].order == order && s->at[i].path == path) {
			s->at[i].nexus = nexus;
			return;
		}
	if (!has_room(s)) {
		shadow_cast_all(s, path, nexus);
		return;
	}
	s->at[s->n].first = first;
	s->at[s->n].end = first + len;
	s->at[s->n].nexus = nexus;
	s->at[s->n].order = order;
	s->at[s->n].path = (uint8_t)path;
	s->n++;
}

bool
shadow_lives(const struct shadow *s, uint64_t order)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].order == order)
			return true;
	return s->n_all > 0; /* it may be among those */
}

bool
shadow_covers(const struct shadow *s, uint64_t order, uint64_t first, uint64_t len)
{
	if (s->n_all > 0)
		return true;
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].order != order && first < s->at[i].end && s->at[i].first < first + len)
			return true;
	return false;
}

bool
shadow_lift(struct shadow *s, unsigned path, uint64_t dead_nexus)
{
	unsigned kept = 0;
	bool is_less = s->all[path] != 0 && s->all[path] <= dead_nexus;

	if (is_less) {
		s->all[path] = 0;
		s->n_all--;
	}
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].path != path || s->at[i].nexus > dead_nexus)
			s->at[kept++] = s->at[i];
	is_less = is_less || kept < s->n;
	s->n = kept;
	return is_less;
}

void
shadow_leave(struct shadow *s, unsigned path, uint64_t until_us)
{
	if (!shadow_lift(s, path, UINT64_MAX) || until_us <= s->until_us)
		return;
	s->n_all += s->until_us == 0;
	s->until_us = until_us;
}

bool
shadow_pass(struct shadow *s, uint64_t now_us)
{
	if (s->until_us == 0 || s->until_us > now_us)
		return false;
	s->until_us = 0;
	s->n_all--;
	return true;
}
