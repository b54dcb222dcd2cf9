#include "ini/fake_world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/cut.h"
#include "ini/fake_target.h"

/* ---- time and chance ---- */

uint32_t
fake_world_random(struct fake_world *w, uint32_t below)
{
	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(w->random >> 33) % below;
}

bool
fake_world_step(struct fake_world *w, uint64_t us)
{
	uint64_t next = agenda_next_us(&w->agenda), end = w->agenda.now_us + us;

	if (next > end) {
		w->agenda.now_us = end;
		return false;
	}
	if (next > w->agenda.now_us)
		w->agenda.now_us = next;
	agenda_run(&w->agenda);
	return true;
}

void
fake_world_run(struct fake_world *w, uint64_t us)
{
	uint64_t end = w->agenda.now_us + us;

	for (unsigned turns = 0; w->agenda.now_us < end; turns++) {
		assert(turns < 1000000); /* else it spins */
		if (!fake_world_step(w, end - w->agenda.now_us))
			return;
	}
}

/* ---- lines ---- */

static void
line_deadline(struct fake_line *l)
{
	uint64_t at = l->sess != NULL ? sess_deadline(l->sess) : UINT64_MAX;

	if (at == UINT64_MAX)
		agenda_clear(&l->w->agenda, &l->tick);
	else
		agenda_set(&l->w->agenda, &l->tick, at);
}

static void
line_drain(struct fake_line *l, struct sess *sess)
{
	struct sess_event ev;

	while (sess_next(sess, &ev)) {
		if (ev.kind == SESS_EV_REQ) {
			ev.req->done(ev.req);
			continue;
		}
		if (ev.kind == SESS_EV_CLOSE) {
			l->is_closing = true;
			l->why = ev.close.why;
		}
		login_run_event(l->run, &ev);
	}
}

static void
line_close(struct fake_line *l)
{
	struct sess *sess = l->sess;

	l->sess = NULL;
	agenda_clear(&l->w->agenda, &l->tick);
	if (sess != NULL && sess_state(sess) != SESS_LOGIN && l->is_welcome) {
		l->w->not_before_us = l->w->agenda.now_us + l->time2wait_s * 1000000ull;
		l->w->is_overridden = false;
	}
	fake_target_reset(l);
	if (sess == NULL)
		return;
	sess_disconnected(sess, l->w->agenda.now_us);
	line_drain(l, sess);
	login_run_closed(l->run, l->err, l->why);
}

static void
line_turn(struct agenda_work *work)
{
	struct fake_line *l = LIST_ENTRY(work, struct fake_line, flush);
	const struct iovec *iov;
	size_t n;

	if (l->sess == NULL)
		return;
	line_drain(l, l->sess);
	while (!l->is_closing &&
	       (n = conn_tx_peek(sess_conn(l->sess), &iov, l->w->agenda.now_us)) > 0) {
		size_t took = 0;

		for (size_t i = 0; i < n; i++) {
			fake_target_bytes(l, iov[i].iov_base, iov[i].iov_len);
			took += iov[i].iov_len;
		}
		conn_tx_done(sess_conn(l->sess), took);
		line_drain(l, l->sess);
	}
	if (l->is_closing)
		line_close(l);
	else
		line_deadline(l);
}

void
fake_line_kick(struct fake_line *l)
{
	agenda_defer(&l->w->agenda, &l->flush);
}

void
fake_line_deliver(struct fake_line *l, const uint8_t *bytes, size_t n)
{
	while (n > 0 && l->sess != NULL && !l->is_closing) {
		size_t used = n;
		enum conn_result res =
		    conn_rx(sess_conn(l->sess), bytes, n, l->w->agenda.now_us, &used);

		bytes += used;
		n -= used;
		line_drain(l, l->sess);
		if (res != CONN_OK)
			break;
	}
	fake_line_kick(l);
}

void
fake_line_end(struct fake_line *l, int err)
{
	if (l->sess == NULL || l->is_closing)
		return;
	l->is_closing = true;
	l->err = err;
	l->why = CONN_OK;
	fake_line_kick(l);
}

static void
line_tick(struct agenda_timer *t)
{
	struct fake_line *l = LIST_ENTRY(t, struct fake_line, tick);

	if (l->sess == NULL)
		return;
	sess_tick(l->sess, l->w->agenda.now_us);
	line_turn(&l->flush);
}

static struct fake_line *
line_of(struct world *world, struct login_run *r)
{
	struct fake_world *w = LIST_ENTRY(world, struct fake_world, world);
	struct fake_line *l = r->line;

	if (l != NULL)
		return l;
	l = calloc(1, sizeof *l);
	l->w = w;
	l->run = r;
	l->dialed.expired = fake_line_dialed;
	l->tick.expired = line_tick;
	agenda_work_init(&l->flush, line_turn);
	fake_target_init(l);
	list_push_back(&w->lines, &l->link);
	r->line = l;
	r->send = &l->flush;
	return l;
}

/* ---- the world ---- */

void
fake_line_dialed(struct agenda_timer *t)
{
	struct fake_line *l = LIST_ENTRY(t, struct fake_line, dialed);
	struct fault why = { 0 };
	struct sess *sess;
	int err;

	switch (l->w->dial) {
	case FAKE_CONNECTS:
		sess = login_run_connected(l->run, "192.0.2.9:49152", "192.0.2.1:3260");
		if (sess == NULL)
			return;
		l->sess = sess;
		l->is_closing = false;
		l->err = 0;
		l->why = CONN_OK;
		fake_target_reset(l);
		err = sess_connected(sess, l->w->agenda.now_us);
		assert(err == 0);
		fake_line_kick(l);
		break;
	case FAKE_REFUSES:
		fault_set(&why, FAULT_OFFLINE, "start it", "connection refused");
		login_run_unreachable(l->run, -ECONNREFUSED, false, &why);
		break;
	case FAKE_NO_NAME:
		fault_set(&why, FAULT_NOTFOUND, "", "no such name");
		login_run_unreachable(l->run, -EHOSTUNREACH, true, &why);
		break;
	case FAKE_NEVER_ANSWERS:
		break;
	}
}

