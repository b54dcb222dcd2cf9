#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/diag/report.h"
#include "fault.h"

uint8_t world_pattern[WORLD_PATTERN];
/* Messages come without a word of whose they are; one world lives at a time. */
static struct world *present;

static void
heard(void *user, const struct diag_event *ev)
{
	struct world *w = present;
	struct world_message *m = &w->message[w->messages % WORLD_EVENTS];

	(void)user;
	m->id = ev->id;
	snprintf(m->text, sizeof m->text, "%s", ev->text);
	w->messages++;
	if (w->trace)
		printf("# message %s: %s\n", diag_info(ev->id)->id, ev->text);
}

static uint64_t
clock_ms(void)
{
	return present->now / 1000;
}

static void
make_pattern(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof world_pattern; i++) {
		x = x * 1103515245 + 12345;
		world_pattern[i] = (uint8_t)(x >> 16);
	}
}

void
world_init(struct world *w, const struct scenario *sc, const struct world_cut *cut)
{
	memset(w, 0, sizeof *w);
	w->scenario = sc;
	w->cut = cut;
	w->now = 1000000;
	w->stat_sn = 1000;
	w->window = 64;
	w->max_recv_dsl = 8192;
	w->socket_room = UINT64_MAX;
	w->cfg = (struct sess_cfg){
		.login = { .initiator_name = "iqn.2026-11.org.openisw:host",
		    .target_name = "iqn.2026-11.org.openisw:disk",
		    .expected_tpgt = -1 },
		.isid = { 0x80, 0x12, 0x34, 0x56, 0x00, 0x01 },
		.slots = 8,
	};
	neg_offer_default(&w->cfg.login.offer);
	if (world_pattern[0] == world_pattern[1])
		make_pattern();
	present = w;
	w->diag = diag_new(
	    &(struct diag_cfg){ .sink = heard, .clock_ms = clock_ms, .wall_ms = clock_ms });
}

void
world_start(struct world *w)
{
	if (w->sess == NULL)
		w->sess = sess_new(&w->cfg);
	if (w->sess == NULL)
		world_fail(w, "there is no memory for a session");
}

void
world_fini(struct world *w)
{
	struct sess_event ev;

	if (w->sess != NULL) {
		sess_disconnected(w->sess, w->now);
		while (sess_next(w->sess, &ev))
			continue;
		sess_free(w->sess);
	}
	for (size_t i = 0; i < w->reqs; i++)
		free(w->req[i].req.data);
	for (size_t i = 0; i < w->saves; i++)
		free(w->saved[i].pdu.data);
	free(w->last.data);
	sendtargets_free(w->targets);
	free(w->in);
	free(w->out);
	free(w->kept);
	diag_free(w->diag);
}

void
world_fail(struct world *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (w->failed)
		return;
	w->failed = true;
	n = snprintf(w->why, sizeof w->why, "%s:%u: ", w->scenario->file,
	    w->line != NULL ? w->line->number : 0);
	va_start(ap, fmt);
	vsnprintf(w->why + n, sizeof w->why - (size_t)n, fmt, ap);
	va_end(ap);
}

/* What the driver does with the answer to SendTargets. */
static void
read_targets(struct world *w)
{
	struct diag_ctx ctx = { .session = -1, .to = w->diag };
	struct sendtargets_record r;

	while (sendtargets_next(w->targets, &r) != SENDTARGETS_END) {
		size_t n = strlen(w->found);
		char address[LIMIT_ADDRESS_BYTES + 1] = "-";

		report_sendtargets(&ctx, &r);
		if (r.kind == SENDTARGETS_ADDRESS)
			addr_format(&r.addr, true, address);
		if (r.kind == SENDTARGETS_ADDRESS || r.kind == SENDTARGETS_NO_ADDRESS)
			snprintf(w->found + n, sizeof w->found - n, "%s %s\n", r.name, address);
	}
}

static void
take_text(struct world *w, const struct sess_event *ev)
{
	if (ev->kind == SESS_EV_TEXT) {
		size_t room = sizeof w->text - w->text_len;
		size_t n = ev->text.len < room ? ev->text.len : room;

		memcpy(w->text + w->text_len, ev->text.bytes, n);
		w->text_len += n;
		if (w->targets == NULL)
			w->targets = sendtargets_new();
		if (w->targets == NULL)
			world_fail(w, "there is no memory for targets");
		else
			sendtargets_feed(w->targets, ev->text.bytes, ev->text.len);
	} else if (w->targets != NULL)
		sendtargets_finish(w->targets);
	if (w->targets != NULL)
		read_targets(w);
}

