/* What the connection does with the answers of a login (login.h). */
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
	login_free(c->login.machine);
	c->login.machine = NULL;
	exchange_move(&c->login.x, EXCHANGE_IDLE);
	conn_fire(c, CONN_E_LOGIN_DONE);
	sess_post(s, &(struct sess_event){ .kind = SESS_EV_ONLINE });
}

/* What is new behind the first *told bytes of "a,b,c". */
static const char *
news(const char *names, size_t *told)
{
	const char *rest = names + *told;

	*told += strlen(rest);
	return *rest == ',' ? rest + 1 : rest;
}

/* Told when it happens: however the login ends, and where nobody is told that it does. */
static void
tell_keys(struct conn *c)
{
	struct sess *s = c->sess;
	const char *unknown = news(login_unknown_keys(c->login.machine), &c->login.unknown_told),
		   *rejected = news(login_rejected_keys(c->login.machine), &c->login.rejected_told);

	if (*unknown == '\0' && *rejected == '\0')
		return;
	copy_text(s->unknown_keys, sizeof s->unknown_keys, unknown);
	copy_text(s->rejected_keys, sizeof s->rejected_keys, rejected);
	sess_post(s, &(struct sess_event){ .kind = SESS_EV_KEYS,
			 .keys = { .unknown = s->unknown_keys, .rejected = s->rejected_keys } });
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
ctl_login_verified(struct conn *c, enum chap_verdict verdict)
{
	if (c->login.x.state != EXCHANGE_HELD)
		return CONN_OK;
	return login_step(c, login_verified(c->login.machine, verdict, &c->login.req));
}

enum conn_result
ctl_login_in(struct conn *c)
{
	struct pdu_login_response pdu;
	enum login_step step;
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
	step = login_rx(c->login.machine,
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
	    &c->login.req);
	tell_keys(c);
	return login_step(c, step);
}
