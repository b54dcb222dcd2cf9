/* Tasks of a target: write data in, in any legal pattern; execution, in any order; read data out.
 */
#include <string.h>

#include "base/be.h"
#include "book.h"
#include "target.h"
#include "user.h"

/* Tasks that are over and whose data may still come. */
#define ANSWERED_MAX 24
/* So long commands may come yet that were sent before it was told where they are not executed. */
#define BARRED_US SECOND

static struct ttask tasks[SIM_TASKS];
static uint8_t buffers[SIM_TASKS][SIM_TASK_BYTES];

static void task_due(struct agenda_timer *t);

static struct ttask *
task_new(struct tconn *c)
{
	struct sim *w = c->t->w;
	struct list *node = list_pop(&w->free_tasks);
	struct ttask *k;

	if (node == NULL && w->n_tasks == SIM_TASKS)
		sim_fail(w, "simulator", "too many tasks");
	k = node != NULL ? LIST_ENTRY(node, struct ttask, link) : &tasks[w->n_tasks++];
	memset(k, 0, sizeof *k);
	list_init(&k->link);
	k->buf = buffers[k - tasks];
	k->c = c;
	k->due.expired = task_due;
	list_push_back(&c->tasks, &k->link);
	return k;
}

void
ttask_drop(struct ttask *k)
{
	struct sim *w = k->c->t->w;

	agenda_clear(&w->agenda, &k->due);
	list_remove(&k->link);
	list_push_back(&w->free_tasks, &k->link);
}

struct ttask *
ttask_find(struct tconn *c, uint32_t itt)
{
	LIST_EACH(node, tmp, &c->tasks)
	{
		struct ttask *k = LIST_ENTRY(node, struct ttask, link);

		if (k->itt == itt)
			return k;
	}
	return NULL;
}

/* ---- its end ---- */

/* Data that was asked for, or that the initiator may send unasked, may still come. */
static bool
may_get_data(const struct ttask *k)
{
	return k->is_unsolicited || k->r2ts > 0;
}

static void
finished(struct ttask *k)
{
	struct tconn *c = k->c;
	unsigned n = 0;

	agenda_clear(&c->t->w->agenda, &k->due);
	if (k->barred_epoch != 0) {
		c->barred[k->place].epoch = k->barred_epoch;
		c->barred[k->place].sn = c->stat_sn - 1;
		c->barred[k->place].us = 0;
	}
	if (!may_get_data(k)) {
		ttask_drop(k);
		return;
	}
	k->state = TTASK_ANSWERED;
	LIST_EACH(node, tmp, &c->tasks)
	n += LIST_ENTRY(node, struct ttask, link)->state == TTASK_ANSWERED;
	LIST_EACH(node, tmp, &c->tasks)
	{
		struct ttask *o = LIST_ENTRY(node, struct ttask, link);

		if (n <= ANSWERED_MAX || o->state != TTASK_ANSWERED)
			continue;
		ttask_drop(o);
		n--;
	}
}

static void
put_residual(const struct ttask *k, uint8_t *bhs)
{
	uint32_t moved = k->is_read ? k->sent : k->is_write ? k->got : 0;
	uint32_t want = k->is_read ? k->data_n : k->edtl;

	if (k->status == 0 && k->is_read && want > k->edtl) {
		bhs[1] |= 0x04;
		be_put32(bhs + 44, want - k->edtl);
	} else if (moved < k->edtl) {
		bhs[1] |= 0x02;
		be_put32(bhs + 44, k->edtl - moved);
	}
}

static void
respond(struct ttask *k)
{
	uint8_t bhs[48] = { 0x21, k->is_lie ? 0x86 : 0x80, k->response, k->status };
	uint8_t sense[20] = { 0, 18, 0x70, 0, k->sense_key, 0, 0, 0, 0,
		10, [14] = k->asc, [15] = k->ascq };

	be_put32(bhs + 16, k->itt);
	be_put32(bhs + 36, k->is_read ? k->data_sn : k->r2t_sn);
	if (!k->is_lie && k->response == 0)
		put_residual(k, bhs);
	twire_put(k->c, bhs, sense, k->has_sense ? sizeof sense : 0, true);
	finished(k);
}

