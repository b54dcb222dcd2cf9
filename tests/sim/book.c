#include "book.h"

#include <errno.h>
#include <string.h>

#include "target.h"
#include "ways.h"

struct wr sim_wr[SIM_WRITES];
struct node sim_node[SIM_NODES];

/* ---- what lies in a block ---- */

static uint64_t
word_of(uint32_t wr, uint8_t uid, unsigned b)
{
	return (uint64_t)wr << 32 | (uint64_t)uid << 16 | b | 0x8000;
}

void
book_fill(uint8_t *block, uint32_t wr, uint8_t uid, unsigned b)
{
	uint64_t word = word_of(wr, uid, b);

	for (unsigned i = 0; i < SIM_BLOCK / 8; i++) {
		uint64_t v = word + i * UINT64_C(0x0000010000000100);

		memcpy(block + 8 * i, &v, sizeof v);
	}
}

static bool
is_zeros(const uint8_t *block)
{
	return block[0] == 0 && memcmp(block, block + 1, SIM_BLOCK - 1) == 0;
}

bool
book_parse(const uint8_t *block, uint8_t uid, unsigned b, uint32_t *ret_wr)
{
	uint8_t want[SIM_BLOCK];
	uint64_t word;

	memcpy(&word, block, sizeof word);
	*ret_wr = (uint32_t)(word >> 32);
	if (word == 0)
		return is_zeros(block);
	book_fill(want, *ret_wr, uid, b);
	return *ret_wr != 0 && memcmp(want, block, sizeof want) == 0;
}

/* ---- writes ---- */

uint32_t
book_write(struct sim *w, struct disk *d, enum blk_op op, unsigned first, unsigned n)
{
	uint32_t wr = ++w->wrs;

	if (wr >= SIM_WRITES || w->nodes + n >= SIM_NODES)
		sim_fail(w, "simulator", "the book is full");
	sim_wr[wr] = (struct wr){ .node0 = w->nodes + 1,
		.uid = d->uid,
		.first = (uint8_t)first,
		.n = (uint8_t)n,
		.is_zero = op != BLK_WRITE,
		.is_discard = op == BLK_DISCARD,
		.start = ++w->tick };
	for (unsigned b = first; b < first + n; b++) {
		sim_node[++w->nodes] = (struct node){ .wr = wr, .older = d->newest[b] };
		d->newest[b] = w->nodes;
	}
	return wr;
}

static bool
covers(uint32_t wr, uint8_t uid, unsigned b)
{
	const struct wr *x = &sim_wr[wr];

	return wr != 0 && x->uid == uid && b >= x->first && b < (unsigned)x->first + x->n;
}

static struct node *
node_of(uint32_t wr, unsigned b)
{
	return &sim_node[sim_wr[wr].node0 + b - sim_wr[wr].first];
}

/*
 * The newest write that was answered before tick s and began after `wr` had ended: then wr is not
 * what block b may hold.  0: there is none.  What was lost with a cache, and discards, overwrite
 * nothing.
 */
static uint32_t
overwriter(const struct disk *d, unsigned b, uint32_t wr, uint64_t s)
{
	uint64_t end = wr != 0 ? sim_wr[wr].end : 0;

	if (wr != 0 && !sim_wr[wr].is_ended)
		return 0;
	for (uint32_t k = d->newest[b]; k != 0; k = sim_node[k].older) {
		const struct wr *a = &sim_wr[sim_node[k].wr];

		if (a->start <= end)
			break;
		if (a->is_acked && a->end < s && !sim_node[k].is_lost && !a->is_discard)
			return sim_node[k].wr;
	}
	return 0;
}

/* ---- what a target does ---- */

void
book_exec(struct sim *w, struct disk *d, unsigned b, uint32_t wr, bool is_through)
{
	struct node *k;
	uint32_t newer;

	if (!covers(wr, d->uid, b))
		sim_fail(
		    w, "right unit", "write %u is executed in block %u of disk %u", wr, b, d->uid);
	k = node_of(wr, b);
	newer = overwriter(d, b, wr, UINT64_MAX);
	if (newer != 0)
		sim_fail(w, "no old write",
		    "write %u, which had ended, lands on the newer answered write %u in block %u "
		    "of disk %u",
		    wr, newer, b, d->uid);
	k->exec = ++w->tick;
	k->is_lost = false;
	if (k->first == 0)
		k->first = k->exec;
	d->cache[b] = wr;
	if (is_through)
		book_sync(w, d, b, 1);
}

uint32_t
book_zero(struct sim *w, struct disk *d, unsigned first, unsigned n, bool is_discard)
{
	uint32_t found = 0;

	(void)w;
	for (uint32_t k = d->newest[first]; k != 0; k = sim_node[k].older) {
		uint32_t wr = sim_node[k].wr;
		const struct wr *x = &sim_wr[wr];

		if (!x->is_zero || x->is_discard != is_discard || x->first > first ||
		    (unsigned)x->first + x->n < first + n)
			continue;
		if (!x->is_ended)
			return wr;
		found = found == 0 ? wr : found;
	}
	return found;
}

void
book_sync(const struct sim *w, struct disk *d, unsigned first, unsigned n)
{
	for (unsigned b = first; b < first + n; b++) {
		d->stable[b] = d->cache[b];
		d->synced[b] = w->tick;
	}
}

