#include <assert.h>
#include <string.h>

#include "lu/sim.h"
#include "scsi/sense.h"

uint64_t
sim_random(struct sim *s, uint64_t below)
{
	uint64_t x = s->random;

	/* xorshift64*, Vigna. */
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	s->random = x;
	return (x * UINT64_C(2685821657736338717) >> 16) % below;
}

bool
sim_chance(struct sim *s, unsigned of_thousand)
{
	return sim_random(s, 1000) < of_thousand;
}

static struct sim_path *
of(struct path *p)
{
	return LIST_ENTRY(p, struct sim_path, path);
}

struct lunpath *
sim_way(const struct sim *s, unsigned place, unsigned path)
{
	struct lunpath *lp = lu_first_path(s->u[place]);

	return path == 0 ? lp : lu_path_after(s->u[place], lp);
}

bool
sim_is_given_up(const struct sim *s)
{
	for (unsigned i = 0; i < s->n_paths; i++)
		if (!s->path[i].path.is_given_up)
			return false;
	return true;
}

/* What was sent may be executed late somewhere. */
static bool
is_shadow_about(const struct sim *s)
{
	for (unsigned i = 0; i < s->n_paths; i++) {
		const struct path *p = &s->path[i].path;

		if (p->dead_nexus + p->is_up < p->nexus)
			return true;
	}
	return false;
}

/* ---- commands come ---- */

static bool
waits_in(const struct list *l, const struct blk_req *r)
{
	LIST_EACH(node, tmp, l)
	if (node == &r->link)
		return true;
	return false;
}

/* Oldest first, but for what pauses, may lie in a shadow, or could not fly. */
static void
check_order(struct sim *s, const struct sim_cmd *c)
{
	struct lu *u = s->u[c->place];
	bool is_dark = is_shadow_about(s);
	/* Its turn comes in the same event. */
	bool is_next =
	    s->is_fencing || (u->hold_timer.armed && u->hold_timer.at_us <= s->agenda.now_us);

	for (size_t i = 0; i < SIM_REQS; i++) {
		const struct sim_req *o = &s->reqs[c->place][i];

		if (!o->is_out || o == c->q || o->r.hold.order > c->q->r.hold.order ||
		    o->is_delayed || o->r.hold.was_lost || (o->write != 0 && is_dark) ||
		    hold_trial_from_us(u, &o->r) > s->agenda.now_us)
			continue;
		if (waits_in(&u->queue, &o->r) || (waits_in(&u->aside, &o->r) && !is_next))
			sim_fail(s, "request %llu goes before %llu",
			    (unsigned long long)c->q->r.hold.order,
			    (unsigned long long)o->r.hold.order);
	}
}

/* How long it is under way; 0: it has not left. */
static uint64_t
flown_us(const struct sim *s, const struct sim_cmd *c)
{
	return c->left_us == 0 ? 0 : s->agenda.now_us - c->left_us;
}

static bool
is_last_try(const struct sim_cmd *c)
{
	return c->q != NULL && !c->q->is_proven && c->q->r.hold.tries + 1 == RETRY_TRIES;
}

/* Others wait for it. */
static bool
is_waited_for(const struct sim *s, const struct sim_cmd *c)
{
	if (c->q == NULL || c->q->is_proven || c->q->r.hold.tries < 2)
		return false;
	if (is_last_try(c))
		return flown_us(s, c) < SIM_FUSE_US;
	/* What has not left for so long is not waited for any more. */
	return c->q->r.hold.stood == 0 && flown_us(s, c) < 1000000 &&
	       (c->left_us != 0 ? c->left_us : s->agenda.now_us) - c->submit_us < 1000000;
}

/* May c, a suspect, not fly beside o? */
static bool
disturbs(const struct sim *s, const struct sim_cmd *o, const struct sim_cmd *c)
{
	uint64_t us = s->agenda.now_us - o->submit_us;

	if (o->q != NULL && o->q->is_proven)
		return false;
	if (!is_last_try(c))
		return us < 500000;
	return (o->q != NULL ? flown_us(s, o) : us) < SIM_FUSE_US;
}

/*
 * Nothing but questions goes to a unit that is not the same; a suspect flies alone, but for what
 * others have waited for long enough.
 */
