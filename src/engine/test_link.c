#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/link.h"

#define BHS 48u

/*
 * A target at the other end of a socket pair, in the same loop, with a codec of
 * its own.  Once its login is over it sends `flood` NOP-Ins that ask for an
 * answer, and answers pings.
 */
struct target {
	struct loop *loop;
	struct loop_fd fd;
	unsigned flood, asked, answered;
	bool is_deaf;  /* it reads nothing */
	unsigned wait; /* it looks for so many answers, then the loop stops */
	uint32_t stat_sn, cmd_sn;
	uint8_t in[1 << 16], out[1 << 16];
	size_t in_len, out_len;
};

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * (3 - i));
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
target_put(struct target *t, const uint8_t *bhs, const char *text, size_t n)
{
	uint8_t *p = t->out + t->out_len;

	assert_true(t->out_len + BHS + n + 3 <= sizeof t->out);
	memcpy(p, bhs, BHS);
	p[6] = (uint8_t)(n >> 8);
	p[7] = (uint8_t)n;
	put32(p + 28, t->cmd_sn);
	put32(p + 32, t->cmd_sn + 31);
	memset(p + BHS, 0, n + 3);
	if (n > 0)
		memcpy(p + BHS, text, n);
	t->out_len += BHS + (n + 3) / 4 * 4;
}

static void
target_login(struct target *t, const uint8_t *req)
{
	static const char security[] = "TargetPortalGroupTag=1\0AuthMethod=None",
			  operational[] =
			      "HeaderDigest=None\0DataDigest=None\0MaxConnections=1\0"
			      "InitialR2T=Yes\0ImmediateData=Yes\0MaxBurstLength=65536\0"
			      "FirstBurstLength=65536\0DefaultTime2Wait=2\0"
			      "DefaultTime2Retain=0\0MaxOutstandingR2T=1\0"
			      "DataPDUInOrder=Yes\0DataSequenceInOrder=Yes\0"
			      "ErrorRecoveryLevel=0\0TaskReporting=RFC3720";
	bool is_last = (req[1] & 0x0c) != 0;
	uint8_t bhs[BHS] = { 0x23, req[1] };

	memcpy(bhs + 8, req + 8, 12);
	bhs[15] = 1; /* TSIH */
	put32(bhs + 24, t->stat_sn++);
	t->cmd_sn = get32(req + 24);
	target_put(t, bhs, is_last ? operational : security,
	    is_last ? sizeof operational : sizeof security);
}

static void
target_take(struct target *t, const uint8_t *pdu)
{
	uint8_t pong[BHS] = { 0x20, 0x80 };

	if ((pdu[0] & 0x3f) == 0x03) {
		target_login(t, pdu);
		return;
	}
	assert_int_equal(pdu[0] & 0x3f, 0x00);
	if (get32(pdu + 16) == 0xffffffff) {
		/* Each answer carries its question's tag, in order. */
		assert_int_equal(get32(pdu + 20), t->answered++);
		if (t->answered == t->wait)
			loop_stop(t->loop);
		return;
	}
	memcpy(pong + 16, pdu + 16, 4);
	put32(pong + 20, 0xffffffff);
	put32(pong + 24, t->stat_sn++);
	target_put(t, pong, NULL, 0);
}

static void
target_read(struct target *t)
{
	size_t at = 0;
	ssize_t n = recv(t->fd.fd, t->in + t->in_len, sizeof t->in - t->in_len, MSG_DONTWAIT);

	if (n <= 0)
		return;
	t->in_len += (size_t)n;
	while (t->in_len - at >= BHS) {
		const uint8_t *p = t->in + at;
		size_t len = (size_t)p[6] << 8 | p[7];

		if (t->in_len - at < BHS + (len + 3) / 4 * 4)
			break;
		target_take(t, p);
		at += BHS + (len + 3) / 4 * 4;
	}
	t->in_len -= at;
	memmove(t->in, t->in + at, t->in_len);
}

