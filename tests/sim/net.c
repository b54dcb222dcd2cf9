#include "net.h"

#include <assert.h>
#include <string.h>

#include "host.h"
#include "target.h"

#define LATER_US  100
#define LATEST_US 20000
/* What was sent and is not acknowledged for so long ends the connection (iswd/opening.c). */
#define GIVE_UP_US (45 * SECOND)

static struct net nets[SIM_CONNS];
static uint8_t memory[SIM_CONNS * 2 * NET_BYTES];

static struct weather *
weather_of(const struct pipe *p)
{
	return &p->c->w->owners[p->c->owner].weather;
}

static uint64_t
frozen_until(const struct pipe *p)
{
	const struct weather *x = weather_of(p);

	return p->is_up ? x->up_frozen_us : x->down_frozen_us;
}

static void
arm(struct pipe *p)
{
	struct sim *w = p->c->w;
	uint64_t at = UINT64_MAX;

	if (p->segs > 0)
		at = p->seg[p->seg_first].at_us;
	else if (p->has_end)
		at = p->end_us;
	if (at < frozen_until(p))
		at = frozen_until(p);
	if (p->is_lost && p->is_up && p->segs > 0) {
		if (!p->is_giving_up)
			agenda_set(&w->agenda, &p->due, sim_now(w) + GIVE_UP_US);
		p->is_giving_up = true;
	} else if (p->is_lost || at == UINT64_MAX)
		agenda_clear(&w->agenda, &p->due);
	else
		agenda_set(&w->agenda, &p->due, at < sim_now(w) ? sim_now(w) : at);
}

/* Both ends are closed: nobody will hear anything more. */
static void
maybe_free(struct net *c)
{
	if (!c->is_used || c->o != NULL || c->t != NULL)
		return;
	agenda_clear(&c->w->agenda, &c->up.due);
	agenda_clear(&c->w->agenda, &c->down.due);
	c->is_used = false;
}

/* The receiver: how many it takes. */
static uint32_t
hand_over(struct pipe *p, uint32_t n)
{
	if (p->is_up)
		return p->c->t != NULL ? tconn_bytes(p->c->t, p->mem + p->got, n) : n;
	return p->c->o != NULL ? host_bytes(p->c->o, p->mem + p->got, n) : n;
}

static void
hand_over_end(struct pipe *p)
{
	struct net *c = p->c;

	p->has_end = false;
	if (p->is_up && c->t != NULL)
		tconn_ended(c->t);
	else if (!p->is_up && c->o != NULL)
		host_ended(c->o, p->is_reset);
	maybe_free(c);
}

static void
due(struct agenda_timer *t)
{
	struct pipe *p = LIST_ENTRY(t, struct pipe, due);
	struct sim *w = p->c->w;
	uint32_t n, took;

	if (p->is_lost) {
		if (p->c->o != NULL)
			host_ended(p->c->o, true);
		return;
	}
	if (p->segs == 0 && p->has_end) {
		hand_over_end(p);
		return;
	}
	if (p->segs == 0)
		return;
	n = p->seg[p->seg_first].end - p->got;
	took = hand_over(p, n);
	if (!p->c->is_used || p->segs == 0)
		return; /* that was its end */
	p->got += took;
	if (took < n) {
		/* A receiver that takes nothing for long, for it may not send, is asked less often.
		 */
		if (took > 0)
			p->later_us = LATER_US;
		else if (p->later_us < LATEST_US)
			p->later_us *= 2;
		agenda_set(&w->agenda, &p->due, sim_now(w) + p->later_us);
		return;
	}
	p->later_us = LATER_US;
	p->seg_first = (p->seg_first + 1) % NET_SEGS;
	if (--p->segs == 0)
		p->got = p->put = 0;
	arm(p);
	if (p->is_up && p->c->o != NULL)
		host_kick(p->c->o);
}

static void
pipe_init(struct pipe *p, struct net *c, bool is_up, uint8_t *mem)
{
	memset(p, 0, sizeof *p);
	p->c = c;
	p->is_up = is_up;
	p->mem = mem;
	p->due.expired = due;
	p->later_us = LATER_US;
	p->room = is_up ? 2048u << rng_below(&c->w->owners[c->owner].weather.rng, 7) : NET_BYTES;
}

struct net *
net_open(struct sim *w, struct owner *o, struct tconn *t)
{
	unsigned i = 0;
	struct net *c;

	while (i < SIM_CONNS && i < w->n_nets && nets[i].is_used)
		i++;
	assert(i < SIM_CONNS);
	if (i == w->n_nets)
		w->n_nets++;
	c = &nets[i];
	c->w = w;
	c->o = o;
	c->t = t;
	c->owner = o->i;
	c->is_used = true;
	pipe_init(&c->up, c, true, memory + (size_t)i * 2 * NET_BYTES);
	pipe_init(&c->down, c, false, memory + ((size_t)i * 2 + 1) * NET_BYTES);
	return c;
}