static void
keep_event(struct world *w, const struct sess_event *ev)
{
	struct world_event *e = &w->event[w->events % WORLD_EVENTS];

	if (w->events - w->events_asserted == WORLD_EVENTS) {
		world_fail(w, "too many events that nobody expected");
		return;
	}
	w->events++;
	memset(e, 0, sizeof *e);
	e->ev = *ev;
	if (ev->kind == SESS_EV_LOGIN_FAILED) {
		snprintf(e->redirect, sizeof e->redirect, "%s",
		    ev->login.redirect != NULL ? ev->login.redirect : "");
		snprintf(e->culprit, sizeof e->culprit, "%s",
		    ev->login.culprit != NULL ? ev->login.culprit : "");
		snprintf(e->reason, sizeof e->reason, "%s", ev->login.reason);
	}
	if (ev->kind == SESS_EV_ASYNC && ev->async.sense_len > 0)
		memcpy(e->sense, ev->async.sense,
		    ev->async.sense_len < sizeof e->sense ? ev->async.sense_len : sizeof e->sense);
}

static struct diag_ctx
context(const struct world *w)
{
	return (struct diag_ctx){ .session = 0, .address = "192.0.2.1:3260,1", .to = w->diag };
}

static void
drain(struct world *w)
{
	struct diag_ctx ctx = context(w);
	struct sess_event ev;

	while (sess_next(w->sess, &ev)) {
		if (ev.kind == SESS_EV_REQ) {
			struct world_req *r = ev.req->user;

			if (r->done)
				world_fail(w, "request %s ended twice", r->name);
			else
				w->order[w->ended++] = r;
			r->done = true;
			continue;
		}
		report_event(&ctx, &ev);
		if (ev.kind == SESS_EV_KEYS)
			continue; /* the messages are what is looked at */
		if (ev.kind == SESS_EV_TEXT || ev.kind == SESS_EV_TEXT_DONE)
			take_text(w, &ev);
		if (ev.kind == SESS_EV_TEXT)
			continue;
		if (ev.kind == SESS_EV_ONLINE)
			w->was_online = true;
		if (ev.kind == SESS_EV_CLOSE) {
			w->is_closing = true;
			w->closing = ev.close.why;
		}
		keep_event(w, &ev);
	}
}

/* Take what the session has to send, as far as the socket has room. */
static void
pull(struct world *w)
{
	while (sess_conn(w->sess) != NULL && w->socket_room > 0) {
		const struct iovec *iov;
		size_t n = conn_tx_peek(sess_conn(w->sess), &iov, w->now), took = 0;

		if (n == 0)
			break;
		for (size_t i = 0; i < n && w->socket_room > 0; i++) {
			size_t some =
			    iov[i].iov_len < w->socket_room ? iov[i].iov_len : w->socket_room;

			if (w->in_len + some > w->in_size) {
				w->in_size = (w->in_len + some) * 2;
				w->in = realloc(w->in, w->in_size);
				if (w->in == NULL)
					abort();
			}
			memcpy(w->in + w->in_len, iov[i].iov_base, some);
			w->in_len += some;
			took += some;
			if (w->socket_room != UINT64_MAX)
				w->socket_room -= some;
		}
		conn_tx_done(sess_conn(w->sess), took);
		drain(w);
	}
}

/* The target's bytes that have arrived, as far as the session takes them; how many. */
static size_t
feed(struct world *w)
{
	size_t at = 0;

	while (at < w->kept_len && sess_conn(w->sess) != NULL && !w->is_closing &&
	       !conn_rx_is_paused(sess_conn(w->sess))) {
		struct conn *c = sess_conn(w->sess);
		size_t n = w->kept_len - at, used, want;
		size_t some = w->cut->bytes > 0 && n > w->cut->bytes ? w->cut->bytes : n;
		uint8_t *to;

		want = w->cut->direct ? conn_rx_want(c, &to) : 0;
		if (want > 0) {
			used = some < want ? some : want;
			memcpy(to, w->kept + at, used);
			(void)conn_rx_direct(c, used, w->now); /* an error is an event too */
		} else {
			/* Memory of its own, so that sanitizers see a byte too many. */
			uint8_t *copy = fault_spare_malloc(some);

			if (copy == NULL)
				abort();
			memcpy(copy, w->kept + at, some);
			(void)conn_rx(c, copy, some, w->now, &used);
			drain(w);
			free(copy);
		}
		at += used;
		drain(w);
	}
	w->kept_len -= at;
	if (w->kept_len > 0)
		memmove(w->kept, w->kept + at, w->kept_len);
	return at;
}

void
world_turn(struct world *w)
{
	do {
		drain(w);
		if (!w->is_closing)
			pull(w);
		drain(w);
		if (w->is_closing && sess_conn(w->sess) != NULL)
			world_disconnect(w, 0, w->closing);
	} while (feed(w) > 0);
}

void
world_feed(struct world *w, const uint8_t *bytes, size_t n)
{
	w->kept = realloc(w->kept, w->kept_len + n + 1);
	if (w->kept == NULL)
		abort();
	memcpy(w->kept + w->kept_len, bytes, n);
	w->kept_len += n;
	(void)feed(w); /* the turn takes what is left */
	world_turn(w);
}

