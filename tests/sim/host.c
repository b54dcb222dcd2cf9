#include "host.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/sess_impl.h"
#include "ini/session_impl.h"
#include "main.h"
#include "net.h"
#include "target.h"
#include "tchap.h"
#include "visits.h"

static struct owner *
owner_of(struct world *world)
{
	return LIST_ENTRY(world, struct owner, world);
}

/* Discoveries go the way of the session to the same target. */
static struct weather *
weather_of(const struct owner *o)
{
	return &o->w->owners[o->i].weather;
}

/* ---- a connection that is there: as engine/link.c ---- */

static void
set_deadline(struct owner *o)
{
	struct line *l = &o->line;
	uint64_t at = l->sess != NULL ? sess_deadline(l->sess) : UINT64_MAX;

	if (at == UINT64_MAX)
		agenda_clear(&o->w->agenda, &l->tick);
	else if (!l->tick.armed || l->tick.at_us != at)
		agenda_set(&o->w->agenda, &l->tick, at < sim_now(o->w) ? sim_now(o->w) : at);
}

static void
note_close(struct owner *o, const struct sess_event *ev)
{
	o->line.is_closing = true;
	o->line.why = ev->close.why;
	visits_close(ev->close.why, o->line.sess->conn);
	TRACE(o->w, "host %u: close: %s", o->i, TRACE_TEXT(conn_result_text(ev->close.why)));
}

static void
drain(struct owner *o, struct sess *sess)
{
	struct sess_event ev;

	while (sess_next(sess, &ev)) {
		if (ev.kind == SESS_EV_REQ) {
			visits_end(ev.req);
			ev.req->done(ev.req);
			continue;
		}
		if (ev.kind == SESS_EV_CLOSE)
			note_close(o, &ev);
		if (ev.kind == SESS_EV_LOGIN_FAILED)
			visits_violation(ev.login.violation);
		login_run_event(o->line.run, &ev);
	}
}

static void
shut(struct owner *o)
{
	struct line *l = &o->line;
	struct sess *sess = l->sess;
	struct net *c = l->net;

	l->sess = NULL;
	l->net = NULL;
	agenda_clear(&o->w->agenda, &l->tick);
	if (c != NULL)
		net_close_host(c, l->is_reset);
	if (sess == NULL)
		return;
	if (sess_state(sess) == SESS_ONLINE || sess_state(sess) == SESS_LOGOUT)
		o->losses++;
	sess_disconnected(sess, sim_now(o->w));
	drain(o, sess);
	login_run_closed(l->run, l->err, l->why);
}

static bool
has_digests(const struct sess *s)
{
	return s->conn->header_digest && s->conn->data_digest && s->conn->state != CONN_S_IN_LOGIN;
}

static void
send_all(struct owner *o)
{
	struct line *l = &o->line;
	const struct iovec *iov;
	size_t n;

	while (!l->is_closing && l->net != NULL && net_room(&l->net->up) > 0 &&
	       (n = conn_tx_peek(sess_conn(l->sess), &iov, sim_now(o->w))) > 0) {
		bool may_spoil = has_digests(l->sess);
		uint32_t room = net_room(&l->net->up), took = 0;
		static uint8_t batch[1u << 16];

		for (size_t i = 0; i < n && took < room && took < sizeof batch; i++) {
			uint32_t some = (uint32_t)iov[i].iov_len;

			some = some < room - took ? some : room - took;
			some = some < sizeof batch - took ? some : (uint32_t)sizeof batch - took;
			memcpy(batch + took, iov[i].iov_base, some);
			took += some;
		}
		net_send(&l->net->up, batch, took, may_spoil);
		conn_tx_done(sess_conn(l->sess), took);
		drain(o, l->sess);
	}
}

static void
turn(struct agenda_work *work)
{
	struct owner *o = LIST_ENTRY(work, struct owner, line.flush);
	struct line *l = &o->line;

	if (l->sess == NULL)
		return;
	drain(o, l->sess);
	send_all(o);
	if (l->is_closing)
		shut(o);
	else
		set_deadline(o);
}

void
host_kick(struct owner *o)
{
	if (o->line.sess != NULL)
		agenda_defer(&o->w->agenda, &o->line.flush);
}

