/*
 * The questions stand in ask_steps.c, in two groups: who it is, and what the port is to it;
 * what it is like.  known() is told between them, or instead of the second.  A unit attention on
 * the way says that something changed, so that earlier answers may be of before:
 * the round begins anew, but not for ever.
 */
#include "lu/ask.h"

#include <assert.h>
#include <string.h>

#include "lu/lu_impl.h"
#include "scsi/cdb.h"

/* So often a round begins anew before that is no answer, too. */
#define ROUNDS 16

static void begin(struct ask *a);
static void next(struct ask *a);

/* I/O may go on as soon as these are answered. */
static bool
is_first_group(enum ask_need need)
{
	return need == ASK_FIRST || need == ASK_MUST || need == ASK_NAME || need == ASK_PORT ||
	       need == ASK_EARLY;
}

/* Where the port's state is not reported, it is what commands met. */
static void
note_port(struct ask *a)
{
	if (!a->has_report && a->has_met)
		a->info.alua.state = a->met;
	else if (!a->info.alua.is_reported)
		a->info.alua.state = ALUA_ACTIVE_OPTIMIZED;
}

/* ---- the end ---- */

static void
end(struct ask *a)
{
	bool is_cut = a->req.result == REQ_LOST || a->req.result == REQ_UNSENT;

	note_port(a);
	a->info.is_partial = a->info.is_disk && !ask_is_served(a);
	if (a->info.is_disk && !a->info.is_sized && !a->info.fault.is_set && a->is_known)
		fault_set(&a->info.fault, FAULT_OFFLINE,
		    "look at the target's port groups; another path may serve it",
		    "LUN %u cannot be used over this path: its port group is %s", a->info.number,
		    alua_word(a->info.alua.state));
	/* A doubt that came with the answer wants another one. */
	if (a->is_stale && !is_cut && ++a->rounds <= ROUNDS) {
		begin(a);
		return;
	}
	a->is_busy = false;
	a->ops->done(a);
}

static void
answer(struct ask *a, enum lu_answer answer)
{
	a->info.answer = answer;
	a->info.nexus = a->path->nexus;
	(void)a->ops->known(a); /* nothing more is asked, whatever it wants */
	if (!a->is_stopped)
		end(a);
}

static void
no_answer(struct ask *a)
{
	char why[400];

	if (a->is_known) {
		a->info.is_incomplete = true;
		end(a);
		return;
	}
	fault_set(&a->info.fault, FAULT_OFFLINE, "look at the target's log", "LUN %u: %s",
	    a->info.number, retry_describe(why, sizeof why, &a->req));
	answer(a, LU_NO_ANSWER);
}

/* ---- sending ---- */

static void
send(struct ask *a)
{
	if (a->path->on_trial != NULL) {
		agenda_set(a->path->agenda, &a->again, agenda_now(a->path->agenda) + ASK_TRIAL_US);
		return;
	}
	a->is_out = true;
	assert(a->is_busy);
	path_ask(a->path, &a->req);
}

static void
build(struct ask *a)
{
	const struct ask_step *s = &ask_steps[a->step];

	a->req.dir = REQ_READ;
	a->req.data = a->buf;
	s->build(a);
	if (a->req.cdb[0] == CDB_INQUIRY && (a->req.cdb[1] & 1) == 0)
		a->inquiries++;
	send(a);
}

static void
begin(struct ask *a)
{
	a->step = 0;
	a->tries = 0;
	a->is_stale = a->is_known = false;
	a->info.is_incomplete = a->is_started = a->is_starting = a->has_size = a->has_mode = false;
	a->has_report = a->has_met = a->has_limits = a->has_provision = false;
	a->alloc = ASK_PAGE_BYTES;
	memset(&a->pages, 0, sizeof a->pages);
	memset(&a->info.id, 0, sizeof a->info.id);
	memset(&a->info.inquiry, 0, sizeof a->info.inquiry);
	a->info.is_mode_refused = false;
	a->info.answer = LU_NO_ANSWER;
	a->info.doubts = a->path->doubts;
	a->info.is_disk = false;
	fault_clear(&a->info.fault);
	next(a);
}