void
world_connect(struct world *w)
{
	struct diag_ctx ctx = context(w);
	int err;

	world_start(w);
	if (w->failed)
		return;
	if (sess_conn(w->sess) != NULL) {
		world_fail(w, "the session has a connection already");
		return;
	}
	w->in_len = w->in_at = 0;
	w->out_len = w->kept_len = 0;
	w->header_digest = w->data_digest = false;
	w->digests_next[0] = w->digests_next[1] = false;
	w->full_feature = w->was_online = w->is_closing = false;
	w->last_exp_stat_sn = 0;
	w->max_recv_dsl = 8192;
	err = sess_connected(w->sess, w->now);
	if (err != 0)
		report_no_memory(&ctx, err);
	world_turn(w);
}

void
world_disconnect(struct world *w, int err, enum conn_result why)
{
	struct diag_ctx ctx = context(w);

	if (sess_conn(w->sess) == NULL)
		return;
	sess_disconnected(w->sess, w->now);
	w->is_closing = false;
	drain(w);
	report_closed(&ctx, w->was_online, err, why);
}

void
world_advance(struct world *w, uint64_t us)
{
	uint64_t end = w->now + us;

	for (unsigned turns = 0; turns < 100000; turns++) {
		uint64_t at = sess_deadline(w->sess);

		if (at > end) {
			w->now = end;
			world_turn(w);
			return;
		}
		if (at > w->now)
			w->now = at;
		sess_tick(w->sess, w->now);
		world_turn(w);
	}
	world_fail(w, "the session wants to be called again and again");
}

/* Payload, padding and digests behind a header; false when it is not whole. */
static bool
take_body(struct world *w, struct wire_pdu *p)
{
	size_t at = w->in_at + WIRE_BHS, pad, have;

	p->len = (size_t)p->bhs[5] << 16 | (size_t)p->bhs[6] << 8 | p->bhs[7];
	pad = -p->len & 3u;
	have = w->in_len - w->in_at;
	if (have < WIRE_BHS + (w->header_digest ? 4 : 0) + p->len + pad +
		       (p->len > 0 && w->data_digest ? 4 : 0))
		return false;
	if (w->header_digest) {
		if (wire_get_crc(w->in + at) != wire_crc(p->bhs, WIRE_BHS))
			world_fail(w, "a header digest of the initiator's is wrong");
		at += 4;
	}
	p->data = fault_spare_malloc(p->len + 1);
	if (p->data == NULL)
		abort();
	memcpy(p->data, w->in + at, p->len);
	p->data[p->len] = 0;
	for (size_t i = 0; i < pad; i++)
		if (w->in[at + p->len + i] != 0)
			world_fail(w, "padding of the initiator's is not zero");
	if (p->len > 0 && w->data_digest) {
		if (wire_get_crc(w->in + at + p->len + pad) != wire_crc(w->in + at, p->len + pad))
			world_fail(w, "a data digest of the initiator's is wrong");
		at += 4;
	}
	w->in_at = at + p->len + pad;
	return true;
}

bool
world_next_pdu(struct world *w, struct wire_pdu *ret_pdu)
{
	struct wire_pdu p = { 0 };

	if (w->in_len - w->in_at < WIRE_BHS)
		return false;
	memcpy(p.bhs, w->in + w->in_at, WIRE_BHS);
	p.kind = wire_kind_of(p.bhs[0] & 0x3f);
	if (p.kind == NULL || p.kind->sender != 'I') {
		world_fail(w, "the initiator sent opcode 0x%02x", p.bhs[0]);
		return false;
	}
	if (!take_body(w, &p))
		return false;
	law_check(w, &p);
	*ret_pdu = p;
	return true;
}

struct world_req *
world_req(struct world *w, const char *name)
{
	for (size_t i = w->reqs; i > 0; i--)
		if (strcmp(w->req[i - 1].name, name) == 0)
			return &w->req[i - 1];
	world_fail(w, "there is no request '%s'", name);
	return NULL;
}

const struct wire_pdu *
world_pdu(struct world *w, const char *name)
{
	if (strcmp(name, "last") == 0 && w->last.kind != NULL)
		return &w->last;
	for (size_t i = w->saves; i > 0; i--)
		if (strcmp(w->saved[i - 1].name, name) == 0)
			return &w->saved[i - 1].pdu;
	return NULL;
}

void
world_save(struct world *w, const char *name, const struct wire_pdu *p)
{
	struct world_pdu *s = &w->saved[w->saves];

	if (w->saves == WORLD_NAMES) {
		world_fail(w, "a scenario may name %d PDUs", WORLD_NAMES);
		return;
	}
	w->saves++;
	snprintf(s->name, sizeof s->name, "%s", name);
	s->pdu = *p;
	s->pdu.data = fault_spare_malloc(p->len + 1);
	if (s->pdu.data == NULL)
		abort();
	memcpy(s->pdu.data, p->data, p->len);
}
