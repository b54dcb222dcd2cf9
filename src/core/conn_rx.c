/*
 * Framing: from a stream of bytes to headers, payloads and digests.
 *
 * Bytes arrive in pieces of any size.  A header that is whole is taken from
 * where it lies; only one that is cut is put together in c->header.  Payload
 * bytes go to their place at once, wherever the cut is.
 */
#include <stdlib.h>

#include "core/digest.h"
#include "core/sess_impl.h"
#include "core/tap_impl.h"

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* What the target may send us in one data segment now. */
static uint32_t
data_limit(const struct conn *c)
{
	/* RFC 7143, section 13.12: the default holds until the key is declared. */
	return conn_is_full_feature(c) ? c->sess->params.max_recv_dsl : 8192;
}

static enum conn_result
rx_end(struct conn *c)
{
	if (c->sess->taps != NULL)
		tap_received(c);
	c->phase = RX_HEADER;
	c->have = 0;
	switch (pdu_opcode(c->header)) {
	case PDU_DATA_IN:
		return task_in_data(c);
	case PDU_SCSI_RESPONSE:
		return task_in_response(c);
	case PDU_R2T:
		return task_in_r2t(c, c->header);
	}
	return ctl_in(c);
}

/*
 * Room for n bytes, or where there is no memory for as many as fit.  What the PDU before had is not
 * needed any more: its events were taken.
 */
static void
rx_room(struct conn *c, uint32_t n)
{
	bool is_large = n > CONTROL_SMALL || !conn_is_full_feature(c);
	uint8_t *large;

	if (is_large == (c->control != c->control_small))
		return;
	large = is_large ? malloc(LIMIT_CONTROL_BYTES) : NULL;
	if (c->control != c->control_small)
		free(c->control);
	c->control = large != NULL ? large : c->control_small;
	c->control_room = large != NULL ? LIMIT_CONTROL_BYTES : CONTROL_SMALL;
}

static enum conn_result
rx_sink(struct conn *c, uint8_t opcode, uint32_t n)
{
	c->control_len = 0;
	switch (opcode) {
	case PDU_DATA_IN:
		c->sink = SINK_TASK;
		return task_in_data_begin(c, c->header);
	case PDU_TEXT_RESPONSE:
		c->sink = SINK_TEXT;
		break;
	case PDU_R2T:
	case PDU_TMF_RESPONSE:
	case PDU_LOGOUT_RESPONSE:
		/* RFC 7143, section 11: these have no data segment. */
		if (n > 0)
			return CONN_BAD_HEADER;
		c->sink = SINK_DISCARD;
		break;
	default:
		c->sink = SINK_CONTROL;
		rx_room(c, n);
	}
	return CONN_OK;
}

/* What the basic header alone says against it. */
static inline enum conn_result
rx_refusal(const struct conn *c, uint8_t opcode, uint32_t n)
{
	if (!pdu_is_from_target(opcode))
		return CONN_BAD_OPCODE;
	if ((opcode == PDU_LOGIN_RESPONSE) != (c->state == CONN_S_IN_LOGIN))
		return CONN_BAD_STAGE;
	if (n > data_limit(c))
		return CONN_TOO_LONG;
	return CONN_OK;
}

