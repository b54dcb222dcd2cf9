/* The units of a session, and what is said of LUNs that have none yet. */
#include <string.h>

#include "ini/session_impl.h"

void
session_units_init(struct session *s)
{
	list_init(&s->units);
}

void
session_add_path(struct session *s, struct lunpath *lp)
{
	heard_tell(&s->heard, lp);
	list_push_back(&s->units, lunpath_link(lp));
}

void
session_add_unit(struct session *s, struct lu *u)
{
	session_add_path(s, lu_first_path(u));
}

void
session_remove_unit(struct session *s, struct lu *u)
{
	(void)s; /* the unit is on no other list */
	list_remove(lunpath_link(lu_first_path(u)));
}

void
session_take_over_unit(struct session *s, struct lu *u, bool is_loss_due)
{
	lu_take_over(u, is_loss_due);
	session_add_unit(s, u);
}

void
session_units_overheard(
    struct session *s, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *sense)
{
	bool is_meant = false;

	LIST_EACH(node, tmp, &s->units)
	is_meant |= lunpath_overheard(lunpath_of_link(node), lun, sense);
	if (!is_meant)
		heard_add(&s->heard, lun, sense, session_now(s));
}

const struct heard *
session_heard(const struct session *s)
{
	return &s->heard;
}
