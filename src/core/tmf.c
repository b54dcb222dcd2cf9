/*
 * Task management, RFC 7143, sections 4.2.3, 11.5 and 11.6, and what the
 * session does by itself about a command that is not answered in time:
 *
 *   ABORT TASK -> LOGICAL UNIT RESET -> the connection is ended
 *
 * One function is under way at a time.  A response is, on one connection,
 * ordered behind the responses of the tasks it concerns; so whatever affected
 * task is still active when "function complete" arrives is gone at the target,
 * and can be handed back without fear of an echo.
 */
#include <errno.h>

#include "core/sess_impl.h"

enum { RESPONSE_COMPLETE = 0, RESPONSE_NO_TASK = 1 };

static bool
tmf_busy(const struct conn *c)
{
	return c->sess->tmf.x.state != EXCHANGE_IDLE;
}

static void
tmf_begin(struct conn *c, enum sess_tmf_function function, const uint8_t *lun)
{
	const struct sess_cfg *cfg = &c->sess->cfg;
	uint32_t ms =
	    function == SESS_TMF_ABORT_TASK ? cfg->abort_timeout_ms : cfg->reset_timeout_ms;

	c->sess->tmf.function = function;
	c->sess->tmf.is_ours = true;
	memset(c->sess->tmf.lun, 0, sizeof c->sess->tmf.lun);
	if (lun != NULL)
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

static struct task *
task_of(struct sess *s, const struct req *r)
{
	struct task *t = r->slot < s->cfg.slots ? &s->task[r->slot] : NULL;

	return t != NULL && t->req == r && !t->answered ? t : NULL;
}

/* It waits to be sent; or it was answered, and its end is on its way to the caller. */
static int
abort_unsent(struct sess *s, struct req *r, void *user)
{
	bool is_waiting = r->slot == SLOT_WAITING;

	/* The caller has not looked at what happened for a while. */
	if (s->events >= SESS_EVENTS / 2)
		return -EBUSY;
	if (is_waiting) {
		list_remove(&r->link);
		task_give_back(s, r, REQ_ABORTED);
	}
	sess_post(s, &(struct sess_event){ .kind = SESS_EV_TMF,
			 .tmf = { .function = SESS_TMF_ABORT_TASK,
			     .response = is_waiting ? RESPONSE_COMPLETE : RESPONSE_NO_TASK,
			     .user = user } });
	return 0;
}

int
sess_tmf(struct sess *s, enum sess_tmf_function function, const uint8_t lun[8], struct req *r,
    void *user, uint64_t now)
{
	struct conn *c = s->conn;
	struct task *t = NULL;

	s->now_us = now;
	if (!sess_can_ask(s))
		return -ENOTCONN;
	if (tmf_busy(c))
		return -EBUSY;
	if (function == SESS_TMF_ABORT_TASK) {
		t = task_of(s, r);
		if (t == NULL)
			return abort_unsent(s, r, user);
		tmf_begin_abort(c, t);
	} else
		tmf_begin(c, function, function < SESS_TMF_TARGET_WARM_RESET ? lun : NULL);
	c->sess->tmf.is_ours = false;
	s->tmf.x.user = user;
	return 0;
}

/* Whether the function under way concerns this task. */
static bool
tmf_affects(const struct conn *c, const struct task *t)
{
	switch (c->sess->tmf.function) {
	case SESS_TMF_ABORT_TASK:
		return t->itt == c->sess->tmf.task_itt;
	case SESS_TMF_ABORT_TASK_SET:
	case SESS_TMF_CLEAR_TASK_SET:
	case SESS_TMF_LOGICAL_UNIT_RESET:
		return memcmp(t->req->lun, c->sess->tmf.lun, sizeof c->sess->tmf.lun) == 0;
	case SESS_TMF_TARGET_WARM_RESET:
	case SESS_TMF_TARGET_COLD_RESET:
		return true;
	case SESS_TMF_CLEAR_ACA:
		break;
	}
	return false;
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
				   .is_ours = c->sess->tmf.is_ours,
				   .ending = ending,
				   .user = c->sess->tmf.x.user,
			       } });
}

/* Our own function did not help: the next step. */
static void
tmf_escalate(struct conn *c)
{
	uint8_t lun[8];

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
	bool is_ours = c->sess->tmf.is_ours;

	(void)now;
	c->counts.exchange_timeouts++;
	c->counts.tmfs_failed++;
	tmf_end(c, 0, (struct sess_ending){ .how = SESS_END_TIMEOUT });
	if (is_ours)
		tmf_escalate(c);
	else
		(void)conn_break(c, CONN_REQUEST_TIMEOUT); /* the result is for receivers */
}

void
tmf_lost(struct conn *c)
{
	const struct sess *s = c->sess;

	if (!s->tmf.is_ours)
		sess_post(c->sess, &(struct sess_event){ .kind = SESS_EV_TMF,
				       .tmf = { .function = s->tmf.function,
					   .ending = s->tmf.x.ending,
					   .user = s->tmf.x.user } });
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
	/* A command may have become late while somebody else's function was under way. */
	if (c->sess->tmf.is_ours)
		tmf_escalate(c);
	else
		tmf_recover(c);
	return CONN_OK;
}
