/*
 * What becomes of requests, as a property: whatever the caller, the target, the
 * network and the clock do, each request ends exactly once, with a result that
 * is true, in an order that is fixed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/test_peer.h"

#define ITEMS 24u
#define STEPS 400u
#define SEEDS 400u

/* What the world knows of a request. */
struct item {
	struct req r;
	uint8_t data[12000];
	unsigned id;       /* counts submissions */
	bool is_out;       /* submitted, and not handed back */
	bool has_left;     /* a byte of it did, on this connection */
	bool has_come;     /* its command is whole at the target */
	uint32_t itt, got; /* write data that came */
	bool is_answered;
	enum req_result answer; /* what the answer must make of it */
};

/* Who is acting: what ends now must end because of it. */
enum act { ACT_SUBMIT, ACT_PULL, ACT_ANSWER, ACT_LOSE, ACT_WITHDRAW, ACT_TMF_IN, ACT_TICK };

struct world {
	struct peer *p;
	uint64_t x; /* random */
	struct item item[ITEMS];
	unsigned ids, last_on_wire, seen, out;
	enum act act;
	struct item *about; /* ACT_WITHDRAW, ACT_ANSWER */
	bool is_closed;     /* the session wants the connection closed */
	/* The wire, from the initiator: what the socket took, as far as it is no whole PDU. */
	uint8_t wire[1 << 20];
	size_t wire_len;
	/* The task management request that waits for its answer, if any. */
	bool has_tmf;
	uint8_t tmf_function, tmf_lun;
	uint32_t tmf_itt, tmf_ref;
	bool is_complete; /* ACT_TMF_IN: "function complete" */
};

static unsigned
chance(struct world *w, unsigned n)
{
	w->x ^= w->x << 13;
	w->x ^= w->x >> 7;
	w->x ^= w->x << 17;
	return (unsigned)(w->x >> 20) % n;
}

static bool
tmf_concerns(const struct world *w, const struct item *i)
{
	if (!i->has_left || i->is_answered)
		return false;
	return w->tmf_function == SESS_TMF_ABORT_TASK ? i->itt == w->tmf_ref
						      : i->r.lun[1] == w->tmf_lun;
}

/* It was handed back: may it be, now, with this result? */
static void
check_end(struct world *w, const struct item *i)
{
	bool is_late = w->p->now - i->r.submit_us >= i->r.timeout_ms * 1000ull;

	assert_true(i->is_out);
	switch (i->r.result) {
	case REQ_DONE:
	case REQ_NO_TARGET:
	case REQ_VIOLATION:
		assert_true(i->is_answered);
		assert_int_equal(i->r.result, i->answer);
		assert_true(w->act == ACT_ANSWER ? w->about == i
						 : w->act == ACT_PULL || w->act == ACT_LOSE);
		break;
	case REQ_UNSENT:
		assert_false(i->has_left);
		assert_true(w->act == ACT_LOSE || w->act == ACT_SUBMIT ||
			    (w->act == ACT_WITHDRAW && w->about == i));
		break;
	case REQ_LOST:
		assert_true(i->has_left && !i->is_answered && w->act == ACT_LOSE);
		break;
	case REQ_TIMEOUT:
		assert_true(w->act == ACT_TMF_IN && w->is_complete && tmf_concerns(w, i));
		assert_true(is_late);
		break;
	case REQ_ABORTED:
		assert_true(w->act == ACT_TMF_IN && w->is_complete && tmf_concerns(w, i));
		assert_int_equal(w->tmf_function, SESS_TMF_LOGICAL_UNIT_RESET);
		break;
	}
}

static unsigned
group(const struct item *i)
{
	return i->r.result == REQ_LOST ? 1 : i->r.result == REQ_UNSENT ? 2 : 0;
}

/* All that ended in this step. */
static void
collect(struct world *w)
{
	const struct item *before = NULL;

	peer_drain(w->p);
	for (; w->seen < w->p->n_done; w->seen++) {
		struct item *i = w->p->done[w->seen % 2048]->user;

		check_end(w, i);
		if (w->act == ACT_LOSE && before != NULL) {
			assert_true(group(before) <= group(i));
			/* The order of CmdSN is that of submission. */
			if (group(before) == group(i) && group(i) > 0)
				assert_true(before->id < i->id);
		}
		before = i;
		i->is_out = false;
		w->out--;
	}
	for (unsigned e = 0; e < w->p->events; e++)
		w->is_closed |= w->p->event[e].kind == SESS_EV_CLOSE;
	w->p->events = 0;
	assert_int_equal(sess_requests(w->p->sess), w->out);
	assert_true(sess_window(w->p->sess) <= 8);
}

static struct item *
pick(struct world *w, bool (*is_fit)(const struct item *))
{
	unsigned at = chance(w, ITEMS);

	for (unsigned k = 0; k < ITEMS; k++)
		if (is_fit(&w->item[(at + k) % ITEMS]))
			return &w->item[(at + k) % ITEMS];
	return NULL;
}

