#include "lu/pass.h"

#include "lu/lu_impl.h"

void
pass_heard(struct path *path, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s)
{
	path->ops->overheard(path, lun, s);
	if (lu_is_doubt(s))
		lu_notify(path, NULL, s);
}

/* What a command that was answered says of the unit, the unit minds as of its own. */
static void
hear(struct pass *p)
{
	struct retry_verdict v;
	struct lunpath *lp = p->lp;
	uint8_t state;

	if (p->lu == NULL) {
		v = retry_judge(&p->req, 0);
		if (v.has_sense && v.step != RETRY_DONE)
			pass_heard(p->path, p->req.lun, &v.sense);
		return;
	}
	v = lu_loss_judge(p->lu, &p->req, 0);
	if (v.has_sense && alua_of_sense(&v.sense, &state))
		lunpath_met(lp, state);
	if (lp->state == LU_UNKNOWN || lp->state == LU_CLOSED)
		return;
	if (v.step == RETRY_ASK)
		lunpath_ask_after(lp, &v);
	else if (p->effect == EFFECT_ALTERS)
		/* Its size, mode or name may be others by what it did, and nobody else tells. */
		lunpath_doubt(lp);
}

/* The target has, or may have, executed it. */
static void
mind_effect(struct pass *p)
{
	struct lu *u = p->lu;

	if (u == NULL || !effect_harms(p->effect))
		return;
	if (p->req.result != REQ_UNSENT)
		lu_loss_wrote(u);
	if (p->req.result == REQ_LOST && p->nexus > p->path->dead_nexus)
		shadow_cast_all(&u->shadow, p->lp->index, p->nexus);
}

static void
leave(struct pass *p)
{
	agenda_clear(p->agenda, &p->timer);
	list_remove(&p->link);
}

/* It was never sent. */
static void
refuse(struct pass *p, const char *next, const char *why)
{
	leave(p);
	p->req.result = REQ_UNSENT;
	fault_set(&p->why, FAULT_OFFLINE, next, "%s", why);
	p->done(p);
}

static bool
is_late(const struct pass *p)
{
	return agenda_now(p->agenda) >= p->until_us;
}

/* Over it nothing else is sent, for a moment. */
static bool
is_open(const struct lunpath *lp)
{
	return lunpath_serves(lp) && lp->path->is_up && lp->path->on_trial == NULL;
}

/* Of one path alone: it is the unit that is there, whatever its port group is. */
static struct lunpath *
only_way(const struct pass *p)
{
	LU_EACH_PATH(p->lu, lp)
	if (lp->path == p->only && lp->state == LU_SAME && lp->path->is_up &&
	    lp->path->on_trial == NULL)
		return lp;
	return NULL;
}

/* The path that it may go over now, the one of most requests if that is one; NULL: it waits. */
static struct lunpath *
way(const struct pass *p)
{
	const struct lu *u = p->lu;

	if (effect_harms(p->effect) && shadow_is_any(&u->shadow))
		return NULL;
	if (p->only != NULL)
		return only_way(p);
	if (u->current != NULL && is_open(u->current))
		return u->current;
	LU_EACH_PATH(u, lp)
	if (is_open(lp))
		return lp;
	return NULL;
}

static void ended(struct req *r);

static void
send(struct pass *p)
{
	agenda_clear(p->agenda, &p->timer);
	p->is_out = true;
	p->nexus = p->path->nexus;
	p->req.attr = REQ_SIMPLE;
	p->req.done = ended;
	if (p->lu != NULL)
		__builtin_memcpy(p->req.lun, p->lp->wire, sizeof p->req.lun);
	path_ask(p->path, &p->req);
}

static bool
is_trial(const struct pass *p)
{
	if (p->lu == NULL)
		return p->path->on_trial != NULL;
	LU_EACH_PATH(p->lu, lp)
	if (lp->path->on_trial != NULL)
		return true;
	return false;
}

/* Most of what it waits for is told; that a trial is over is not. */
static void
wait(struct pass *p)
{
	uint64_t again = agenda_now(p->agenda) + ASK_TRIAL_US;

	agenda_set(p->agenda, &p->timer, is_trial(p) && again < p->until_us ? again : p->until_us);
}

