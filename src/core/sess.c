/*
 * The session proper: its life, its queues of requests, its events, its clock.
 *
 * Requests wait in `waiting`, get a task slot and a CmdSN when the connection
 * has room for their command PDU (conn_tx.c), lie in `active` until the
 * target's answer is complete, and leave through `done`.  Nothing of them
 * survives a connection.
 */
#include <stdlib.h>

#include "core/sess_impl.h"
#include "core/tap_impl.h"

static void
sess_defaults(struct sess_cfg *cfg)
{
	if (cfg->login_timeout_ms == 0)
		cfg->login_timeout_ms = 15000;
	if (cfg->request_timeout_ms == 0)
		cfg->request_timeout_ms = 30000;
	if (cfg->abort_timeout_ms == 0)
		cfg->abort_timeout_ms = 15000;
	if (cfg->reset_timeout_ms == 0)
		cfg->reset_timeout_ms = 30000;
	if (cfg->nop_timeout_ms == 0)
		cfg->nop_timeout_ms = 15000;
	if (cfg->logout_timeout_ms == 0)
		cfg->logout_timeout_ms = cfg->login_timeout_ms;
}

struct sess *
sess_new(const struct sess_cfg *cfg)
{
	size_t chunks = (cfg->slots + TASK_CHUNK - 1u) / TASK_CHUNK;
	struct sess *s = calloc(1, sizeof *s + chunks * sizeof s->chunk[0]);

	assert(cfg->slots >= 1 && cfg->slots <= LIMIT_TASKS);
	if (s == NULL)
		return NULL;
	s->cfg = *cfg;
	sess_defaults(&s->cfg);
	list_init(&s->free);
	list_init(&s->active);
	list_init(&s->lingering);
	list_init(&s->waiting);
	list_init(&s->done);
	s->n_free = cfg->slots;
	s->tpgt = -1;
	s->check_us = UINT64_MAX;
	if (!task_more(s)) {
		free(s);
		return NULL;
	}
	return s;
}

void
sess_free(struct sess *s)
{
	if (s == NULL)
		return;
	assert(s->requests == 0);
	conn_free(s->conn);
	for (uint32_t i = 0; i < s->made; i += TASK_CHUNK)
		free(s->chunk[i / TASK_CHUNK]);
	free(s);
}

void
sess_configure(struct sess *s, const struct sess_cfg *cfg)
{
	uint16_t slots = s->cfg.slots;

	s->cfg = *cfg;
	s->cfg.slots = slots;
	sess_defaults(&s->cfg);
}

static enum sess_state
state_of(enum conn_state state)
{
	switch (state) {
	case CONN_S_FREE:
	case CONN_S_IN_LOGIN:
		return SESS_LOGIN;
	case CONN_S_LOGGED_IN:
		return SESS_ONLINE;
	case CONN_S_IN_LOGOUT:
	case CONN_S_CLEANUP:
	case CONN_STATE_COUNT:
		break;
	}
	return SESS_LOGOUT;
}

enum sess_state
sess_state(const struct sess *s)
{
	return s->conn != NULL ? state_of(s->conn->state) : SESS_OFFLINE;
}

enum sess_state
sess_ended_in(const struct sess *s)
{
	return s->ended_in;
}

const struct neg_params *
sess_params(const struct sess *s)
{
	return &s->params;
}

uint16_t
sess_tsih(const struct sess *s)
{
	return s->tsih;
}

int32_t
sess_tpgt(const struct sess *s)
{
	return s->tpgt;
}

const char *
sess_target_alias(const struct sess *s)
{
	return s->target_alias;
}

uint16_t
sess_time2wait(const struct sess *s)
{
	return s->time2wait_s;
}

uint16_t
sess_time2retain(const struct sess *s)
{
	return s->time2retain_s;
}

struct conn *
sess_conn(struct sess *s)
{
	return s->conn;
}

uint32_t
sess_requests(const struct sess *s)
{
	return s->requests;
}

void
sess_counts(const struct sess *s, struct conn_counts *ret_counts)
{
	*ret_counts = s->past;
	if (s->conn == NULL)
		return;
#define CONN_STAT(id, text) ret_counts->id += s->conn->counts.id;
#include "core/conn_stats.def"
}

const struct trace *
sess_trace(const struct sess *s)
{
	return &s->trace;
}

void
sess_tap(struct sess *s, struct tap *t)
{
	t->next = s->taps;
	t->is_within = s->conn != NULL && s->conn->phase != RX_HEADER;
	s->taps = t;
}

