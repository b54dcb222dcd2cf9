#include "lu/retry.h"

#include <errno.h>
#include <stdio.h>

#include "scsi/cdb.h"

#define PAUSE_US     50000
#define PAUSE_MAX_US 2000000
/* A target may queue a unit attention for each thing that happened: so many are got over at once.
 */
#define ATTENTIONS 8

static const char *
result_text(enum req_result r)
{
	switch (r) {
	case REQ_DONE:
		return "it was answered";
	case REQ_NO_TARGET:
		return "the target could not execute it";
	case REQ_UNSENT:
		return "it did not leave before the connection ended";
	case REQ_LOST:
		return "the connection ended before it was answered";
	case REQ_TIMEOUT:
		return "the target did not answer in time";
	case REQ_ABORTED:
		return "it was aborted";
	case REQ_VIOLATION:
		return "the target broke the protocol";
	}
	return "unknown";
}

uint64_t
retry_pause_us(unsigned bounces)
{
	uint64_t us = (uint64_t)PAUSE_US << (bounces < 8 ? bounces : 8);

	return us < PAUSE_MAX_US ? us : PAUSE_MAX_US;
}

/* The first few cost no pause: what follows is a question. */
static uint64_t
attention_pause_us(unsigned bounces)
{
	return bounces < ATTENTIONS ? 0 : retry_pause_us(bounces - ATTENTIONS);
}

static void
judge_status(struct retry_verdict *v, const struct req *r, unsigned bounces)
{
	struct sense_verdict s;

	v->has_sense = r->sense_len > 0 && sense_parse(r->sense, r->sense_len, &v->sense);
	s = sense_judge(r->status, v->has_sense ? &v->sense : NULL);
	v->action = s.action;
	switch (s.action) {
	case SENSE_OK:
		v->step = RETRY_DONE;
		break;
	case SENSE_RETRY_NOW:
		v->step = RETRY_AGAIN;
		v->delay_us = attention_pause_us(bounces);
		break;
	case SENSE_RETRY_DELAYED:
	case SENSE_ABORTED:
	case SENSE_WAIT_READY:
		v->step = RETRY_AGAIN;
		break;
	case SENSE_RESCAN:
	case SENSE_RESIZE:
	case SENSE_REREAD_MODE:
	case SENSE_START_UNIT:
	case SENSE_GONE:
		v->step = RETRY_ASK;
		v->delay_us = attention_pause_us(bounces);
		break;
	case SENSE_WRITE_PROTECTED:
		v->error = EROFS;
		break;
	case SENSE_OUT_OF_SPACE:
		v->error = ENOSPC;
		break;
	case SENSE_UNSUPPORTED:
		v->error = EOPNOTSUPP;
		break;
	case SENSE_FAIL:
	case SENSE_MEDIUM_ERROR:
	case SENSE_NO_MEDIUM:
	case SENSE_RESERVED:
	case SENSE_TAPE_POSITION:
		break;
	}
}

struct retry_verdict
retry_judge(const struct req *r, unsigned bounces)
{
	struct retry_verdict v = {
		.step = RETRY_FAIL,
		.action = SENSE_FAIL,
		.error = EIO,
		.delay_us = retry_pause_us(bounces),
	};

	switch (r->result) {
	case REQ_DONE:
		judge_status(&v, r, bounces);
		break;
	case REQ_TIMEOUT:
	case REQ_ABORTED:
	case REQ_NO_TARGET:
		v.step = RETRY_AGAIN;
		break;
	case REQ_UNSENT:
	case REQ_LOST:
		v.step = RETRY_HELD;
		break;
	case REQ_VIOLATION:
		v.step = RETRY_TRY;
		break;
	}
	return v;
}

const char *
retry_describe(char *buf, size_t n, const struct req *r)
{
	char command[96], status[SENSE_TEXT_BYTES];
	const char *why = result_text(r->result);
	struct sense sense;

	cdb_describe(command, sizeof command, r->cdb);
	if (r->result == REQ_DONE) {
		bool has_sense = r->sense_len > 0 && sense_parse(r->sense, r->sense_len, &sense);

		if (r->status == SENSE_STATUS_GOOD)
			(void)snprintf(status, sizeof status,
			    "the target moved %u bytes instead of %u",
			    r->dir == REQ_READ ? r->data_got : r->data_len - r->residual,
			    r->data_len);
		else
			sense_describe(status, sizeof status, r->status, has_sense ? &sense : NULL);
		why = status;
	}
	(void)snprintf(buf, n, "%s failed: %s", command, why); /* a long sentence is cut */
	return buf;
}