static bool
is_idle(const struct item *i)
{
	return !i->is_out;
}

static bool
is_out(const struct item *i)
{
	return i->is_out;
}

static bool
may_be_answered(const struct item *i)
{
	return i->is_out && i->has_come && !i->is_answered;
}

static void
submit(struct world *w)
{
	struct item *i = pick(w, is_idle);
	static const uint32_t lens[] = { 1, 512, 8192, 12000 };

	if (i == NULL)
		return;
	memset(i, 0, offsetof(struct item, data));
	i->is_out = true;
	i->has_left = i->has_come = i->is_answered = false;
	i->got = 0;
	i->id = ++w->ids;
	i->r.user = i;
	i->r.dir = (enum req_dir)chance(w, 3);
	i->r.attr = REQ_SIMPLE;
	i->r.data = i->data;
	i->r.data_len = i->r.dir == REQ_NONE ? 0 : lens[chance(w, 4)];
	i->r.timeout_ms = 1 + chance(w, 20000);
	i->r.lun[1] = (uint8_t)chance(w, 3);
	peer_put32(i->r.cdb, 2, i->id);
	w->out++;
	w->act = ACT_SUBMIT;
	sess_submit(w->p->sess, &i->r, w->p->now);
	/* Never from inside: the event comes later. */
	collect(w);
	assert_true(i->is_out == (sess_state(w->p->sess) == SESS_ONLINE));
}

static struct item *
item_by(struct world *w, const uint8_t *bhs, bool is_command)
{
	for (unsigned k = 0; k < ITEMS; k++) {
		struct item *i = &w->item[k];

		if (i->is_out && (is_command ? peer_get32(bhs, 34) == i->id
					     : i->has_left && peer_get32(bhs, 16) == i->itt))
			return i;
	}
	return NULL;
}

/* The target reads a PDU. */
static void
take(struct world *w, const uint8_t *bhs, uint32_t len)
{
	struct item *i;

	switch (bhs[0] & 0x3f) {
	case 0x01:
		w->p->exp_cmd_sn = peer_get32(bhs, 24) + 1;
		i = item_by(w, bhs, true);
		assert_non_null(i);
		i->has_come = true;
		i->got = len;
		break;
	case 0x02:
		w->has_tmf = true;
		w->tmf_function = bhs[1] & 0x7f;
		w->tmf_lun = bhs[9];
		w->tmf_itt = peer_get32(bhs, 16);
		w->tmf_ref = peer_get32(bhs, 20);
		break;
	case 0x05:
		i = item_by(w, bhs, false);
		if (i != NULL)
			i->got += len;
		break;
	case 0x06:
		break;
	default:
		fail();
	}
}

/* Which commands begin in what the socket took: their first byte is out. */
static void
note_begin(struct world *w, const uint8_t *bhs, size_t have)
{
	struct item *first = NULL;

	if (have >= 48 && (bhs[0] & 0x3f) == 0x01) {
		first = item_by(w, bhs, true);
		assert_non_null(first);
		first->itt = peer_get32(bhs, 16);
	} else if (have > 0 && have < 48 && (bhs[0] & 0x3f) == 0x01) {
		/* Commands leave in the order of submission. */
		for (unsigned k = 0; k < ITEMS; k++) {
			struct item *i = &w->item[k];

			if (i->is_out && !i->has_left && (first == NULL || i->id < first->id))
				first = i;
		}
		assert_non_null(first);
	}
	if (first == NULL || first->has_left)
		return;
	assert_true(first->id > w->last_on_wire);
	w->last_on_wire = first->id;
	assert_in_range(first->r.sent_us, first->r.submit_us, w->p->now);
	first->has_left = true;
}

static void
parse(struct world *w)
{
	size_t at = 0;

	while (at < w->wire_len) {
		const uint8_t *b = w->wire + at;
		size_t have = w->wire_len - at, whole;
		uint32_t len;

		note_begin(w, b, have);
		if (have < 48)
			break;
		len = (uint32_t)b[5] << 16 | (uint32_t)b[6] << 8 | b[7];
		whole = 48 + (len + 3) / 4 * 4;
		if (have < whole)
			break;
		take(w, b, len);
		at += whole;
	}
	w->wire_len -= at;
	memmove(w->wire, w->wire + at, w->wire_len);
}

/* The socket takes at most `max` bytes. */
static void
pull(struct world *w, size_t max)
{
	struct conn *c = sess_conn(w->p->sess);
	const struct iovec *iov;
	size_t n, took = 0;

	if (c == NULL)
		return;
	n = conn_tx_peek(c, &iov, w->p->now);
	for (size_t k = 0; k < n && took < max; k++) {
		size_t some = iov[k].iov_len < max - took ? iov[k].iov_len : max - took;

		assert_true(w->wire_len + some <= sizeof w->wire);
		memcpy(w->wire + w->wire_len, iov[k].iov_base, some);
		w->wire_len += some;
		took += some;
	}
	/* A request that is handed back may be looked at no more: parse before. */
	parse(w);
	w->act = ACT_PULL;
	if (took > 0)
		conn_tx_done(c, took);
	collect(w);
}