void
sess_untap(struct sess *s, const struct tap *t)
{
	for (struct tap **at = &s->taps; *at != NULL; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			return;
		}
}

int
sess_connected(struct sess *s, uint64_t now)
{
	assert(s->conn == NULL);
	s->now_us = now;
	s->trace.connection++;
	s->time2wait_s = s->time2retain_s = 0;
	return conn_new(s, now, &s->conn);
}

void
sess_disconnected(struct sess *s, uint64_t now)
{
	struct conn *c = s->conn;
	struct conn_counts sum;

	if (c == NULL)
		return;
	s->now_us = now;
	s->ended_in = state_of(c->state == CONN_S_CLEANUP ? c->broken_in : c->state);
	if (s->taps != NULL && c->state != CONN_S_CLEANUP)
		tap_broken(c);
	exchange_lost(c);
	conn_fire(c, CONN_E_CLOSED);
	task_lose_all(s);
	sess_counts(s, &sum);
	s->past = sum;
	s->conn = NULL;
	s->check_us = UINT64_MAX;
	conn_free(c);
}

void
sess_verified(struct sess *s, enum chap_verdict verdict, uint64_t now)
{
	enum conn_result res;

	s->now_us = now;
	if (s->conn == NULL || s->conn->state != CONN_S_IN_LOGIN)
		return;
	res = ctl_login_verified(s->conn, verdict);
	if (res != CONN_OK)
		(void)conn_break(s->conn, res); /* the result is for receivers */
}

void
sess_submit(struct sess *s, struct req *r, uint64_t now)
{
	assert(r->dir == REQ_NONE || r->data != NULL || r->data_len == 0);
	s->now_us = now;
	r->submit_us = now;
	r->sent_us = 0;
	s->requests++;
	if (s->conn == NULL || s->conn->state != CONN_S_LOGGED_IN) {
		task_give_back(s, r, REQ_UNSENT);
		return;
	}
	r->slot = SLOT_WAITING;
	list_push_back(&s->waiting, &r->link);
	if (s->n_free == 0)
		s->conn->counts.ios_delayed++;
}

bool
sess_withdraw(struct sess *s, struct req *r, uint64_t now)
{
	if (r->slot != SLOT_WAITING)
		return false;
	s->now_us = now;
	list_remove(&r->link);
	task_give_back(s, r, REQ_UNSENT);
	return true;
}

uint32_t
sess_window(const struct sess *s)
{
	uint32_t room;

	if (sess_state(s) != SESS_ONLINE || s->conn->logout.x.state != EXCHANGE_IDLE)
		return 0;
	room = seq_lt(s->max_cmd_sn, s->cmd_sn) ? 0 : s->max_cmd_sn - s->cmd_sn + 1;
	return s->cfg.slots - s->n_free - s->n_lingering + (room < s->n_free ? room : s->n_free);
}

bool
sess_can_ask(struct sess *s)
{
	struct conn_counts *counts = s->conn != NULL ? &s->conn->counts : &s->past;

	if (sess_state(s) == SESS_ONLINE)
		return true;
	counts->requests_offline++;
	return false;
}

uint32_t
sess_control_itt(struct sess *s)
{
	/* No task slot has this number, so a control tag never looks like a task's. */
	return s->next_control_itt++ << 16 | 0xfffe;
}

void
sess_post(struct sess *s, const struct sess_event *ev)
{
	assert(s->events < SESS_EVENTS);
	s->event[(s->event_first + s->events) % SESS_EVENTS] = *ev;
	s->events++;
}

bool
sess_has_next(const struct sess *s)
{
	return !list_empty(&s->done) || s->events > 0;
}

bool
sess_next(struct sess *s, struct sess_event *ret_ev)
{
	struct list *node = list_pop(&s->done);

	if (node != NULL) {
		s->requests--;
		ret_ev->kind = SESS_EV_REQ;
		ret_ev->req = LIST_ENTRY(node, struct req, link);
		return true;
	}
	if (s->events == 0)
		return false;
	*ret_ev = s->event[s->event_first];
	s->event_first = (s->event_first + 1) % SESS_EVENTS;
	s->events--;
	return true;
}

uint64_t
sess_deadline(const struct sess *s)
{
	uint64_t at;

	if (s->conn == NULL)
		return UINT64_MAX;
	at = conn_deadline(s->conn);
	return s->check_us < at ? s->check_us : at;
}

void
sess_tick(struct sess *s, uint64_t now)
{
	s->now_us = now;
	if (s->conn == NULL)
		return;
	if (now >= s->check_us)
		task_check_deadlines(s, now);
	conn_tick(s->conn, now);
}
