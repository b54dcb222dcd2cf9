/*
 * What must have come of it.  Events and messages are expected in the order
 * they came, and all of them: what no line asks for fails the scenario at its
 * end, as does a fault that was counted and not asked for.
 */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cover.h"
#include "words.h"

static const char *const counter_name[] = {
#define CONN_STAT(id, text) #id,
#include "core/conn_stats.def"
	NULL
};
#define COUNTERS (sizeof counter_name / sizeof counter_name[0] - 1)
/* These count work, not faults. */
static const char *const traffic[] = { "pdus_sent", "pdus_received", "ios_issued", "data_bytes_in",
	"data_bytes_out", NULL };

bool
expect_number(struct world *w, const struct word *word, const char *key, uint64_t got)
{
	const char *v = word_value(word, key);
	uint64_t want;

	if (v == NULL)
		return false;
	want = words_number(w, v, 0);
	if (want != got)
		world_fail(w, "expected %s %llu, got %llu", key, (unsigned long long)want,
		    (unsigned long long)got);
	return true;
}

bool
expect_text(struct world *w, const struct word *word, const char *key, const char *got)
{
	const char *v = word_value(word, key);

	if (v == NULL)
		return false;
	if (strcmp(v, got) != 0)
		world_fail(w, "expected %s \"%s\", got \"%s\"", key, v, got);
	return true;
}

void
expect_unknown(struct world *w, const struct word *word)
{
	world_fail(w, "'%s' cannot be expected here", word->text);
}

static const char *const state_name[] = { "offline", "login", "online", "logout", NULL };

void
command_state(struct world *w, const struct word *word, size_t n)
{
	int want = words_choice(w, "state", word[1].text, state_name);

	(void)n;
	if (want >= 0 && sess_state(w->sess) != (enum sess_state)want)
		world_fail(w, "expected state %s, got %s", state_name[want],
		    state_name[sess_state(w->sess)]);
}

void
command_param(struct world *w, const struct word *word, size_t n)
{
	char value[64] = "";
	enum key_id key;

	(void)n;
	if (!neg_key_find(word[1].text, &key) ||
	    !neg_format(sess_params(w->sess), key, value, sizeof value))
		world_fail(w, "'%s' is not negotiated", word[1].text);
	else if (strcmp(value, word[2].text) != 0)
		world_fail(w, "expected %s=%s, got %s", word[1].text, word[2].text, value);
}

void
command_session(struct world *w, const struct word *word, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (!expect_number(w, &word[i], "tsih", sess_tsih(w->sess)) &&
		    !expect_number(w, &word[i], "tpgt", (uint64_t)sess_tpgt(w->sess)) &&
		    !expect_number(w, &word[i], "requests", sess_requests(w->sess)) &&
		    !expect_number(w, &word[i], "window", sess_window(w->sess)) &&
		    !expect_number(w, &word[i], "time2wait", sess_time2wait(w->sess)) &&
		    !expect_number(w, &word[i], "time2retain", sess_time2retain(w->sess)) &&
		    !expect_text(w, &word[i], "ended", state_name[sess_ended_in(w->sess)]) &&
		    !expect_text(w, &word[i], "alias", sess_target_alias(w->sess)))
			expect_unknown(w, &word[i]);
}

void
command_deadline(struct world *w, const struct word *word, size_t n)
{
	uint64_t at = sess_deadline(w->sess);

	(void)n;
	if (strcmp(word[1].text, "none") == 0) {
		if (at != UINT64_MAX)
			world_fail(w, "expected no deadline, there is one in %llu us",
			    (unsigned long long)(at - w->now));
	} else if (at != w->now + words_time_us(w, word[1].text))
		world_fail(w, "expected a deadline in %s, it is in %lld us", word[1].text,
		    (long long)(at - w->now));
}

static void
check_sense(struct world *w, const struct req *r, const struct word *word)
{
	size_t n;
	uint8_t *want = words_bytes(w, word, 6, 0, &n);

	if (n != r->sense_len || memcmp(want, r->sense, n) != 0)
		world_fail(w, "the sense data is different (%u bytes)", r->sense_len);
	free(want);
}

static void
check_read(struct world *w, const struct req *r, const struct word *word)
{
	size_t n;
	uint8_t *want = words_bytes(w, word, 5, 0, &n);

	if (n > r->data_len || memcmp(want, r->data, n) != 0)
		world_fail(w, "the data that was read is different");
	free(want);
}

/* request a waits | request a done status=2 … */
void
command_request(struct world *w, const struct word *word, size_t n)
{
	static const char *const names[] = { "done", "no_target", "unsent", "lost", "timeout",
		"aborted", "violation", "waits", NULL };
	const int waits = REQ_VIOLATION + 1;
	int want = words_choice(w, "result", word[2].text, names);
	struct world_req *q = world_req(w, word[1].text);

	world_turn(w);
	if (q == NULL || want < 0)
		return;
	if (!q->done || want == waits) {
		if (q->done || want != waits)
			world_fail(w, "request %s: expected %s, got %s", q->name, names[want],
			    q->done ? names[q->req.result] : "waits");
		return;
	}
	q->asserted = true;
	if (q->req.result != (enum req_result)want)
		world_fail(w, "request %s: expected %s, got %s", q->name, names[want],
		    names[q->req.result]);
	for (size_t i = 3; i < n; i++) {
		if (word_value(&word[i], "sense") != NULL)
			check_sense(w, &q->req, &word[i]);
		else if (word_value(&word[i], "data") != NULL)
			check_read(w, &q->req, &word[i]);
		else if (!expect_number(w, &word[i], "status", q->req.status) &&
			 !expect_number(w, &word[i], "response", q->req.response) &&
			 !expect_number(w, &word[i], "residual", q->req.residual) &&
			 !expect_number(w, &word[i], "overflow", q->req.overflow) &&
			 !expect_number(w, &word[i], "underflow", q->req.underflow) &&
			 !expect_number(w, &word[i], "got", q->req.data_got) &&
			 !expect_number(
			     w, &word[i], "took_ms", (q->req.done_us - q->req.submit_us) / 1000))
			expect_unknown(w, &word[i]);
	}
}

