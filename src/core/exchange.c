/*
 * The control exchanges of a session: how each begins, what an answer must
 * look like, what becomes of one that is late or whose connection is gone.
 * Their PDUs are made in ctl_out.c and read in ctl_in.c and tmf.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/sess_impl.h"

#define EXCHANGES 5
#define EXCHANGES_OF(c)                                                                            \
	{                                                                                          \
		&(c)->login.x, &(c)->logout.x, &(c)->ping.x, &(c)->sess->text.x, &(c)->sess->tmf.x \
	}

void
exchange_move(struct exchange *x, enum exchange_state to)
{
	static const bool legal[4][4] = {
		[EXCHANGE_IDLE] = { [EXCHANGE_QUEUED] = true },
		[EXCHANGE_QUEUED] = { [EXCHANGE_SENT] = true, [EXCHANGE_IDLE] = true },
		/* A login and a long text go on with the next request. */
		[EXCHANGE_SENT] = { [EXCHANGE_IDLE] = true,
		    [EXCHANGE_QUEUED] = true,
		    [EXCHANGE_HELD] = true },
		[EXCHANGE_HELD] = { [EXCHANGE_QUEUED] = true, [EXCHANGE_IDLE] = true },
	};

	assert(legal[x->state][to]);
	x->state = to;
}

void
exchange_queue(struct exchange *x, uint64_t deadline_us, void *user)
{
	exchange_move(x, EXCHANGE_QUEUED);
	x->deadline_us = deadline_us;
	x->ending = (struct sess_ending){ .how = SESS_END_LOST };
	x->user = user;
}

void
exchange_sent(const struct conn *c, struct exchange *x)
{
	exchange_move(x, EXCHANGE_SENT);
	x->tx_end = c->tx_queued;
}

enum conn_result
exchange_answered(const struct conn *c, const struct exchange *x, uint32_t itt)
{
	if (x->state != EXCHANGE_SENT || itt != x->itt)
		return CONN_BAD_ITT;
	/*
	 * The bytes that are still queued lie in the exchange's memory, which its
	 * end would free or write anew; and nobody can answer what he has not read.
	 */
	return c->tx_sent < x->tx_end ? CONN_EARLY_ANSWER : CONN_OK;
}

static inline uint64_t
sooner(const struct exchange *x, uint64_t at)
{
	return x->state != EXCHANGE_IDLE && x->deadline_us < at ? x->deadline_us : at;
}

/* Asked for every turn, and nearly always all are idle: no array, no loop. */
uint64_t
exchange_deadline(const struct conn *c)
{
	uint64_t at = sooner(&c->login.x, UINT64_MAX);

	at = sooner(&c->logout.x, at);
	at = sooner(&c->ping.x, at);
	at = sooner(&c->sess->text.x, at);
	return sooner(&c->sess->tmf.x, at);
}

/* No answer came in time, and that ends the connection. */
static void
time_out(struct conn *c, struct exchange *x, enum conn_result why)
{
	c->counts.exchange_timeouts++;
	x->ending.how = SESS_END_TIMEOUT;
	(void)conn_break(c, why); /* the result is for receivers */
}

static void
login_late(struct conn *c, uint64_t now)
{
	(void)now;
	c->counts.login_timeouts++;
	sess_post(c->sess, &(struct sess_event){ .kind = SESS_EV_LOGIN_FAILED,
			       .login = { .step = LOGIN_VIOLATION,
				   .reason = conn_result_text(CONN_LOGIN_TIMEOUT),
				   .culprit = "",
				   .proposed = "" } });
	time_out(c, &c->login.x, CONN_LOGIN_TIMEOUT);
}

static void
logout_late(struct conn *c, uint64_t now)
{
	(void)now;
	time_out(c, &c->logout.x, CONN_LOGOUT_TIMEOUT);
}

static void
ping_late(struct conn *c, uint64_t now)
{
	uint64_t alive_us = c->last_rx_us + c->sess->cfg.nop_timeout_ms * 1000ull;

	/* Data that keeps coming in proves the target alive, whatever became of the ping. */
	if (c->ping.is_ours && alive_us > now)
		c->ping.x.deadline_us = alive_us;
	else
		time_out(c, &c->ping.x, CONN_PING_TIMEOUT);
}

static void
text_late(struct conn *c, uint64_t now)
{
	(void)now;
	time_out(c, &c->sess->text.x, CONN_TEXT_TIMEOUT);
}

void
exchange_tick(struct conn *c, uint64_t now)
{
	static void (*const late[EXCHANGES])(
	    struct conn *, uint64_t) = { login_late, logout_late, ping_late, text_late, tmf_late };
	struct exchange *const x[EXCHANGES] = EXCHANGES_OF(c);

	for (size_t i = 0; i < EXCHANGES && c->state != CONN_S_CLEANUP; i++)
		if (x[i]->state != EXCHANGE_IDLE && now >= x[i]->deadline_us)
			late[i](c, now);
}