static void
respond(struct world *w, const struct item *i, uint8_t response, uint8_t status)
{
	uint8_t bhs[48] = { 0x21, 0x80, response, status };

	peer_put32(bhs, 16, i->itt);
	peer_answer(w->p, bhs, NULL, 0);
}

static void
answer(struct world *w)
{
	struct item *i = pick(w, may_be_answered);
	unsigned how = chance(w, 8);

	if (i == NULL)
		return;
	w->act = ACT_ANSWER;
	w->about = i;
	i->is_answered = true;
	i->answer = how == 0 ? REQ_NO_TARGET : REQ_DONE;
	if (how <= 1) {
		respond(w, i, how == 0, 8);
	} else if (i->r.dir == REQ_READ && how < 6) {
		peer_data_in(w->p, i->itt, 0, 0, peer_pattern, i->r.data_len, true);
	} else {
		/* GOOD, of a read without its data or of a write with what came of its data. */
		if (i->r.dir == REQ_READ || (i->r.dir == REQ_WRITE && i->got != i->r.data_len))
			i->answer = REQ_VIOLATION;
		respond(w, i, 0, 0);
	}
	collect(w);
}

static void
lose(struct world *w)
{
	w->act = ACT_LOSE;
	sess_disconnected(w->p->sess, w->p->now);
	collect(w);
	assert_int_equal(w->out, 0);
	w->wire_len = 0;
	w->has_tmf = w->is_closed = false;
}

static void
withdraw(struct world *w)
{
	struct item *i = pick(w, is_out);
	bool is_withdrawn, is_sent;

	if (i == NULL)
		return;
	is_sent = i->r.sent_us != 0;
	w->act = ACT_WITHDRAW;
	w->about = i;
	is_withdrawn = sess_withdraw(w->p->sess, &i->r, w->p->now);
	assert_false(is_withdrawn && i->has_left);
	assert_true(is_withdrawn != is_sent);
	collect(w);
	assert_true(i->is_out != is_withdrawn);
}

static void
answer_tmf(struct world *w)
{
	static const uint8_t responses[] = { 0, 0, 0, 1, 5, 255 };
	uint8_t response = responses[chance(w, 6)], bhs[48] = { 0x22, 0x80, response };
	bool is_abort = w->tmf_function == SESS_TMF_ABORT_TASK;

	if (!w->has_tmf)
		return;
	w->has_tmf = false;
	w->act = ACT_TMF_IN;
	w->is_complete = response == 0 || (response == 1 && is_abort);
	peer_put32(bhs, 16, w->tmf_itt);
	/* One that is late is passed over: then nothing ends by it. */
	peer_answer(w->p, bhs, NULL, 0);
	collect(w);
}

static void
tick(struct world *w)
{
	w->p->now += chance(w, 3000000);
	w->act = ACT_TICK;
	sess_tick(w->p->sess, w->p->now);
	collect(w);
}

static void
step(struct world *w)
{
	unsigned what = chance(w, 100);

	if (sess_conn(w->p->sess) == NULL && what >= 20) {
		w->last_on_wire = 0;
		peer_login(w->p, PEER_KEYS);
		collect(w);
		return;
	}
	if (what < 30)
		submit(w);
	else if (what < 55)
		pull(w, chance(w, 3) == 0 ? SIZE_MAX : 1 + chance(w, 6000));
	else if (what < 75)
		answer(w);
	else if (what < 78)
		withdraw(w);
	else if (what < 88)
		answer_tmf(w);
	else if (what < 98)
		tick(w);
	else
		lose(w);
	if (w->is_closed)
		lose(w);
}

static void
every_request_ends_once_and_truly(void **state)
{
	struct world *w = malloc(sizeof *w);
	unsigned ends[REQ_VIOLATION + 1] = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sess_cfg cfg = peer_config();

		memset(w, 0, sizeof *w);
		w->x = seed * 0x9e3779b97f4a7c15u;
		cfg.abort_timeout_ms = 2000;
		cfg.reset_timeout_ms = 3000;
		w->p = peer_new(&cfg);
		for (unsigned i = 0; i < STEPS; i++) {
			unsigned from = w->seen;

			step(w);
			for (; from < w->seen; from++)
				ends[w->p->done[from % 2048]->result]++;
		}
		lose(w);
		peer_free(w->p);
	}
	free(w);
	/* Each end was seen. */
	for (unsigned i = 0; i <= REQ_VIOLATION; i++)
		assert_true(ends[i] > 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_ends_once_and_truly),
	};

	return cmocka_run_group_tests_name("fate", tests, NULL, NULL);
}
