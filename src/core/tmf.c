/*
 * Task management, RFC 7143, sections 4.2.3, 11.5 and 11.6: what the session
 * does about a command that is not answered in time.  Nobody else asks for it.
 *
 *   ABORT TASK -> LOGICAL UNIT RESET -> the connection is ended
 *
 * One function is under way at a time.  A response is, on one connection,
 * ordered behind the responses of the tasks it concerns; so whatever affected
 * task is still active when "function complete" arrives is gone at the target,
 * and can be handed back without fear of an echo.
 */
#include "core/sess_impl.h"

enum { RESPONSE_COMPLETE = 0, RESPONSE_NO_TASK = 1 };

static bool
tmf_busy(const struct conn *c)
{
	return c->sess->tmf.x.state != EXCHANGE_IDLE;
}

static void
tmf_begin(struct conn *c, enum sess_tmf_function function, const uint8_t lun[8])
{
	const struct sess_cfg *cfg = &c->sess->cfg;
	uint32_t ms =
	    function == SESS_TMF_ABORT_TASK ? cfg->abort_timeout_ms : cfg->reset_timeout_ms;

	c->sess->tmf.function = function;
	memcpy(c->sess->tmf.lun, lun, sizeof c->sess->tmf.lun);
	exchange_queue(&c->sess->tmf.x, c->sess->now_us + ms * 1000ull, NULL);
}

static void
tmf_begin_abort(struct conn *c, const struct task *t)
{
	tmf_begin(c, SESS_TMF_ABORT_TASK, t->req->lun);
	c->sess->tmf.task_itt = t->itt;
	c->sess->tmf.task_cmd_sn = t->cmd_sn;
}

void
tmf_recover(struct conn *c)
{
	if (c->state != CONN_S_LOGGED_IN) {
		if (c->state != CONN_S_CLEANUP)
			(void)conn_break(c, CONN_REQUEST_TIMEOUT); /* the result is for receivers */
		return;
	}
	if (tmf_busy(c))
		return;
	LIST_EACH(node, tmp, &c->sess->active)
	{
		struct task *t = LIST_ENTRY(node, struct task, link);

		if (!t->timed_out)
			continue;
		tmf_begin_abort(c, t);
		return;
	}
}

/* Whether the function under way concerns this task. */
static bool
tmf_affects(const struct conn *c, const struct task *t)
{
	switch (c->sess->tmf.function) {
	case SESS_TMF_ABORT_TASK:
		return t->itt == c->sess->tmf.task_itt;
	case SESS_TMF_LOGICAL_UNIT_RESET:
		break;
	}
	return memcmp(t->req->lun, c->sess->tmf.lun, sizeof c->sess->tmf.lun) == 0;
}

static void
stop_sending(struct task *t)
{
	t->aborting = true;
	t->bursts = 0;
	list_remove(&t->send_link);
}

void
tmf_sent(struct conn *c)
{
	c->counts.tmfs_sent++;
	if (c->sess->params.task_reporting != NEG_TASK_FAST_ABORT)
		return;
	if (c->sess->tmf.function == SESS_TMF_ABORT_TASK)
		return;
	LIST_EACH(node, tmp, &c->sess->active)
	{
		struct task *t = LIST_ENTRY(node, struct task, link);

		if (tmf_affects(c, t))
			stop_sending(t);
	}
}

void
tmf_terminated(struct conn *c, const uint8_t lun[8])
{
	/*
	 * Section 11.9.1: stop Data-Out for this LUN on this connection, and
	 * acknowledge with a NOP-Out that carries the LUN.
	 */
	LIST_EACH(node, tmp, &c->sess->active)
	{
		struct task *t = LIST_ENTRY(node, struct task, link);

		if (memcmp(t->req->lun, lun, 8) == 0)
			stop_sending(t);
	}
	ctl_in_reply_nop(c, PDU_NO_TAG, lun);
}

/* The affected tasks are gone at the target. */
static void
tmf_conclude(struct conn *c)
{
	struct sess *s = c->sess;

	LIST_EACH(node, tmp, &s->active)
	{
		struct task *t = LIST_ENTRY(node, struct task, link);

		if (!tmf_affects(c, t))
			continue;
		t->req->result = t->timed_out ? REQ_TIMEOUT : REQ_ABORTED;
		task_answered(s, t);
	}
}

static void
tmf_end(struct conn *c, uint8_t response, struct sess_ending ending)
{
	exchange_move(&c->sess->tmf.x, EXCHANGE_IDLE);
	sess_post(c->sess, &(struct sess_event){ .kind = SESS_EV_TMF,
			       .tmf = {
				   .function = c->sess->tmf.function,
				   .response = response,
				   .ending = ending,
			       } });
}

/* Is there anything left that the function under way is about? */
static bool
tmf_is_wanted(const struct conn *c)
{
	LIST_EACH(node, tmp, &c->sess->active)
	{
		if (tmf_affects(c, LIST_ENTRY(node, struct task, link)))
			return true;
	}
	return false;
}

/* It did not help: the next step, unless the task was answered meanwhile. */
static void
tmf_escalate(struct conn *c)
{
	uint8_t lun[8];

	if (!tmf_is_wanted(c)) {
		tmf_recover(c);
		return;
	}
	if (c->sess->tmf.function == SESS_TMF_ABORT_TASK) {
		memcpy(lun, c->sess->tmf.lun, sizeof lun);
		tmf_begin(c, SESS_TMF_LOGICAL_UNIT_RESET, lun);
		return;
	}
	(void)conn_break(c, CONN_REQUEST_TIMEOUT); /* the result is for receivers */
}

void
tmf_late(struct conn *c, uint64_t now)
{
	(void)now;
	c->counts.exchange_timeouts++;
	c->counts.tmfs_failed++;
	tmf_end(c, 0, (struct sess_ending){ .how = SESS_END_TIMEOUT });
	tmf_escalate(c);
}

enum conn_result
tmf_in(struct conn *c)
{
	struct pdu_tmf_response pdu;
	enum conn_result res;

	pdu_get_tmf_response(c->header, &pdu);
	res = conn_take_stat_sn(c, pdu.stat_sn);
	if (res != CONN_OK)
		return res;
	res = exchange_answered(c, &c->sess->tmf.x, pdu.itt);
	/* One that we no longer wait for is discarded (section 4.2.3.3, c). */
	if (res == CONN_BAD_ITT && (pdu.itt & 0xffff) == 0xfffe)
		return CONN_OK;
	if (res != CONN_OK)
		return res;
	/*
	 * "Task does not exist": its response is behind us or it never got there;
	 * either way there is nothing left to wait for (section 11.6.1).
	 */
	if (pdu.response == RESPONSE_COMPLETE ||
	    (pdu.response == RESPONSE_NO_TASK && c->sess->tmf.function == SESS_TMF_ABORT_TASK)) {
		tmf_conclude(c);
		tmf_end(c, pdu.response, (struct sess_ending){ 0 });
		tmf_recover(c);
		return CONN_OK;
	}
	c->counts.tmfs_failed++;
	tmf_end(c, pdu.response, (struct sess_ending){ 0 });
	tmf_escalate(c);
	return CONN_OK;
}
