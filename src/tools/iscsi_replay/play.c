#include "tools/iscsi_replay/play.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"
#include "tools/common/say.h"
#include "tools/iscsi_replay/play_impl.h"

const char *
play_word(enum play_result r)
{
	static const char *const words[PLAY_RESULTS] = { [PLAY_EQUAL] = "equal",
		[PLAY_PART] = "equal in part",
		[PLAY_NOT] = "not replayed",
		[PLAY_DIFFERENT] = "different",
		[PLAY_VIOLATION] = "violation" };

	return words[r];
}

/* A sentence; what a capture says in it was written by strangers.  Cut is fine. */
static void __attribute__((format(printf, 3, 0)))
put_sentence(char *ret, size_t room, const char *fmt, va_list ap)
{
	char text[PLAY_WHY_BYTES];

	(void)vsnprintf(text, sizeof text, fmt, ap); /* cut is fine, as was said */
	(void)visible_copy(text, strlen(text), ret, room);
}

void
play_note(struct player *p, size_t pdu, const char *fmt, ...)
{
	struct play *r = p->ret;
	va_list ap;

	if (r->result != PLAY_VIOLATION)
		r->result = PLAY_DIFFERENT;
	if (r->n_notes == PLAY_NOTES) {
		r->more_notes++;
		return;
	}
	r->note[r->n_notes].pdu = pdu;
	va_start(ap, fmt);
	put_sentence(r->note[r->n_notes].text, sizeof r->note[0].text, fmt, ap);
	va_end(ap);
	r->n_notes++;
}

static void
vwhy(struct player *p, enum play_result result, const char *fmt, va_list ap)
{
	if (p->ret->result < result)
		p->ret->result = result;
	if (p->ret->why[0] == '\0')
		put_sentence(p->ret->why, sizeof p->ret->why, fmt, ap);
}

void
play_stop(struct player *p, const char *fmt, ...)
{
	va_list ap;

	p->is_stuck = true;
	va_start(ap, fmt);
	vwhy(p, PLAY_PART, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 3, 4))) static void
why(struct player *p, enum play_result result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwhy(p, result, fmt, ap);
	va_end(ap);
}

/* Where RFC 7143 says what the target did not keep to; NULL: it did no wrong. */
static const char *
section(enum conn_result r)
{
	switch (r) {
	case CONN_BAD_OPCODE:
		return "11.2.1.2";
	case CONN_BAD_HEADER:
		return "11";
	case CONN_BAD_STAGE:
		return "6.3";
	case CONN_TOO_LONG:
		return "13.12";
	case CONN_ENDLESS_TEXT:
		return "11.11";
	case CONN_HEADER_DIGEST:
	case CONN_DATA_DIGEST:
		return "7.8";
	case CONN_BAD_ITT:
	case CONN_EARLY_ANSWER:
		return "11.2.1.8";
	case CONN_STATSN_HOLE:
		return "4.2.2.2";
	case CONN_BAD_DATA_IN:
		return "11.7";
	case CONN_BAD_R2T:
		return "11.8";
	case CONN_OK:
	case CONN_LOGIN_FAILED:
	case CONN_LOGIN_TIMEOUT:
	case CONN_REQUEST_TIMEOUT:
	case CONN_PING_TIMEOUT:
	case CONN_LOGOUT_TIMEOUT:
	case CONN_TEXT_TIMEOUT:
	case CONN_REJECTED:
	case CONN_TARGET_ASKED:
		break;
	}
	return NULL;
}

/* The core has ended the connection at PDU i. */
static void
tell_close(struct player *p, size_t i)
{
	const char *where = section(p->close_why);

	if (where != NULL && !p->is_login_over) {
		p->ret->result = PLAY_VIOLATION;
		(void)snprintf(p->ret->why, sizeof p->ret->why, "PDU %zu, RFC 7143, section %s: %s",
		    i + 1, where, conn_result_text(p->close_why)); /* fits */
	}
	for (size_t j = i + 1; j < p->c->whole; j++)
		if (p->c->pdu[j].way == TRACE_OUT) {
			play_note(p, j, "%s: the core had ended the connection: %s",
			    pdu_name(pdu_opcode(p->c->pdu[j].bytes)),
			    conn_result_text(p->close_why));
			return;
		}
}

/*
 * PDUs of the initiator that were made in one moment: what made it send them is given first, so
 * that the core has them all to choose from, too.
 */