/* Large payloads go straight to their place, as they do from a socket. */
static uint32_t
take_some(struct owner *o, const uint8_t *bytes, uint32_t n, enum conn_result *ret_res)
{
	struct conn *c = sess_conn(o->line.sess);
	uint8_t *to;
	size_t used = conn_rx_want(c, &to);

	if (used > 0) {
		used = used < n ? used : n;
		memcpy(to, bytes, used);
		*ret_res = conn_rx_direct(c, used, sim_now(o->w));
	} else {
		*ret_res = conn_rx(c, bytes, n, sim_now(o->w), &used);
	}
	return (uint32_t)used;
}

uint32_t
host_bytes(struct owner *o, const uint8_t *bytes, uint32_t n)
{
	struct line *l = &o->line;
	uint32_t at = 0;

	while (at < n && l->sess != NULL && !l->is_closing) {
		enum conn_result res;
		uint32_t used = take_some(o, bytes + at, n - at, &res);

		at += used;
		drain(o, l->sess);
		if (res != CONN_OK)
			break;
		if (used == 0 && conn_rx_is_paused(sess_conn(l->sess))) {
			host_kick(o);
			return at;
		}
	}
	host_kick(o);
	return n;
}

void
host_ended(struct owner *o, bool is_reset)
{
	struct line *l = &o->line;

	TRACE(o->w, "host %u: the connection %s", o->i,
	    TRACE_TEXT(is_reset ? "was reset" : "was closed"));
	if (l->sess == NULL || l->is_closing)
		return;
	l->is_closing = true;
	l->err = is_reset ? -ECONNRESET : 0;
	l->why = CONN_OK;
	agenda_defer(&o->w->agenda, &l->flush);
}

static void
tick(struct agenda_timer *t)
{
	struct owner *o = LIST_ENTRY(t, struct owner, line.tick);

	if (o->line.sess == NULL)
		return;
	sess_tick(o->line.sess, sim_now(o->w));
	turn(&o->line.flush);
}

/* ---- dialling ---- */

static void
unreachable(struct owner *o, int err, const char *text)
{
	struct fault why = { 0 };

	fault_set(&why, FAULT_OFFLINE, "start it", "%s", text);
	login_run_unreachable(o->line.run, err, false, &why);
}

static void
dialled(struct agenda_timer *t)
{
	struct owner *o = LIST_ENTRY(t, struct owner, line.dial);
	struct line *l = &o->line;
	uint64_t now = sim_now(o->w);

	if (weather_of(o)->black_until_us > now || l->portal < 0 ||
	    weather_of(o)->up_frozen_us > now || weather_of(o)->down_frozen_us > now) {
		unreachable(o, -ETIMEDOUT, "nobody answers");
		return;
	}
	if (weather_of(o)->refuse_until_us > now || o->t->down_until_us > now) {
		unreachable(o, -ECONNREFUSED, "connection refused");
		return;
	}
	l->sess = login_run_connected(l->run, "192.0.2.9:49152", "192.0.2.1:3260");
	if (l->sess == NULL)
		return;
	l->is_closing = l->is_reset = false;
	l->err = 0;
	l->why = CONN_OK;
	l->net = net_open(o->w, o, NULL);
	l->net->t = tconn_new(o->t, l->net, (unsigned)l->portal);
	TRACE(o->w, "host %u: connected to portal %u", o->i, l->portal);
	if (sess_connected(l->sess, now) != 0)
		sim_fail(o->w, "simulator", "no memory");
	visits_connected();
	agenda_defer(&o->w->agenda, &l->flush);
}

/* ---- the world ---- */

static void
world_connect(struct world *world, struct login_run *r, const struct portal_address *to,
    const struct connect_from *from, uint32_t timeout_ms)
{
	struct owner *o = owner_of(world);
	struct line *l = &o->line;
	uint64_t us = weather_of(o)->latency_us * 2 + 50;
	unsigned t, p;

	(void)from;
	if (l->sess != NULL || l->dial.armed)
		sim_fail(o->w, "initiator", "session %u dials while it is connected", o->i);
	l->run = r;
	r->line = l;
	r->send = &l->flush;
	l->portal = -1;
	/* A try that is sent on goes by the settings that it began with. */
	if (o->s != NULL && o->s->tried_us == sim_now(o->w))
		o->dialled_name = o->renames;
	if (sscanf(to->host, "10.0.%u.%u", &t, &p) == 2 && t == o->i && p < 2)
		l->portal = (int)p;
	TRACE(o->w, "host %u: dials portal %d", o->i, (int64_t)l->portal);
	if (o->must_dial >= 0 && l->portal != o->must_dial)
		sim_fail(o->w, "remembered", "session %u begins at portal %d instead of %d", o->i,
		    l->portal, o->must_dial);
	o->must_dial = -1;
	if (weather_of(o)->black_until_us > sim_now(o->w) || l->portal < 0)
		us = timeout_ms * 1000ull;
	agenda_set(&o->w->agenda, &l->dial, sim_now(o->w) + us);
}

