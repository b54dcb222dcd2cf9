/* What the initiator sent, as its target sees it. */
#include <string.h>

#include "core/digest.h"
#include "target.h"

#define LOGIN_TEXT_MAX 8192

/* No part of it looks like another. */
static const uint8_t *
pattern(void)
{
	static uint8_t bytes[TARGET_DATA_MAX];

	if (bytes[1] == 0)
		for (uint32_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)(i * 2654435761u >> 24);
	return bytes;
}

void
target_put_pattern(uint8_t *data, uint32_t len)
{
	FUZZ_CHECK(len <= TARGET_DATA_MAX);
	memcpy(data, pattern(), len);
}

bool
target_is_pattern(uint32_t offset, const uint8_t *data, uint32_t len)
{
	return len == 0 || memcmp(data, pattern() + offset, len) == 0;
}

static struct target_request *
by_tag(struct target *t, uint32_t itt)
{
	for (unsigned i = 0; i < TARGET_REQUESTS; i++)
		if (t->request[i].req != NULL && t->request[i].is_seen && t->request[i].itt == itt)
			return &t->request[i];
	return NULL;
}

static void
check_data(const struct target_request *q, uint32_t offset, const uint8_t *data, uint32_t len)
{
	FUZZ_CHECK(q->req->dir == REQ_WRITE);
	FUZZ_CHECK(offset <= q->req->data_len && len <= q->req->data_len - offset);
	FUZZ_CHECK(target_is_pattern(offset, data, len));
}

static void
saw_command(struct target *t, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	const struct neg_params *p = sess_params(t->sess);
	struct target_request *q;
	struct pdu_scsi_command c;

	pdu_get_scsi_command(bhs, &c);
	FUZZ_CHECK(c.cdb[0] < TARGET_REQUESTS && c.itt != PDU_NO_TAG);
	q = &t->request[c.cdb[0]];
	FUZZ_CHECK(q->req != NULL && !q->is_seen && by_tag(t, c.itt) == NULL);
	FUZZ_CHECK(c.expected_data_transfer_length == q->req->data_len);
	/* Without data a direction need not be said. */
	if (q->req->data_len > 0)
		FUZZ_CHECK(c.read == (q->req->dir == REQ_READ) && c.write == !c.read);
	q->is_seen = true;
	q->itt = c.itt;
	q->unsolicited = len;
	if (len > 0) {
		FUZZ_CHECK(p->immediate_data && len <= p->first_burst);
		check_data(q, 0, data, len);
	}
	/* What comes unasked is behind the command; R2Ts ask for the rest. */
	q->next_offset = len;
	if (q->req->dir == REQ_WRITE && !c.final) {
		FUZZ_CHECK(!p->initial_r2t);
		q->next_offset =
		    q->req->data_len < p->first_burst ? q->req->data_len : p->first_burst;
	}
}

/* It was asked for, or goes unasked; and once. */
static void
saw_data_out(struct target *t, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	const struct neg_params *p = sess_params(t->sess);
	struct target_request *q;
	struct pdu_data_out d;

	pdu_get_data_out(bhs, &d);
	q = by_tag(t, d.itt);
	/* The rest of a burst may follow when the answer is there and the request is back. */
	if (q == NULL)
		return;
	check_data(q, d.buffer_offset, data, len);
	if (d.ttt == PDU_NO_TAG) {
		FUZZ_CHECK(!p->initial_r2t && d.buffer_offset == q->unsolicited);
		q->unsolicited += len;
		FUZZ_CHECK(q->unsolicited <= p->first_burst);
		return;
	}
	for (uint32_t i = 0; i < q->n_r2ts && i < TARGET_R2TS; i++) {
		struct target_r2t *r = &q->r2t[i];

		if (r->ttt != d.ttt || r->at != d.buffer_offset || len > r->end - r->at)
			continue;
		r->at += len;
		FUZZ_CHECK(!d.final || r->at == r->end);
		return;
	}
	FUZZ_CHECK(q->n_r2ts > TARGET_R2TS);
}

