/* The user of the session: what he asks for, and what he is told. */
#include <stdlib.h>
#include <string.h>

#include "target.h"

/* ---- what he is told ---- */

static struct target_request *
find(struct target *t, const struct req *r)
{
	for (unsigned i = 0; i < TARGET_REQUESTS; i++)
		if (t->request[i].req == r)
			return &t->request[i];
	return NULL;
}

static void
check_result(const struct target_request *q, const struct req *r)
{
	FUZZ_CHECK(r->result <= REQ_VIOLATION);
	FUZZ_CHECK(r->sense_len <= LIMIT_SENSE_BYTES);
	FUZZ_CHECK(r->result != REQ_UNSENT || !q->is_seen);
	FUZZ_CHECK(q->is_seen || r->result == REQ_UNSENT || r->result == REQ_LOST ||
		   r->result == REQ_ABORTED);
	if (r->result != REQ_DONE)
		return;
	FUZZ_CHECK(r->data_got <= r->data_len && r->response == 0);
	if (r->status != 0)
		return;
	FUZZ_CHECK(!r->overflow || !r->underflow);
	if (r->dir != REQ_NONE)
		FUZZ_CHECK(r->data_got == r->data_len - (r->underflow ? r->residual : 0));
	if (r->dir == REQ_READ)
		FUZZ_CHECK(q->next_offset >= r->data_got);
}

static void
handed_back(struct target *t, struct req *r)
{
	struct target_request *q = find(t, r);

	FUZZ_CHECK(q != NULL); /* once, and nobody else's */
	FUZZ_CHECK(r->done_us >= r->submit_us && r->done_us <= t->now);
	check_result(q, r);
	if (r->dir == REQ_WRITE)
		FUZZ_CHECK(target_is_pattern(0, r->data, r->data_len));
	free(r->data);
	free(r);
	*q = (struct target_request){ .req = NULL };
}

static void
check_ending(const struct sess_ending *e)
{
	FUZZ_CHECK(e->how <= SESS_END_VIOLATION);
	FUZZ_CHECK(conn_result_text(e->why)[0] != '\0');
}

static void
told_login_failed(const struct target *t, const struct sess_event *ev)
{
	FUZZ_CHECK(!t->is_online && ev->login.reason != NULL && ev->login.reason[0] != '\0');
	FUZZ_CHECK(ev->login.culprit != NULL && ev->login.proposed != NULL);
	FUZZ_CHECK(ev->login.step == LOGIN_REFUSED || ev->login.step == LOGIN_REDIRECTED ||
		   ev->login.step == LOGIN_VIOLATION);
	FUZZ_CHECK(ev->login.step != LOGIN_REDIRECTED || ev->login.redirect != NULL);
	if (ev->login.redirect != NULL)
		FUZZ_CHECK(strlen(ev->login.redirect) <= LIMIT_ADDRESS_BYTES);
}

static void
told(struct target *t, const struct sess_event *ev)
{
	switch (ev->kind) {
	case SESS_EV_ONLINE:
		FUZZ_CHECK(!t->is_online && !t->is_closing);
		t->is_online = true;
		break;
	case SESS_EV_LOGIN_FAILED:
		told_login_failed(t, ev);
		break;
	case SESS_EV_VERIFY:
		FUZZ_CHECK(!t->is_verifying && (t->configuration & TARGET_MUTUAL) != 0);
		FUZZ_CHECK(ev->verify.response_len <= CHAP_BINARY_MAX);
		t->is_verifying = true;
		break;
	case SESS_EV_REQ:
		handed_back(t, ev->req);
		break;
	case SESS_EV_TEXT:
		FUZZ_CHECK(t->texts == 1 && ev->text.len <= sess_params(t->sess)->max_recv_dsl);
		break;
	case SESS_EV_TEXT_DONE:
		FUZZ_CHECK(t->texts-- == 1);
		check_ending(&ev->text.ending);
		break;
	case SESS_EV_PING:
		FUZZ_CHECK(t->pings-- == 1);
		FUZZ_CHECK(ev->ping.bytes_same <= ev->ping.bytes);
		check_ending(&ev->ping.ending);
		break;
	case SESS_EV_TMF:
		check_ending(&ev->tmf.ending);
		break;
	case SESS_EV_KEYS:
		FUZZ_CHECK(!t->is_online && ev->keys.unknown != NULL && ev->keys.rejected != NULL);
		break;
	case SESS_EV_ASYNC:
		FUZZ_CHECK(ev->async.sense_len <= LIMIT_CONTROL_BYTES);
		break;
	case SESS_EV_LOGOUT:
	case SESS_EV_REJECT:
		break;
	case SESS_EV_CLOSE:
		FUZZ_CHECK(!t->is_closing);
		t->is_closing = true;
		break;
	}
}

