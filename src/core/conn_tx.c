/*
 * What goes out, and in which order.
 *
 * PDUs are made when the socket can take them, not when they are asked for:
 * headers are written one behind another into a small arena, payloads are
 * referred to where they are, and the list of pieces goes out in one sendmsg.
 * Adjacent headers (reads) become one piece.  When everything made so far has
 * left, arena and list start over; until then they only grow, and when one is
 * full, what is left to send simply stays in its queue.
 *
 * Order: control PDUs, then commands and Data-Out in turn, so that neither a
 * long write nor a long queue of reads holds the other up.  Data-Out goes out
 * in the order its bursts became due; unsolicited bursts therefore follow the
 * order of their commands, as RFC 7143, section 4.2.5.2 wants.
 */
#include "core/digest.h"
#include "core/sess_impl.h"
#include "core/tap_impl.h"

/* Without memory for what is to be sent: so long. */
#define STARVED_US 10000

static void
tx_piece(struct conn *c, const uint8_t *p, size_t n)
{
	struct room *x = c->tx;

	c->tx_queued += n;
	if (x->iov_end > x->iov_first) {
		struct iovec *last = &x->iov[x->iov_end - 1];

		if ((const uint8_t *)last->iov_base + last->iov_len == p) {
			last->iov_len += n;
			return;
		}
	}
	/* sendmsg() wants a non-const pointer and only reads through it. */
	x->iov[x->iov_end++] = (struct iovec){ .iov_base = (void *)(uintptr_t)p, .iov_len = n };
}

static void
tx_header(struct conn *c, uint8_t *bhs, uint32_t n)
{
	uint32_t len = PDU_BHS_BYTES;

	be_put24(bhs + 5, n);
	if (c->header_digest) {
		digest_put(bhs + PDU_BHS_BYTES, digest_bhs(bhs));
		len += PDU_DIGEST_BYTES;
	}
	trace_put(&c->sess->trace, TRACE_OUT, bhs, c->sess->now_us);
	c->tx->arena_used += len;
	c->counts.pdus_sent++;
	tx_piece(c, bhs, len);
}

static void
tx_trailer(struct conn *c, const uint8_t *data, uint32_t n)
{
	uint8_t *p = c->tx->arena + c->tx->arena_used;
	uint32_t len = pdu_pad(n);

	memset(p, 0, len);
	if (c->data_digest) {
		uint32_t crc = digest_crc32c(DIGEST_BEGIN, data, n);

		digest_put(p + len, digest_crc32c(crc, p, len));
		len += PDU_DIGEST_BYTES;
	}
	if (len == 0)
		return;
	c->tx->arena_used += len;
	tx_piece(c, p, len);
}

void
conn_tx_put(struct conn *c, uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	assert(bhs == c->tx->arena + c->tx->arena_used);
	tx_header(c, bhs, n);
	if (n > 0) {
		tx_piece(c, data, n);
		tx_trailer(c, data, n);
	}
	if (c->sess->taps != NULL)
		tap_sent(c, bhs, data, n);
}

void
conn_tx_put_copy(struct conn *c, uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	uint8_t *copy;

	assert(bhs == c->tx->arena + c->tx->arena_used && n <= TX_COPY_MAX);
	tx_header(c, bhs, n);
	if (n > 0) {
		copy = c->tx->arena + c->tx->arena_used;
		memcpy(copy, data, n);
		c->tx->arena_used += n;
		tx_piece(c, copy, n);
		tx_trailer(c, copy, n);
	}
	if (c->sess->taps != NULL)
		tap_sent(c, bhs, data, n);
}

static uint32_t
min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * A command waits, for the window or for a slot.  A slot comes free when its
 * command is answered or late; a window that a target never opens again would
 * let commands wait for ever, so it has a deadline of its own.
 */
static void
flow_stop(struct conn *c, enum flow flow)
{
	if (c->flow == FLOW_OPEN)
		c->counts.flow_stopped++;
	if (flow == FLOW_NO_WINDOW && c->flow != FLOW_NO_WINDOW)
		c->window_deadline_us = c->sess->now_us + c->sess->cfg.request_timeout_ms * 1000ull;
	c->flow = flow;
}

static void
flow_resume(struct conn *c)
{
	c->counts.flow_resumed++;
	c->flow = FLOW_OPEN;
}

/* The request whose command goes next, or NULL. */
static struct req *
next_request(struct conn *c)
{
	struct sess *s = c->sess;

	if (list_empty(&s->waiting))
		return NULL;
	/* RFC 7143, section 4.2.2.1: no command beyond MaxCmdSN. */
	if (seq_lt(s->max_cmd_sn, s->cmd_sn)) {
		flow_stop(c, s->n_free == 0 ? FLOW_NO_SLOT : FLOW_NO_WINDOW);
		return NULL;
	}
	/* Where there is no memory for more slots, others are in use, and come back. */
	if (list_empty(&s->free) && !task_more(s)) {
		flow_stop(c, FLOW_NO_SLOT);
		return NULL;
	}
	if (c->flow != FLOW_OPEN)
		flow_resume(c);
	return LIST_ENTRY(list_pop(&s->waiting), struct req, link);
}

/* Write data that needs no R2T: immediate, and as Data-Out up to FirstBurstLength. */
static uint32_t
unsolicited(const struct conn *c, const struct req *r, uint32_t *ret_immediate)
{
	const struct neg_params *params = &c->sess->params;
	uint32_t first = min_u32(r->data_len, params->first_burst);

	*ret_immediate = 0;
	if (r->dir != REQ_WRITE)
		return 0;
	if (params->immediate_data)
		*ret_immediate = min_u32(first, params->peer_max_recv_dsl);
	return params->initial_r2t ? *ret_immediate : first;
}