static void
login_lost(struct conn *c)
{
	/* Where the connection was broken in the login, that counted. */
	if (c->state != CONN_S_IN_LOGIN)
		return;
	c->counts.login_timeouts++;
	c->counts.login_failures++;
}

static void
logout_lost(struct conn *c)
{
	const struct exchange *x = &c->logout.x;

	if (x->ending.how == SESS_END_TIMEOUT ||
	    (x->state == EXCHANGE_SENT && x->ending.how != SESS_END_REJECTED))
		c->counts.logout_timeouts++;
}

static void
ping_lost(struct conn *c)
{
	if (!c->ping.is_ours)
		sess_post(c->sess, &(struct sess_event){ .kind = SESS_EV_PING,
				       .ping = { .bytes = c->ping.len,
					   .ending = c->ping.x.ending,
					   .user = c->ping.x.user } });
}

static void
text_lost(struct conn *c)
{
	sess_post(c->sess, &(struct sess_event){ .kind = SESS_EV_TEXT_DONE,
			       .text = { .ending = c->sess->text.x.ending } });
}

void
exchange_lost(struct conn *c)
{
	static void (*const lost[EXCHANGES])(
	    struct conn *) = { login_lost, logout_lost, ping_lost, text_lost, NULL };
	struct exchange *const x[EXCHANGES] = EXCHANGES_OF(c);

	for (size_t i = 0; i < EXCHANGES; i++) {
		if (x[i]->state == EXCHANGE_IDLE)
			continue;
		if (x[i]->state == EXCHANGE_SENT && x[i] != &c->login.x)
			c->counts.exchanges_aborted++;
		x[i]->ending.why = c->result;
		if (x[i]->ending.how == SESS_END_LOST && conn_result_is_violation(c->result))
			x[i]->ending.how = SESS_END_VIOLATION;
		if (lost[i] != NULL) /* a function for a late command: the command is lost itself */
			lost[i](c);
		exchange_move(x[i], EXCHANGE_IDLE);
	}
}

void
exchange_ping(struct conn *c, uint32_t len, bool is_ours, void *user, uint64_t now)
{
	/* Without memory for them a ping has no bytes. */
	free(c->ping.data);
	c->ping.data = len > 0 ? malloc(len) : NULL;
	if (c->ping.data == NULL)
		len = 0;
	/* The pattern differs from byte to byte so that a shifted echo is seen. */
	for (uint32_t i = 0; i < len; i++)
		c->ping.data[i] = (uint8_t)(i * 7 + (i >> 8) + now);
	c->ping.len = len;
	c->ping.is_ours = is_ours;
	exchange_queue(&c->ping.x, now + c->sess->cfg.nop_timeout_ms * 1000ull, user);
}

uint32_t
sess_ping_bytes_max(const struct sess *s)
{
	uint32_t target = s->params.peer_max_recv_dsl;

	/* RFC 7143, section 13.12: of any PDU in full feature phase. */
	return sess_state(s) == SESS_ONLINE && target < LIMIT_PING_BYTES ? target
									 : LIMIT_PING_BYTES;
}

int
sess_ping(struct sess *s, uint32_t len, void *user, uint64_t now)
{
	if (len > sess_ping_bytes_max(s))
		return -EINVAL;
	if (!sess_can_ask(s))
		return -ENOTCONN;
	if (s->conn->ping.x.state != EXCHANGE_IDLE)
		return -EBUSY;
	exchange_ping(s->conn, len, false, user, now);
	return 0;
}

int
sess_send_targets(struct sess *s, const char *what, uint64_t now)
{
	size_t n = strlen(what);

	if (n > LIMIT_ISCSI_NAME_BYTES)
		return -EINVAL;
	if (!sess_can_ask(s))
		return -ENOTCONN;
	if (s->text.x.state != EXCHANGE_IDLE)
		return -EBUSY;
	memcpy(s->text.what, what, n + 1);
	s->text.total = s->text.parts = 0;
	s->text.ttt = PDU_NO_TAG;
	memset(s->text.lun, 0, sizeof s->text.lun);
	s->text.x.itt = sess_control_itt(s);
	exchange_queue(&s->text.x, now + s->cfg.login_timeout_ms * 1000ull, NULL);
	return 0;
}

void
exchange_logout(struct conn *c, enum conn_result why)
{
	const struct sess *s = c->sess;

	c->logout.why = why;
	exchange_queue(&c->logout.x, s->now_us + s->cfg.logout_timeout_ms * 1000ull, NULL);
}

int
sess_logout(struct sess *s, uint64_t now)
{
	s->now_us = now;
	if (!sess_can_ask(s))
		return -ENOTCONN;
	if (s->conn->logout.x.state == EXCHANGE_IDLE)
		exchange_logout(s->conn, CONN_OK);
	return 0;
}
