/*
 * What a target sends that belongs to no SCSI task: text and logout responses,
 * NOP-In, asynchronous messages, rejects; login responses are in ctl_login.c.
 */
#include "core/sess_impl.h"

void
ctl_in_text(struct conn *c, const uint8_t *p, size_t n)
{
	struct sess *s = c->sess;

	s->text.total += (uint32_t)n;
	if (s->text.x.state == EXCHANGE_SENT && s->text.total <= LIMIT_SENDTARGETS_BYTES)
		sess_post(s,
		    &(struct sess_event){ .kind = SESS_EV_TEXT, .text = { .bytes = p, .len = n } });
}

static enum conn_result
text_in(struct conn *c)
{
	struct sess *s = c->sess;
	struct pdu_text_response pdu;
	enum conn_result res;

	pdu_get_text_response(c->header, &pdu);
	res = exchange_answered(c, &s->text.x, pdu.itt);
	if (res == CONN_OK)
		res = conn_take_stat_sn(c, pdu.stat_sn);
	if (res != CONN_OK)
		return res;
	if (s->text.total > LIMIT_SENDTARGETS_BYTES)
		return CONN_TOO_LONG;
	/* Section 11.11.1: F with a valid TTT, or C with F, is a protocol error. */
	if (pdu.final && (pdu.ttt != PDU_NO_TAG || pdu.cont))
		return CONN_BAD_HEADER;
	if (!pdu.final && pdu.ttt == PDU_NO_TAG)
		return CONN_BAD_HEADER;
	if (!pdu.final) {
		s->text.ttt = pdu.ttt;
		memcpy(s->text.lun, pdu.lun, sizeof s->text.lun);
		exchange_move(&s->text.x, EXCHANGE_QUEUED);
		return CONN_OK;
	}
	exchange_move(&s->text.x, EXCHANGE_IDLE);
	sess_post(s, &(struct sess_event){ .kind = SESS_EV_TEXT_DONE });
	return CONN_OK;
}

void
ctl_in_reply_nop(struct conn *c, uint32_t ttt, const uint8_t lun[8])
{
	/* After a Logout Request nothing more is sent (section 11.14). */
	if (c->state != CONN_S_LOGGED_IN)
		return;
	assert(c->nop_replies < CONN_NOP_REPLIES);
	c->nop_reply[c->nop_replies].ttt = ttt;
	memcpy(c->nop_reply[c->nop_replies].lun, lun, 8);
	c->nop_replies++;
}

static void
ping_ended(struct conn *c, uint32_t same, struct sess_ending ending)
{
	exchange_move(&c->ping.x, EXCHANGE_IDLE);
	if (c->ping.is_ours)
		return;
	sess_post(c->sess, &(struct sess_event){ .kind = SESS_EV_PING,
			       .ping = {
				   .bytes = c->ping.len,
				   .bytes_same = same,
				   .rtt_us = c->sess->now_us - c->ping.sent_us,
				   .ending = ending,
				   .user = c->ping.x.user,
			       } });
}

static enum conn_result
ping_answered(struct conn *c, const struct pdu_nop_in *pdu)
{
	enum conn_result res = exchange_answered(c, &c->ping.x, pdu->itt);
	uint32_t same = 0;

	if (res == CONN_OK)
		res = conn_take_stat_sn(c, pdu->stat_sn);
	if (res != CONN_OK)
		return res;
	while (
	    same < c->ping.len && same < c->control_len && c->control[same] == c->ping.data[same])
		same++;
	ping_ended(c, same, (struct sess_ending){ 0 });
	return CONN_OK;
}

static enum conn_result
nop_in(struct conn *c)
{
	struct pdu_nop_in pdu;

	pdu_get_nop_in(c->header, &pdu);
	if (pdu.itt != PDU_NO_TAG)
		return ping_answered(c, &pdu);
	c->counts.nop_in_unsolicited++;
	/* Section 11.19.1: no TTT, no answer; it only told us the window. */
	if (pdu.ttt == PDU_NO_TAG)
		return CONN_OK;
	ctl_in_reply_nop(c, pdu.ttt, pdu.lun);
	return CONN_OK;
}

static enum conn_result
logout_in(struct conn *c)
{
	struct pdu_logout_response pdu;
	enum conn_result res;

	pdu_get_logout_response(c->header, &pdu);
	res = exchange_answered(c, &c->logout.x, pdu.itt);
	if (res != CONN_OK)
		return res;
	exchange_move(&c->logout.x, EXCHANGE_IDLE);
	c->sess->time2wait_s = pdu.time2wait;
	c->sess->time2retain_s = pdu.time2retain;
	sess_post(c->sess,
	    &(struct sess_event){ .kind = SESS_EV_LOGOUT, .logout_response = pdu.response });
	(void)conn_break(c, c->logout.why); /* the end that was asked for */
	return CONN_OK;
}

