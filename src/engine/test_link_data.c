/*
 * A link's data: requests of any size over a socket that takes little at a time,
 * the end of a connection, deadlines.  The target is a thread at the other end
 * of a socket pair that blocks where it likes, with a codec of its own.
 */
#include <sys/socket.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/link.h"

#define BHS       48u
#define DISK      (1u << 20)
#define SEGMENT   65536u
#define FEW_BYTES 4096

enum { NOP_OUT, COMMAND, TASK_MANAGEMENT, LOGIN, TEXT, DATA_OUT, LOGOUT };
enum { NOP_IN = 0x20, RESPONSE, TASK_RESPONSE, LOGIN_RESPONSE, DATA_IN = 0x25, R2T = 0x31 };

struct target {
	int fd;
	pthread_t thread;
	bool hangs_up;  /* at the first command */
	bool is_silent; /* about commands */
	unsigned aborts;
	uint32_t stat_sn, cmd_sn;
	uint8_t disk[DISK];
	uint8_t bhs[BHS], data[SEGMENT];
	uint32_t len;
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

/* False: the initiator is gone. */
static bool
take(struct target *t, uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(t->fd, p, n, 0);

		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

static bool
take_pdu(struct target *t)
{
	if (!take(t, t->bhs, BHS))
		return false;
	t->len = get32(t->bhs + 4) & 0xffffff;
	assert_true(t->len <= SEGMENT);
	if ((t->bhs[0] & 0x3f) != DATA_OUT)
		t->cmd_sn = get32(t->bhs + 24) + ((t->bhs[0] & 0x40) == 0);
	return take(t, t->data, (t->len + 3) & ~3u);
}

/* One PDU into buf, behind what is there. */
static size_t
put(struct target *t, uint8_t *buf, size_t at, uint8_t *bhs, const void *data, uint32_t n)
{
	put32(bhs + 4, n);
	put32(bhs + 28, t->cmd_sn);
	put32(bhs + 32, t->cmd_sn + 31);
	memcpy(buf + at, bhs, BHS);
	memset(buf + at + BHS, 0, (n + 3) & ~3u);
	if (n > 0)
		memcpy(buf + at + BHS, data, n);
	return at + BHS + ((n + 3) & ~3u);
}

static void
send_all(struct target *t, const uint8_t *buf, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(t->fd, buf, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return; /* the initiator is gone */
		buf += sent;
		n -= (size_t)sent;
	}
}

static void
reply(struct target *t, uint8_t *bhs, const void *data, uint32_t n)
{
	static _Thread_local uint8_t buf[BHS + SEGMENT];

	put32(bhs + 24, t->stat_sn++);
	send_all(t, buf, put(t, buf, 0, bhs, data, n));
}

static bool
log_in(struct target *t)
{
	static const char keys[] = "HeaderDigest=None\0DataDigest=None\0InitialR2T=Yes\0"
				   "ImmediateData=No\0MaxConnections=1\0MaxBurstLength=65536\0"
				   "FirstBurstLength=65536\0DefaultTime2Wait=2\0"
				   "DefaultTime2Retain=0\0MaxOutstandingR2T=1\0"
				   "MaxRecvDataSegmentLength=65536\0DataPDUInOrder=Yes\0"
				   "DataSequenceInOrder=Yes\0ErrorRecoveryLevel=0\0"
				   "TaskReporting=RFC3720";
	static const char first[] = "TargetPortalGroupTag=1\0AuthMethod=None";

	for (bool is_last = false; !is_last;) {
		uint8_t bhs[BHS] = { LOGIN_RESPONSE };

		if (!take_pdu(t))
			return false;
		bhs[1] = t->bhs[1];
		is_last = (t->bhs[1] & 0x0c) != 0;
		memcpy(bhs + 8, t->bhs + 8, 12);
		bhs[15] = is_last;
		reply(t, bhs, is_last ? keys : first, is_last ? sizeof keys : sizeof first);
	}
	return true;
}

static void
status(struct target *t, const uint8_t itt[4])
{
	uint8_t bhs[BHS] = { RESPONSE, 0x80 };

	memcpy(bhs + 16, itt, 4);
	reply(t, bhs, NULL, 0);
}

/* Data-In in pieces, and the response behind the last in the same breath. */
static void
read_disk(struct target *t, uint32_t at, uint32_t n, const uint8_t itt[4])
{
	static _Thread_local uint8_t buf[DISK + 64 * BHS];
	uint8_t bhs[BHS] = { RESPONSE, 0x80 };
	size_t used = 0;
	uint32_t sn = 0;

	for (uint32_t done = 0, part; done < n; done += part) {
		uint8_t data[BHS] = { DATA_IN, 0x80 };

		part = n - done < SEGMENT ? n - done : SEGMENT;
		memcpy(data + 16, itt, 4);
		memset(data + 20, 0xff, 4);
		put32(data + 36, sn++);
		put32(data + 40, done);
		used = put(t, buf, used, data, t->disk + at + done, part);
	}
	memcpy(bhs + 16, itt, 4);
	put32(bhs + 24, t->stat_sn++);
	send_all(t, buf, put(t, buf, used, bhs, NULL, 0));
}

static bool
write_disk(struct target *t, uint32_t at, uint32_t n, const uint8_t itt[4])
{
	uint32_t sn = 0;

	for (uint32_t done = 0, burst; done < n; done += burst) {
		uint8_t bhs[BHS] = { R2T, 0x80 };

		burst = n - done < SEGMENT ? n - done : SEGMENT;
		memcpy(bhs + 16, itt, 4);
		put32(bhs + 20, 7);
		put32(bhs + 24, t->stat_sn);
		put32(bhs + 36, sn++);
		put32(bhs + 40, done);
		put32(bhs + 44, burst);
		{
			uint8_t buf[BHS];

			send_all(t, buf, put(t, buf, 0, bhs, NULL, 0));
		}
		for (uint32_t got = 0; got < burst; got += t->len) {
			if (!take_pdu(t))
				return false;
			memcpy(t->disk + at + get32(t->bhs + 40), t->data, t->len);
		}
	}
	return true;
}

/* The CDB says where: bytes at 2, in a form of the test's own. */
static bool
command(struct target *t)
{
	uint32_t at = get32(t->bhs + 34), n = get32(t->bhs + 20);
	uint8_t itt[4];

	memcpy(itt, t->bhs + 16, 4);
	if (t->hangs_up)
		return false;
	if (t->is_silent)
		return true;
	if ((t->bhs[1] & 0x40) != 0) {
		read_disk(t, at, n, itt);
		return true;
	}
	if (!write_disk(t, at, n, itt))
		return false;
	status(t, itt);
	return true;
}

static void *
target_run(void *arg)
{
	struct target *t = arg;
	bool goes_on = log_in(t);

	while (goes_on && take_pdu(t)) {
		if ((t->bhs[0] & 0x3f) == COMMAND) {
			goes_on = command(t);
		} else if ((t->bhs[0] & 0x3f) == TASK_MANAGEMENT) {
			uint8_t bhs[BHS] = { TASK_RESPONSE, 0x80 };

			t->aborts++;
			memcpy(bhs + 16, t->bhs + 16, 4);
			reply(t, bhs, NULL, 0);
		}
	}
	close(t->fd);
	return NULL;
}

/* ---- the initiator ---- */

struct end {
	struct loop *loop;
	struct sess *sess;
	struct link *link;
	struct target *target;
	unsigned left;
	int err;
	bool is_closed;
};

static void
event(void *user, const struct sess_event *ev)
{
	struct end *e = user;

	if (ev->kind == SESS_EV_ONLINE)
		loop_stop(e->loop);
}

static void
closed(void *user, int err, enum conn_result why)
{
	struct end *e = user;

	(void)why;
	e->err = err;
	e->is_closed = true;
	loop_stop(e->loop);
}

static void
done(struct req *r)
{
	struct end *e = r->user;

	if (--e->left == 0)
		loop_stop(e->loop);
}

static void
open_end(struct end *e, struct target *t)
{
	static const struct link_ops ops = { .event = event, .closed = closed };
	struct sess_cfg cfg = { .login = { .initiator_name = "iqn.2026-11.org.openisw:test",
				    .target_name = "iqn.2026-11.org.openisw:tgt",
				    .expected_tpgt = -1 },
		.isid = { 0x80, 1, 2, 3, 4, 5 },
		.slots = 1, /* the target does one thing at a time */
		.nop_interval_ms = 60000 };
	int fd[2], few = FEW_BYTES;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	/* What the socket takes at once; the other way round a pair has no such limit. */
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &few, sizeof few), 0);
	neg_offer_default(&cfg.login.offer);
	*e = (struct end){ .loop = loop_new(), .target = t };
	t->fd = fd[1];
	t->stat_sn = 1;
	for (uint32_t i = 0; i < DISK; i++)
		t->disk[i] = (uint8_t)(i * 7 >> 4);
	assert_int_equal(pthread_create(&t->thread, NULL, target_run, t), 0);
	e->sess = sess_new(&cfg);
	e->link = link_new(e->loop, e->sess, &ops, e);
	assert_int_equal(link_attach(e->link, fd[0]), 0);
	assert_int_equal(loop_run(e->loop), 0);
	assert_int_equal(sess_state(e->sess), SESS_ONLINE);
}

