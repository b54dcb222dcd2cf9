/* What must have come of it: events, in the order they came. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cover.h"
#include "expect.h"
#include "words.h"

const char *const expect_event_kinds[] = {
	[SESS_EV_ONLINE] = "online_now",
	[SESS_EV_LOGIN_FAILED] = "login_failed",
	[SESS_EV_VERIFY] = "verify",
	[SESS_EV_REQ] = "request",
	[SESS_EV_TEXT] = "text",
	[SESS_EV_TEXT_DONE] = "text_done",
	[SESS_EV_PING] = "pong",
	[SESS_EV_TMF] = "tmf_done",
	[SESS_EV_LOGOUT] = "logged_out",
	[SESS_EV_ASYNC] = "async",
	[SESS_EV_REJECT] = "rejected",
	[SESS_EV_CLOSE] = "close",
};

static const char *const result_name[] = {
#define CONN_RESULT(id, text) #id,
#include "core/conn_result.def"
	NULL
};

/* The next event, which must be of this kind; NULL with a failure. */
static const struct world_event *
next_event(struct world *w, enum sess_event_kind kind)
{
	const struct world_event *e = &w->event[w->events_asserted % WORLD_EVENTS];

	world_turn(w);
	if (w->events_asserted == w->events) {
		world_fail(w, "expected %s, nothing happened", expect_event_kinds[kind]);
		return NULL;
	}
	if (e->ev.kind != kind) {
		world_fail(w, "expected %s, got %s%s%s%s", expect_event_kinds[kind],
		    expect_event_kinds[e->ev.kind],
		    e->ev.kind == SESS_EV_CLOSE          ? " "
		    : e->ev.kind == SESS_EV_LOGIN_FAILED ? ": "
							 : "",
		    e->ev.kind == SESS_EV_CLOSE ? result_name[e->ev.close.why] : "", e->reason);
		return NULL;
	}
	w->events_asserted++;
	return e;
}

void
command_online_now(struct world *w, const struct word *word, size_t n)
{
	(void)word;
	(void)n;
	(void)next_event(w, SESS_EV_ONLINE);
}

static void
check_violation(struct world *w, const struct world_event *e, const char *name)
{
	static const char *const names[] = {
#define VIOLATION(id, guide, text) [VIOLATION_##id] = #id,
#include "core/violation.def"
#undef VIOLATION
	};
	const char *got = names[e->ev.login.violation];

	if (strcmp(got, name) != 0)
		world_fail(w, "expected the violation %s, got %s (%s)", name, got, e->reason);
	cover_note(COVER_VIOLATION, e->ev.login.violation);
}

/* login_failed refused status=0x201 | login_failed violation BAD_NSG culprit=… | login_failed
 * redirected to=… */
void
command_login_failed(struct world *w, const struct word *word, size_t n)
{
	static const char *const names[] = { "redirected", "refused", "violation", "timeout",
		NULL };
	static const enum login_step steps[] = { LOGIN_REDIRECTED, LOGIN_REFUSED, LOGIN_VIOLATION,
		LOGIN_VIOLATION };
	int want = words_choice(w, "end of a login", word[1].text, names);
	const struct world_event *e = next_event(w, SESS_EV_LOGIN_FAILED);
	size_t i = 2;

	if (e == NULL || want < 0)
		return;
	if (e->ev.login.step != steps[want])
		world_fail(w, "expected %s, got: %s", names[want], e->reason);
	if (want == 2 && n > i)
		check_violation(w, e, word[i++].text);
	for (; i < n; i++)
		if (!expect_number(w, &word[i], "status",
			(uint64_t)e->ev.login.status_class << 8 | e->ev.login.status_detail) &&
		    !expect_text(w, &word[i], "to", e->redirect) &&
		    !expect_text(w, &word[i], "culprit", e->culprit) &&
		    !expect_text(w, &word[i], "proposed", e->ev.login.proposed))
			expect_unknown(w, &word[i]);
	cover_note(
	    COVER_STATUS, (unsigned)e->ev.login.status_class << 8 | e->ev.login.status_detail);
}

void
command_verify(struct world *w, const struct word *word, size_t n)
{
	const struct world_event *e = next_event(w, SESS_EV_VERIFY);

	for (size_t i = 1; e != NULL && i < n; i++)
		if (!expect_text(w, &word[i], "name", e->ev.verify.name) &&
		    !expect_number(w, &word[i], "identifier", e->ev.verify.identifier) &&
		    !expect_number(w, &word[i], "algorithm", e->ev.verify.algorithm))
			expect_unknown(w, &word[i]);
}

/*
 * "timed_out", "lost", "rejected", "violation", "why=CONN_RESULT", "reason=N":
 * how an exchange ended.  Where no word says it, it was answered.
 */
static bool
is_ending(struct world *w, const struct word *word, struct sess_ending *want)
{
	static const char *const names[] = { "answered", "rejected", "timed_out", "lost",
		"violation", NULL };
	const char *v;

	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(word->text, names[i]) == 0) {
			want->how = (enum sess_end)i;
			return true;
		}
	if ((v = word_value(word, "why")) != NULL)
		want->why = (enum conn_result)words_choice(w, "end", v, result_name);
	else if ((v = word_value(word, "reason")) != NULL)
		want->reject_reason = (uint8_t)words_number(w, v, 0);
	else
		return false;
	return true;
}

static void
check_ending(struct world *w, const struct sess_ending *got, const struct sess_ending *want)
{
	static const char *const names[] = { "answered", "rejected", "timed out", "lost",
		"a violation" };

	if (got->how != want->how)
		world_fail(
		    w, "expected the end to be %s, it is %s", names[want->how], names[got->how]);
	if (want->why != CONN_OK && got->why != want->why)
		world_fail(w, "expected an end by %s, it is %s", result_name[want->why],
		    result_name[got->why]);
	if (got->reject_reason != want->reject_reason)
		world_fail(
		    w, "expected the reason %u, it is %u", want->reject_reason, got->reject_reason);
}

