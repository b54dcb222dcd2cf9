#include "driver/iscsial/retry.h"

#include <errno.h>
#include <stdio.h>

#include "scsi/cdb.h"

/* A target may queue a unit attention for each thing that happened; more than this is a loop. */
#define RETRY_ATTENTIONS 16
#define RETRY_LOOKS      4
#define RETRY_ABORTED    5
/* 50 ms, then twice as long each time up to 2 s: 20 times is half a minute. */
#define RETRY_BUSY        20
#define RETRY_BUSY_US     50000
#define RETRY_BUSY_MAX_US 2000000
#define RETRY_READY_US    1000000

static const char *const result_text[] = {
	[REQ_DONE] = "it was answered",
	[REQ_NO_TARGET] = "the target could not execute it",
	[REQ_OFFLINE] = "the session is offline",
	[REQ_TIMEOUT] = "the target did not answer in time",
	[REQ_ABORTED] = "it was aborted",
	[REQ_VIOLATION] = "the target broke the protocol",
};

static bool
parse(const struct req *r, struct sense *ret)
{
	return r->sense_len > 0 && sense_parse(r->sense, r->sense_len, ret);
}

static struct retry_verdict
again(uint16_t *count, unsigned max, uint64_t delay_us, struct retry_verdict give_up)
{
	if (*count >= max)
		return give_up;
	(*count)++;
	give_up.step = RETRY_AGAIN;
	give_up.delay_us = delay_us;
	return give_up;
}

static uint64_t
busy_delay(const struct retry *t)
{
	uint64_t us = (uint64_t)RETRY_BUSY_US << (t->busy < 8 ? t->busy : 8);

	return us < RETRY_BUSY_MAX_US ? us : RETRY_BUSY_MAX_US;
}

/* The errors that blk.h knows; everything else is an I/O error. */
static int
blk_error(int error)
{
	return error == EROFS || error == ENOSPC ? error : EIO;
}

static struct retry_verdict
judge_status(struct retry *t, const struct req *r, unsigned ready_waits)
{
	struct sense sense;
	struct sense_verdict v = sense_judge(r->status, parse(r, &sense) ? &sense : NULL);
	struct retry_verdict end = { RETRY_GIVE_UP, v.action, blk_error(v.error), 0 };

	switch (v.action) {
	case SENSE_OK:
		end.step = RETRY_DONE;
		end.error = 0;
		return end;
	case SENSE_RETRY_NOW:
		return again(&t->attentions, RETRY_ATTENTIONS, 0, end);
	case SENSE_RETRY_DELAYED:
		return again(&t->busy, RETRY_BUSY, busy_delay(t), end);
	case SENSE_ABORTED:
		return again(&t->aborted, RETRY_ABORTED, 0, end);
	case SENSE_WAIT_READY:
		return again(&t->waits, ready_waits, RETRY_READY_US, end);
	case SENSE_START_UNIT:
	case SENSE_RESCAN:
	case SENSE_RESIZE:
	case SENSE_REREAD_MODE:
		if (t->looks < RETRY_LOOKS) {
			t->looks++;
			end.step = RETRY_LOOK;
		}
		return end;
	case SENSE_WRITE_PROTECTED:
		end.error = EROFS;
		return end;
	case SENSE_OUT_OF_SPACE:
		end.error = ENOSPC;
		return end;
	case SENSE_UNSUPPORTED:
		end.error = EOPNOTSUPP;
		return end;
	case SENSE_FAIL:
	case SENSE_MEDIUM_ERROR:
	case SENSE_NO_MEDIUM:
	case SENSE_RESERVED:
	case SENSE_GONE:
	case SENSE_TAPE_POSITION:
		break;
	}
	return end;
}

struct retry_verdict
retry_judge(struct retry *t, const struct req *r, unsigned ready_waits)
{
	struct retry_verdict end = { RETRY_GIVE_UP, SENSE_FAIL, EIO, 0 };

	switch (r->result) {
	case REQ_DONE:
		return judge_status(t, r, ready_waits);
	case REQ_ABORTED:
		return again(&t->aborted, RETRY_ABORTED, 0, end);
	case REQ_NO_TARGET:
		return again(&t->busy, RETRY_BUSY, busy_delay(t), end);
	case REQ_OFFLINE:
	case REQ_TIMEOUT:
	case REQ_VIOLATION:
		break;
	}
	return end;
}

const char *
retry_describe(char *buf, size_t n, const struct req *r)
{
	char command[96], status[SENSE_TEXT_BYTES];
	const char *why = result_text[r->result];
	struct sense sense;

	cdb_describe(command, sizeof command, r->cdb);
	if (r->result == REQ_DONE) {
		if (r->status == SENSE_STATUS_GOOD) {
			(void)snprintf(status, sizeof status,
			    "the target moved %u bytes instead of %u",
			    r->dir == REQ_READ ? r->data_got : r->data_len - r->residual,
			    r->data_len);
		} else {
			sense_describe(
			    status, sizeof status, r->status, parse(r, &sense) ? &sense : NULL);
		}
		why = status;
	}
	(void)snprintf(buf, n, "%s failed: %s", command, why); /* a long sentence is cut */
	return buf;
}