static void
target_ready(struct loop_fd *f, uint32_t events)
{
	struct target *t = (struct target *)(void *)((char *)f - offsetof(struct target, fd));
	uint8_t nop[BHS] = { 0x20, 0x80 };
	ssize_t n;

	(void)events;
	if (!t->is_deaf)
		target_read(t);
	while (t->stat_sn >= 102 && t->asked < t->flood && t->out_len < sizeof t->out / 2) {
		put32(nop + 16, 0xffffffff);
		put32(nop + 20, t->asked++);
		put32(nop + 24, t->stat_sn);
		target_put(t, nop, NULL, 0);
	}
	n = send(f->fd, t->out, t->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0) {
		t->out_len -= (size_t)n;
		memmove(t->out, t->out + n, t->out_len);
	}
	(void)loop_rewatch(t->loop, f,
	    (t->is_deaf ? 0 : EPOLLIN) |
		(t->out_len > 0 || t->asked < t->flood ? EPOLLOUT : 0)); /* the test would hang */
}

/* A session whose link lies between it and a target. */
struct end {
	struct loop *loop;
	struct sess *sess;
	struct link *link;
	struct target *target;
	unsigned pongs, pings;
	unsigned most; /* answers of `other` between two pongs, at most */
	unsigned since;
	const struct target *other;
};

static void
event(void *user, const struct sess_event *ev)
{
	struct end *e = user;

	assert_int_not_equal(ev->kind, SESS_EV_CLOSE);
	if (ev->kind == SESS_EV_PING) {
		assert_int_equal(ev->ping.ending.how, SESS_END_ANSWERED);
		if (e->other != NULL && e->other->answered - e->since > e->most)
			e->most = e->other->answered - e->since;
		if (++e->pongs == e->pings)
			loop_stop(e->loop);
	}
	if (e->other != NULL)
		e->since = e->other->answered;
	if ((ev->kind == SESS_EV_ONLINE || ev->kind == SESS_EV_PING) && e->pongs < e->pings) {
		assert_int_equal(sess_ping(e->sess, 0, NULL, loop_now(e->loop)), 0);
		agenda_defer(loop_agenda(e->loop), link_work(e->link));
	}
}

static void
closed(void *user, int err, enum conn_result why)
{
	(void)user;
	(void)err;
	(void)why;
	fail();
}

static void
end_open(struct end *e, struct loop *loop, unsigned flood)
{
	static const struct link_ops ops = { .event = event, .closed = closed };
	struct sess_cfg cfg = { .login = { .initiator_name = "iqn.2026-11.org.openisw:test",
				    .target_name = "iqn.2026-11.org.openisw:tgt",
				    .expected_tpgt = -1 },
		.isid = { 0x80, 1, 2, 3, 4, 5 },
		.slots = 4 };
	struct target *t = calloc(1, sizeof *t);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	neg_offer_default(&cfg.login.offer);
	t->loop = e->loop = loop;
	t->flood = flood;
	t->stat_sn = 100;
	t->fd.fd = fd[1];
	t->fd.ready = target_ready;
	e->target = t;
	e->sess = sess_new(&cfg);
	e->link = link_new(loop, e->sess, &ops, e);
	assert_int_equal(loop_watch(loop, &t->fd, EPOLLIN), 0);
	assert_int_equal(link_attach(e->link, fd[0]), 0);
}

static void
end_close(struct end *e)
{
	struct sess_event ev;

	link_free(e->link);
	while (sess_next(e->sess, &ev))
		assert_int_not_equal(ev.kind, SESS_EV_REQ);
	sess_free(e->sess);
	loop_unwatch(e->loop, &e->target->fd);
	(void)close(e->target->fd.fd); /* a test's */
	free(e->target);
}

