/* Targets, their connections, and nexuses that outlive them. */
#include "target.h"

#include <stdio.h>
#include <string.h>

#include "book.h"
#include "net.h"
#include "plan.h"

static struct tconn conns[SIM_CONNS];

/* ---- connections ---- */

static void
conn_free(struct tconn *c)
{
	struct sim *w = c->t->w;

	while (!list_empty(&c->tasks))
		ttask_drop(LIST_ENTRY(c->tasks.next, struct ttask, link));
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (c->t->places[i].told == c)
			c->t->places[i].told = NULL;
	agenda_clear(&w->agenda, &c->death);
	agenda_clear(&w->agenda, &c->close_timer);
	agenda_clear(&w->agenda, &c->list_due);
	c->is_alive = false;
	list_remove(&c->link);
	list_push_back(&w->free_conns, &c->link);
}

void
tconn_kill(struct tconn *c)
{
	struct sim *w = c->t->w;

	w->killed += !list_empty(&c->tasks);
	while (!list_empty(&c->tasks))
		ttask_drop(LIST_ENTRY(c->tasks.next, struct ttask, link));
	c->is_alive = false;
	if (c->net != NULL)
		tconn_close(c, true);
	else
		conn_free(c);
}

void
target_twin(struct target *t, unsigned portal)
{
	const struct tconn *ours = target_nexus(t);
	char name[sizeof ours->name];

	if (ours == NULL)
		return;
	memcpy(name, ours->name, sizeof name);
	TRACE(t->w, "target %u: another initiator is what we say we are", t->i);
	LIST_EACH(node, tmp, &t->conns)
	{
		struct tconn *c = LIST_ENTRY(node, struct tconn, link);

		if (c->is_alive && !c->is_discovery && strcmp(c->name, name) == 0 &&
		    t->groups[c->portal] == t->groups[portal])
			tconn_kill(c);
	}
}

static uint64_t
life_us(const struct tconn *c)
{
	return (c->p.time2wait + (uint64_t)c->p.time2retain) * SECOND;
}

/* Commands that the target has whole may be executed yet; the rest goes. */
static void
leave_behind(struct tconn *c)
{
	struct sim *w = c->t->w;

	LIST_EACH(node, tmp, &c->tasks)
	{
		struct ttask *k = LIST_ENTRY(node, struct ttask, link);

		if (k->state != TTASK_QUEUED || !k->is_write || k->is_old ||
		    rng_chance(&c->t->rng, 100)) {
			ttask_drop(k);
			continue;
		}
		if (rng_chance(&c->t->rng, 850))
			agenda_set(&w->agenda, &k->due,
			    sim_now(w) + rng_between(&c->t->rng, 0, life_us(c) + SECOND / 2));
		k->is_swallowed = false;
	}
}

static void
limit_life(struct tconn *c, uint64_t us)
{
	struct sim *w = c->t->w;

	if (!c->death.armed || c->death.at_us > sim_now(w) + us)
		agenda_set(&w->agenda, &c->death, sim_now(w) + us);
}

/* Its connection is over: what is left of it is a nexus. */
static void
conn_over(struct tconn *c)
{
	c->phase = T_GONE;
	agenda_clear(&c->t->w->agenda, &c->close_timer);
	if (!c->is_alive || (c->has_logged_out && !c->has_refused_logout)) {
		conn_free(c);
		return;
	}
	leave_behind(c);
	limit_life(c, life_us(c));
}

void
tconn_close(struct tconn *c, bool is_reset)
{
	struct net *net = c->net;

	if (net == NULL)
		return;
	TRACE(c->t->w, "target %u: closes a connection", c->t->i);
	c->net = NULL;
	net_close_target(net, is_reset);
	conn_over(c);
}

void
tconn_ended(struct tconn *c)
{
	tconn_close(c, true);
}

/*
 * RFC 7143 counts Time2Wait and Time2Retain from the loss.  A target that hears of it much later
 * than the initiator would keep commands for longer than the initiator can know; that it does
 * not is assumed (doc/proof.md).
 */
void
tconn_host_is_gone(struct tconn *c)
{
	limit_life(c, c->is_alive ? life_us(c) : 20 * SECOND);
}

static void
dies(struct agenda_timer *t)
{
	struct tconn *c = LIST_ENTRY(t, struct tconn, death);

	TRACE(c->t->w, "target %u: the time of a nexus is over", c->t->i);
	tconn_kill(c);
}

static void
close_due(struct agenda_timer *t)
{
	tconn_close(LIST_ENTRY(t, struct tconn, close_timer), false);
}

struct tconn *
tconn_new(struct target *t, struct net *net, unsigned portal)
{
	struct sim *w = t->w;
	struct list *node = list_pop(&w->free_conns);
	struct tconn *c = node != NULL ? LIST_ENTRY(node, struct tconn, link) : NULL;

	if (c == NULL && w->n_conns == SIM_CONNS)
		sim_fail(w, "simulator", "too many connections");
	if (c == NULL)
		c = &conns[w->n_conns++];
	memset(c, 0, offsetof(struct tconn, text));
	c->text_n = c->reply_n = c->reply_at = c->have = 0;
	list_init(&c->link);
	list_init(&c->tasks);
	c->t = t;
	c->net = net;
	c->portal = portal;
	c->is_first = true;
	c->death.expired = dies;
	c->close_timer.expired = close_due;
	c->list_due.expired = tlist_due;
	c->stat_sn = (uint32_t)rng_next(&t->rng);
	c->p.our_dsl = 8192;
	list_push_back(&t->conns, &c->link);
	return c;
}