void
target_drain(struct target *t)
{
	struct sess_event ev;

	while (sess_next(t->sess, &ev))
		told(t, &ev);
	FUZZ_CHECK(!sess_has_next(t->sess));
}

/* ---- what he does ---- */

void
target_submit(struct target *t, enum req_dir dir, uint32_t len)
{
	struct target_request *q = find(t, NULL);
	struct req *r;

	if (q == NULL)
		return;
	r = calloc(1, sizeof *r);
	if (r == NULL)
		abort();
	r->dir = dir;
	r->attr = REQ_SIMPLE;
	r->cdb[0] = (uint8_t)(q - t->request); /* by which its command is known again */
	r->data_len = dir == REQ_NONE ? 0 : len;
	r->data = r->data_len > 0 ? malloc(r->data_len) : NULL;
	if (r->data_len > 0 && r->data == NULL)
		abort();
	if (r->data_len > 0)
		target_put_pattern(r->data, r->data_len);
	q->req = r;
	sess_submit(t->sess, r, t->now);
}

static void
act_read(struct target *t, uint16_t number)
{
	target_submit(t, REQ_READ, number);
}

static void
act_write(struct target *t, uint16_t number)
{
	target_submit(t, REQ_WRITE, number);
}

static void
act_no_data(struct target *t, uint16_t number)
{
	(void)number;
	target_submit(t, REQ_NONE, 0);
}

/* Beyond FirstBurstLength and MaxBurstLength. */
static void
act_writes(struct target *t, uint16_t number)
{
	target_submit(t, REQ_WRITE, 100000u + number);
	target_submit(t, REQ_READ, 70000);
}

static void
pass(struct target *t, uint64_t us)
{
	t->now += us;
	sess_tick(t->sess, t->now);
	target_drain(t);
	FUZZ_CHECK(t->is_closing || sess_deadline(t->sess) > t->now);
}

static void
act_pass(struct target *t, uint16_t number)
{
	pass(t, number * 1000ull);
}

static void
act_deadline(struct target *t, uint16_t number)
{
	uint64_t at = sess_deadline(t->sess);

	if (at != UINT64_MAX)
		pass(t, (at > t->now ? at - t->now : 0) + number % 2);
}

static void
act_long(struct target *t, uint16_t number)
{
	pass(t, number * 1000000ull);
}

static void
act_ping(struct target *t, uint16_t number)
{
	t->pings += sess_ping(t->sess, number % (LIMIT_PING_BYTES + 2), t, t->now) == 0;
	target_drain(t);
}

static void
act_text(struct target *t, uint16_t number)
{
	t->texts += sess_send_targets(t->sess, (number & 1) != 0 ? "All" : "", t->now) == 0;
	target_drain(t);
}

static void
act_logout(struct target *t, uint16_t number)
{
	(void)number;
	(void)sess_logout(t->sess, t->now); /* refused or not */
	target_drain(t);
}

static void
act_withdraw(struct target *t, uint16_t number)
{
	const struct target_request *q = &t->request[number % TARGET_REQUESTS];

	if (q->req != NULL && sess_withdraw(t->sess, q->req, t->now))
		FUZZ_CHECK(!q->is_seen);
	target_drain(t);
}

static void
act_reconnect(struct target *t, uint16_t number)
{
	bool was_online = t->is_online;

	target_disconnect(t);
	t->now += number * 1000ull;
	target_connect(t);
	if (was_online && (t->configuration & TARGET_CHAP) == 0 && !t->cfg.login.skip_security)
		target_log_in(t);
}

static void
act_verdict(struct target *t, uint16_t number)
{
	if (sess_conn(t->sess) == NULL || t->is_closing)
		return;
	t->is_verifying = false;
	sess_verified(t->sess, (enum chap_verdict)(number % 3), t->now);
	target_drain(t);
}

static void
act_stuck(struct target *t, uint16_t number)
{
	t->is_stuck = (number & 1) != 0;
}

static void
act_take(struct target *t, uint16_t number)
{
	target_pull(t, number);
}

static void
act_chunk(struct target *t, uint16_t number)
{
	t->chunk = number > 0 ? number : SIZE_MAX;
}

/* For the next login. */
static void
act_configure(struct target *t, uint16_t number)
{
	t->cfg.login.skip_security = (number & 1) != 0;
	sess_configure(t->sess, &t->cfg);
}

void
target_act(struct target *t, uint8_t what, uint16_t number)
{
	static void (*const acts[])(struct target * t, uint16_t number) = {
#define ACT(id, function) function,
#include "target.def"
	};

	acts[what % (sizeof acts / sizeof acts[0])](t, number);
	target_drain(t);
}