static void
put_command(struct conn *c, struct req *r, uint64_t now)
{
	struct sess *s = c->sess;
	struct task *t = task_get(s, r, now);
	uint32_t immediate, first = unsolicited(c, r, &immediate);
	uint8_t *bhs = conn_tx_header(c);
	struct pdu_scsi_command pdu = {
		.final = first == immediate,
		.read = r->dir == REQ_READ && r->data_len > 0,
		.write = r->dir == REQ_WRITE && r->data_len > 0,
		.attr = (uint8_t)r->attr,
		.itt = t->itt,
		.expected_data_transfer_length = r->dir == REQ_NONE ? 0 : r->data_len,
		.cmd_sn = t->cmd_sn = s->cmd_sn++,
		.exp_stat_sn = c->exp_stat_sn,
	};

	memcpy(pdu.lun, r->lun, sizeof pdu.lun);
	memcpy(pdu.cdb, r->cdb, sizeof pdu.cdb);
	pdu_put_scsi_command(bhs, &pdu);
	t->tx_begin = c->tx_queued + PDU_BHS_BYTES + (c->header_digest ? PDU_DIGEST_BYTES : 0);
	conn_tx_put(c, bhs, r->data, immediate);
	c->counts.ios_issued++;
	c->counts.data_bytes_out += immediate;
	t->data_put = immediate;
	if (immediate > 0)
		t->tx_end = c->tx_queued;
	t->next_offset = r->dir == REQ_WRITE ? first : 0;
	if (first == immediate)
		return;
	t->burst[0] = (struct burst){ .ttt = PDU_NO_TAG, .offset = immediate, .end = first };
	t->bursts = 1;
	list_push_back(&c->senders, &t->send_link);
}

static void
put_data_out(struct conn *c)
{
	struct task *t = LIST_ENTRY(c->senders.next, struct task, send_link);
	struct burst *b = &t->burst[t->burst_first];
	uint32_t n = min_u32(b->end - b->offset, c->sess->params.peer_max_recv_dsl);
	uint8_t *bhs = conn_tx_header(c);
	struct pdu_data_out pdu = {
		.final = b->offset + n == b->end,
		.itt = t->itt,
		.ttt = b->ttt,
		.exp_stat_sn = c->exp_stat_sn,
		.data_sn = b->data_sn++,
		.buffer_offset = b->offset,
	};

	memcpy(pdu.lun, t->req->lun, sizeof pdu.lun);
	pdu_put_data_out(bhs, &pdu);
	conn_tx_put(c, bhs, t->req->data + b->offset, n);
	c->counts.data_bytes_out += n;
	t->data_put += n;
	t->tx_end = c->tx_queued;
	b->offset += n;
	if (b->offset < b->end)
		return;
	t->burst_first = (uint8_t)((t->burst_first + 1) % (LIMIT_R2T + 1));
	t->bursts--;
	list_remove(&t->send_link);
	if (t->bursts > 0)
		list_push_back(&c->senders, &t->send_link);
}

/* One command and one Data-Out, as far as there is something and room. */
static bool
put_some(struct conn *c, uint64_t now)
{
	struct req *r =
	    c->logout.x.state != EXCHANGE_IDLE || tmf_holds_commands(c) ? NULL : next_request(c);
	bool has_put = false;

	if (r != NULL) {
		put_command(c, r, now);
		has_put = true;
	}
	if (!list_empty(&c->senders) && conn_tx_room(c)) {
		put_data_out(c);
		has_put = true;
	}
	return has_put;
}

/* Where there is no memory it is tried again. */
static bool
has_room(struct conn *c, uint64_t now)
{
	if (c->tx == NULL)
		c->tx = room_get(c->sess->cfg.spare);
	c->starved_until_us = c->tx != NULL ? UINT64_MAX : now + STARVED_US;
	return c->tx != NULL;
}

/* All that was put has left: its room is another one's. */
static void
conn_tx_rest(struct conn *c)
{
	struct spare *s = c->sess->cfg.spare;

	if (s == NULL) {
		c->tx->iov_first = c->tx->iov_end = c->tx->arena_used = 0;
		return;
	}
	room_put(s, c->tx);
	c->tx = NULL;
}

size_t
conn_tx_peek(struct conn *c, const struct iovec **ret_iov, uint64_t now)
{
	bool is_ctl_done = false;
	size_t n;

	if (c->state == CONN_S_CLEANUP || !has_room(c, now))
		return 0;
	c->sess->now_us = now;
	while (conn_tx_room(c) && c->tx_queued - c->tx_sent < CONN_BATCH_BYTES) {
		if (!is_ctl_done && ctl_out(c, now))
			continue;
		/* What follows makes no control PDU due, but its last Data-Out a logout. */
		is_ctl_done = c->logout.x.state == EXCHANGE_IDLE;
		if (c->state != CONN_S_LOGGED_IN || !put_some(c, now))
			break;
	}
	*ret_iov = c->tx->iov + c->tx->iov_first;
	n = c->tx->iov_end - c->tx->iov_first;
	if (n == 0)
		conn_tx_rest(c);
	return n;
}

void
conn_tx_done(struct conn *c, size_t n)
{
	c->tx_sent += n;
	assert(c->tx_sent <= c->tx_queued);
	if (c->tx_sent == c->tx_queued)
		conn_tx_rest(c);
	else
		while (n > 0) {
			struct iovec *v = &c->tx->iov[c->tx->iov_first];

			if (n < v->iov_len) {
				v->iov_base = (uint8_t *)v->iov_base + n;
				v->iov_len -= n;
				break;
			}
			n -= v->iov_len;
			c->tx->iov_first++;
		}
	if (!list_empty(&c->sess->lingering))
		task_release_sent(c->sess, c);
}
