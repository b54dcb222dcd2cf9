/* The life of a connection: its states, its clock, how it ends. */
#include <errno.h>
#include <stdlib.h>

#include "core/sess_impl.h"
#include "core/tap_impl.h"

static const struct conn_row {
	bool legal;
	enum conn_state to;
	const char *rfc;
} conn_fsm[CONN_STATE_COUNT][CONN_EVENT_COUNT] = {
#define ROW(from, ev, to_, tr) [CONN_S_##from][CONN_E_##ev] = { true, CONN_S_##to_, tr },
#include "core/conn_fsm.def"
};

static const char *const result_text[] = {
#define CONN_RESULT(id, text) [CONN_##id] = text,
#include "core/conn_result.def"
};

const char *
conn_result_text(enum conn_result r)
{
	return result_text[r];
}

int
conn_new(struct sess *s, uint64_t now, struct conn **ret_conn)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL)
		return -ENOMEM;
	c->sess = s;
	c->starved_until_us = UINT64_MAX;
	c->control = malloc(LIMIT_CONTROL_BYTES);
	c->control_room = LIMIT_CONTROL_BYTES;
	c->login.machine = login_new(&s->cfg.login);
	if (c->control == NULL || c->login.machine == NULL) {
		int err = c->login.machine == NULL ? -ENOMEM : -ENOBUFS;

		conn_free(c);
		return err;
	}
	c->state = CONN_S_FREE;
	list_init(&c->senders);
	c->last_rx_us = now;
	conn_fire(c, CONN_E_CONNECTED);
	ctl_out_login(c);
	*ret_conn = c;
	return 0;
}

void
conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	login_free(c->login.machine);
	room_put(c->sess->cfg.spare, c->tx);
	if (c->control != c->control_small)
		free(c->control);
	free(c->ping.data);
	free(c);
}

void
conn_fire(struct conn *c, enum conn_event ev)
{
	const struct conn_row *row = &conn_fsm[c->state][ev];

	assert(row->legal);
	c->state = row->to;
}

bool
conn_result_is_violation(enum conn_result why)
{
	switch (why) {
	case CONN_BAD_OPCODE:
	case CONN_BAD_HEADER:
	case CONN_BAD_STAGE:
	case CONN_TOO_LONG:
	case CONN_ENDLESS_TEXT:
	case CONN_BAD_ITT:
	case CONN_EARLY_ANSWER:
	case CONN_BAD_DATA_IN:
	case CONN_BAD_R2T:
		return true;
	case CONN_OK:
	case CONN_HEADER_DIGEST:
	case CONN_DATA_DIGEST:
	case CONN_STATSN_HOLE:
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
	return false;
}

enum conn_result
conn_break(struct conn *c, enum conn_result why)
{
	if (c->state == CONN_S_CLEANUP)
		return why;
	if (c->sess->taps != NULL)
		tap_broken(c);
	c->result = why;
	c->broken_in = c->state;
	if (c->state == CONN_S_IN_LOGIN)
		c->counts.login_failures++;
	if (conn_result_is_violation(why))
		c->counts.protocol_errors++;
	conn_fire(c, CONN_E_BROKEN);
	sess_post(c->sess, &(struct sess_event){ .kind = SESS_EV_CLOSE,
			       .close = {
				   .why = why,
				   .digest_expected = c->digest_expected,
				   .digest_received = c->digest_received,
			       } });
	return why;
}

static uint64_t
idle_ping_at(const struct conn *c)
{
	return c->last_rx_us + c->sess->cfg.nop_interval_ms * 1000ull;
}

static bool
idle_ping_wanted(const struct conn *c)
{
	return c->state == CONN_S_LOGGED_IN && c->sess->cfg.nop_interval_ms != 0 &&
	       c->ping.x.state == EXCHANGE_IDLE && c->logout.x.state == EXCHANGE_IDLE;
}

uint64_t
conn_deadline(const struct conn *c)
{
	uint64_t at;

	if (c->state == CONN_S_CLEANUP)
		return UINT64_MAX;
	at = exchange_deadline(c);
	if (c->starved_until_us < at)
		at = c->starved_until_us;
	if (c->flow == FLOW_NO_WINDOW && c->window_deadline_us < at)
		at = c->window_deadline_us;
	if (idle_ping_wanted(c) && idle_ping_at(c) < at)
		at = idle_ping_at(c);
	return at;
}

void
conn_tick(struct conn *c, uint64_t now)
{
	if (c->state == CONN_S_CLEANUP)
		return;
	exchange_tick(c, now);
	if (c->state == CONN_S_CLEANUP)
		return;
	if (c->flow == FLOW_NO_WINDOW && now >= c->window_deadline_us) {
		c->counts.io_timeouts++;
		(void)conn_break(c, CONN_REQUEST_TIMEOUT); /* the result is for receivers */
	}
	if (idle_ping_wanted(c) && now >= idle_ping_at(c))
		exchange_ping(c, 0, true, NULL, now);
}