/* What was executed in block b behind what is stable there is lost. */
static void
lose_block(struct sim *w, struct disk *d, unsigned b)
{
	uint64_t stable = d->stable[b] != 0 ? node_of(d->stable[b], b)->exec : 0;

	for (uint32_t k = d->newest[b]; k != 0; k = sim_node[k].older) {
		struct node *x = &sim_node[k];
		const struct wr *wr = &sim_wr[x->wr];

		if (x->exec <= stable || x->is_lost)
			continue;
		x->is_lost = true;
		x->first = 0;
		if (!wr->is_acked || wr->is_discard || wr->start < d->begin_tick)
			continue;
		TRACE(w, "disk %u: write %u in block %u is lost", d->uid, x->wr, b);
		d->is_loss_due = true;
		d->loss_tick = w->tick;
	}
	d->cache[b] = d->stable[b];
}

void
book_lose(struct sim *w, struct disk *d)
{
	w->tick++;
	for (unsigned b = 0; b < SIM_BLOCKS; b++)
		if (d->cache[b] != d->stable[b])
			lose_block(w, d, b);
}

/* ---- what a user sees ---- */

/* Zeros: whatever left some, or the beginning. */
static bool
may_be_zeros(const struct disk *d, unsigned b, uint64_t s)
{
	if (overwriter(d, b, 0, s) == 0)
		return true;
	for (uint32_t k = d->newest[b]; k != 0; k = sim_node[k].older)
		if (sim_wr[sim_node[k].wr].is_zero && overwriter(d, b, sim_node[k].wr, s) == 0)
			return true;
	return false;
}

static void
check_read(struct sim *w, const struct user_req *q)
{
	const struct disk *d = q->u->disk;

	for (unsigned i = 0; i < q->n; i++) {
		unsigned b = q->first + i;
		uint32_t wr;

		if (!book_parse(q->buf + SIM_BLOCK * i, d->uid, b, &wr) ||
		    (wr != 0 && (wr > w->wrs || !covers(wr, d->uid, b))))
			sim_fail(w, "right data", "block %u of disk %u is read as garbage (%u)", b,
			    d->uid, wr);
		if (wr == 0 ? !may_be_zeros(d, b, q->start) : overwriter(d, b, wr, q->start) != 0)
			sim_fail(w, "newest data",
			    "block %u of disk %u is read as old write %u; write %u was answered "
			    "before",
			    b, d->uid, wr, overwriter(d, b, wr, q->start));
	}
}

/* All that was answered before the flush began is on the medium, or was lost and that was said. */
static void
check_flush(struct sim *w, const struct user_req *q)
{
	struct disk *d = q->u->disk;

	if (d->is_loss_due && q->start > d->loss_tick && ways_fail_loss(q->u))
		sim_fail(w, "durable",
		    "a flush of disk %u says yes although answered writes are "
		    "lost",
		    d->uid);
	for (unsigned b = 0; b < SIM_BLOCKS; b++) {
		uint32_t left = overwriter(d, b, d->stable[b], q->start);

		if (left != 0)
			sim_fail(w, "durable",
			    "a flush of disk %u is answered, and write %u is not on the medium in "
			    "block %u",
			    d->uid, left, b);
	}
}

static void
check_write(struct sim *w, const struct user_req *q)
{
	struct disk *d = q->u->disk;

	if (ways_are_strict(q->u) && ttask_has_write(q->u->o->t, q->wr))
		sim_fail(w, "strict", "write %u is answered, and may be executed yet", q->wr);
	for (unsigned b = q->first; b < (unsigned)q->first + q->n; b++) {
		const struct node *k = node_of(q->wr, b);
		uint32_t on = d->stable[b];

		if (k->exec == 0 && q->r.op != BLK_DISCARD)
			sim_fail(w, "executed",
			    "write %u is answered, and block %u of it was never "
			    "written",
			    q->wr, b);
		/* Executed late once more, over one that came after it, it is in order all the
		 * same. */
		if (q->r.op == BLK_WRITE && q->r.fua && !k->is_lost &&
		    (on == 0 || node_of(on, b)->exec < k->exec) && k->first > d->synced[b])
			sim_fail(w, "durable", "FUA write %u is answered from the cache (block %u)",
			    q->wr, b);
		if (k->is_lost && q->r.op != BLK_DISCARD) {
			d->is_loss_due = true;
			d->loss_tick = w->tick;
		}
	}
}

void
book_vanish(struct sim *w, const struct user_req *q)
{
	w->tick++;
	if (q->wr == 0)
		return;
	sim_wr[q->wr].is_ended = true;
	sim_wr[q->wr].end = w->tick;
}

void
book_end(struct sim *w, struct user_req *q)
{
	bool is_good = q->r.result == 0;

	w->tick++;
	if (is_good && q->r.op == BLK_READ)
		check_read(w, q);
	if (is_good && q->r.op == BLK_FLUSH)
		check_flush(w, q);
	if (q->r.op == BLK_FLUSH && !is_good)
		q->u->disk->is_loss_due = false;
	if (q->wr == 0)
		return;
	sim_wr[q->wr].is_ended = true;
	sim_wr[q->wr].is_acked = is_good;
	sim_wr[q->wr].end = w->tick;
	if (is_good)
		check_write(w, q);
}