static void
check_sent(struct sim *s, const struct sim_cmd *c)
{
	struct lu *u = s->u[c->place];

	for (size_t i = 0; i < SIM_CMDS; i++) {
		const struct sim_cmd *o = &s->cmds[i];

		if (o != c && o->stage != SIM_FREE && o->r != NULL && o->path == c->path &&
		    ((is_waited_for(s, c) && disturbs(s, o, c)) || is_waited_for(s, o)))
			sim_fail(s, "a suspect does not fly alone");
	}
	if (c->q == NULL)
		return;
	if (lu_state(u) != LU_SAME)
		sim_fail(s, "a command goes to a unit that is %s", sim_state_name(lu_state(u)));
	if (!lunpath_serves(sim_way(s, c->place, c->path)))
		sim_fail(s, "a command goes over a path that is %s",
		    path_state_word(lunpath_shown(sim_way(s, c->place, c->path))));
	check_order(s, c);
}

void
sim_submit(struct path *p, struct req *r)
{
	struct sim *s = of(p)->s;
	struct sim_cmd *c = NULL;

	for (size_t i = 0; i < SIM_CMDS && c == NULL; i++)
		if (s->cmds[i].stage == SIM_FREE)
			c = &s->cmds[i];
	if (c == NULL)
		sim_fail(s, "the target is full");
	r->result = REQ_DONE;
	r->status = r->response = 0;
	r->sense_len = 0;
	r->data_got = r->residual = 0;
	r->overflow = r->underflow = false;
	r->sent_us = 0;
	*c = (struct sim_cmd){ .stage = SIM_HERE,
		.r = r,
		.place = r->lun[1],
		.path = of(p)->i,
		.op = r->cdb[0],
		.bits = r->cdb[1],
		.nexus = p->nexus,
		.submit_us = s->agenda.now_us,
		.late_us = s->agenda.now_us + 1000ull * r->timeout_ms };
	if (!fake_is_question(r)) {
		struct io *io = LIST_ENTRY(r, struct io, req);

		c->q = LIST_ENTRY(io->blk, struct sim_req, r);
		c->write = c->q->write;
		c->q->is_away = true;
	}
	sim_trace(s, "sent unit %u path %u opcode %02x page %02x write %u nexus %llu", c->place,
	    c->path, c->op, r->cdb[2], c->write, (unsigned long long)c->nexus);
	if (!p->is_up)
		return; /* it comes back when the loss is told, or never leaves */
	check_sent(s, c);
}

bool
sim_withdraw(struct path *p, struct req *r)
{
	struct sim *s = of(p)->s;

	for (size_t i = 0; i < SIM_CMDS; i++)
		if (s->cmds[i].stage == SIM_HERE && s->cmds[i].r == r) {
			s->cmds[i].is_withdrawn = true;
			return true;
		}
	return false;
}

/* ---- commands end ---- */

/* Hand it back; the command itself may stay behind (it may still be executed). */
static void
hand_back(struct sim *s, struct sim_cmd *c, bool is_gone)
{
	struct req *r = c->r;
	struct sim_req *q = c->q;

	c->r = NULL;
	if (is_gone)
		c->stage = SIM_FREE;
	if (q != NULL) {
		bool is_good = r->result == REQ_DONE && r->status == SENSE_STATUS_GOOD;

		q->is_away = false;
		q->is_proven = !is_good && (q->is_proven || flown_us(s, c) >= SIM_FUSE_US);
		q->is_delayed = !is_good && r->result != REQ_LOST && r->result != REQ_UNSENT;
		if (is_good)
			q->stuck_us = q->losses = q->oddities = 0;
		else if (q->stuck_us == 0)
			q->stuck_us = s->agenda.now_us;
	}
	sim_trace(s, "back unit %u opcode %02x write %u result %d status %02x sense %x/%02x/%02x",
	    c->place, c->op, c->write, r->result, r->status, r->sense_len > 0 ? r->sense[2] : 0,
	    r->sense_len > 0 ? r->sense[12] : 0, r->sense_len > 0 ? r->sense[13] : 0);
	r->done_us = s->agenda.now_us;
	r->done(r);
}

/* What came before a change was told is not executed behind it. */
static void
clear_queue(struct sim *s, unsigned place, unsigned path)
{
	for (size_t i = 0; i < SIM_CMDS; i++)
		if (s->cmds[i].place == place && s->cmds[i].path == path &&
		    s->cmds[i].stage != SIM_ANSWERED)
			s->cmds[i].is_old = true;
}