static size_t
play_initiator(struct player *p, size_t from)
{
	uint64_t at = p->c->pdu[from].at_us;
	size_t to = from;

	if (at > p->now)
		p->now = at;
	sess_tick(p->s, p->now);
	play_drain(p);
	for (; to < p->c->whole && p->c->pdu[to].way == TRACE_OUT && p->c->pdu[to].at_us == at;
	     to++)
		if (!p->is_stuck)
			play_ask(p, &p->c->pdu[to], to);
	play_pull(p);
	for (size_t i = from; i < to && !p->is_stuck; i++) {
		play_compare(p, &p->c->pdu[i], i);
		p->ret->played++;
	}
	return to;
}

static void
play_all(struct player *p)
{
	size_t i = 0;

	while (i < p->c->whole && !p->is_closed && !p->is_stuck) {
		const struct talks_pdu *pdu = &p->c->pdu[i];

		if (p->sent.work > (p->c->whole + 100) * PLAY_WORK) {
			play_stop(p, "it is more work than a replay does");
			return;
		}

		if (pdu->way == TRACE_OUT) {
			i = play_initiator(p, i);
			continue;
		}
		if (pdu->at_us > p->now)
			p->now = pdu->at_us;
		play_target(p, pdu);
		p->ret->played++;
		i++;
	}
	if (p->is_closed)
		tell_close(p, i - 1);
}

/* What the core sent and the initiator did not: of a connection that ended in order nothing may be
 * left. */
static void
tell_rest(struct player *p)
{
	const struct sent_pdu *left;

	if (p->is_closed || p->is_stuck || p->c->has_gap || p->c->how != TALKS_CLOSED)
		return;
	play_pull(p);
	while ((left = sent_next(&p->sent)) != NULL && p->ret->more_notes == 0) {
		play_note(p, p->c->whole > 0 ? p->c->whole - 1 : 0,
		    "%s: the initiator does not send it, the core does",
		    pdu_name(pdu_opcode(left->bhs)));
		p->sent.first++;
	}
}

/* What the longest command needs that is replayed. */
static size_t
data_bytes(const struct talks_one *c)
{
	uint32_t max = 1;

	for (size_t i = 0; i < c->whole; i++) {
		uint32_t n = be_get32(c->pdu[i].bytes + 20);

		if (c->pdu[i].way == TRACE_OUT && pdu_opcode(c->pdu[i].bytes) == PDU_SCSI_COMMAND &&
		    n <= PLAY_DATA_BYTES && n > max)
			max = n;
	}
	return max;
}

/* False: it cannot begin. */
static bool
begin(struct player *p)
{
	const struct talks_one *c = p->c;

	for (size_t i = 0; i < c->whole && p->n_task_ends < PLAY_TASK_ENDS; i++)
		if (c->pdu[i].way == TRACE_OUT && pdu_opcode(c->pdu[i].bytes) == PDU_TMF_REQUEST &&
		    (c->pdu[i].bytes[1] & 0x7f) == SESS_TMF_ABORT_TASK)
			p->task_end[p->n_task_ends++] = i;
	if (c->n == 0) {
		why(p, PLAY_NOT, "no PDU passed");
	} else if (c->whole == 0 || pdu_opcode(c->pdu[0].bytes) != PDU_LOGIN_REQUEST ||
		   c->pdu[0].way != TRACE_OUT) {
		why(p, PLAY_NOT,
		    c->whole == 0 ? "its first PDU makes no sense, or is missing"
				  : "it does not begin with its login: 'iscsiutil --relogin' makes "
				    "sessions log in again while they are captured");
	} else if (!guess_settings(&p->guess, c)) {
		why(p, PLAY_NOT, "its login does not say who the initiator or the target is");
	} else {
		return true;
	}
	return false;
}

void
play_run(const struct talks_one *c, struct play *ret)
{
	struct player p = { .c = c, .ret = ret };

	*ret = (struct play){ 0 };
	if (!begin(&p))
		return;
	p.data = say_need(calloc(1, data_bytes(c)));
	p.s = say_need(sess_new(&p.guess.cfg));
	p.sent.cmd_sn = p.guess.cmd_sn;
	p.now = c->pdu[0].at_us;
	if (sess_connected(p.s, p.now) == 0) {
		play_all(&p);
		tell_rest(&p);
	} else {
		why(&p, PLAY_NOT, "there is no memory left");
	}
	if (c->has_gap)
		why(&p, PLAY_PART,
		    "PDUs are missing behind PDU %zu: they were dropped, or make no sense",
		    c->whole);
	sess_disconnected(p.s, p.now);
	play_drain(&p);
	sess_free(p.s);
	sent_free(&p.sent);
	free(p.data);
}