static void
every_one_of_many_questions_is_answered(void **state)
{
	struct loop *loop = loop_new();
	struct end e = { 0 };

	(void)state;
	end_open(&e, loop, 20000);
	e.target->wait = 20000;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(e.target->answered, 20000);
	assert_int_equal(sess_state(e.sess), SESS_ONLINE);
	end_close(&e);
	loop_free(loop);
}

static void
a_flood_of_questions_does_not_starve_another_session(void **state)
{
	struct loop *loop = loop_new();
	struct end flooded = { 0 }, quiet = { .pings = 200 };

	(void)state;
	end_open(&flooded, loop, UINT32_MAX);
	end_open(&quiet, loop, 0);
	quiet.other = flooded.target;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(quiet.pongs, 200);
	assert_true(flooded.target->answered > 200);
	/* A ping takes a few turns, and each turn answers one queue at most. */
	assert_true(quiet.most <= 16 * 8);
	end_close(&flooded);
	end_close(&quiet);
	loop_free(loop);
}

/* So many pings, one after another. */
static void
end_ping(struct end *e, unsigned n)
{
	e->pongs = 0;
	e->pings = n;
	assert_int_equal(sess_ping(e->sess, 0, NULL, loop_now(e->loop)), 0);
	agenda_defer(loop_agenda(e->loop), link_work(e->link));
	assert_int_equal(loop_run(e->loop), 0);
}

static void
from_a_target_that_does_not_listen_nothing_more_is_read(void **state)
{
	struct loop *loop = loop_new();
	struct end deaf = { 0 }, quiet = { .pings = 1 };
	struct link_counts had;

	(void)state;
	end_open(&quiet, loop, 0);
	assert_int_equal(loop_run(loop), 0);
	end_open(&deaf, loop, 1000000);
	deaf.target->wait = 1;
	assert_int_equal(loop_run(loop), 0);
	deaf.target->is_deaf = true;
	end_ping(&quiet, 2000);
	had = link_counts(deaf.link);
	/* What the socket takes of the answers, and one staging buffer of questions. */
	assert_true(had.bytes_received < 4u << 20);
	end_ping(&quiet, 100);
	assert_true(link_counts(deaf.link).bytes_received == had.bytes_received);
	/* Nor is its socket looked at again and again. */
	assert_true(link_counts(deaf.link).wakes == had.wakes);
	/* It listens again: everything that it asked is answered. */
	deaf.target->is_deaf = false;
	deaf.target->flood = deaf.target->wait = deaf.target->asked;
	assert_int_equal(loop_rewatch(loop, &deaf.target->fd, EPOLLIN | EPOLLOUT), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(deaf.target->answered, deaf.target->asked);
	end_close(&deaf);
	end_close(&quiet);
	loop_free(loop);
}

static struct loop *done_stops;

static void
done(struct req *r)
{
	(*(unsigned *)r->user)++;
	loop_stop(done_stops);
}

static void
without_a_login_a_request_comes_back_from_the_loop(void **state)
{
	static const struct link_ops ops = { .event = event, .closed = closed };
	struct sess_cfg cfg = { .slots = 1 };
	unsigned times = 0;
	struct req r = { .done = done, .user = &times };
	struct sess *s = sess_new(&cfg);
	struct link *k;

	(void)state;
	done_stops = loop_new();
	k = link_new(done_stops, s, &ops, NULL);
	sess_submit(s, &r, loop_now(done_stops));
	agenda_defer(loop_agenda(done_stops), link_work(k));
	assert_int_equal(times, 0);
	assert_int_equal(loop_run(done_stops), 0);
	assert_int_equal(times, 1);
	assert_int_equal(r.result, REQ_UNSENT);
	link_free(k);
	sess_free(s);
	loop_free(done_stops);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_one_of_many_questions_is_answered),
		cmocka_unit_test(a_flood_of_questions_does_not_starve_another_session),
		cmocka_unit_test(from_a_target_that_does_not_listen_nothing_more_is_read),
		cmocka_unit_test(without_a_login_a_request_comes_back_from_the_loop),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
