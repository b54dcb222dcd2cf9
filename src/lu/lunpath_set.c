/*
 * Explicit asymmetric access: where no path serves, requests wait, and the target lets an initiator
 * choose, one of its target port groups is asked to become active/optimized (SPC-4, 6.45).
 * Nothing is asked for while any group changes by itself, nor again within a while: two
 * initiators must not take a unit from each other all the time.
 */
#include <stdlib.h>

#include "lu/lu_impl.h"
#include "scsi/cdb.h"

/* So long it is waited for that one serves by itself; so long until the next try.  The timer is
 * armed for that long behind each, whatever becomes of it. */
#define SET_AFTER_US   1000000
#define SET_PACE_US    30000000
#define SET_TIMEOUT_MS 60000

struct lunpath_set {
	struct lunpath *lp;
	struct req req;
	uint8_t list[ALUA_SET_BYTES];
};

static bool
can_set(const struct lunpath *lp)
{
	return lp->state == LU_SAME && lp->path->is_up && !lp->is_out && lp->set == NULL &&
	       lp->path->may_set_groups && lp->alua.can_set && lp->alua.is_reported &&
	       lp->alua.has_group && lp->path->on_trial == NULL;
}

/* The one that is preferred, by us or by the target; NULL: none, or it changes already. */
static struct lunpath *
choose(const struct lu *u)
{
	struct lunpath *found = NULL;
	unsigned best = 0;

	LU_EACH_PATH(u, lp)
	{
		unsigned good = 1 + 2 * lunpath_is_preferred(lp) + lp->alua.is_preferred;

		if (lp->set != NULL ||
		    (lp->state == LU_SAME && lp->alua.state == ALUA_TRANSITIONING))
			return NULL;
		if (can_set(lp) && good > best) {
			found = lp;
			best = good;
		}
	}
	return found;
}

static void
set(struct req *r)
{
	struct lunpath_set *s = LIST_ENTRY(r, struct lunpath_set, req);
	struct lunpath *lp = s->lp;
	struct path *p = lp->path;
	struct retry_verdict v = lu_loss_judge(lp->lu, r, 0);

	lp->set = NULL;
	free(s);
	path_answered(p);
	if (lp->state != LU_UNKNOWN && lp->state != LU_CLOSED) {
		if (v.step == RETRY_ASK)
			lunpath_ask_after(lp, &v);
		else
			lunpath_ask_within(lp, 0);
	}
	hold_landed(p);
}

/* False: there is no memory for it now. */
static bool
ask_for(struct lunpath *lp)
{
	struct lunpath_set *s = malloc(sizeof *s);

	if (s == NULL)
		return false;
	s->lp = lp;
	lunpath_say(lp, SAY_NOTE,
	    "no path serves: target port group %u is asked to become active/optimized",
	    lp->alua.group);
	alua_set_list(s->list, lp->alua.group);
	s->req = (struct req){ .dir = REQ_WRITE,
		.attr = REQ_SIMPLE,
		.data = s->list,
		.data_len = sizeof s->list,
		.timeout_ms = SET_TIMEOUT_MS,
		.done = set };
	__builtin_memcpy(s->req.lun, lp->wire, sizeof s->req.lun);
	cdb_set_target_ports(s->req.cdb, sizeof s->list);
	lp->set = s;
	path_ask(lp->path, &s->req);
	return true;
}

void
lu_set_expired(struct agenda_timer *t)
{
	struct lu *u = LIST_ENTRY(t, struct lu, set_timer);
	struct lunpath *lp = choose(u);
	bool is_asked;

	if (lu_is_ready(u) || u->is_closed || (list_empty(&u->queue) && list_empty(&u->aside)))
		return;
	is_asked = lp != NULL && ask_for(lp);
	agenda_set(u->agenda, t, agenda_now(u->agenda) + (is_asked ? SET_PACE_US : SET_AFTER_US));
}

void
lu_set_wanted(struct lu *u)
{
	if (!u->set_timer.armed && choose(u) != NULL)
		agenda_set(u->agenda, &u->set_timer, agenda_now(u->agenda) + SET_AFTER_US);
}
