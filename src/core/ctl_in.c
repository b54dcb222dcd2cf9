/*
 * What a target sends that belongs to no SCSI task: login, text and logout
 * responses, NOP-In, asynchronous messages, rejects.
 */
#include "core/sess_impl.h"

/* Copy a string that somebody else wrote, cut to what fits. */
static void
copy_text(char *dst, size_t size, const char *src)
{
	size_t n = src != NULL ? strnlen(src, size - 1) : 0;

	if (n > 0)
		memcpy(dst, src, n);
	dst[n] = '\0';
}

static void
login_done(struct conn *c)
{
	struct sess *s = c->sess;
	struct pdu_login_response pdu;

	pdu_get_login_response(c->header, &pdu);
	s->params = *login_params(c->login.machine);
	s->tsih = pdu.tsih;
	s->tpgt = login_tpgt(c->login.machine);
	copy_text(s->target_alias, sizeof s->target_alias, login_target_alias(c->login.machine));
	c->header_digest = s->params.header_digest == NEG_DIGEST_CRC32C;
	c->data_digest = s->params.data_digest == NEG_DIGEST_CRC32C;
	/* They hold for a loss that nobody announces. */
	s->time2wait_s = (uint16_t)s->params.time2wait;
	s->time2retain_s = (uint16_t)s->params.time2retain;
	s->exp_cmd_sn = pdu.exp_cmd_sn;
	s->max_cmd_sn = pdu.max_cmd_sn;
	copy_text(s->unknown_keys, sizeof s->unknown_keys, login_unknown_keys(c->login.machine));
	login_free(c->login.machine);
	c->login.machine = NULL;
	exchange_move(&c->login.x, EXCHANGE_IDLE);
	conn_fire(c, CONN_E_LOGIN_DONE);
	sess_post(s, &(struct sess_event){
			 .kind = SESS_EV_ONLINE, .online = { .unknown_keys = s->unknown_keys } });
}

/* What the guide counts by name; where it has no message for one, it is the header's fault. */
static void
count_violation(struct conn *c, enum login_violation violation)
{
	struct conn_counts *n = &c->counts;

	if (violation_is_targets(violation) && violation_message(violation) == 0)
		n->protocol_errors++;
	switch ((int)violation) {
	case VIOLATION_STAT_SN:
		n->statsn_holes++;
		break;
	case VIOLATION_TOO_MANY_ROUNDS:
		n->exchanges_abandoned++;
		break;
	/* The guide's message 20. */
	case VIOLATION_BAD_NSG:
	case VIOLATION_BAD_CSG:
	case VIOLATION_TRANSIT_UNASKED:
		n->bad_next_stages++;
		break;
	case VIOLATION_NO_CHAP_SECRET:
		n->chap_secrets_missing++;
		break;
	case VIOLATION_CHAP_NR_MISSING:
	case VIOLATION_CHAP_NR_OTHER:
	case VIOLATION_CHAP_N:
	case VIOLATION_CHAP_R:
	case VIOLATION_CHAP_REFLECTED:
	case VIOLATION_CHAP_OWN_RESPONSE:
	case VIOLATION_CHAP_WRONG_NAME:
	case VIOLATION_CHAP_WRONG:
		n->auth_failures++;
		break;
	}
}

/* Section 11.13.5. */
static void
count_status(struct conn *c, const struct pdu_login_response *pdu)
{
	if (pdu->status_class != 0)
		c->counts.login_exceptions++;
	if (pdu->status_class != 1)
		return;
	if (pdu->status_detail == 2)
		c->counts.redirects_permanent++;
	else
		c->counts.redirects_temporary++;
}

static enum conn_result
login_failed(struct conn *c, enum login_step step)
{
	struct sess *s = c->sess;
	struct pdu_login_response pdu;

	pdu_get_login_response(c->header, &pdu);
	count_status(c, &pdu);
	count_violation(c, login_violation(c->login.machine));
	copy_text(s->redirect, sizeof s->redirect, login_redirect(c->login.machine));
	copy_text(s->login_reason, sizeof s->login_reason, login_reason(c->login.machine));
	copy_text(s->login_culprit, sizeof s->login_culprit, login_culprit(c->login.machine));
	copy_text(s->login_proposed, sizeof s->login_proposed, login_proposed(c->login.machine));
	sess_post(s, &(struct sess_event){ .kind = SESS_EV_LOGIN_FAILED,
			 .login = {
			     .step = step,
			     .status_class = pdu.status_class,
			     .status_detail = pdu.status_detail,
			     .nsg = pdu.nsg,
			     .our_csg = (uint8_t)c->login.req.csg,
			     .our_nsg = (uint8_t)c->login.req.nsg,
			     .violation = login_violation(c->login.machine),
			     .redirect = s->redirect[0] != '\0' ? s->redirect : NULL,
			     .reason = s->login_reason,
			     .culprit = s->login_culprit,
			     .proposed = s->login_proposed,
			     .chap_algorithm = login_chap_algorithm(c->login.machine),
			 } });
	return CONN_LOGIN_FAILED;
}

static enum conn_result
login_step(struct conn *c, enum login_step step)
{
	struct sess_event ev = { .kind = SESS_EV_VERIFY };

	switch (step) {
	case LOGIN_SEND:
		exchange_move(&c->login.x, EXCHANGE_QUEUED);
		return CONN_OK;
	case LOGIN_DONE:
		login_done(c);
		return CONN_OK;
	case LOGIN_VERIFY:
		exchange_move(&c->login.x, EXCHANGE_HELD);
		login_query(c->login.machine, &ev.verify);
		sess_post(c->sess, &ev);
		return CONN_OK;
	case LOGIN_REDIRECTED:
	case LOGIN_REFUSED:
	case LOGIN_VIOLATION:
		break;
	}
	return login_failed(c, step);
}

enum conn_result
ctl_in_verified(struct conn *c, enum chap_verdict verdict)
{
	if (c->login.x.state != EXCHANGE_HELD)
		return CONN_OK;
	return login_step(c, login_verified(c->login.machine, verdict, &c->login.req));
}

static enum conn_result
login_in(struct conn *c)
{
	struct pdu_login_response pdu;
	enum conn_result res;
	bool has_next_stat_sn;

	pdu_get_login_response(c->header, &pdu);
	res = exchange_answered(c, &c->login.x, pdu.itt);
	/* A refusal needs no more than a header, and leaves the request's memory as it is. */
	if (res == CONN_EARLY_ANSWER && pdu.status_class != 0)
		res = CONN_OK;
	if (res != CONN_OK)
		return res;
	/* Section 11.13.3: we support version 0 only, so no other one can be agreed on. */
	if (pdu.status_class == 0 && pdu.version_active != 0)
		return CONN_BAD_HEADER;
	/* Section 11.13.4: the first response sets the number to start from. */
	has_next_stat_sn = c->login.responses++ == 0 || pdu.stat_sn == c->exp_stat_sn;
	c->exp_stat_sn = pdu.stat_sn + 1;
	return login_step(
	    c, login_rx(c->login.machine,
		   &(struct login_rsp){
		       .transit = pdu.transit,
		       .cont = pdu.cont,
		       .csg = pdu.csg,
		       .nsg = pdu.nsg,
		       .status_class = pdu.status_class,
		       .status_detail = pdu.status_detail,
		       .tsih = pdu.tsih,
		       .has_our_isid = memcmp(pdu.isid, c->sess->cfg.isid, sizeof pdu.isid) == 0,
		       .has_next_stat_sn = has_next_stat_sn,
		       .text = c->control,
		       .text_len = c->control_len,
		   },
		   &c->login.req));
}

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
		return login_in(c);
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