/* order a b c: in which order all requests that have ended so far did. */
void
command_order(struct world *w, const struct word *word, size_t n)
{
	world_turn(w);
	if (n - 1 != w->ended)
		world_fail(w, "%zu requests have ended", w->ended);
	for (size_t i = 1; i < n && !w->failed; i++)
		if (strcmp(w->order[i - 1]->name, word[i].text) != 0)
			world_fail(w, "number %zu to end was %s, not %s", i, w->order[i - 1]->name,
			    word[i].text);
}

/* All bytes of the answer, "\0" between keys. */
void
command_text(struct world *w, const struct word *word, size_t n)
{
	(void)n;
	if (w->text_len != word[1].len || memcmp(w->text, word[1].text, word[1].len) != 0)
		world_fail(
		    w, "the text is different (%zu bytes, expected %zu)", w->text_len, word[1].len);
}

/* targets "iqn… 192.0.2.1:3260,1" …: what core/sendtargets makes of the text, "-" for no address.
 */
void
command_targets(struct world *w, const struct word *word, size_t n)
{
	const char *p = w->found;

	for (size_t i = 1; i < n; i++) {
		if (strncmp(p, word[i].text, word[i].len) != 0 || p[word[i].len] != '\n') {
			world_fail(w, "expected \"%s\", found \"%s\"", word[i].text, p);
			return;
		}
		p += word[i].len + 1;
	}
	if (*p != '\0')
		world_fail(w, "found \"%s\" too", p);
}

/* message ID ["text"] */
void
command_message(struct world *w, const struct word *word, size_t n)
{
	const struct world_message *m = &w->message[w->messages_asserted % WORLD_EVENTS];
	enum diag_id id;

	world_turn(w);
	if (!diag_find(word[1].text, &id)) {
		world_fail(w, "there is no message %s", word[1].text);
		return;
	}
	if (w->messages_asserted == w->messages) {
		world_fail(w, "expected %s, no message came", word[1].text);
		return;
	}
	w->messages_asserted++;
	if (m->id != id)
		world_fail(
		    w, "expected %s, got %s: %s", word[1].text, diag_info(m->id)->id, m->text);
	if (n > 2 && strcmp(m->text, word[2].text) != 0)
		world_fail(w, "expected \"%s\", got \"%s\"", word[2].text, m->text);
	cover_note(COVER_MESSAGE, id);
}

static uint64_t
counter(struct world *w, size_t i)
{
	struct conn_counts counts;

	sess_counts(w->sess, &counts);
	return ((const uint64_t *)&counts)[i];
}

/* count statsn_holes=1 … */
void
command_count(struct world *w, const struct word *word, size_t n)
{
	world_turn(w);
	for (size_t i = 1; i < n; i++) {
		char name[64];
		int c;

		snprintf(name, sizeof name, "%.*s", (int)strcspn(word[i].text, "="), word[i].text);
		c = words_choice(w, "counter", name, counter_name);
		if (c < 0 || !expect_number(w, &word[i], name, counter(w, (size_t)c)))
			return;
		w->count_asserted[c] = true;
		if (counter(w, (size_t)c) > 0)
			cover_note(COVER_COUNTER, (unsigned)c);
	}
}

/* no message | no event | no deadline */
void
command_no(struct world *w, const struct word *word, size_t n)
{
	(void)n;
	world_turn(w);
	if (strcmp(word[1].text, "message") == 0) {
		if (w->messages_asserted < w->messages)
			world_fail(w, "there is a message: %s",
			    w->message[w->messages_asserted % WORLD_EVENTS].text);
	} else if (strcmp(word[1].text, "event") == 0) {
		if (w->events_asserted < w->events)
			world_fail(w, "there is an event: %s",
			    expect_event_kinds[w->event[w->events_asserted % WORLD_EVENTS]
						   .ev.kind]);
	} else
		expect_unknown(w, &word[1]);
}

static bool
is_traffic(const char *name)
{
	for (size_t i = 0; traffic[i] != NULL; i++)
		if (strcmp(traffic[i], name) == 0)
			return true;
	return false;
}

void
commands_end(struct world *w)
{
	static const struct word event[] = { { .text = (char *)(uintptr_t) "no" },
		{ .text = (char *)(uintptr_t) "event" } };
	static const struct word message[] = { { .text = (char *)(uintptr_t) "no" },
		{ .text = (char *)(uintptr_t) "message" } };
	struct wire_pdu p;

	if (w->sess == NULL)
		return;
	command_no(w, event, 2);
	command_no(w, message, 2);
	for (size_t i = 0; i < COUNTERS; i++)
		if (counter(w, i) > 0 && !w->count_asserted[i] && !is_traffic(counter_name[i]))
			world_fail(w, "%s is %llu, and no line says so", counter_name[i],
			    (unsigned long long)counter(w, i));
	for (size_t i = 0; i < w->reqs; i++)
		if (w->req[i].done && !w->req[i].asserted)
			world_fail(w, "request %s ended, and no line says so", w->req[i].name);
	if (!w->failed && world_next_pdu(w, &p)) {
		world_fail(w, "the initiator sent %s, and no line expects it", p.kind->name);
		free(p.data);
	}
}
