/*
 * The units of a session, and what is said of LUNs that have none yet.  A target
 * tells a nexus once that a cache was lost, and whoever asks first hears it: a scan, before the
 * scan makes the unit.  Where that takes over from a life of the program before, writes that were
 * answered then may be among the lost ones, so what was said is kept for it.
 */
#include <string.h>

#include "ini/session_impl.h"

void
session_units_init(struct session *s)
{
	list_init(&s->units);
}

void
session_add_unit(struct session *s, struct lu *u)
{
	list_push_back(&s->units, lu_link(u));
}

void
session_remove_unit(struct session *s, struct lu *u)
{
	(void)s; /* the unit is on no other list */
	list_remove(lu_link(u));
}

void
session_take_over_unit(struct session *s, struct lu *u, bool is_loss_due)
{
	const struct session_heard *last = &s->heard[LIMIT_HEARD - 1];

	lu_take_over(u, is_loss_due);
	for (size_t i = 0; i < s->n_heard; i++)
		(void)lu_overheard(u, s->heard[i].lun, &s->heard[i].sense);
	if (s->is_heard_by_all)
		(void)lu_overheard(u, lu_info(u)->wire, &last->sense);
	session_add_unit(s, u);
}

/* It says that a cache was lost, or may have been. */
static bool
is_of_cache(const struct sense *sense)
{
	return sense_is_loss(sense) || (sense->key == SENSE_KEY_UNIT_ATTENTION &&
					   !sense->is_deferred && sense->asc == 0x29);
}

static bool
has_heard(const struct session *s, const struct session_heard *h)
{
	for (size_t i = 0; i < s->n_heard; i++)
		if (memcmp(s->heard[i].lun, h->lun, sizeof h->lun) == 0 &&
		    s->heard[i].sense.asc == h->sense.asc &&
		    s->heard[i].sense.ascq == h->sense.ascq)
			return true;
	return false;
}

void
session_units_overheard(
    struct session *s, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *sense)
{
	struct session_heard h = { .sense = *sense };
	bool is_meant = false;

	memcpy(h.lun, lun, sizeof h.lun);
	LIST_EACH(node, tmp, &s->units)
	is_meant |= lu_overheard(lu_of_link(node), lun, sense);
	if (is_meant || !is_of_cache(sense) || has_heard(s, &h))
		return;
	if (s->n_heard < LIMIT_HEARD)
		s->heard[s->n_heard++] = h;
	else
		s->is_heard_by_all = true;
}
