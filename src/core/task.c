/*
 * Task slots.  An ITT is (generation, slot): finding a task is one array
 * access, and an old or invented tag does not match the slot's own.
 */
#include <stdlib.h>

#include "core/sess_impl.h"

bool
task_more(struct sess *s)
{
	struct task *more = s->made < s->cfg.slots ? calloc(TASK_CHUNK, sizeof *more) : NULL;

	if (more == NULL)
		return false;
	s->chunk[s->made / TASK_CHUNK] = more;
	for (uint32_t i = 0; i < TASK_CHUNK && s->made < s->cfg.slots; i++) {
		more[i].itt = s->made++;
		list_init(&more[i].send_link);
		list_push_back(&s->free, &more[i].link);
	}
	return true;
}

struct task *
task_get(struct sess *s, struct req *r, uint64_t now)
{
	struct list *node = list_pop(&s->free);
	struct task *t;
	uint32_t timeout_ms = r->timeout_ms != 0 ? r->timeout_ms : s->cfg.request_timeout_ms;

	assert(node != NULL);
	s->n_free--;
	t = LIST_ENTRY(node, struct task, link);
	t->req = r;
	t->itt += 1u << 16;
	t->next_sn = 0;
	t->next_offset = 0;
	t->sequence_offset = 0;
	t->data_put = 0;
	t->timed_out = false;
	t->aborting = false;
	t->answered = false;
	t->bursts = 0;
	t->burst_first = 0;
	t->tx_end = 0;
	t->deadline_us = now + timeout_ms * 1000ull;
	if (t->deadline_us < s->check_us)
		s->check_us = t->deadline_us;
	r->slot = t->itt & 0xffff;
	r->sent_us = now;
	list_push_back(&s->active, &t->link);
	return t;
}

static inline void
put(struct sess *s, struct task *t)
{
	assert(t->req->slot == SLOT_OVER);
	t->req = NULL;
	s->n_free++;
	list_remove(&t->send_link);
	list_remove(&t->link);
	list_push_front(&s->free, &t->link);
}

void
task_put(struct sess *s, struct task *t)
{
	put(s, t);
}

static inline void
give_back(struct sess *s, struct req *r, enum req_result result)
{
	r->result = result;
	r->done_us = s->now_us;
	r->slot = SLOT_OVER;
	list_push_back(&s->done, &r->link);
}

void
task_give_back(struct sess *s, struct req *r, enum req_result result)
{
	give_back(s, r, result);
}

void
task_answered(struct sess *s, struct task *t)
{
	/*
	 * A target may answer before it has taken all of our data (a CHECK
	 * CONDITION, say).  Pieces of req->data can still be queued then, and the
	 * caller must not get its memory back before they have left.
	 */
	if (s->conn->tx_sent < t->tx_end) {
		t->answered = true;
		t->bursts = 0;
		list_remove(&t->send_link);
		list_remove(&t->link);
		list_push_back(&s->lingering, &t->link);
		s->n_lingering++;
		return;
	}
	give_back(s, t->req, t->req->result);
	put(s, t);
}

void
task_release_sent(struct sess *s, const struct conn *c)
{
	LIST_EACH(node, tmp, &s->lingering)
	{
		struct task *t = LIST_ENTRY(node, struct task, link);

		if (t->tx_end > c->tx_sent)
			continue;
		s->n_lingering--;
		task_give_back(s, t->req, t->req->result);
		task_put(s, t);
	}
}

/* What is known of an unanswered request whose connection is gone. */
static enum req_result
fate(const struct conn *c, const struct task *t)
{
	uint32_t header = PDU_BHS_BYTES + (c->header_digest ? PDU_DIGEST_BYTES : 0);

	return c->tx_sent > t->tx_begin - header ? REQ_LOST : REQ_UNSENT;
}

void
task_lose_all(struct sess *s)
{
	struct conn *c = s->conn;

	LIST_EACH(node, tmp, &s->lingering)
	{
		struct task *t = LIST_ENTRY(node, struct task, link);

		s->n_lingering--;
		task_give_back(s, t->req, t->req->result);
		task_put(s, t);
	}
	LIST_EACH(node, tmp, &s->active)
	{
		struct task *t = LIST_ENTRY(node, struct task, link);

		task_give_back(s, t->req, fate(c, t));
		if (t->req->result == REQ_LOST)
			c->counts.ios_failed_offline++;
		task_put(s, t);
	}
	for (struct list *node; (node = list_pop(&s->waiting)) != NULL;)
		task_give_back(s, LIST_ENTRY(node, struct req, link), REQ_UNSENT);
	assert(s->n_free == s->cfg.slots && s->n_lingering == 0);
}

void
task_check_deadlines(struct sess *s, uint64_t now)
{
	bool is_late = false;

	s->check_us = UINT64_MAX;
	LIST_EACH(node, tmp, &s->active)
	{
		struct task *t = LIST_ENTRY(node, struct task, link);

		if (t->timed_out)
			continue;
		if (t->deadline_us <= now) {
			t->timed_out = true;
			is_late = true;
			s->conn->counts.io_timeouts++;
		} else if (t->deadline_us < s->check_us)
			s->check_us = t->deadline_us;
	}
	if (is_late)
		tmf_recover(s->conn);
}