static void
close_end(struct end *e)
{
	struct sess_event ev;

	link_free(e->link);
	while (sess_next(e->sess, &ev))
		assert_int_not_equal(ev.kind, SESS_EV_REQ);
	sess_free(e->sess);
	loop_free(e->loop);
	assert_int_equal(pthread_join(e->target->thread, NULL), 0);
	free(e->target);
}

static void
submit(struct end *e, struct req *r, enum req_dir dir, uint8_t *data, uint32_t at, uint32_t n)
{
	*r = (struct req){ .dir = dir, .data = data, .data_len = n, .user = e, .done = done };
	r->cdb[0] = dir == REQ_WRITE ? 0x2a : 0x28;
	put32(r->cdb + 2, at);
	e->left++;
	sess_submit(e->sess, r, loop_now(e->loop));
	agenda_defer(loop_agenda(e->loop), link_work(e->link));
}

/* ---- the tests ---- */

static void
data_of_any_size_moves_over_a_socket_that_takes_little(void **state)
{
	static const uint32_t sizes[] = { 512, 4096, 8192, 8196, 65536, 262144 };
	static uint8_t wrote[6][262144], got[6][262144];
	struct target *t = calloc(1, sizeof *t);
	struct req w[6], r[6];
	struct end e;

	(void)state;
	open_end(&e, t);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned k = 0; k < 6; k++) {
			memset(wrote[k], (int)(round * 16 + k + 1), sizeof wrote[k]);
			submit(&e, &w[k], REQ_WRITE, wrote[k], k << 17, sizes[k]);
		}
		assert_int_equal(loop_run(e.loop), 0);
		for (unsigned k = 0; k < 6; k++)
			submit(&e, &r[k], REQ_READ, got[k], k << 17, sizes[k]);
		assert_int_equal(loop_run(e.loop), 0);
		for (unsigned k = 0; k < 6; k++) {
			assert_int_equal(w[k].result, REQ_DONE);
			assert_int_equal(r[k].result, REQ_DONE);
			assert_int_equal(r[k].data_got, sizes[k]);
			assert_memory_equal(got[k], t->disk + (k << 17), sizes[k]);
		}
		assert_memory_equal(got[4], wrote[4], sizes[4]);
	}
	close_end(&e);
}

