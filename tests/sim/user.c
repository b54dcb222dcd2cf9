#include "user.h"

#include <errno.h>
#include <string.h>

#include "book.h"
#include "core/sess_impl.h"
#include "lu/pool.h"
#include "owner.h"
#include "visits.h"
#include "ways.h"

static uint8_t buffers[SIM_SESSIONS][SIM_PLACES][SIM_REQS][SIM_TASK_BYTES];

void
user_init(void)
{
	memset(buffers, 0, sizeof buffers);
}

/*
 * A failure has a reason: it waited for as long as is promised, the session ended, the unit is
 * closed or another one, connections ended again and again, or a flush that tells of a loss.
 */
bool
user_is_excused(const struct user_req *q)
{
	const struct unit *u = q->u;
	uint64_t now_us = ways_promise_us(u),
		 promise_us = now_us < q->promise_us ? now_us : q->promise_us;

	if (ways_gave_up(u, q->since_us))
		return true;
	if (u->is_closing || lu_state(u->lu) == LU_OTHER || u->excused_us >= q->since_us)
		return true;
	/* In a new life it may not have said yet that it can. */
	if (q->r.op == BLK_DISCARD && !lu_blk(u->lu)->can_discard)
		return true;
	if (sim_now(u->o->w) - q->since_us >= promise_us)
		return true;
	return ways_losses(u) - q->losses >= 5;
}

static void
ended(struct blk_req *r)
{
	struct user_req *q = LIST_ENTRY(r, struct user_req, r);
	struct unit *u = q->u;
	struct sim *w = u->o->w;

	if (!q->is_out || q->is_waiting)
		sim_fail(w, "once", "a request of unit %u.%u ends twice", u->o->i, u->place);
	q->is_out = false;
	u->out--;
	w->failed += r->result != 0;
	TRACE(w, "user %x: write %u, op %u ends with %d", u->o->i << 4 | u->place, q->wr, r->op,
	    (int64_t)r->result);
	visits_result(r->op, r->result);
	if (r->result != 0 && !user_is_excused(q)) {
		if (r->op == BLK_FLUSH && u->bad_flushes > 0)
			u->bad_flushes--;
		else
			sim_fail(w, "no reason",
			    "a request of unit %u.%u (op %d, result %d) fails after %.3f s for no "
			    "reason",
			    u->o->i, u->place, r->op, r->result,
			    (double)(sim_now(w) - q->since_us) / 1e6);
	}
	if (r->result == 0)
		u->served_us = sim_now(w);
	book_end(w, q);
}

/* To the unit; where there is none it waits. */
static void
put(struct unit *u, struct user_req *q)
{
	struct sim *w = u->o->w;

	q->is_waiting = u->lu == NULL;
	q->since_us = sim_now(w);
	q->losses = ways_losses(u);
	q->promise_us = ways_promise_us(u);
	if (q->is_waiting)
		return;
	if (user_is_excused(q))
		u->excused_us = sim_now(w); /* it may fail at once, whatever comes next */
	lu_blk(u->lu)->submit(lu_blk(u->lu), &q->r);
}

static void
submit(struct unit *u, struct user_req *q, enum blk_op op, unsigned first, unsigned n)
{
	struct sim *w = u->o->w;
	bool is_data = op == BLK_READ || op == BLK_WRITE;

	q->is_out = true;
	q->first = (uint8_t)first;
	q->n = (uint8_t)n;
	q->wr = 0;
	q->r = (struct blk_req){ .op = op,
		.fua = op == BLK_WRITE && rng_chance(&u->rng, 150),
		.offset = op == BLK_FLUSH ? 0 : (uint64_t)first * SIM_BLOCK,
		.len = op == BLK_FLUSH ? 0 : (uint64_t)n * SIM_BLOCK,
		.buf = is_data ? q->buf : NULL,
		.done = ended };
	if (op != BLK_READ && op != BLK_FLUSH)
		q->wr = book_write(w, u->disk, op, first, n);
	q->start = ++w->tick;
	for (unsigned i = 0; i < n && op == BLK_WRITE; i++)
		book_fill(q->buf + SIM_BLOCK * i, q->wr, u->disk->uid, first + i);
	for (unsigned i = 0; i < n && op == BLK_READ; i++)
		memset(q->buf + SIM_BLOCK * i, 0xaa, 16);
	if (u->out++ == 0)
		u->served_us = sim_now(w);
	w->requests++;
	TRACE(w, "user %x: op %u, blocks %x, write %u", u->o->i << 4 | u->place, op, first << 8 | n,
	    q->wr);
	put(u, q);
}

/* The kernel's request is the same; what a unit had made of it is gone. */
static void
submit_again(struct unit *u, struct user_req *q)
{
	struct blk_req was = q->r;

	q->r = (struct blk_req){ .op = was.op,
		.fua = was.fua,
		.offset = was.offset,
		.len = was.len,
		.buf = was.buf,
		.done = ended };
	TRACE(u->o->w, "user %x: write %u, op %u comes again", u->o->i << 4 | u->place, q->wr,
	    was.op);
	u->o->w->again++;
	put(u, q);
}

/*
 * Zeros do not say who wrote them: which write a command belongs to is looked up at its sender,
 * while that still has it.
 */