/* pong bytes=64 same=64 rtt=5 | pong timed_out */
void
command_pong(struct world *w, const struct word *word, size_t n)
{
	const struct world_event *e = next_event(w, SESS_EV_PING);
	struct sess_ending ending = { .how = SESS_END_ANSWERED };

	for (size_t i = 1; e != NULL && i < n; i++) {
		if (!is_ending(w, &word[i], &ending) &&
		    !expect_number(w, &word[i], "bytes", e->ev.ping.bytes) &&
		    !expect_number(w, &word[i], "same", e->ev.ping.bytes_same) &&
		    !expect_number(w, &word[i], "rtt_ms", e->ev.ping.rtt_us / 1000))
			expect_unknown(w, &word[i]);
	}
	if (e != NULL)
		check_ending(w, &e->ev.ping.ending, &ending);
}

/* tmf_done logical_unit_reset response=0 | … timed_out */
void
command_tmf_done(struct world *w, const struct word *word, size_t n)
{
	static const char *const names[] = { "", "abort_task", "", "", "", "logical_unit_reset",
		NULL };
	int want = words_choice(w, "function", word[1].text, names);
	const struct world_event *e = next_event(w, SESS_EV_TMF);
	struct sess_ending ending = { .how = SESS_END_ANSWERED };

	if (e == NULL || want < 0)
		return;
	for (size_t i = 2; i < n; i++) {
		if (is_ending(w, &word[i], &ending))
			continue;
		else if (expect_number(w, &word[i], "response", e->ev.tmf.response))
			cover_note(COVER_TMF, e->ev.tmf.response);
		else
			expect_unknown(w, &word[i]);
	}
	if ((int)e->ev.tmf.function != want)
		world_fail(w, "expected %s, got %s", names[want], names[e->ev.tmf.function]);
	check_ending(w, &e->ev.tmf.ending, &ending);
}

void
command_logged_out(struct world *w, const struct word *word, size_t n)
{
	const struct world_event *e = next_event(w, SESS_EV_LOGOUT);

	for (size_t i = 1; e != NULL && i < n; i++) {
		if (expect_number(w, &word[i], "response", e->ev.logout_response))
			cover_note(COVER_LOGOUT, e->ev.logout_response);
		else
			expect_unknown(w, &word[i]);
	}
}

/* async event=2 vendor_code=0 parameter1=… sense=hex:… lun=3 */
void
command_async(struct world *w, const struct word *word, size_t n)
{
	const struct world_event *e = next_event(w, SESS_EV_ASYNC);
	uint64_t lun = 0;

	if (e == NULL)
		return;
	for (int i = 0; i < 8; i++)
		lun = lun << 8 | e->ev.async.lun[i];
	for (size_t i = 1; i < n; i++) {
		const char *v = word_value(&word[i], "lun");

		if (expect_number(w, &word[i], "event", e->ev.async.event))
			cover_note(COVER_ASYNC, e->ev.async.event);
		else if (v != NULL) {
			if (words_lun(w, v) != lun)
				world_fail(w, "the LUN is 0x%llx", (unsigned long long)lun);
		} else if (word_value(&word[i], "sense") != NULL) {
			size_t len;
			uint8_t *want = words_bytes(w, &word[i], 6, 0, &len);

			if (len != e->ev.async.sense_len || memcmp(want, e->sense, len) != 0)
				world_fail(w, "the sense data is different (%u bytes)",
				    e->ev.async.sense_len);
			free(want);
		} else if (!expect_number(w, &word[i], "vendor_code", e->ev.async.vendor_code) &&
			   !expect_number(w, &word[i], "parameter1", e->ev.async.parameter[0]) &&
			   !expect_number(w, &word[i], "parameter2", e->ev.async.parameter[1]) &&
			   !expect_number(w, &word[i], "parameter3", e->ev.async.parameter[2]))
			expect_unknown(w, &word[i]);
	}
}

void
command_rejected(struct world *w, const struct word *word, size_t n)
{
	const struct world_event *e = next_event(w, SESS_EV_REJECT);

	for (size_t i = 1; e != NULL && i < n; i++) {
		if (expect_number(w, &word[i], "reason", e->ev.reject_reason))
			cover_note(COVER_REJECT, e->ev.reject_reason);
		else
			expect_unknown(w, &word[i]);
	}
}

void
command_text_done(struct world *w, const struct word *word, size_t n)
{
	const struct world_event *e = next_event(w, SESS_EV_TEXT_DONE);
	struct sess_ending ending = { .how = SESS_END_ANSWERED };

	for (size_t i = 1; i < n; i++)
		if (!is_ending(w, &word[i], &ending))
			expect_unknown(w, &word[i]);
	if (e != NULL)
		check_ending(w, &e->ev.text.ending, &ending);
}

void
command_close(struct world *w, const struct word *word, size_t n)
{
	int want = words_choice(w, "end of a connection", word[1].text, result_name);
	const struct world_event *e = next_event(w, SESS_EV_CLOSE);

	if (e == NULL || want < 0)
		return;
	if ((int)e->ev.close.why != want)
		world_fail(w, "expected close %s, got %s", result_name[want],
		    result_name[e->ev.close.why]);
	if (sess_conn(w->sess) != NULL)
		world_fail(w, "the connection is still there");
	cover_note(COVER_RESULT, e->ev.close.why);
	(void)word;
	(void)n;
}