static void
a_target_that_hangs_up_is_told_and_its_requests_come_back(void **state)
{
	struct target *t = calloc(1, sizeof *t);
	static uint8_t data[512];
	struct req r;
	struct end e;

	(void)state;
	t->hangs_up = true;
	open_end(&e, t);
	submit(&e, &r, REQ_READ, data, 0, sizeof data);
	while (!e.is_closed)
		assert_int_equal(loop_run(e.loop), 0);
	assert_int_equal(e.err, -ECONNRESET);
	assert_int_equal(e.left, 0);
	assert_int_equal(r.result, REQ_LOST);
	assert_false(link_is_attached(e.link));
	close_end(&e);
}

/* The link's timer waits for a ping, a minute away; the command's own time is over long before. */
static void
a_deadline_that_comes_nearer_is_kept(void **state)
{
	struct target *t = calloc(1, sizeof *t);
	static uint8_t data[512];
	struct req r;
	struct end e;

	(void)state;
	t->is_silent = true;
	open_end(&e, t);
	r = (struct req){ .dir = REQ_READ,
		.data = data,
		.data_len = sizeof data,
		.timeout_ms = 50,
		.user = &e,
		.done = done };
	e.left = 1;
	sess_submit(e.sess, &r, loop_now(e.loop));
	agenda_defer(loop_agenda(e.loop), link_work(e.link));
	assert_int_equal(loop_run(e.loop), 0);
	assert_int_equal(r.result, REQ_TIMEOUT);
	assert_int_equal(t->aborts, 1);
	close_end(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_of_any_size_moves_over_a_socket_that_takes_little),
		cmocka_unit_test(a_target_that_hangs_up_is_told_and_its_requests_come_back),
		cmocka_unit_test(a_deadline_that_comes_nearer_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