/* The next question that is wanted, or what follows the last. */
static void
next(struct ask *a)
{
	if (a->is_check && a->step > 0) {
		end(a);
		return;
	}
	while (a->step < ask_steps_n) {
		const struct ask_step *s = &ask_steps[a->step];

		if (!is_first_group(s->need) && !a->is_known) {
			a->info.answer = LU_SOMEBODY;
			a->info.nexus = a->path->nexus;
			a->is_known = true;
			note_port(a);
			if (!a->ops->known(a) || a->is_stopped)
				break;
		}
		if (s->want == NULL || s->want(a)) {
			build(a);
			return;
		}
		a->step++;
		a->tries = 0;
	}
	if (!a->is_stopped)
		end(a);
}

static void
again(struct agenda_timer *t)
{
	struct ask *a = LIST_ENTRY(t, struct ask, again);

	if (a->is_stale)
		begin(a);
	else
		send(a);
}

/* ---- answers ---- */

static uint32_t
limit_ms(const struct path *p)
{
	uint64_t ms = p->replacement_us / 8000;

	if (ms < ASK_TIMEOUT_MIN_MS)
		return ASK_TIMEOUT_MIN_MS;
	return ms < ASK_TIMEOUT_MS ? (uint32_t)ms : ASK_TIMEOUT_MS;
}

/* The unit wants to be started: do that once, then ask again. */
static bool
start_unit(struct ask *a, const struct retry_verdict *v)
{
	if (v->action != SENSE_START_UNIT || !a->is_known || a->is_started)
		return false;
	a->is_started = a->is_starting = true;
	a->req.dir = REQ_NONE;
	a->req.data_len = 0;
	a->req.timeout_ms = 6 * ASK_TIMEOUT_MS;
	cdb_start_stop(a->req.cdb, true, false, false);
	send(a);
	return true;
}

/* There is no mode only where neither of its questions is known. */
static void
note_mode(struct ask *a, bool is_refused)
{
	if (a->req.cdb[0] == CDB_MODE_SENSE_10)
		a->info.is_mode_refused = is_refused;
	if (a->req.cdb[0] == CDB_MODE_SENSE_6)
		a->info.is_mode_refused = a->info.is_mode_refused && is_refused;
}

static void
failed(struct ask *a, const struct retry_verdict *v)
{
	const struct ask_step *s = &ask_steps[a->step];
	bool is_refused = v->action == SENSE_UNSUPPORTED;
	char why[400];

	a->is_check = false;
	switch (s->need) {
	case ASK_FIRST:
		if (a->req.result == REQ_TIMEOUT) {
			no_answer(a);
			return;
		}
		break;
	case ASK_MUST:
		no_answer(a);
		return;
	case ASK_NAME:
		if (!is_refused || ask_expects(a, a->req.cdb[2])) {
			no_answer(a);
			return;
		}
		break;
	case ASK_PORT:
		if (is_refused)
			a->info.alua.is_reported = false;
		else
			a->info.is_incomplete = true;
		break;
	case ASK_EARLY:
		break;
	case ASK_READY:
	case ASK_SIZE:
		if (!ask_is_served(a))
			break; /* another time, or over another path */
		if (!is_refused || s->need == ASK_SIZE)
			fault_set(&a->info.fault, FAULT_OFFLINE, "look at the target's log",
			    "LUN %u: %s", a->info.number, retry_describe(why, sizeof why, &a->req));
		a->info.is_incomplete = a->info.is_incomplete || !is_refused;
		break;
	case ASK_DETAIL:
		a->info.is_incomplete = a->info.is_incomplete || (!is_refused && ask_is_served(a));
		note_mode(a, is_refused && ask_is_served(a));
		break;
	}
	a->step++;
	a->tries = 0;
	next(a);
}

static void
took(struct ask *a)
{
	const struct ask_step *s = &ask_steps[a->step];
	size_t n = a->req.data_got < sizeof a->buf ? a->req.data_got : sizeof a->buf, whole;

	whole = s->is_page ? vpd_page_bytes(a->buf, n) : 0;
	if (whole > a->alloc && a->alloc == ASK_PAGE_BYTES) {
		a->alloc = (uint16_t)(whole < sizeof a->buf ? whole : sizeof a->buf);
		build(a);
		return;
	}
	a->alloc = ASK_PAGE_BYTES;
	if (!s->take(a, n)) {
		struct retry_verdict v = { .step = RETRY_FAIL, .action = SENSE_FAIL };

		failed(a, &v);
		return;
	}
	if (a->req.cdb[0] == CDB_INQUIRY && !inquiry_is_present(&a->info.inquiry)) {
		answer(a, LU_NOBODY);
		return;
	}
	a->step++;
	a->tries = 0;
	next(a);
}