static void
world_connect(struct world *world, struct login_run *r, const struct portal_address *to,
    const struct connect_from *from, uint32_t timeout_ms)
{
	struct fake_line *l = line_of(world, r);

	(void)from;
	(void)timeout_ms;
	assert(l->sess == NULL && !l->dialed.armed);
	l->w->connects++;
	if (l->w->agenda.now_us < l->w->not_before_us && !l->w->is_overridden)
		l->w->early++;
	l->w->connect_us = l->w->agenda.now_us;
	cut_copy(l->w->connect_host, sizeof l->w->connect_host, to->host);
	cut_copy(l->host, sizeof l->host, to->host);
	agenda_set(&l->w->agenda, &l->dialed, l->w->agenda.now_us + l->w->dial_us);
}

static void
world_disconnect(struct world *world, struct login_run *r, bool is_reset)
{
	struct fake_line *l = line_of(world, r);

	l->w->resets += is_reset;
	agenda_clear(&l->w->agenda, &l->dialed);
	fake_line_end(l, 0);
}

static void
world_verify(struct world *world, struct login_run *r, const struct verify_query *q)
{
	struct fake_world *w = LIST_ENTRY(world, struct fake_world, world);

	w->verifies++;
	w->asks = r;
	w->query = *q;
}

static void
world_verify_cancel(struct world *world, struct login_run *r)
{
	struct fake_world *w = LIST_ENTRY(world, struct fake_world, world);

	assert(w->asks == r);
	w->verify_cancels++;
	w->asks = NULL;
}

static void
world_forget(struct world *world, struct login_run *r)
{
	struct fake_line *l = r->line;

	(void)world;
	if (l == NULL)
		return;
	agenda_clear(&l->w->agenda, &l->dialed);
	agenda_clear(&l->w->agenda, &l->tick);
	agenda_cancel(&l->flush);
	fake_target_fini(l);
	list_remove(&l->link);
	free(l);
	r->line = NULL;
}

static bool
world_random(struct world *world, void *ret_bytes, size_t n)
{
	struct fake_world *w = LIST_ENTRY(world, struct fake_world, world);
	uint8_t *p = ret_bytes;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)fake_world_random(w, 256);
	return !w->has_no_random;
}

static void
world_say(struct world *world, enum say_level level, const char *sentence)
{
	struct fake_world *w = LIST_ENTRY(world, struct fake_world, world);

	w->says[level]++;
	if (w->hear != NULL)
		w->hear(w, level, sentence);
	if (getenv("FAKE_WORLD_SAYS") != NULL)
		printf("# %10.6f %s\n", (double)w->agenda.now_us / 1e6, sentence);
	if (level <= SAY_NOTE)
		cut_copy(w->said, sizeof w->said, sentence);
}

static const struct world_ops ops = {
	.connect = world_connect,
	.disconnect = world_disconnect,
	.verify = world_verify,
	.verify_cancel = world_verify_cancel,
	.forget = world_forget,
	.random = world_random,
	.say = world_say,
};

void
fake_world_init(struct fake_world *w, uint64_t seed)
{
	memset(w, 0, sizeof *w);
	agenda_init(&w->agenda, 1000000000);
	w->world.ops = &ops;
	w->world.agenda = &w->agenda;
	w->random = seed * 2 + 1;
	w->dial_us = 1000;
	w->answer_us = 200;
	w->tpgt = 1;
	w->time2retain = 20;
	w->window = 64;
	w->targets = "";
	list_init(&w->lines);
}

void
fake_world_fini(struct fake_world *w)
{
	assert(list_empty(&w->lines));
	assert(w->asks == NULL);
	assert(agenda_next_us(&w->agenda) == UINT64_MAX);
}

void
fake_world_drop(struct fake_world *w, int err)
{
	LIST_EACH(node, tmp, &w->lines)
	fake_line_end(LIST_ENTRY(node, struct fake_line, link), err);
}

void
fake_world_async(
    struct fake_world *w, uint8_t event, uint16_t p1, uint16_t p2, uint16_t p3, uint16_t asc)
{
	LIST_EACH(node, tmp, &w->lines)
	fake_target_async(
	    LIST_ENTRY(node, struct fake_line, link), event, (uint16_t[]){ p1, p2, p3 }, asc);
}

unsigned
fake_world_lines(const struct fake_world *w)
{
	unsigned n = 0;

	for (const struct list *node = w->lines.next; node != &w->lines; node = node->next)
		n += LIST_ENTRY((uintptr_t)node, struct fake_line, link)->sess != NULL;
	return n;
}

static size_t
fake_hash(void *ctx, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out)
{
	uint8_t sum = (uint8_t)algorithm;

	(void)ctx;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < parts[i].n; k++)
			sum = (uint8_t)(sum * 31 + ((const uint8_t *)parts[i].bytes)[k]);
	memset(out, sum, chap_algorithm_bytes(algorithm));
	return chap_algorithm_bytes(algorithm);
}

const struct chap_ops fake_chap_ops = { .hash = fake_hash };

struct settings *
fake_settings(void)
{
	struct settings *s = settings_new();

	cut_copy(s->initiator_name, sizeof s->initiator_name, "iqn.2026-11.org.openisw:me");
	return s;
}