static void
world_disconnect(struct world *world, struct login_run *r, bool is_reset)
{
	struct owner *o = owner_of(world);
	struct line *l = &o->line;

	(void)r;
	agenda_clear(&o->w->agenda, &l->dial);
	if (l->sess == NULL || l->is_closing)
		return;
	l->is_closing = true;
	l->is_reset = is_reset;
	l->err = 0;
	l->why = CONN_OK;
	agenda_defer(&o->w->agenda, &l->flush);
}

/* RADIUS knows the target's secret, answers late, and sometimes not at all. */
static void
judged(struct agenda_timer *t)
{
	struct owner *o = LIST_ENTRY(t, struct owner, line.verdict);
	const struct verify_query *q = &o->line.query;
	bool is_right = tchap_is_right(o->i, CHAP_MD5, q->identifier, q->challenge,
	    q->challenge_len, q->response, q->response_len);
	struct fault why = { 0 };

	if (!o->w->is_healed && rng_chance(&o->rng, 300))
		fault_set(&why, FAULT_TIMEOUT, "start it", "nobody knows");
	/* Whoever it is, it has not proved it. */
	if ((why.is_set || !is_right) && o->line.net != NULL && o->line.net->t != NULL)
		o->line.net->t->is_impostor = true;
	login_run_verified(o->line.run, q->stamp, is_right && !why.is_set, why.is_set, &why);
}

static void
world_verify(struct world *world, struct login_run *r, const struct verify_query *q)
{
	struct owner *o = owner_of(world);

	(void)r;
	o->line.query = *q;
	visits_auth(VISITS_AUTH_ASKED);
	agenda_set(&o->w->agenda, &o->line.verdict,
	    sim_now(o->w) + rng_span(&o->rng, 100, o->w->is_healed ? 1000 : 3 * SECOND));
}

static void
world_verify_cancel(struct world *world, struct login_run *r)
{
	struct owner *o = owner_of(world);

	(void)r;
	agenda_clear(&o->w->agenda, &o->line.verdict);
}

static void
world_forget(struct world *world, struct login_run *r)
{
	host_fini(owner_of(world));
	r->line = NULL;
}

static bool
world_random(struct world *world, void *ret_bytes, size_t n)
{
	struct owner *o = owner_of(world);
	uint8_t *p = ret_bytes;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(&o->rng);
	return true;
}

static void
world_say(struct world *world, enum say_level level, const char *sentence)
{
	struct owner *o = owner_of(world);

	if (level == SAY_ERR && (strstr(sentence, "a fault of this program") != NULL ||
				    strstr(sentence, "this is a fault") != NULL))
		sim_fail(o->w, "machine", "%s", sentence);
	sim_say(o->w, sentence);
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
host_init(struct owner *o)
{
	o->world.ops = &ops;
	o->world.agenda = &o->w->agenda;
	o->world.spare = o->w->spare;
	o->line.dial.expired = dialled;
	o->line.tick.expired = tick;
	o->line.verdict.expired = judged;
	agenda_work_init(&o->line.flush, turn);
}

void
host_vanish(struct owner *o, bool is_silent)
{
	struct line *l = &o->line;

	host_fini(o);
	if (l->net != NULL && is_silent) {
		net_lose(&l->net->up);
		net_lose(&l->net->down);
	}
	if (l->net != NULL)
		net_close_host(l->net, rng_chance(&o->rng, 500));
	l->net = NULL;
	l->sess = NULL;
	l->run = NULL;
	l->is_closing = false;
}

void
host_fini(struct owner *o)
{
	agenda_clear(&o->w->agenda, &o->line.dial);
	agenda_clear(&o->w->agenda, &o->line.tick);
	agenda_clear(&o->w->agenda, &o->line.verdict);
	agenda_cancel(&o->line.flush);
}