static void
count_inquiry(struct ask *a, bool is_ok)
{
	if (is_ok || a->req.cdb[0] != CDB_INQUIRY || (a->req.cdb[1] & 1) != 0)
		return;
	a->inquiries_failed++;
	a->bad_inquiry.status = a->req.status;
	a->bad_inquiry.response = a->req.response;
	a->bad_inquiry.result = a->req.result;
}

/* Something changed: what was answered before may be of before. */
static void
changed(struct ask *a)
{
	a->is_check = false;
	if (++a->rounds > ROUNDS)
		no_answer(a);
	else
		begin(a);
}

static void
judge(struct ask *a, const struct retry_verdict *v, bool is_attention)
{
	count_inquiry(a, v->step == RETRY_DONE);
	if (v->step == RETRY_HELD) {
		no_answer(a);
	} else if (a->is_stale) {
		changed(a);
	} else if (a->is_starting) {
		a->is_starting = false;
		a->req.timeout_ms = limit_ms(a->path);
		build(a);
	} else if (v->action == SENSE_GONE) {
		answer(a, LU_NOBODY);
	} else if (v->step == RETRY_DONE) {
		took(a);
	} else if (is_attention) {
		changed(a);
	} else if (start_unit(a, v)) {
		return;
	} else if (v->step == RETRY_AGAIN && a->tries < a->patience &&
		   a->req.result != REQ_TIMEOUT) {
		a->tries++;
		agenda_set(a->path->agenda, &a->again, agenda_now(a->path->agenda) + v->delay_us);
	} else {
		failed(a, v);
	}
}

static void
handed_back(struct req *r)
{
	struct ask *a = LIST_ENTRY(r, struct ask, req);
	struct retry_verdict v = retry_judge(r, a->tries);
	bool is_attention = v.step != RETRY_DONE && v.has_sense &&
			    (v.sense.key == SENSE_KEY_UNIT_ATTENTION || v.sense.is_deferred);
	struct path *p = a->path;

	a->is_out = false;
	path_answered(p);
	if (v.step != RETRY_DONE && v.has_sense && alua_of_sense(&v.sense, &a->met))
		a->has_met = true;
	if (is_attention && a->ops->attention != NULL)
		a->ops->attention(a, &v.sense);
	if (a->is_stopped)
		a->ops->done(a);
	else
		judge(a, &v, is_attention);
	hold_landed(p);
}

/* ---- for whoever asks ---- */

void
ask_init(struct ask *a, struct path *path, const struct ask_ops *ops)
{
	memset(a, 0, sizeof *a);
	a->path = path;
	a->ops = ops;
	a->again.expired = again;
}

void
ask_expect(struct ask *a, const struct identity *id)
{
	a->expect.is_known = true;
	a->expect.has_designators = identity_first(id) != NULL;
	a->expect.has_serial = id->serial[0] != '\0';
	a->expect.is_strong = identity_is_strong(id);
}

void
ask_start(struct ask *a)
{
	assert(!a->is_busy && !a->is_out);
	a->is_busy = true;
	a->is_stopped = false;
	a->rounds = 0;
	a->req.attr = REQ_SIMPLE;
	a->req.timeout_ms = limit_ms(a->path);
	a->req.done = handed_back;
	memcpy(a->req.lun, a->info.wire, sizeof a->req.lun);
	begin(a);
}

void
ask_restart(struct ask *a)
{
	assert(a->is_busy);
	a->is_check = false;
	/* Before the first question that matters no answer can be too old. */
	if (ask_steps[a->step].need != ASK_FIRST)
		a->is_stale = true;
}

void
ask_stop(struct ask *a)
{
	a->is_stopped = true;
	a->is_busy = false;
	agenda_clear(a->path->agenda, &a->again);
}

bool
ask_is_idle(const struct ask *a)
{
	return !a->is_out;
}