/* One Data-In; true: it was the last, with the status. */
static bool
put_data_in(struct ttask *k)
{
	struct tconn *c = k->c;
	struct rng *r = &c->t->rng;
	uint32_t all = k->data_n < k->edtl ? k->data_n : k->edtl, n = all - k->sent;
	uint8_t bhs[48] = { 0x25 };
	bool is_end;

	n = n < c->p.their_dsl ? n : c->p.their_dsl;
	n = n < c->p.max_burst - k->burst ? n : c->p.max_burst - k->burst;
	if (n > 64 && rng_chance(r, 50))
		n = 1 + rng_below(r, n);
	memcpy(bhs + 8, k->lun, 8);
	be_put32(bhs + 16, k->itt);
	be_put32(bhs + 20, NO_TAG);
	be_put32(bhs + 36, k->data_sn++);
	be_put32(bhs + 40, k->sent);
	k->sent += n;
	k->burst += n;
	is_end = k->sent == all;
	if (is_end || k->burst == c->p.max_burst || rng_chance(r, 50)) {
		bhs[1] |= 0x80;
		k->burst = 0;
	}
	if (is_end && !rng_chance(r, c->t->p_split_status)) {
		bhs[1] |= 0x01;
		put_residual(k, bhs);
		twire_put(c, bhs, k->buf + k->sent - n, n, true);
		finished(k);
		return true;
	}
	twire_put(c, bhs, k->buf + k->sent - n, n, false);
	return false;
}

static void
send_data(struct ttask *k)
{
	struct tconn *c = k->c;
	uint32_t all = k->data_n < k->edtl ? k->data_n : k->edtl;
	unsigned n = 1 + rng_below(&c->t->rng, 6);

	for (; n > 0 && k->sent < all; n--)
		if (put_data_in(k))
			return;
	if (k->sent < all)
		agenda_set(
		    &c->t->w->agenda, &k->due, sim_now(c->t->w) + rng_below(&c->t->rng, 200));
	else
		respond(k);
}

void
ttask_answer(struct ttask *k)
{
	if (k->c->net == NULL) {
		ttask_drop(k);
		return;
	}
	if (k->status != 0 || k->response != 0 || k->is_lie || k->data_n == 0 || !k->is_read) {
		k->data_n = 0;
		respond(k);
		return;
	}
	k->state = TTASK_SENDING;
	send_data(k);
}

void
ttask_check(struct ttask *k, uint8_t key, uint8_t asc, uint8_t ascq)
{
	k->status = 0x02;
	k->has_sense = true;
	k->sense_key = key;
	k->asc = asc;
	k->ascq = ascq;
	ttask_answer(k);
}

/* ---- execution ---- */

static void
queue(struct ttask *k)
{
	struct target *t = k->c->t;
	uint64_t us = rng_chance(&t->rng, 500) ? rng_between(&t->rng, 5, t->slow_us)
					       : rng_between(&t->rng, 5, 5 + t->slow_us / 100);

	k->state = TTASK_QUEUED;
	if (t->places[k->place].late_until_us > sim_now(t->w) && rng_chance(&t->rng, 300))
		us = rng_between(&t->rng, 0, 8 * SECOND);
	agenda_set(&t->w->agenda, &k->due, sim_now(t->w) + us);
	if (t->trap != NULL && k->is_write && !t->spring.armed)
		agenda_set(&t->w->agenda, &t->spring, sim_now(t->w) + rng_below(&t->rng, 2000));
}

static void
task_due(struct agenda_timer *timer)
{
	struct ttask *k = LIST_ENTRY(timer, struct ttask, due);
	struct sim *w = k->c->t->w;
	struct place *p = &k->c->t->places[k->place];

	if (k->state == TTASK_SENDING) {
		send_data(k);
	} else if (k->is_swallowed ||
		   (p->swallow_until_us > sim_now(w) && rng_chance(&k->c->t->rng, 500))) {
		k->is_swallowed = true;
	} else if (p->stall_until_us > sim_now(w)) {
		agenda_set(&w->agenda, timer, p->stall_until_us + rng_below(&k->c->t->rng, 1000));
	} else {
		w->commands++;
		w->ghosts += k->c->net == NULL;
		tscsi_execute(k);
	}
}

static bool
is_data(const uint8_t *cdb)
{
	static const uint8_t codes[] = { 0x28, 0x88, 0x2a, 0x8a, 0x93, 0x42, 0x35, 0x91 };

	return memchr(codes, cdb[0], sizeof codes) != NULL;
}

