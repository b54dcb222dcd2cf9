/* What a target says and hears that belongs to no command. */
#include <string.h>

#include "base/be.h"
#include "target.h"

void
tctl_nop(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	uint8_t out[48] = { 0x20, 0x80 };
	uint32_t itt = be_get32(bhs + 16), ttt = be_get32(bhs + 20);

	if ((bhs[0] & 0x40) == 0)
		c->exp_cmd_sn++;
	if (itt == NO_TAG) {
		if ((bhs[0] & 0x40) == 0)
			tlaw_broken(c, "an answer to a ping that is not immediate");
		if (ttt != NO_TAG && (c->pings == 0 || ttt > c->ping_ttt))
			tlaw_broken(c, "an answer to a ping that was not sent, %x", ttt);
		c->pings -= ttt != NO_TAG;
		return;
	}
	if (ttt != NO_TAG)
		tlaw_broken(c, "a ping with a target's tag");
	memcpy(out + 8, bhs + 8, 8);
	be_put32(out + 16, itt);
	be_put32(out + 20, NO_TAG);
	twire_put(c, out, data, n < c->p.their_dsl ? n : c->p.their_dsl, true);
}

void
tctl_ping(struct tconn *c, bool wants_answer)
{
	uint8_t out[48] = { 0x20, 0x80 };

	be_put32(out + 16, NO_TAG);
	be_put32(out + 20, wants_answer ? ++c->ping_ttt : NO_TAG);
	c->pings += wants_answer;
	twire_put(c, out, NULL, 0, false);
}

/* ---- task management ---- */

/* Those that are aborted answer no more; what was asked for may still come. */
static void
abort_task(struct ttask *k)
{
	agenda_clear(&k->c->t->w->agenda, &k->due);
	if (k->is_unsolicited || k->r2ts > 0)
		k->state = TTASK_ANSWERED;
	else
		ttask_drop(k);
}

static uint8_t
abort_one(struct tconn *c, const uint8_t *bhs)
{
	struct ttask *k = ttask_find(c, be_get32(bhs + 20));

	if (k == NULL || k->state == TTASK_ANSWERED)
		return 1;
	if (be_get32(bhs + 32) != k->cmd_sn || memcmp(bhs + 8, k->lun, 8) != 0)
		tlaw_broken(c, "ABORT TASK with another RefCmdSN or LUN");
	abort_task(k);
	return 0;
}

/* Of all nexuses of this target. */
static void
abort_all(struct target *t, unsigned place)
{
	LIST_EACH(node, tmp, &t->conns)
	{
		struct tconn *o = LIST_ENTRY(node, struct tconn, link);

		LIST_EACH(item, other, &o->tasks)
		{
			struct ttask *k = LIST_ENTRY(item, struct ttask, link);

			if (k->place == place && k->state != TTASK_ANSWERED)
				abort_task(k);
		}
	}
}

void
tctl_reset_unit(struct target *t, unsigned place)
{
	const struct disk *d = t->places[place].disk;

	EACH_MATE(t, m)
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		if (m == t ? i != place : d == NULL || m->places[i].disk != d)
			continue;
		abort_all(m, i);
		if (m != t || rng_chance(&t->rng, 500))
			tscsi_attention(&m->places[i], 0x2903);
	}
}

void
tctl_tmf(struct tconn *c, const uint8_t *bhs)
{
	uint8_t out[48] = { 0x22, 0x80 }, function = bhs[1] & 0x7f;
	unsigned place = bhs[9] < SIM_PLACES ? bhs[9] : 0;

	if ((bhs[0] & 0x40) == 0)
		c->exp_cmd_sn++;
	if (c->t->tmf_until_us > sim_now(c->t->w) && (function == 1 || !c->t->is_reset_fine)) {
		out[2] = c->t->tmf_response;
		if (out[2] == 6)
			return; /* it says nothing */
	} else if (function == 1) {
		out[2] = abort_one(c, bhs);
	} else if (function == 5) {
		tctl_reset_unit(c->t, place);
	} else {
		out[2] = 5;
	}
	be_put32(out + 16, be_get32(bhs + 16));
	twire_put(c, out, NULL, 0, true);
}

/* ---- logout ---- */

void
tctl_logout(struct tconn *c, const uint8_t *bhs)
{
	uint8_t out[48] = { 0x26, 0x80 };

	if ((bhs[1] & 0x7f) != 0 && (bhs[1] & 0x7f) != 1)
		tlaw_broken(c, "a logout for reason %u", bhs[1] & 0x7f);
	if ((bhs[0] & 0x40) == 0)
		c->exp_cmd_sn++;
	if (rng_chance(&c->t->rng, 50))
		out[2] = (uint8_t)(1 + rng_below(&c->t->rng, 3));
	be_put32(out + 16, be_get32(bhs + 16));
	be_put16(out + 40, (uint16_t)c->p.time2wait);
	be_put16(out + 42, (uint16_t)c->p.time2retain);
	/* It is over before it is said to be. */
	while (out[2] == 0 && !list_empty(&c->tasks))
		ttask_drop(LIST_ENTRY(c->tasks.next, struct ttask, link));
	c->has_logged_out = true;
	if (out[2] != 0)
		c->has_refused_logout = true;
	twire_put(c, out, NULL, 0, true);
}

/* ---- unasked ---- */

void
tctl_async(struct tconn *c, uint8_t event, unsigned place, unsigned code)
{
	uint8_t out[48] = { 0x32, 0x80 };
	uint8_t sense[20] = { 0, 18, 0x70, 0, 6, 0, 0, 0, 0,
		10, [14] = (uint8_t)(code >> 8), [15] = (uint8_t)code };
	uint32_t wait = rng_below(&c->t->rng, 3), retain = rng_below(&c->t->rng, 10);

	be_put32(out + 16, NO_TAG);
	out[36] = event;
	if (event == 0 || event == 5)
		out[9] = (uint8_t)place;
	if (event == 1)
		be_put16(out + 42, 3);
	if (event == 2 || event == 3) {
		be_put16(out + 40, (uint16_t)wait);
		be_put16(out + 42, (uint16_t)retain);
		/* Whether this arrives or not, the target keeps nothing for longer than either
		 * says. */
		if (wait + retain < c->p.time2wait + c->p.time2retain) {
			c->p.time2wait = wait;
			c->p.time2retain = retain;
		}
		agenda_set(&c->t->w->agenda, &c->close_timer, sim_now(c->t->w) + 50000);
	}
	if (event == 5)
		LIST_EACH(node, tmp, &c->tasks)
		{
			struct ttask *k = LIST_ENTRY(node, struct ttask, link);

			if (k->place == place && k->state != TTASK_ANSWERED)
				abort_task(k);
		}
	twire_put(c, out, sense, event == 0 ? sizeof sense : 0, true);
}

void
tctl_reject(struct tconn *c, const uint8_t *bhs, uint8_t reason)
{
	uint8_t out[48] = { 0x3f, 0x80, reason };

	be_put32(out + 16, NO_TAG);
	twire_put(c, out, bhs, 48, true);
	/* What follows may rest on what was rejected; only a ping is nothing. */
	c->is_deaf = c->is_deaf || (bhs[0] & 0x3f) != 0x00;
}