/* c->header holds a whole header, or a basic one without a digest that is refused. */
static enum conn_result
rx_begin(struct conn *c)
{
	uint8_t opcode = pdu_opcode(c->header);
	uint32_t n = pdu_data_bytes(c->header), ahs = pdu_ahs_bytes(c->header);
	enum conn_result res;

	trace_put(&c->sess->trace, TRACE_IN, c->header, c->sess->now_us);
	if (c->header_digest) {
		uint32_t crc = digest_bhs(c->header);

		if (ahs > 0)
			crc = digest_crc32c(crc, c->header + PDU_BHS_BYTES, ahs);
		if (!digest_matches(c->header + PDU_BHS_BYTES + ahs, crc)) {
			c->counts.header_digest_errors++;
			c->digest_expected = crc;
			c->digest_received = digest_get(c->header + PDU_BHS_BYTES + ahs);
			return CONN_HEADER_DIGEST;
		}
	}
	c->counts.pdus_received++;
	res = rx_refusal(c, opcode, n);
	if (res != CONN_OK)
		return res;
	if (opcode != PDU_LOGIN_RESPONSE)
		sess_note_window(c->sess, be_get32(c->header + 28), be_get32(c->header + 32));
	res = rx_sink(c, opcode, n);
	if (res != CONN_OK)
		return res;
	if (n == 0)
		return rx_end(c);
	c->left = n;
	c->last_payload = n;
	c->trailer = pdu_pad(n) + (c->data_digest ? PDU_DIGEST_BYTES : 0);
	c->crc = DIGEST_BEGIN;
	c->have = 0;
	c->phase = RX_DATA;
	return CONN_OK;
}

/* Take header bytes from p; returns how many. */
static size_t
rx_header(struct conn *c, const uint8_t *p, size_t n, enum conn_result *ret_res)
{
	uint32_t digest = c->header_digest ? PDU_DIGEST_BYTES : 0, whole;
	size_t took = 0;

	/*
	 * Whatever else listens on a port greets with its own words, often fewer
	 * than a header has; the first byte tells, and nobody waits for the rest.
	 */
	if (c->have == 0 && c->state == CONN_S_IN_LOGIN && (p[0] & 0x3f) != PDU_LOGIN_RESPONSE) {
		*ret_res = pdu_is_from_target(p[0] & 0x3f) ? CONN_BAD_STAGE : CONN_BAD_OPCODE;
		return took;
	}
	/* Nearly always it is whole, and a copy of a length that is known costs least. */
	if (c->have == 0 && n >= PDU_BHS_BYTES) {
		took = PDU_BHS_BYTES;
		memcpy(c->header, p, PDU_BHS_BYTES);
		c->have = PDU_BHS_BYTES;
	} else if (c->have < PDU_BHS_BYTES) {
		took = min_size(n, PDU_BHS_BYTES - c->have);
		memcpy(c->header + c->have, p, took);
		c->have += (uint32_t)took;
		if (c->have < PDU_BHS_BYTES)
			return took;
	}
	whole = PDU_BHS_BYTES + pdu_ahs_bytes(c->header) + digest;
	if (c->have < whole) {
		size_t more = min_size(n - took, whole - c->have);

		/*
		 * Who is no iSCSI target may announce additional headers that
		 * never come ("HTTP/1.1" does): do not wait for them.
		 */
		if (!c->header_digest &&
		    rx_refusal(c, pdu_opcode(c->header), pdu_data_bytes(c->header)) != CONN_OK) {
			*ret_res = rx_begin(c);
			return took;
		}
		memcpy(c->header + c->have, p + took, more);
		c->have += (uint32_t)more;
		took += more;
		if (c->have < whole)
			return took;
	}
	*ret_res = rx_begin(c);
	return took;
}

static enum conn_result
rx_data_end(struct conn *c)
{
	if (c->trailer == 0)
		return rx_end(c);
	c->phase = RX_TRAILER;
	c->have = 0;
	return CONN_OK;
}

static size_t
rx_data(struct conn *c, const uint8_t *p, size_t n, enum conn_result *ret_res)
{
	size_t took = min_size(n, c->left);

	switch (c->sink) {
	case SINK_TASK:
		if (c->data_digest)
			c->crc = digest_copy_crc32c(c->dst, p, took, c->crc);
		else
			memcpy(c->dst, p, took);
		c->dst += took;
		break;
	case SINK_CONTROL: {
		/* More than the buffer holds is sense or an echo nobody needs. */
		size_t room = min_size(took, c->control_room - c->control_len);

		memcpy(c->control + c->control_len, p, room);
		c->control_len += (uint32_t)room;
		break;
	}
	case SINK_TEXT:
		if (c->sess->taps != NULL)
			tap_text(c, p, took);
		ctl_in_text(c, p, took);
		break;
	case SINK_DISCARD:
		break;
	}
	if (c->data_digest && c->sink != SINK_TASK)
		c->crc = digest_crc32c(c->crc, p, took);
	c->left -= (uint32_t)took;
	if (c->left == 0)
		*ret_res = rx_data_end(c);
	return took;
}