static bool
is_of_write(const struct ttask *k, uint32_t wr)
{
	const struct disk *d = k->c->t->places[k->place].disk;
	uint32_t lba = be_get32(k->cdb + (k->cdb[0] >= 0x80 ? 6 : 2)), found;

	if (k->state != TTASK_QUEUED || !k->is_write || k->is_old || d == NULL || !is_data(k->cdb))
		return false;
	if (k->wr != 0)
		return k->wr == wr;
	return (k->cdb[0] == 0x2a || k->cdb[0] == 0x8a) && lba < SIM_BLOCKS &&
	       book_parse(k->buf, d->uid, lba, &found) && found == wr;
}

bool
ttask_has_write(const struct target *t, uint32_t wr)
{
	EACH_MATE(t, m)
	LIST_EACH(node, tmp, &m->conns)
	{
		struct tconn *c = LIST_ENTRY(node, struct tconn, link);

		LIST_EACH(item, other, &c->tasks)
		if (is_of_write(LIST_ENTRY(item, struct ttask, link), wr))
			return true;
	}
	return false;
}

void
ttask_hurry(struct target *t)
{
	LIST_EACH(node, tmp, &t->conns)
	{
		struct tconn *c = LIST_ENTRY(node, struct tconn, link);

		LIST_EACH(item, other, &c->tasks)
		{
			struct ttask *k = LIST_ENTRY(item, struct ttask, link);

			if (k->due.armed && k->due.at_us > sim_now(t->w) + SECOND)
				agenda_set(&t->w->agenda, &k->due, sim_now(t->w) + SECOND);
		}
	}
}

void
ttask_clear_place(struct target *t, unsigned place)
{
	LIST_EACH(node, tmp, &t->conns)
	{
		struct tconn *c = LIST_ENTRY(node, struct tconn, link);

		LIST_EACH(item, other, &c->tasks)
		{
			struct ttask *k = LIST_ENTRY(item, struct ttask, link);

			if (k->place != place || k->state == TTASK_SENDING)
				continue;
			k->is_old = true;
			if (c->net == NULL)
				ttask_drop(k);
		}
	}
}

/* ---- write data ---- */

/* R2Ts, as many at once as were agreed on, for bursts of any legal length, in order. */
static void
ask(struct ttask *k)
{
	struct tconn *c = k->c;

	while (k->r2ts < c->p.max_r2t && k->r2ts < TARGET_R2T && k->asked < k->edtl) {
		uint8_t bhs[48] = { 0x31, 0x80 };
		uint32_t n = k->edtl - k->asked;

		n = n < c->p.max_burst ? n : c->p.max_burst;
		if (n > 16 && rng_chance(&c->t->rng, c->t->p_short_r2t))
			n = n / 8 + rng_below(&c->t->rng, n - n / 8);
		c->next_ttt = (c->next_ttt + 1) & 0xffffff;
		k->r2t[k->r2ts++] = (struct tr2t){ c->next_ttt, k->asked, k->asked + n, 0 };
		memcpy(bhs + 8, k->lun, 8);
		be_put32(bhs + 16, k->itt);
		be_put32(bhs + 20, c->next_ttt);
		be_put32(bhs + 36, k->r2t_sn++);
		be_put32(bhs + 40, k->asked);
		be_put32(bhs + 44, n);
		k->asked += n;
		twire_put(c, bhs, NULL, 0, false);
	}
}

static void
more_data(struct ttask *k)
{
	if (k->state == TTASK_ANSWERED) {
		if (!may_get_data(k))
			ttask_drop(k);
		return;
	}
	if (k->is_unsolicited)
		return;
	if (k->got == k->edtl)
		queue(k);
	else
		ask(k);
}

/* Unsolicited data comes in the order of its commands (4.2.5.2). */
static void
check_turn(struct tconn *c, const struct ttask *k)
{
	LIST_EACH(node, tmp, &c->tasks)
	{
		const struct ttask *o = LIST_ENTRY(node, struct ttask, link);

		if (o == k)
			return;
		if (o->is_unsolicited && o->state == TTASK_DATA)
			tlaw_broken(c, "unsolicited data of a later command first");
	}
}