static void
deliver(struct sim *s, struct sim_cmd *c)
{
	struct sim_path *w = &s->path[c->path];

	if (c->tells_reset != 0 && w->reset_tick[c->place] < c->answered) {
		w->reset[c->place] = 0;
		clear_queue(s, c->place, w->i);
	}
	s->losses[c->place] += c->tells_reset != 0;
	if (c->tells_change != 0 && w->change_tick[c->place] < c->answered) {
		w->change[c->place] = 0;
		clear_queue(s, c->place, w->i);
		for (unsigned i = 0; i < SIM_PLACES; i++) {
			if (!w->is_mute[i] || w->mute_tick[i] >= c->answered)
				continue;
			clear_queue(s, i, w->i);
			w->is_mute[i] = false;
		}
	}
	hand_back(s, c, true);
}

bool
sim_step(struct sim *s)
{
	struct sim_cmd *c, *first = NULL;
	size_t at = sim_random(s, SIM_CMDS);

	for (size_t i = 0; i < SIM_CMDS; i++) {
		c = &s->cmds[(at + i) % SIM_CMDS];
		if (c->stage == SIM_HERE && c->is_withdrawn) {
			c->r->result = REQ_UNSENT;
			hand_back(s, c, true);
			return true;
		}
		if (c->stage == SIM_HERE && s->path[c->path].path.is_up) {
			c->stage = c->q != NULL && c->q->is_poison ? SIM_FUSE : SIM_THERE;
			c->r->sent_us = c->left_us = s->agenda.now_us;
			sim_fire(s);
			return true;
		}
		/* Ghosts take their time. */
		if (c->stage == SIM_THERE && !s->is_stalled[c->place] &&
		    (c->r != NULL ? sim_chance(s, 700) : sim_chance(s, s->p_ghost))) {
			sim_execute(s, c);
			return true;
		}
		/* Answers come in the order in which they were given. */
		if (c->stage == SIM_ANSWERED && (first == NULL || c->answered < first->answered))
			first = c;
	}
	if (first != NULL)
		deliver(s, first);
	return first != NULL;
}

uint64_t
sim_fuse_us(const struct sim *s)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < SIM_CMDS; i++) {
		const struct sim_cmd *c = &s->cmds[i];

		if (c->stage == SIM_FUSE && c->left_us + c->q->fuse_us < next)
			next = c->left_us + c->q->fuse_us;
	}
	return next;
}

void
sim_fire(struct sim *s)
{
	for (size_t i = 0; i < SIM_CMDS; i++) {
		struct sim_cmd *c = &s->cmds[i];

		if (c->stage != SIM_FUSE || c->left_us + c->q->fuse_us > s->agenda.now_us)
			continue;
		if (++c->q->fired > RETRY_TRIES)
			sim_fail(s, "a poison of unit %u was sent %u times", c->place, c->q->fired);
		sim_lose(s, &s->path[c->path], false);
		return;
	}
}

void
sim_late(struct sim *s)
{
	for (size_t i = 0; i < SIM_CMDS; i++) {
		struct sim_cmd *c = &s->cmds[i];

		if (c->stage == SIM_FREE || c->stage == SIM_ANSWERED || c->r == NULL ||
		    s->agenda.now_us < c->late_us)
			continue;
		if (sim_chance(s, 300)) {
			sim_lose(s, &s->path[c->path], true);
			return;
		}
		c->r->result = sim_chance(s, 500) ? REQ_TIMEOUT : REQ_ABORTED;
		hand_back(s, c, true);
	}
}

/* ---- what happens to the path ---- */

static bool
may_end(const struct sim *s, const struct sim_cmd *c)
{
	return c->stage != SIM_FREE && c->stage != SIM_HERE && c->r != NULL && c->q != NULL &&
	       !c->q->is_proven && flown_us(s, c) < SIM_FUSE_US;
}

