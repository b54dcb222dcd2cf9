/*
 * What a target sends about a task: Data-In, SCSI Response, R2T.
 *
 * DataPDUInOrder and DataSequenceInOrder are offered as Yes and their result
 * function is OR, so both are always in force: offsets come one after another,
 * and anything else is a violation rather than something to be sorted.
 */
#include "core/sess_impl.h"

enum conn_result
task_in_data_begin(struct conn *c, const uint8_t *bhs)
{
	struct pdu_data_in pdu;
	struct task *t;

	pdu_get_data_in(bhs, &pdu);
	t = task_find(c->sess, pdu.itt);
	if (t == NULL)
		return CONN_BAD_ITT;
	if (t->req->dir != REQ_READ) {
		c->counts.data_in_on_write++;
		return CONN_BAD_DATA_IN;
	}
	if (pdu.data_sn != t->next_sn || pdu.buffer_offset != t->next_offset ||
	    pdu.data_segment_length > t->req->data_len - t->next_offset) {
		c->counts.data_in_invalid++;
		return CONN_BAD_DATA_IN;
	}
	c->task = t;
	/* A read of nothing may have no memory at all. */
	c->dst = t->next_offset > 0 ? t->req->data + t->next_offset : t->req->data;
	return CONN_OK;
}

/* GOOD and CONDITION MET, SAM-5, section 5.3. */
static bool
is_success(uint8_t status)
{
	return status == 0x00 || status == 0x04;
}

/* Bytes that really moved. */
static uint32_t
moved(const struct conn *c, const struct task *t)
{
	switch (t->req->dir) {
	case REQ_READ:
		return t->next_offset;
	case REQ_WRITE:
		/* What has not even left yet is not there. */
		return t->bursts == 0 && c->tx_sent >= t->tx_end ? t->data_put : 0;
	case REQ_NONE:
		break;
	}
	return 0;
}

/* Sections 11.4.1 and 11.4.5.1: the O and U bits and their count, among themselves. */
static bool
residual_is_possible(const struct req *r)
{
	if (r->overflow && r->underflow)
		return false;
	/* "If neither bit is set, the Residual Count field MUST be ignored on reception" */
	if (!r->overflow && !r->underflow)
		return true;
	return r->residual > 0 && (r->overflow || r->residual <= r->data_len);
}

/*
 * The fields of an answer that has a SCSI status are in *r: what they are
 * worth.  A success that contradicts itself or the bytes that moved is none;
 * another status is no success anyway and is passed on.
 */
static __attribute__((noinline)) void
judge_status(struct conn *c, struct task *t, uint32_t want, uint64_t *ret_bad_residual)
{
	struct req *r = t->req;
	bool is_right = residual_is_possible(r);

	c->counts.overflows += r->overflow;
	c->counts.underflows += r->underflow;
	/* A sequence of Data-In that was never ended (F bit). */
	if (r->dir == REQ_READ && t->sequence_offset != t->next_offset)
		c->counts.data_in_invalid++;
	if (is_right && is_success(r->status)) {
		is_right = r->data_got == want - (r->underflow ? r->residual : 0);
		if (!is_right && r->dir == REQ_READ && !r->underflow && !r->overflow)
			c->counts.underruns++;
	}
	if (!is_right && (r->underflow || r->overflow))
		(*ret_bad_residual)++;
	r->result = is_right || !is_success(r->status) ? REQ_DONE : REQ_VIOLATION;
}

static inline void
take_status(struct conn *c, struct task *t, uint64_t *ret_bad_residual)
{
	struct req *r = t->req;
	uint32_t want = r->dir == REQ_NONE ? 0 : r->data_len;

	r->data_got = moved(c, t);
	/* Nearly always everything went well. */
	if (r->status == 0 && !r->underflow && !r->overflow && r->data_got == want &&
	    (r->dir != REQ_READ || t->sequence_offset == want))
		r->result = REQ_DONE;
	else
		judge_status(c, t, want, ret_bad_residual);
}

