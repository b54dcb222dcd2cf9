#include <stdlib.h>

#include "core/digest.h"
#include "tools/common/say.h"
#include "tools/iscsi_replay/play_impl.h"

static const struct neg_params *
full_feature(const struct player *p)
{
	enum sess_state state = sess_state(p->s);

	return state == SESS_ONLINE || state == SESS_LOGOUT ? sess_params(p->s) : NULL;
}

bool
play_has_header_digest(const struct player *p)
{
	const struct neg_params *params = full_feature(p);

	return params != NULL && params->header_digest == NEG_DIGEST_CRC32C;
}

bool
play_has_data_digest(const struct player *p)
{
	const struct neg_params *params = full_feature(p);

	return params != NULL && params->data_digest == NEG_DIGEST_CRC32C;
}

static void
login_failed(struct player *p, const struct sess_event *ev)
{
	p->is_login_over = true;
	if (ev->login.step == LOGIN_VIOLATION) {
		p->ret->result = PLAY_VIOLATION;
		(void)snprintf(p->ret->why, sizeof p->ret->why, "RFC 7143, section 6: %s%s%s",
		    ev->login.reason, ev->login.culprit[0] != '\0' ? ": " : "", ev->login.culprit);
	} else if (p->ret->why[0] == '\0') {
		(void)snprintf(p->ret->why, sizeof p->ret->why,
		    "the target ends the login: status %02x%02x", ev->login.status_class,
		    ev->login.status_detail); /* fits */
	}
}

void
play_drain(struct player *p)
{
	struct sess_event ev;

	while (sess_next(p->s, &ev))
		switch (ev.kind) {
		case SESS_EV_REQ:
			free(ev.req);
			break;
		case SESS_EV_VERIFY:
			/* The capture has not what it takes to know. */
			sess_verified(p->s, CHAP_VERDICT_RIGHT, p->now);
			break;
		case SESS_EV_LOGIN_FAILED:
			login_failed(p, &ev);
			break;
		case SESS_EV_CLOSE:
			p->is_closed = true;
			p->close_why = ev.close.why;
			break;
		case SESS_EV_KEYS:
		case SESS_EV_ONLINE:
		case SESS_EV_TEXT:
		case SESS_EV_TEXT_DONE:
		case SESS_EV_PING:
		case SESS_EV_TMF:
		case SESS_EV_LOGOUT:
		case SESS_EV_ASYNC:
		case SESS_EV_REJECT:
			break;
		}
}

void
play_pull(struct player *p)
{
	bool header_digest = play_has_header_digest(p), data_digest = play_has_data_digest(p);
	const struct iovec *iov;
	size_t n;

	while (!p->is_stuck && (n = conn_tx_peek(sess_conn(p->s), &iov, p->now)) > 0) {
		size_t len = 0;
		uint8_t *bytes, *at;

		for (size_t i = 0; i < n; i++)
			len += iov[i].iov_len;
		at = bytes = say_need(malloc(len));
		for (size_t i = 0; i < n; i++) {
			memcpy(at, iov[i].iov_base, iov[i].iov_len);
			at += iov[i].iov_len;
		}
		if (!sent_take(&p->sent, bytes, len, header_digest, data_digest))
			play_stop(p, "the core has more to send than is compared");
		free(bytes);
		conn_tx_done(sess_conn(p->s), len);
		play_drain(p);
	}
}

/* Give the core bytes of the target, and hear what it has to say. */
static void
feed(struct player *p, const uint8_t *bytes, size_t n)
{
	while (n > 0 && !p->is_closed && !p->is_stuck) {
		size_t used = 0;

		(void)conn_rx(sess_conn(p->s), bytes, n, p->now, &used); /* it is an event, too */
		bytes += used;
		n -= used;
		play_drain(p);
		if (used == 0 && conn_rx_is_paused(sess_conn(p->s)))
			play_pull(p);
		else if (used == 0 && !p->is_closed)
			play_stop(p, "the core takes no more of the target's bytes");
	}
}

/* The header in the core's numbers. */
static void
translate(struct player *p, uint8_t *bhs)
{
	uint32_t tag = be_get32(bhs + 16);

	if (tag != PDU_NO_TAG)
		be_put32(bhs + 16, sent_core_tag(&p->sent, tag));
	be_put32(bhs + 28, be_get32(bhs + 28) - p->guess.cmd_sn);
	be_put32(bhs + 32, be_get32(bhs + 32) - p->guess.cmd_sn);
}

/*
 * A digest of the bytes as they are fed; one that was wrong stays so.  Of what was not kept nobody
 * knows whether it was: it is right.
 */
static void
put_digest(uint8_t *at, uint32_t crc, const uint8_t *was, uint32_t crc_was)
{
	digest_put(at, was != NULL && !digest_matches(was, crc_was) ? ~crc : crc);
}

void
play_target(struct player *p, const struct talks_pdu *pdu)
{
	bool header_digest = play_has_header_digest(p), data_digest = play_has_data_digest(p);
	uint32_t head = PDU_BHS_BYTES + pdu_ahs_bytes(pdu->bytes), n = pdu_data_bytes(pdu->bytes);
	uint32_t body = n + pdu_pad(n), at = head + (header_digest ? PDU_DIGEST_BYTES : 0), have;
	size_t whole = at + body + (data_digest && n > 0 ? PDU_DIGEST_BYTES : 0);
	uint8_t *wire = say_need(calloc(1, whole));
	const uint8_t *digest = pdu->kept >= at ? pdu->bytes + head : NULL;

	have = pdu->kept < head ? pdu->kept : head;
	memcpy(wire, pdu->bytes, have);
	translate(p, wire);
	if (header_digest)
		put_digest(wire + head, digest_crc32c(DIGEST_BEGIN, wire, head), digest,
		    digest != NULL ? digest_crc32c(DIGEST_BEGIN, pdu->bytes, head) : 0);
	have = pdu->kept > at ? pdu->kept - at : 0;
	memcpy(wire + at, pdu->bytes + (have > 0 ? at : 0), have < body ? have : body);
	digest = pdu->kept >= whole ? pdu->bytes + at + body : NULL;
	if (data_digest && n > 0)
		put_digest(wire + at + body, digest_crc32c(DIGEST_BEGIN, wire + at, body), digest,
		    digest != NULL ? digest_crc32c(DIGEST_BEGIN, pdu->bytes + at, body) : 0);
	/* One that the end of the connection cut ends there. */
	feed(p, wire, pdu->wire < whole ? pdu->wire : whole);
	free(wire);
}