struct tconn *
target_nexus(struct target *t)
{
	LIST_EACH(node, tmp, &t->conns)
	{
		struct tconn *c = LIST_ENTRY(node, struct tconn, link);

		if (c->phase == T_FULL && c->net != NULL && c->is_alive && !c->is_discovery)
			return c;
	}
	return NULL;
}

/* ---- arrays ---- */

struct target *
target_mate(const struct target *t, const struct target *at)
{
	unsigned i = at != NULL ? at->i + 1 : 0;

	for (; i < t->w->sessions; i++)
		if (t->w->targets[i].disks == t->disks)
			return &t->w->targets[i];
	return NULL;
}

unsigned
target_place(const struct target *t, unsigned place, const struct target *mate)
{
	unsigned n = t->w->places;

	return (place + n - t->shift + mate->shift) % n;
}

void
target_attention(struct target *t, const struct disk *d, unsigned code)
{
	EACH_MATE(t, m)
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (m->places[i].disk == d)
			tscsi_attention(&m->places[i], code);
}

struct unit *
target_unit(const struct target *t, unsigned place)
{
	return t->w->owners[t->i].units[place].home;
}

/* ---- the target ---- */

static void
lose_connections(struct target *t)
{
	while (!list_empty(&t->conns)) {
		struct tconn *c = LIST_ENTRY(t->conns.next, struct tconn, link);

		c->is_alive = false;
		if (c->net != NULL)
			tconn_close(c, true);
		else
			conn_free(c);
	}
}

void
target_crash(struct target *t, uint64_t us)
{
	for (unsigned i = 0; i < SIM_DISKS; i++)
		book_lose(t->w, &t->disks[i]);
	EACH_MATE(t, m)
	{
		TRACE(t->w, "target %u: loses power", m->i);
		lose_connections(m);
		for (unsigned i = 0; i < SIM_PLACES; i++) {
			m->places[i].uas = 0;
			m->places[i].told = NULL;
			tscsi_attention(&m->places[i], 0x2901);
		}
		sim_until(&m->down_until_us, m->w, us);
	}
}

void
target_set_port(struct target *t, uint8_t state, uint64_t us)
{
	TRACE(t->w, "target %u: its port is in state %x now", t->i, state);
	t->alua.state = state;
	t->alua.until_us = us != 0 ? sim_now(t->w) + us : 0;
	t->alua.epoch++;
	EACH_MATE(t, m)
	for (unsigned i = 0; i < SIM_PLACES; i++)
		tscsi_attention(&m->places[i], 0x2a06);
}

void
target_restart(struct target *t, uint64_t us)
{
	TRACE(t->w, "target %u: restarts", t->i);
	lose_connections(t);
	sim_until(&t->down_until_us, t->w, us);
}

static void
disk_init(struct target *t, struct disk *d, unsigned n)
{
	struct rng *r = &t->rng;

	d->uid = (uint8_t)(1 + t->i * SIM_DISKS + n);
	d->naa = UINT64_C(0x5001405000000000) + d->uid;
	(void)snprintf(d->name, sizeof d->name, "naa.%016llx", (unsigned long long)d->naa);
	d->blocks = SIM_BLOCKS + rng_below(r, 8);
	d->has_cache = rng_chance(r, t->w->theme == SIM_CACHES ? 950 : 700);
	d->has_fua = rng_chance(r, 500);
	d->has_write_same = rng_chance(r, 700);
	d->has_unmap = rng_chance(r, 500);
	d->reads_zeros = !d->has_unmap || rng_chance(r, 500);
	d->write_same_max = rng_chance(r, 400) ? 0 : 2 << rng_below(r, 4);
	d->transfer_max = rng_chance(r, 500) ? 0 : 8 << rng_below(r, 2);
	d->unmap_max = 4 << rng_below(r, 4);
}

static void
sprung(struct agenda_timer *timer)
{
	plan_spring(LIST_ENTRY(timer, struct target, spring));
}

void
target_init(struct target *t, struct sim *w, unsigned i)
{
	struct rng *r = &t->rng;

	t->w = w;
	t->i = i;
	t->disks = w->disks[w->is_array ? 0 : i];
	t->spring.expired = sprung;
	rng_init(r, w->seed, 0x400 + i);
	(void)snprintf(t->name, sizeof t->name, "iqn.2026-11.org.openisw:target%u", i);
	t->groups[0] = 1;
	t->groups[1] = rng_chance(r, w->theme == SIM_FENCES ? 200 : 500) ? 1 : 2;
	list_init(&t->conns);
	t->alua.epoch = 1;
	t->window = 1 + (uint32_t)rng_span(r, 1, 40);
	t->slow_us = rng_between(r, 200, 1000ull << rng_below(r, w->theme == SIM_FENCES ? 6 : 9));
	t->p_split_status = rng_below(r, 1000);
	t->p_short_r2t = rng_chance(r, 500) ? 0 : rng_below(r, 500);
	t->p_extra_round = rng_below(r, 400);
	if (w->is_array && i > 0)
		t->shift = rng_below(r, w->places);
	else
		for (unsigned k = 0; k < SIM_DISKS; k++)
			disk_init(t, &t->disks[k], k);
	for (unsigned k = 0; k < w->places; k++)
		t->places[target_place(w->targets, k, t)].disk = &t->disks[k];
}

void
target_fini(struct target *t)
{
	agenda_clear(&t->w->agenda, &t->spring);
	lose_connections(t);
}
