#include "core/tap.h"

#include "core/sess_impl.h"
#include "core/tap_impl.h"

/* A PDU on the wire, and what of it there is to be copied. */
struct passed {
	enum trace_way way;
	const uint8_t *header;
	uint32_t header_len;
	const uint8_t *data;
	uint32_t data_have, data_len; /* of data_len on the wire the first data_have lie at data */
	const uint8_t *trailer;
	uint32_t trailer_len;
};

static bool
is_login(uint8_t opcode)
{
	return opcode == PDU_LOGIN_REQUEST || opcode == PDU_LOGIN_RESPONSE;
}

/* What it carries is the user's. */
static bool
is_user_data(uint8_t opcode)
{
	return opcode == PDU_SCSI_COMMAND || opcode == PDU_DATA_OUT || opcode == PDU_DATA_IN;
}

static uint32_t
min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void
put(struct tap *t, const struct passed *p, uint64_t now)
{
	uint8_t opcode = pdu_opcode(p->header), masked[TAP_TEXT_BYTES];
	uint32_t keep = is_user_data(opcode) ? min_u32(p->data_have, t->snap) : p->data_have;
	struct tapring_record record = {
		.kind = TAPRING_PDU,
		.way = (uint8_t)p->way,
		.connection = t->connection,
		.wire = p->header_len + p->data_len + p->trailer_len,
		.at_us = now,
		.position = t->position[p->way],
	};
	struct tapring_part parts[3] = { { p->header, p->header_len }, { p->data, keep } };

	if (is_login(opcode) && !t->has_secrets) {
		keep = min_u32(keep, sizeof masked);
		if (keep > 0)
			memcpy(masked, p->data, keep);
		tapmask_apply(&t->mask[p->way], masked, keep);
		/* 11.12.2, 11.13.2: only with the C bit does the text go on in the next PDU. */
		if ((p->header[1] & 0x40) == 0)
			t->mask[p->way] = (struct tapmask){ 0 };
		parts[1] = (struct tapring_part){ masked, keep };
	}
	if (keep == p->data_len)
		parts[2] = (struct tapring_part){ p->trailer, p->trailer_len };
	t->position[p->way] += record.wire;
	(void)tapring_put(t->ring, &record, parts, 3); /* what has no room is counted there */
}

static void
put_all(const struct conn *c, struct passed *p)
{
	for (struct tap *t = c->sess->taps; t != NULL; t = t->next) {
		if (p->way == TRACE_IN && pdu_opcode(p->header) == PDU_TEXT_RESPONSE) {
			p->data = t->text;
			p->data_have = t->is_within ? 0 : min_u32(t->text_len, p->data_len);
			t->text_len = 0;
		}
		t->is_within = t->is_within && p->way == TRACE_OUT;
		put(t, p, c->sess->now_us);
	}
}

void
tap_sent(const struct conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	uint32_t trailer = n > 0 ? pdu_pad(n) + (c->data_digest ? PDU_DIGEST_BYTES : 0) : 0;
	struct passed p = {
		.way = TRACE_OUT,
		.header = bhs,
		.header_len = PDU_BHS_BYTES + (c->header_digest ? PDU_DIGEST_BYTES : 0),
		.data = data,
		.data_have = n,
		.data_len = n,
		.trailer = c->tx->arena + c->tx->arena_used - trailer,
		.trailer_len = trailer,
	};

	put_all(c, &p);
}

/* So much of the PDU whose header is in c->header has come. */
static void
received(const struct conn *c, uint32_t header_len, uint32_t data_len, uint32_t trailer_len)
{
	struct passed p = {
		.way = TRACE_IN,
		.header = c->header,
		.header_len = header_len,
		.data_len = data_len,
		.trailer = c->trailer_bytes,
		.trailer_len = trailer_len,
	};

	if (data_len > 0)
		switch (c->sink) {
		case SINK_TASK:
			p.data = c->dst - data_len;
			p.data_have = data_len;
			break;
		case SINK_CONTROL:
			p.data = c->control;
			p.data_have = c->control_len;
			break;
		case SINK_TEXT:
		case SINK_DISCARD:
			break;
		}
	put_all(c, &p);
}

static uint32_t
header_bytes(const struct conn *c)
{
	return PDU_BHS_BYTES + pdu_ahs_bytes(c->header) + (c->header_digest ? PDU_DIGEST_BYTES : 0);
}

void
tap_received(const struct conn *c)
{
	uint32_t n = pdu_data_bytes(c->header);

	received(c, header_bytes(c), n, n > 0 ? c->trailer : 0);
}

void
tap_broken(const struct conn *c)
{
	uint32_t n = pdu_data_bytes(c->header);

	switch (c->phase) {
	case RX_HEADER:
		/* Less than a basic header says nothing that could be shown. */
		if (c->have >= PDU_BHS_BYTES)
			received(c, c->have, 0, 0);
		break;
	case RX_DATA:
		received(c, header_bytes(c), n - c->left, 0);
		break;
	case RX_TRAILER:
		received(c, header_bytes(c), n, c->have);
		break;
	}
}

void
tap_text(const struct conn *c, const uint8_t *bytes, size_t n)
{
	for (struct tap *t = c->sess->taps; t != NULL; t = t->next) {
		size_t room = TAP_TEXT_BYTES - t->text_len, took = n < room ? n : room;

		memcpy(t->text + t->text_len, bytes, took);
		t->text_len += (uint32_t)took;
	}
}