/* Section 4.2.2.1. */
static void
check_cmd_sn(struct target *t, const uint8_t *bhs)
{
	uint32_t cmd_sn = be_get32(bhs + 24);

	FUZZ_CHECK(cmd_sn == t->next_cmd_sn);
	if ((bhs[0] & 0x40) != 0)
		return;
	FUZZ_CHECK(!seq_lt(t->max_cmd_sn, cmd_sn));
	t->next_cmd_sn++;
}

static void
saw(struct target *t, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	uint8_t opcode = pdu_opcode(bhs);

	FUZZ_CHECK(!pdu_is_from_target(opcode) && bhs[4] == 0);
	FUZZ_CHECK(
	    len <= (t->is_online ? sess_params(t->sess)->peer_max_recv_dsl : LOGIN_TEXT_MAX));
	if (opcode != PDU_LOGIN_REQUEST && opcode != PDU_DATA_OUT) {
		FUZZ_CHECK(t->is_online);
		check_cmd_sn(t, bhs);
	}
	switch (opcode) {
	case PDU_SCSI_COMMAND:
		saw_command(t, bhs, data, len);
		return;
	case PDU_DATA_OUT:
		saw_data_out(t, bhs, data, len);
		return;
	case PDU_LOGIN_REQUEST:
		FUZZ_CHECK(!t->is_online);
		t->login_flags = bhs[1] & 0xbf;
		t->next_cmd_sn = be_get32(bhs + 24);
		break;
	case PDU_NOP_OUT:
		if (be_get32(bhs + 16) == PDU_NO_TAG)
			return;
		break;
	}
	t->last_itt = be_get32(bhs + 16);
	FUZZ_CHECK(t->last_itt != PDU_NO_TAG);
}

/* The bytes of a whole PDU at the beginning of what came, which is looked at; 0: it is not whole.
 */
static size_t
take_pdu(struct target *t, const uint8_t *b, size_t n)
{
	const struct neg_params *p = sess_params(t->sess);
	bool header_digest = t->is_online && p->header_digest == NEG_DIGEST_CRC32C;
	bool data_digest = t->is_online && p->data_digest == NEG_DIGEST_CRC32C;
	size_t head = PDU_BHS_BYTES + (header_digest ? DIGEST_BYTES : 0), body;
	uint32_t len;

	if (n < head)
		return 0;
	len = pdu_data_bytes(b);
	body = len + pdu_pad(len);
	if (n < head + body + (data_digest && len > 0 ? DIGEST_BYTES : 0))
		return 0;
	if (header_digest)
		FUZZ_CHECK(digest_matches(b + PDU_BHS_BYTES, digest_crc32c(0, b, PDU_BHS_BYTES)));
	saw(t, b, b + head, len);
	if (!data_digest || len == 0)
		return head + body;
	FUZZ_CHECK(digest_matches(b + head + body, digest_crc32c(0, b + head, body)));
	return head + body + DIGEST_BYTES;
}

static void
look(struct target *t)
{
	size_t at = 0, n;

	while ((n = take_pdu(t, t->in + at, t->in_len - at)) > 0)
		at += n;
	t->in_len -= at;
	memmove(t->in, t->in + at, t->in_len);
}

void
target_pull(struct target *t, size_t n)
{
	const struct iovec *iov;
	size_t pieces, took;

	while (n > 0 && sess_conn(t->sess) != NULL && !t->is_closing &&
	       (pieces = conn_tx_peek(sess_conn(t->sess), &iov, t->now)) > 0) {
		FUZZ_CHECK(pieces <= 1024);
		took = 0;
		for (size_t i = 0; i < pieces && took < n; i++) {
			size_t some = iov[i].iov_len < n - took ? iov[i].iov_len : n - took;

			FUZZ_CHECK(t->in_len + some <= TARGET_OUT);
			memcpy(t->in + t->in_len, iov[i].iov_base, some);
			t->in_len += some;
			took += some;
		}
		n -= took;
		/* Before it is said that they left: then requests may come back. */
		look(t);
		conn_tx_done(sess_conn(t->sess), took);
		target_drain(t);
	}
	if (t->is_closing && sess_conn(t->sess) != NULL)
		FUZZ_CHECK(conn_tx_peek(sess_conn(t->sess), &iov, t->now) == 0);
}