static void
look_raw(struct pass *p)
{
	if (!p->path->is_up)
		refuse(p, "wait until it is: iscsiutil -p -S", "the session is not online");
	else if (p->is_bound && (p->nexus != p->path->nexus || p->doubts != p->path->doubts))
		refuse(p, "try again", "the unit may be another one since it was asked who it is");
	else if (p->path->on_trial == NULL)
		send(p);
	else if (is_late(p))
		refuse(p, "try again, or allow more time", "other commands were in its way");
	else
		wait(p);
}

static const char *
barred_why(const struct pass *p)
{
	const struct lu *u = p->lu;

	if (lu_why(u)->is_set)
		return lu_why(u)->message;
	return lu_is_ready(u) ? "older writes of unknown fate were not over in time"
			      : "no path to the unit could be used in time";
}

/* Send it, refuse it, or look again later. */
static void
look(struct pass *p)
{
	struct lu *u = p->lu;
	struct lunpath *lp;

	if (u == NULL) {
		look_raw(p);
		return;
	}
	lp = u->is_closed ? NULL : way(p);
	if (u->is_closed) {
		refuse(p, "", "the disk is being taken away");
	} else if (u->state == LU_OTHER) {
		refuse(p, lu_why(u)->next, lu_why(u)->message);
	} else if (lu_is_given_up(u)) {
		refuse(p, "wait until it is: iscsiutil -p -S",
		    "the session has been away for longer than ReplacementTimeout");
	} else if (lp != NULL) {
		p->lp = lp;
		p->path = lp->path;
		send(p);
	} else if (is_late(p)) {
		refuse(p, "try again, or allow more time", barred_why(p));
	} else {
		wait(p);
	}
}

static void
ended(struct req *r)
{
	struct pass *p = LIST_ENTRY(r, struct pass, req);
	struct lunpath *lp = p->lp;
	struct path *path = p->path;

	p->is_out = false;
	path_answered(path);
	mind_effect(p);
	if (r->result == REQ_UNSENT && !is_late(p)) {
		if (p->lu != NULL && lp->state != LU_UNKNOWN && lp->state != LU_CLOSED &&
		    !path->is_up)
			lunpath_lost(lp);
		/* In the agenda's own time: the path may be in the middle of its end. */
		agenda_set(p->agenda, &p->timer, agenda_now(p->agenda));
	} else {
		leave(p);
		if (r->result == REQ_DONE)
			hear(p);
		else if (r->result == REQ_UNSENT)
			fault_set(&p->why, FAULT_OFFLINE, "try again, or allow more time",
			    "the connection ended before it was sent");
		p->done(p);
	}
	hold_landed(path);
}

static void
expired(struct agenda_timer *t)
{
	struct pass *p = LIST_ENTRY(t, struct pass, timer);

	if (!p->is_out)
		look(p);
}

static void
want(struct path *path)
{
	if (path->ops->wanted != NULL && !path->is_up)
		path->ops->wanted(path);
}

static void
start(struct pass *p, struct agenda *agenda)
{
	p->agenda = agenda;
	p->is_out = false;
	p->effect = effect_of(p->req.cdb);
	p->until_us = agenda_now(agenda) + p->patience_us;
	p->timer = (struct agenda_timer){ .expired = expired };
	agenda_set(agenda, &p->timer, agenda_now(agenda));
}

void
pass_start(struct pass *p, struct lu *u)
{
	p->lu = u;
	p->lp = NULL;
	p->path = NULL;
	list_push_back(&u->passes, &p->link);
	start(p, u->agenda);
	LU_EACH_PATH(u, lp)
	{
		want(lp->path);
		if (lp->state != LU_SAME)
			lunpath_ask_soon(lp);
	}
}

void
pass_start_raw(struct pass *p, struct path *path)
{
	p->lu = NULL;
	p->lp = NULL;
	p->path = path;
	list_init(&p->link);
	start(p, path->agenda);
}

void
pass_pump(struct lu *u)
{
	LIST_EACH(node, tmp, &u->passes)
	{
		struct pass *p = LIST_ENTRY(node, struct pass, link);

		if (!p->is_out)
			agenda_set(p->agenda, &p->timer, agenda_now(p->agenda));
	}
}