uint32_t
user_write_of(const struct owner *o, const struct net *from, uint32_t itt)
{
	const struct sess *s = o->line.sess;
	uint32_t slot = itt & 0xffff;
	const struct task *t;

	/* Another life of the initiator may use the same tags. */
	if (s == NULL || from != o->line.net || slot >= s->made)
		return 0;
	t = &s->chunk[slot / TASK_CHUNK][slot % TASK_CHUNK];
	if (t->itt != itt || t->req == NULL)
		return 0;
	return LIST_ENTRY(LIST_ENTRY(t->req, struct io, req)->blk, struct user_req, r)->wr;
}

static enum blk_op
choose(struct sim *w, struct rng *r)
{
	unsigned all = 0, at, op = 0;

	for (unsigned i = 0; i < 5; i++)
		all += w->op_weight[i];
	at = rng_below(r, all);
	while (at >= w->op_weight[op])
		at -= w->op_weight[op++];
	return (enum blk_op)op;
}

static void
act(struct agenda_timer *t)
{
	struct unit *u = LIST_ENTRY(t, struct unit, think);
	struct sim *w = u->o->w;
	struct user_req *q = &u->req[rng_below(&u->rng, SIM_REQS)];
	enum blk_op op = choose(w, &u->rng);
	unsigned max, n, first;

	if (u->lu != NULL) {
		u->io_bytes_max = lu_blk(u->lu)->max_io_bytes;
		u->can_discard = lu_blk(u->lu)->can_discard;
	}
	max = u->io_bytes_max / SIM_BLOCK;

	n = rng_chance(&u->rng, 500) ? 1 + rng_below(&u->rng, 3)
				     : 1 + rng_below(&u->rng, SIM_IO_BLOCKS);
	if ((op == BLK_READ || op == BLK_WRITE) && n > max)
		n = max;
	n = n < w->blocks ? n : w->blocks;
	first = rng_below(&u->rng, w->blocks - n + 1);
	if (op == BLK_DISCARD && !u->can_discard)
		op = BLK_READ;
	if (!q->is_out && w->wrs < SIM_WRITES - 200 && w->nodes < SIM_NODES - 2000)
		submit(u, q, op, first, n);
	agenda_set(&w->agenda, &u->think,
	    sim_now(w) + (rng_chance(&u->rng, 750) ? rng_below(&u->rng, 1000)
						   : rng_between(&u->rng, 1, w->think_us * 4)));
}

/* One of those that wait, and soon the next. */
static void
again(struct agenda_timer *t)
{
	struct unit *u = LIST_ENTRY(t, struct unit, again);
	struct sim *w = u->o->w;
	struct user_req *waiting[SIM_REQS];
	unsigned n = 0;

	for (unsigned i = 0; i < SIM_REQS; i++)
		if (u->req[i].is_waiting)
			waiting[n++] = &u->req[i];
	if (n == 0)
		return;
	submit_again(u, waiting[rng_below(&u->rng, n)]);
	if (n > 1)
		agenda_set(&w->agenda, t,
		    sim_now(w) + (rng_chance(&u->rng, 700) ? 0 : rng_span(&u->rng, 1, SECOND)));
}

void
user_start(struct unit *u)
{
	struct sim *w = u->o->w;

	u->think.expired = act;
	u->again.expired = again;
	for (unsigned i = 0; i < SIM_REQS; i++) {
		u->req[i].u = u;
		u->req[i].buf = buffers[u->o->i][u->place][i];
	}
	if (!w->is_healed)
		agenda_set(&w->agenda, &u->think, sim_now(w) + rng_below(&u->rng, 1000));
}

void
user_stop(struct unit *u)
{
	agenda_clear(&u->o->w->agenda, &u->think);
}

void
user_keep(struct unit *u)
{
	agenda_clear(&u->o->w->agenda, &u->again);
	for (unsigned i = 0; i < SIM_REQS; i++)
		u->req[i].is_waiting = u->req[i].is_out;
}

void
user_resume(struct unit *u)
{
	struct sim *w = u->o->w;

	u->served_us = sim_now(w);
	agenda_set(&w->agenda, &u->again,
	    sim_now(w) + (rng_chance(&u->rng, 500) ? 0 : rng_span(&u->rng, 1, SECOND)));
}

void
user_forget(struct unit *u)
{
	user_stop(u);
	agenda_clear(&u->o->w->agenda, &u->again);
	for (unsigned i = 0; i < SIM_REQS; i++) {
		struct user_req *q = &u->req[i];

		if (!q->is_out || (u->lu != NULL && !u->o->w->is_down && !q->is_waiting))
			continue;
		TRACE(u->o->w, "user %x: write %u, op %u is gone", u->o->i << 4 | u->place, q->wr,
		    q->r.op);
		q->is_out = q->is_waiting = false;
		u->out--;
		book_vanish(u->o->w, q);
	}
}

void
user_read_all(struct unit *u)
{
	unsigned max = lu_blk(u->lu)->max_io_bytes / SIM_BLOCK, first = 0;

	max = max < SIM_IO_BLOCKS ? max : SIM_IO_BLOCKS;
	if (max * SIM_REQS < SIM_BLOCKS)
		max = (SIM_BLOCKS + SIM_REQS - 1) / SIM_REQS;
	for (unsigned i = 0; i < SIM_REQS && first < SIM_BLOCKS; i++, first += max)
		submit(u, &u->req[i], BLK_READ, first,
		    max < SIM_BLOCKS - first ? max : SIM_BLOCKS - first);
}