/* Section 11.9.1. */
static void
async_count(struct conn *c, uint8_t event)
{
	uint64_t *count[] = { &c->counts.async_scsi, &c->counts.async_logout,
		&c->counts.async_drop_connection, &c->counts.async_drop_all,
		&c->counts.async_negotiate, &c->counts.async_task_terminated };

	if (event < sizeof count / sizeof count[0])
		(*count[event])++;
	else
		c->counts.async_vendor++;
}

static enum conn_result
async_in(struct conn *c)
{
	struct sess_event ev = { .kind = SESS_EV_ASYNC };
	struct pdu_async_message pdu;
	enum conn_result res;

	pdu_get_async_message(c->header, &pdu);
	res = conn_take_stat_sn(c, pdu.stat_sn);
	if (res != CONN_OK)
		return res;
	async_count(c, pdu.async_event);
	ev.async.event = pdu.async_event;
	ev.async.vendor_code = pdu.async_vcode;
	ev.async.parameter[0] = pdu.parameter1;
	ev.async.parameter[1] = pdu.parameter2;
	ev.async.parameter[2] = pdu.parameter3;
	memcpy(ev.async.lun, pdu.lun, sizeof ev.async.lun);
	if (pdu.async_event == 0 && c->control_len >= 2) {
		uint32_t n = be_get16(c->control);

		ev.async.sense = c->control + 2;
		ev.async.sense_len = (uint16_t)(n < c->control_len - 2 ? n : c->control_len - 2);
	}
	sess_post(c->sess, &ev);
	/* Parameter1 of event 2 names the connection it is about. */
	if ((pdu.async_event == 2 && pdu.parameter1 == c->cid) || pdu.async_event == 3) {
		c->sess->time2wait_s = pdu.parameter2;
		c->sess->time2retain_s = pdu.parameter3;
	}
	if (pdu.async_event == 5)
		tmf_terminated(c, pdu.lun);
	/*
	 * Section 11.9.1: on "target requests logout" and "target requests
	 * parameter negotiation" a logout is an answer the target must accept; the
	 * session then comes back with fresh parameters.
	 */
	if ((pdu.async_event == 1 || pdu.async_event == 4) && c->state == CONN_S_LOGGED_IN &&
	    c->logout.x.state == EXCHANGE_IDLE)
		exchange_logout(c, CONN_TARGET_ASKED);
	return CONN_OK;
}

/* Section 11.17.1. */
static void
reject_count(struct conn *c, uint8_t reason)
{
	struct conn_counts *n = &c->counts;
	uint64_t *count[] = { &n->reject_other, &n->reject_other, &n->reject_data_digest,
		&n->reject_snack, &n->reject_protocol, &n->reject_unsupported, &n->reject_immediate,
		&n->reject_task, &n->reject_data_ack, &n->reject_field, &n->reject_resources,
		&n->reject_negotiation, &n->reject_logout };

	(*(reason < sizeof count / sizeof count[0] ? count[reason] : &n->reject_other))++;
}

/*
 * The PDU in question will get no other answer.  What matters least, a ping
 * that a target does not like, is taken as proof of life; anything else starts
 * the session over.
 */
static enum conn_result
rejected(struct conn *c, uint8_t reason)
{
	const struct sess_ending ending = { .how = SESS_END_REJECTED, .reject_reason = reason };
	struct exchange *const x[] = { &c->ping.x, &c->sess->text.x, &c->sess->tmf.x,
		&c->logout.x };
	bool is_whole = c->control_len >= PDU_BHS_BYTES;
	uint32_t itt = is_whole ? be_get32(c->control + 16) : PDU_NO_TAG;

	for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) {
		enum conn_result res = exchange_answered(c, x[i], itt);

		if (res == CONN_EARLY_ANSWER)
			return res;
		if (res == CONN_OK && x[i] != &c->ping.x)
			x[i]->ending = ending;
		else if (res == CONN_OK)
			ping_ended(c, 0, ending);
	}
	return is_whole && pdu_opcode(c->control) == PDU_NOP_OUT ? CONN_OK : CONN_REJECTED;
}

static enum conn_result
reject_in(struct conn *c)
{
	struct pdu_reject pdu;
	enum conn_result res;

	pdu_get_reject(c->header, &pdu);
	res = conn_take_stat_sn(c, pdu.stat_sn);
	if (res != CONN_OK)
		return res;
	reject_count(c, pdu.reason);
	sess_post(
	    c->sess, &(struct sess_event){ .kind = SESS_EV_REJECT, .reject_reason = pdu.reason });
	return rejected(c, pdu.reason);
}

enum conn_result
ctl_in(struct conn *c)
{
	switch (pdu_opcode(c->header)) {
	case PDU_LOGIN_RESPONSE:
		return ctl_login_in(c);
	case PDU_TEXT_RESPONSE:
		return text_in(c);
	case PDU_NOP_IN:
		return nop_in(c);
	case PDU_LOGOUT_RESPONSE:
		return logout_in(c);
	case PDU_ASYNC_MESSAGE:
		return async_in(c);
	case PDU_REJECT:
		return reject_in(c);
	case PDU_TMF_RESPONSE:
		return tmf_in(c);
	}
	return CONN_BAD_OPCODE;
}