static size_t
rx_trailer(struct conn *c, const uint8_t *p, size_t n, enum conn_result *ret_res)
{
	size_t took = min_size(n, c->trailer - c->have);
	uint32_t pad = c->trailer - (c->data_digest ? PDU_DIGEST_BYTES : 0);

	memcpy(c->trailer_bytes + c->have, p, took);
	c->have += (uint32_t)took;
	if (c->have < c->trailer)
		return took;
	if (c->data_digest) {
		uint32_t crc = digest_crc32c(c->crc, c->trailer_bytes, pad);

		if (!digest_matches(c->trailer_bytes + pad, crc)) {
			c->counts.data_digest_errors++;
			c->digest_expected = crc;
			c->digest_received = digest_get(c->trailer_bytes + pad);
			*ret_res = CONN_DATA_DIGEST;
			return took;
		}
	}
	*ret_res = rx_end(c);
	return took;
}

static enum conn_result
rx_result(struct conn *c, enum conn_result res)
{
	return res == CONN_OK ? CONN_OK : conn_break(c, res);
}

size_t
conn_rx_want(struct conn *c, uint8_t **ret_p)
{
	if (c->phase != RX_DATA || c->sink != SINK_TASK || c->left < CONN_DIRECT_MIN ||
	    c->state == CONN_S_CLEANUP)
		return 0;
	*ret_p = c->dst;
	return c->left;
}

size_t
conn_rx_hint(const struct conn *c)
{
	/*
	 * While large payloads come, staging takes just the next header and the
	 * start of its payload; the rest of it then goes straight to its place.
	 */
	return c->last_payload >= 4 * CONN_DIRECT_MIN ? CONN_DIRECT_MIN : SIZE_MAX;
}

enum conn_result
conn_rx_direct(struct conn *c, size_t n, uint64_t now)
{
	enum conn_result res = CONN_OK;

	assert(c->phase == RX_DATA && c->sink == SINK_TASK && n <= c->left);
	c->sess->now_us = now;
	c->last_rx_us = now;
	if (c->data_digest)
		c->crc = digest_crc32c(c->crc, c->dst, n);
	c->dst += n;
	c->left -= (uint32_t)n;
	if (c->left == 0)
		res = rx_data_end(c);
	return rx_result(c, res);
}

static inline bool
is_paused(const struct conn *c)
{
	return c->nop_replies == CONN_NOP_REPLIES;
}

bool
conn_rx_is_paused(const struct conn *c)
{
	return is_paused(c);
}

enum conn_result
conn_rx(struct conn *c, const uint8_t *p, size_t n, uint64_t now, size_t *ret_used)
{
	enum conn_result res = CONN_OK;
	size_t used = 0;

	c->sess->now_us = now;
	c->last_rx_us = now;
	if (c->state == CONN_S_CLEANUP)
		n = 0;
	/* Whatever ends the connection in between is an event. */
	while (used < n && res == CONN_OK && c->sess->events == 0 && !is_paused(c)) {
		switch (c->phase) {
		case RX_HEADER:
			used += rx_header(c, p + used, n - used, &res);
			break;
		case RX_DATA:
			used += rx_data(c, p + used, n - used, &res);
			break;
		case RX_TRAILER:
			used += rx_trailer(c, p + used, n - used, &res);
			break;
		}
	}
	*ret_used = used;
	return rx_result(c, res);
}