enum conn_result
task_in_data(struct conn *c)
{
	struct task *t = c->task;
	struct req *r = t->req;
	struct pdu_data_in pdu;
	enum conn_result res;

	pdu_get_data_in(c->header, &pdu);
	c->task = NULL;
	t->next_sn++;
	t->next_offset += pdu.data_segment_length;
	/*
	 * Section 11.7.1: the PDUs of a sequence have no more than MaxBurstLength
	 * together.  tgt never ends one, and the data is good all the same.
	 */
	if (t->next_offset - t->sequence_offset > c->sess->params.max_burst) {
		c->counts.data_in_invalid++;
		t->sequence_offset = t->next_offset;
	}
	if (pdu.final)
		t->sequence_offset = t->next_offset;
	c->counts.data_bytes_in += pdu.data_segment_length;
	if (pdu.data_segment_length == 0)
		c->counts.data_in_empty++;
	if (!pdu.has_status)
		return CONN_OK;

	res = conn_take_stat_sn(c, pdu.stat_sn);
	if (res != CONN_OK)
		return res;
	r->response = 0;
	r->status = pdu.status;
	r->overflow = pdu.overflow;
	r->underflow = pdu.underflow;
	r->residual = pdu.residual_count;
	r->sense_len = 0;
	take_status(c, t, &c->counts.data_in_bad_residual);
	/* Section 11.7.3: with status "the F bit MUST also be set to 1". */
	if (!pdu.final && is_success(r->status))
		r->result = REQ_VIOLATION;
	task_answered(c->sess, t);
	return CONN_OK;
}

/* Sense data as RFC 7143, section 11.4.7 packs it: a length, then the bytes. */
static void
take_sense(const struct conn *c, struct req *r)
{
	uint32_t n;

	r->sense_len = 0;
	if (c->control_len < 2)
		return;
	n = be_get16(c->control);
	if (n > c->control_len - 2)
		n = c->control_len - 2;
	if (n > LIMIT_SENSE_BYTES)
		n = LIMIT_SENSE_BYTES;
	memcpy(r->sense, c->control + 2, n);
	r->sense_len = (uint16_t)n;
}

enum conn_result
task_in_response(struct conn *c)
{
	struct pdu_scsi_response pdu;
	enum conn_result res;
	struct task *t;
	struct req *r;

	pdu_get_scsi_response(c->header, &pdu);
	t = task_find(c->sess, pdu.itt);
	if (t == NULL)
		return CONN_BAD_ITT;
	res = conn_take_stat_sn(c, pdu.stat_sn);
	if (res != CONN_OK)
		return res;
	r = t->req;
	r->response = pdu.response;
	r->status = pdu.status;
	r->overflow = pdu.overflow;
	r->underflow = pdu.underflow;
	r->residual = pdu.residual_count;
	take_sense(c, r);
	if (pdu.response != 0) {
		c->counts.response_code_errors++;
		r->data_got = moved(c, t);
		r->result = REQ_NO_TARGET;
	} else
		take_status(c, t, &c->counts.response_bad_residual);
	task_answered(c->sess, t);
	return CONN_OK;
}

enum conn_result
task_in_r2t(struct conn *c, const uint8_t *bhs)
{
	const struct neg_params *params = &c->sess->params;
	struct pdu_r2t pdu;
	struct task *t;
	uint32_t outstanding;

	pdu_get_r2t(bhs, &pdu);
	t = task_find(c->sess, pdu.itt);
	if (t == NULL)
		return CONN_BAD_ITT;
	if (t->req->dir != REQ_WRITE) {
		c->counts.r2t_on_read++;
		return CONN_BAD_R2T;
	}
	/* An unsolicited burst that is still being sent is not an R2T's. */
	outstanding = t->bursts;
	if (outstanding > 0 && t->burst[t->burst_first].ttt == PDU_NO_TAG)
		outstanding--;
	if (pdu.ttt == PDU_NO_TAG || pdu.r2t_sn != t->next_sn ||
	    pdu.buffer_offset != t->next_offset || pdu.desired_data_transfer_length == 0 ||
	    pdu.desired_data_transfer_length > t->req->data_len - t->next_offset ||
	    pdu.desired_data_transfer_length > params->max_burst ||
	    outstanding >= params->max_outstanding_r2t || t->bursts > LIMIT_R2T) {
		c->counts.r2t_invalid++;
		return CONN_BAD_R2T;
	}
	if (t->aborting) {
		t->next_sn++;
		t->next_offset += pdu.desired_data_transfer_length;
		return CONN_OK;
	}
	t->burst[(t->burst_first + t->bursts) % (LIMIT_R2T + 1)] = (struct burst){
		.ttt = pdu.ttt,
		.offset = pdu.buffer_offset,
		.end = pdu.buffer_offset + pdu.desired_data_transfer_length,
	};
	if (t->bursts++ == 0)
		list_push_back(&c->senders, &t->send_link);
	t->next_sn++;
	t->next_offset += pdu.desired_data_transfer_length;
	return CONN_OK;
}
