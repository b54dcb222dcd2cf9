#include "lu/shadow.h"

#include <assert.h>

void
shadow_cast_all(struct shadow *s, uint64_t nexus)
{
	s->is_all = true;
	s->all_nexus = nexus;
}

void
shadow_cast(struct shadow *s, uint64_t order, uint64_t first, uint64_t len, uint64_t nexus)
{
	assert(len > 0 && first + len > first);
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].order == order) {
			s->at[i].nexus = nexus;
			return;
		}
	if (s->n == SHADOW_MAX) {
		shadow_cast_all(s, nexus);
		return;
	}
	s->at[s->n].first = first;
	s->at[s->n].end = first + len;
	s->at[s->n].nexus = nexus;
	s->at[s->n].order = order;
	s->n++;
}

bool
shadow_covers(const struct shadow *s, uint64_t order, uint64_t first, uint64_t len)
{
	if (s->is_all)
		return true;
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].order != order && first < s->at[i].end && s->at[i].first < first + len)
			return true;
	return false;
}

bool
shadow_lift(struct shadow *s, uint64_t dead_nexus)
{
	unsigned kept = 0;
	bool is_less = s->is_all && s->all_nexus <= dead_nexus;

	if (is_less)
		s->is_all = false;
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].nexus > dead_nexus)
			s->at[kept++] = s->at[i];
	is_less = is_less || kept < s->n;
	s->n = kept;
	return is_less;
}