void
ttask_data_out(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	struct ttask *k = ttask_find(c, be_get32(bhs + 16));
	bool is_final = (bhs[1] & 0x80) != 0;
	uint32_t ttt = be_get32(bhs + 20);

	if (k == NULL)
		tlaw_broken(c, "Data-Out of no task");
	tlaw_data_out(c, k, bhs, n);
	memcpy(k->buf + be_get32(bhs + 40), data, n);
	k->got += n;
	if (ttt == NO_TAG) {
		check_turn(c, k);
		k->unsol_sn++;
		k->is_unsolicited = !is_final;
		k->asked = k->got;
	}
	for (unsigned i = 0; i < k->r2ts && ttt != NO_TAG; i++) {
		if (k->r2t[i].ttt != ttt)
			continue;
		k->r2t[i].offset += n;
		k->r2t[i].data_sn++;
		if (!is_final)
			break;
		k->r2ts--;
		memmove(&k->r2t[i], &k->r2t[i + 1], (k->r2ts - i) * sizeof k->r2t[0]);
		break;
	}
	more_data(k);
}

/* ---- commands ---- */

/* The unit attention that was told is known to the initiator: what it had sent before is old. */
static void
acknowledge(struct tconn *c)
{
	for (unsigned i = 0; i < SIM_PLACES; i++) {
		struct place *p = &c->t->places[i];

		if (p->told != c || (int32_t)(c->seen_stat_sn - p->told_sn) <= 0)
			continue;
		p->told = NULL;
		p->changed_us = sim_now(c->t->w); /* what it knows of limits may be older */
		p->uas--;
		memmove(p->ua, p->ua + 1, p->uas * sizeof p->ua[0]);
		ttask_clear_place(c->t, i);
	}
	for (unsigned i = 0; i < SIM_PLACES; i++)
		if (c->barred[i].epoch != 0 && c->barred[i].us == 0 &&
		    (int32_t)(c->seen_stat_sn - c->barred[i].sn) > 0)
			c->barred[i].us = sim_now(c->t->w);
}

/* "No I/O goes to a standby or unavailable group": but for what was on its way. */
static void
check_barred(struct tconn *c, const struct ttask *k)
{
	uint64_t us = c->barred[k->place].us;

	if (is_data(k->cdb) && c->barred[k->place].epoch == c->t->alua.epoch && us != 0 &&
	    sim_now(c->t->w) - us > BARRED_US)
		sim_fail(c->t->w, "serving paths",
		    "command %02x for a port in state %x, which was told", k->cdb[0],
		    c->t->alua.state);
}

/* A target that is short of something says so before it has the data. */
static bool
is_refused(struct ttask *k)
{
	const struct place *p = &k->c->t->places[k->place];
	struct target *t = k->c->t;
	uint64_t now = sim_now(t->w);

	if (k->cdb[0] == 0x12 || k->cdb[0] == 0xa0)
		return false;
	if (p->full_until_us > now && rng_chance(&t->rng, 300))
		k->status = 0x28;
	else if (p->busy_until_us > now && rng_chance(&t->rng, 500))
		k->status = 0x08;
	else
		return false;
	ttask_answer(k);
	return true;
}

void
ttask_command(struct tconn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	struct ttask *k;

	tlaw_command(c, bhs, n);
	acknowledge(c);
	c->exp_cmd_sn++;
	k = task_new(c);
	k->itt = be_get32(bhs + 16);
	k->cmd_sn = be_get32(bhs + 24);
	k->edtl = be_get32(bhs + 20);
	memcpy(k->lun, bhs + 8, 8);
	memcpy(k->cdb, bhs + 32, 16);
	k->place = bhs[8] == 0 && bhs[9] < SIM_PLACES ? bhs[9] : 0;
	k->is_read = (bhs[1] & 0x40) != 0;
	k->is_write = (bhs[1] & 0x20) != 0;
	k->is_unsolicited = (bhs[1] & 0x80) == 0;
	if (k->is_write && k->edtl > SIM_TASK_BYTES)
		tlaw_broken(c, "a write of %u bytes", k->edtl);
	memcpy(k->buf, data, n);
	k->got = k->asked = n;
	TRACE(c->t->w, "target %u: command %x at place %u, tag %x", c->t->i, k->cdb[0], k->place,
	    k->itt);
	check_barred(c, k);
	if (k->is_write && is_data(k->cdb))
		k->wr = user_write_of(&c->t->w->owners[c->t->i], c->net, k->itt);
	if (is_refused(k))
		return;
	if (!k->is_write || k->got == k->edtl)
		queue(k);
	else if (!k->is_unsolicited)
		ask(k);
}