uint32_t
net_room(const struct pipe *p)
{
	uint32_t used = p->put - p->got;

	if (p->segs >= NET_SEGS - 8 || used >= p->room || p->put >= NET_BYTES)
		return 0;
	used = p->room - used;
	return used < NET_BYTES - p->put ? used : NET_BYTES - p->put;
}

static uint64_t
arrival(struct pipe *p)
{
	struct weather *x = weather_of(p);
	uint64_t at = sim_now(p->c->w) + x->latency_us + rng_below(&x->rng, 60);

	if (at < p->last_us)
		at = p->last_us;
	return p->last_us = at;
}

static void
segment(struct pipe *p, uint32_t end, uint64_t at_us)
{
	unsigned i = (p->seg_first + p->segs++) % NET_SEGS;

	assert(p->segs <= NET_SEGS);
	p->seg[i].end = end;
	p->seg[i].at_us = at_us;
}

static void
spoil(struct pipe *p, uint32_t from, uint32_t n)
{
	struct weather *x = weather_of(p);
	uint32_t at = from + rng_below(&x->rng, n);

	if (!rng_chance(&x->rng, 30))
		return;
	p->mem[at] ^= (uint8_t)(1 << rng_below(&x->rng, 8));
	p->is_spoilt = true;
	TRACE(p->c->w, "net %u: a bit %s is wrong", p->c->owner,
	    TRACE_TEXT(p->is_up ? "up" : "down"));
}

void
net_send(struct pipe *p, const uint8_t *bytes, uint32_t n, bool may_spoil)
{
	struct weather *x = weather_of(p);
	struct sim *w = p->c->w;
	uint32_t from = p->put, pieces = 1;

	if (n == 0)
		return;
	if (p->put + n > NET_BYTES)
		sim_fail(w, "simulator", "a direction of the network is full");
	memcpy(p->mem + p->put, bytes, n);
	p->put += n;
	if (may_spoil && x->corrupt_until_us > sim_now(w))
		spoil(p, from, n);
	if (x->split_until_us > sim_now(w) && p->segs < NET_SEGS / 2)
		pieces = 1 + rng_below(&x->rng, 4);
	for (; pieces > 1 && p->put - from > 1; pieces--) {
		from += 1 + rng_below(&x->rng, p->put - from - 1);
		segment(p, from, arrival(p));
	}
	/* What does not fit the list of segments travels with the last one. */
	if (p->segs == NET_SEGS)
		p->seg[(p->seg_first + p->segs - 1) % NET_SEGS].end = p->put;
	else
		segment(p, p->put, arrival(p));
	if (!p->due.armed)
		arm(p);
}

void
net_go_on(struct pipe *p)
{
	if (p->segs > 0)
		arm(p);
}

/* The sender of p is gone. */
static void
end_of(struct pipe *p, bool is_reset)
{
	struct weather *x = weather_of(p);

	p->has_end = true;
	p->is_reset = is_reset;
	/* A reset may overtake what nobody has read. */
	if (is_reset && rng_chance(&x->rng, 500)) {
		p->segs = 0;
		p->put = p->got = 0;
	}
	p->end_us = arrival(p);
	arm(p);
}

void
net_close_host(struct net *c, bool is_reset)
{
	c->o = NULL;
	agenda_clear(&c->w->agenda, &c->down.due);
	if (c->t != NULL) {
		end_of(&c->up, is_reset);
		tconn_host_is_gone(c->t);
	}
	maybe_free(c);
}

void
net_close_target(struct net *c, bool is_reset)
{
	c->t = NULL;
	agenda_clear(&c->w->agenda, &c->up.due);
	c->up.segs = 0;
	c->up.put = c->up.got = 0;
	if (c->o != NULL)
		end_of(&c->down, is_reset);
	maybe_free(c);
}

void
net_lose(struct pipe *p)
{
	p->is_lost = true;
	arm(p);
}

void
net_thaw(struct sim *w)
{
	for (unsigned i = 0; i < w->n_nets; i++)
		if (nets[i].is_used) {
			arm(&nets[i].up);
			arm(&nets[i].down);
		}
}

void
net_forget_all(struct sim *w)
{
	for (unsigned i = 0; i < w->n_nets; i++) {
		agenda_clear(&w->agenda, &nets[i].up.due);
		agenda_clear(&w->agenda, &nets[i].down.due);
		nets[i].is_used = false;
	}
	w->n_nets = 0;
}