void
sim_lose(struct sim *s, struct sim_path *w, bool is_silent)
{
	bool is_any = false; /* may any have ended it that has not flown for long? */

	sim_trace(s, "the connection of path %u %s", w->i, is_silent ? "falls silent" : "ends");
	for (size_t i = 0; i < SIM_CMDS; i++)
		is_any = is_any || (s->cmds[i].path == w->i && may_end(s, &s->cmds[i]));
	w->path.is_up = false;
	w->down_us = s->agenda.now_us;
	for (size_t i = 0; i < SIM_CMDS; i++) {
		struct sim_cmd *c = &s->cmds[i];
		bool has_left = c->stage != SIM_HERE;

		if (c->stage == SIM_FREE || c->r == NULL || c->path != w->i)
			continue;
		c->r->result = has_left ? REQ_LOST : REQ_UNSENT;
		if (has_left && !is_silent && c->q != NULL && (!is_any || may_end(s, c)))
			c->q->losses++;
		/* It may be executed later, unless it was already or never came. */
		hand_back(s, c,
		    c->stage != SIM_THERE || (c->q != NULL && c->q->is_poison) || c->write == 0 ||
			sim_chance(s, 200));
	}
	for (unsigned i = 0; i < SIM_PLACES; i++)
		lunpath_down(sim_way(s, i, w->i), is_silent);
}

/* Those of a nexus that is dead are executed no more. */
static void
drop_ghosts(struct sim *s, const struct sim_path *w)
{
	for (size_t i = 0; i < SIM_CMDS; i++)
		if (s->cmds[i].stage != SIM_FREE && s->cmds[i].r == NULL &&
		    s->cmds[i].path == w->i && s->cmds[i].nexus <= w->path.dead_nexus)
			s->cmds[i].stage = SIM_FREE;
}

void
sim_login(struct sim *s, struct sim_path *w, bool is_reinstated)
{
	w->path.nexus++;
	sim_trace(s, "path %u: login %llu%s", w->i, (unsigned long long)w->path.nexus,
	    is_reinstated ? "" : ", elsewhere");
	w->path.is_up = true;
	w->path.is_given_up = false;
	if (is_reinstated)
		w->path.dead_nexus = w->path.nexus - 1;
	drop_ghosts(s, w);
	for (unsigned i = 0; i < SIM_PLACES; i++)
		lunpath_up(sim_way(s, i, w->i));
}

void
sim_fence(struct sim *s, struct sim_path *w)
{
	w->path.dead_nexus = w->path.nexus - w->path.is_up;
	drop_ghosts(s, w);
	s->is_fencing = true;
	for (unsigned i = 0; i < SIM_PLACES; i++)
		lunpath_fenced(sim_way(s, i, w->i));
	s->is_fencing = false;
}

/* Over this path it is told, at this place or at another one. */
static void
tell_swap(struct sim *s, struct sim_path *w, unsigned place)
{
	unsigned other = (place + 1) % SIM_PLACES;

	clear_queue(s, place, w->i);
	if (!w->path.is_up)
		return; /* whoever logs in asks */
	if (sim_chance(s, 500)) {
		w->change_tick[place] = s->tick;
		w->change[place] = sim_chance(s, 500) ? 0x0e : 0x03;
	} else {
		w->is_mute[place] = true;
		w->mute_tick[place] = w->change_tick[other] = s->tick;
		w->change[other] = 0x0e;
	}
}

void
sim_swap(struct sim *s, unsigned place, unsigned disk)
{
	s->swaps++;
	sim_trace(s, "disk %u stands at place %u now", disk, place);
	s->at[place] = disk;
	s->was_foreign[place] = s->was_foreign[place] || (disk != place && disk < SIM_DISKS);
	for (unsigned i = 0; i < s->n_paths; i++)
		tell_swap(s, &s->path[i], place);
}

void
sim_access(struct sim *s, struct sim_path *w, enum alua_state access)
{
	bool is_told = w->path.is_up && sim_chance(s, 500);

	sim_trace(
	    s, "path %u is %s now%s", w->i, alua_word((uint8_t)access), is_told ? "" : ", untold");
	w->access = access;
	for (unsigned i = 0; is_told && i < SIM_PLACES; i++) {
		if (w->change[i] != 0 || w->is_mute[i])
			continue;
		w->change_tick[i] = s->tick;
		w->change[i] = SIM_ACCESS;
	}
}

void
sim_reset(struct sim *s)
{
	sim_trace(s, "reset");
	sim_book_lost(s);
	for (unsigned p = 0; p < s->n_paths; p++)
		for (unsigned i = 0; i < SIM_PLACES; i++) {
			clear_queue(s, i, p);
			s->path[p].reset_tick[i] = s->tick;
			s->path[p].reset[i] = sim_chance(s, 500) ? 0x01 : 0x04;
		}
}
