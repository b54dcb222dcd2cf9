/* PDUs of ours that are not SCSI tasks: login, text, NOP-Out, logout. */
#include "core/sess_impl.h"

void
ctl_out_login(struct conn *c)
{
	enum login_step step = login_start(c->login.machine, &c->login.req);
	const struct sess *s = c->sess;

	assert(step == LOGIN_SEND);
	c->login.x.itt = sess_control_itt(c->sess);
	exchange_queue(&c->login.x, s->now_us + s->cfg.login_timeout_ms * 1000ull, NULL);
}

static void
put_login(struct conn *c)
{
	struct sess *s = c->sess;
	uint8_t *bhs = conn_tx_header(c);
	struct pdu_login_request pdu = {
		.transit = c->login.req.transit,
		.cont = c->login.req.cont,
		.csg = (uint8_t)c->login.req.csg,
		.nsg = c->login.req.transit ? (uint8_t)c->login.req.nsg : 0,
		/* A TSIH of zero with an ISID in use reinstates the session (6.3.5). */
		.tsih = 0,
		.itt = c->login.x.itt,
		.cid = c->cid,
		.cmd_sn = s->cmd_sn,
		.exp_stat_sn = c->exp_stat_sn,
	};

	memcpy(pdu.isid, s->cfg.isid, sizeof pdu.isid);
	pdu_put_login_request(bhs, &pdu);
	conn_tx_put(c, bhs, c->login.req.text, c->login.req.text_len);
	exchange_sent(c, &c->login.x);
}

static void
put_text(struct conn *c)
{
	static const char key[] = "SendTargets=";
	uint8_t text[sizeof key + LIMIT_ISCSI_NAME_BYTES + 1];
	size_t what = strlen(c->sess->text.what) + 1;
	uint8_t *bhs = conn_tx_header(c);
	bool is_first = c->sess->text.ttt == PDU_NO_TAG;
	struct pdu_text_request pdu = {
		.immediate = true,
		.final = true,
		.itt = c->sess->text.x.itt,
		.ttt = c->sess->text.ttt,
		.cmd_sn = c->sess->cmd_sn,
		.exp_stat_sn = c->exp_stat_sn,
	};

	memcpy(pdu.lun, c->sess->text.lun, sizeof pdu.lun);
	memcpy(text, key, sizeof key - 1);
	memcpy(text + sizeof key - 1, c->sess->text.what, what);
	pdu_put_text_request(bhs, &pdu);
	/* Asking for the rest of a long answer is an empty request with its TTT (11.10.4). */
	conn_tx_put_copy(c, bhs, text, is_first ? (uint32_t)(sizeof key - 1 + what) : 0);
	exchange_sent(c, &c->sess->text.x);
}

static void
put_nop_reply(struct conn *c)
{
	uint8_t *bhs = conn_tx_header(c);
	struct pdu_nop_out pdu = {
		.immediate = true,
		.itt = PDU_NO_TAG,
		.ttt = c->nop_reply[0].ttt,
		.cmd_sn = c->sess->cmd_sn,
		.exp_stat_sn = c->exp_stat_sn,
	};

	memcpy(pdu.lun, c->nop_reply[0].lun, sizeof pdu.lun);
	pdu_put_nop_out(bhs, &pdu);
	conn_tx_put(c, bhs, NULL, 0);
	c->nop_replies--;
	memmove(&c->nop_reply[0], &c->nop_reply[1], c->nop_replies * sizeof c->nop_reply[0]);
}

static void
put_ping(struct conn *c, uint64_t now)
{
	uint8_t *bhs = conn_tx_header(c);
	struct pdu_nop_out pdu = {
		.immediate = true,
		.itt = c->ping.x.itt = sess_control_itt(c->sess),
		.ttt = PDU_NO_TAG,
		.cmd_sn = c->sess->cmd_sn,
		.exp_stat_sn = c->exp_stat_sn,
	};

	pdu_put_nop_out(bhs, &pdu);
	conn_tx_put(c, bhs, c->ping.data, c->ping.len);
	exchange_sent(c, &c->ping.x);
	c->ping.sent_us = now;
}

static void
put_tmf(struct conn *c)
{
	uint8_t *bhs = conn_tx_header(c);
	bool is_abort = c->sess->tmf.function == SESS_TMF_ABORT_TASK;
	struct pdu_tmf_request pdu = {
		.immediate = true,
		.function = (uint8_t)c->sess->tmf.function,
		.itt = c->sess->tmf.x.itt = sess_control_itt(c->sess),
		.referenced_task_tag = is_abort ? c->sess->tmf.task_itt : PDU_NO_TAG,
		.cmd_sn = c->sess->cmd_sn,
		.exp_stat_sn = c->exp_stat_sn,
		.ref_cmd_sn = is_abort ? c->sess->tmf.task_cmd_sn : 0,
	};

	memcpy(pdu.lun, c->sess->tmf.lun, sizeof pdu.lun);
	pdu_put_tmf_request(bhs, &pdu);
	conn_tx_put(c, bhs, NULL, 0);
	exchange_sent(c, &c->sess->tmf.x);
	tmf_sent(c);
}

static void
put_logout(struct conn *c)
{
	uint8_t *bhs = conn_tx_header(c);
	struct pdu_logout_request pdu = {
		.immediate = true,
		.reason = 0, /* close the session, 11.14.1 */
		.itt = c->logout.x.itt = sess_control_itt(c->sess),
		.cid = c->cid,
		.cmd_sn = c->sess->cmd_sn,
		.exp_stat_sn = c->exp_stat_sn,
	};

	pdu_put_logout_request(bhs, &pdu);
	conn_tx_put(c, bhs, NULL, 0);
	exchange_sent(c, &c->logout.x);
	c->counts.logouts++;
	conn_fire(c, CONN_E_LOGOUT_SENT);
}

bool
ctl_out(struct conn *c, uint64_t now)
{
	if (c->state == CONN_S_IN_LOGIN) {
		if (c->login.x.state != EXCHANGE_QUEUED)
			return false;
		put_login(c);
		return true;
	}
	if (c->state != CONN_S_LOGGED_IN)
		return false;
	if (c->nop_replies > 0)
		put_nop_reply(c);
	else if (c->sess->tmf.x.state == EXCHANGE_QUEUED)
		put_tmf(c);
	else if (c->ping.x.state == EXCHANGE_QUEUED)
		put_ping(c, now);
	else if (c->sess->text.x.state == EXCHANGE_QUEUED)
		put_text(c);
	else if (c->logout.x.state == EXCHANGE_QUEUED && list_empty(&c->senders))
		put_logout(c);
	else
		return false;
	return true;
}
