#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/test_peer.h"

/* Two commands under way, of which one PDU of the target makes nonsense. */
struct pair {
	struct peer *p;
	uint32_t r, w; /* ITTs of a read of 1,024 bytes and a write of 100,000 */
};

static void
data_sn(struct pair *t)
{
	peer_data_in(t->p, t->r, 1, 0, peer_pattern, 512, false);
}

static void
data_offset(struct pair *t)
{
	peer_data_in(t->p, t->r, 0, 512, peer_pattern, 512, false);
}

static void
data_long(struct pair *t)
{
	peer_data_in(t->p, t->r, 0, 0, peer_pattern, 1025, false);
}

static void
data_on_write(struct pair *t)
{
	peer_data_in(t->p, t->w, 0, 0, peer_pattern, 512, false);
}

static void
r2t_on_read(struct pair *t)
{
	peer_r2t(t->p, t->r, 1, 0, 0, 512);
}

static void
r2t_sn(struct pair *t)
{
	peer_r2t(t->p, t->w, 1, 1, 16384, 512);
}

static void
r2t_of_nothing(struct pair *t)
{
	peer_r2t(t->p, t->w, 1, 0, 16384, 0);
}

static void
r2t_long(struct pair *t)
{
	peer_r2t(t->p, t->w, 1, 0, 16384, 65537);
}

static void
r2t_too_many(struct pair *t)
{
	peer_r2t(t->p, t->w, 1, 0, 16384, 512);
	peer_r2t(t->p, t->w, 2, 1, 16384 + 512, 512);
}

static void
stat_sn(struct pair *t)
{
	t->p->stat_sn++;
	peer_status(t->p, t->r, 0);
}

static void
opcode(struct pair *t)
{
	peer_send(t->p, (uint8_t[48]){ 0x05 }, NULL, 0);
}

static void
login_again(struct pair *t)
{
	peer_answer(t->p, (uint8_t[48]){ 0x23 }, NULL, 0);
}

static void
tmf_unasked(struct pair *t)
{
	peer_answer(t->p, (uint8_t[48]){ 0x22 }, NULL, 0);
}

static void
segment_long(struct pair *t)
{
	peer_send(t->p, (uint8_t[48]){ 0x20 }, peer_pattern, 262145);
}

static void
violations_close_the_connection(void **state)
{
	static const struct {
		void (*act)(struct pair *t);
		enum conn_result want;
	} row[] = {
		{ data_sn, CONN_BAD_DATA_IN },
		{ data_offset, CONN_BAD_DATA_IN },
		{ data_long, CONN_BAD_DATA_IN },
		{ data_on_write, CONN_BAD_DATA_IN },
		{ r2t_on_read, CONN_BAD_R2T },
		{ r2t_sn, CONN_BAD_R2T },
		{ r2t_of_nothing, CONN_BAD_R2T },
		{ r2t_long, CONN_BAD_R2T },
		{ r2t_too_many, CONN_BAD_R2T },
		{ stat_sn, CONN_STATSN_HOLE },
		{ opcode, CONN_BAD_OPCODE },
		{ login_again, CONN_BAD_STAGE },
		{ tmf_unasked, CONN_BAD_ITT },
		{ segment_long, CONN_TOO_LONG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct pair t = { .p = peer_online(PEER_KEYS) };
		struct req *rd = peer_request(t.p, REQ_READ, 1024);
		struct req *wr = peer_request(t.p, REQ_WRITE, 100000);
		struct peer_pdu pdu;

		t.r = peer_get32(peer_expect(t.p, 0x01).bhs, 16);
		t.w = peer_get32(peer_expect(t.p, 0x01).bhs, 16);
		while (peer_next(t.p, &pdu))
			assert_int_equal(pdu.bhs[0], 0x05);
		row[i].act(&t);
		peer_assert_broken(t.p, row[i].want);
		peer_free(t.p);
		peer_request_free(rd);
		peer_request_free(wr);
	}
}

static void
a_web_server_is_recognised_by_its_first_bytes(void **state)
{
	static const char page[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n";
	struct sess_cfg cfg = peer_config();
	struct peer *p = peer_new(&cfg);

	(void)state;
	assert_int_equal(sess_connected(p->sess, p->now), 0);
	(void)peer_expect(p, 0x03);
	/* Its '/' announces 47 words of additional headers, more than it sends. */
	peer_bytes(p, (const uint8_t *)page, sizeof page - 1);
	peer_assert_broken(p, CONN_BAD_OPCODE);
	peer_free(p);
}

static void
digest_errors_close_the_connection(void **state)
{
	(void)state;
	for (int data = 0; data < 2; data++) {
		struct peer *p = peer_online(
		    "HeaderDigest=CRC32C\nDataDigest=CRC32C\nMaxConnections=1\nDefaultTime2Wait=2\n"
		    "DefaultTime2Retain=0\nDataPDUInOrder=Yes\nDataSequenceInOrder="
		    "Yes\nErrorRecoveryLevel=0\n"
		    "MaxRecvDataSegmentLength=8192\nMaxOutstandingR2T=1\nTaskReporting="
		    "RFC3720\n" PEER_KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n");
		struct req *r = peer_request(p, REQ_READ, 1024);
		uint32_t itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
		struct conn_counts n;

		p->corrupt = data != 0 ? 'D' : 'H';
		peer_data_in(p, itt, 0, 0, peer_pattern, 1024, true);
		peer_assert_broken(p, data != 0 ? CONN_DATA_DIGEST : CONN_HEADER_DIGEST);
		sess_counts(p->sess, &n);
		assert_int_equal(n.header_digest_errors, data == 0);
		assert_int_equal(n.data_digest_errors, data != 0);
		assert_int_equal(p->n_done, 0);
		peer_free(p);
		peer_request_free(r);
	}
}

static void
a_lost_connection_hands_everything_back_in_order(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *sent[8], *waiting[3], *late;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		sent[i] = peer_request(p, REQ_READ, 512);
		(void)peer_expect(p, 0x01);
	}
	/* There are eight slots. */
	for (unsigned i = 0; i < 3; i++)
		waiting[i] = peer_request(p, REQ_READ, 512);
	peer_expect_nothing(p);
	sess_disconnected(p->sess, p->now);
	late = peer_request(p, REQ_READ, 512);
	peer_drain(p);
	assert_int_equal(p->n_done, 12);
	for (unsigned i = 0; i < 8; i++) {
		assert_ptr_equal(p->done[i], sent[i]);
		assert_int_equal(sent[i]->result, REQ_LOST);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_ptr_equal(p->done[8 + i], waiting[i]);
		assert_int_equal(waiting[i]->result, REQ_UNSENT);
	}
	peer_assert_done(p, late, REQ_UNSENT);
	/* Nothing of them survives into the next connection. */
	peer_login(p, PEER_KEYS);
	peer_expect_nothing(p);
	peer_free(p);
	for (unsigned i = 0; i < 8; i++)
		peer_request_free(sent[i]);
	for (unsigned i = 0; i < 3; i++)
		peer_request_free(waiting[i]);
	peer_request_free(late);
}

static void
a_request_is_withdrawn_only_before_it_is_sent(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *r = peer_request(p, REQ_READ, 512), *w = peer_request(p, REQ_READ, 512), *x;
	uint32_t itt;

	(void)state;
	assert_true(sess_withdraw(p->sess, w, p->now));
	assert_false(sess_withdraw(p->sess, w, p->now)); /* it is on its way back */
	peer_drain(p);
	peer_assert_done(p, w, REQ_UNSENT);
	itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	peer_expect_nothing(p);
	assert_false(sess_withdraw(p->sess, r, p->now));
	peer_data_in(p, itt, 0, 0, peer_pattern, 512, true);
	peer_assert_done(p, r, REQ_DONE);
	sess_disconnected(p->sess, p->now);
	x = peer_request(p, REQ_READ, 512);
	assert_false(sess_withdraw(p->sess, x, p->now));
	peer_drain(p);
	peer_assert_done(p, x, REQ_UNSENT);
	assert_int_equal(p->n_done, 3);
	peer_free(p);
	peer_request_free(r);
	peer_request_free(w);
	peer_request_free(x);
}

static void
the_window_is_what_may_be_outstanding(void **state)
{
	struct sess_cfg cfg = peer_config();
	struct peer *p = peer_new(&cfg);
	struct req *r[4];
	uint32_t itt[4];

	(void)state;
	assert_int_equal(sess_window(p->sess), 0);
	p->window = 3;
	peer_login(p, PEER_KEYS);
	assert_int_equal(sess_window(p->sess), 3);
	for (int i = 0; i < 4; i++)
		r[i] = peer_request(p, REQ_NONE, 0);
	/* What waits is not outstanding. */
	assert_int_equal(sess_window(p->sess), 3);
	for (int i = 0; i < 3; i++)
		itt[i] = peer_get32(peer_expect(p, 0x01).bhs, 16);
	peer_expect_nothing(p);
	assert_int_equal(sess_window(p->sess), 3);
	/* The target opens it: eight slots are the limit. */
	p->window = 100;
	peer_status(p, itt[0], 0);
	assert_int_equal(sess_window(p->sess), 8);
	itt[3] = peer_get32(peer_expect(p, 0x01).bhs, 16);
	assert_int_equal(sess_window(p->sess), 8);
	/* The target shuts it: what is outstanding is. */
	p->window = 0;
	for (int i = 1; i < 4; i++)
		peer_status(p, itt[i], 0);
	assert_int_equal(sess_window(p->sess), 8);
	assert_int_equal(sess_logout(p->sess, p->now), 0);
	assert_int_equal(sess_window(p->sess), 0);
	peer_free(p);
	for (int i = 0; i < 4; i++)
		peer_request_free(r[i]);
}

static struct req *
slow_request(struct peer *p, uint8_t lun)
{
	struct req *r = calloc(1, sizeof *r);

	r->timeout_ms = 100;
	r->lun[1] = lun;
	sess_submit(p->sess, r, p->now);
	return r;
}

static void
tmf_response(struct peer *p, const struct peer_pdu *tmf, uint8_t response)
{
	uint8_t bhs[48] = { 0x22, 0x80, response };

	peer_put32(bhs, 16, peer_get32(tmf->bhs, 16));
	peer_answer(p, bhs, NULL, 0);
}

static void
late_command_is_aborted_and_comes_back_timed_out(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *slow = slow_request(p, 3), *other = peer_request(p, REQ_READ, 512);
	struct peer_pdu cmd = peer_expect(p, 0x01), tmf;

	(void)state;
	(void)peer_expect(p, 0x01);
	assert_true(sess_deadline(p->sess) <= p->now + 100000);
	peer_tick(p, 99999);
	peer_expect_nothing(p);
	peer_tick(p, 1);
	tmf = peer_expect(p, 0x02);
	assert_int_equal(tmf.bhs[0], 0x42);
	assert_int_equal(tmf.bhs[1], 0x81);
	assert_int_equal(tmf.bhs[9], 3);
	assert_int_equal(peer_get32(tmf.bhs, 20), peer_get32(cmd.bhs, 16));
	assert_int_equal(peer_get32(tmf.bhs, 32), peer_get32(cmd.bhs, 24));
	assert_int_equal(p->n_done, 0);
	tmf_response(p, &tmf, 0);
	peer_assert_done(p, slow, REQ_TIMEOUT);
	assert_int_equal(p->n_done, 1);
	assert_int_equal(sess_state(p->sess), SESS_ONLINE);
	peer_free(p);
	assert_int_equal(other->result, REQ_LOST);
	peer_request_free(slow);
	peer_request_free(other);
}

static void
failed_abort_resets_the_lun_and_hands_the_others_back(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *slow = slow_request(p, 3), *same = peer_request(p, REQ_READ, 512),
		   *else_where = slow_request(p, 4), *waits;
	struct peer_pdu tmf;

	(void)state;
	else_where->timeout_ms = 0;
	for (int i = 0; i < 3; i++)
		(void)peer_expect(p, 0x01);
	peer_tick(p, 100000);
	tmf = peer_expect(p, 0x02);
	tmf_response(p, &tmf, 5); /* not supported */
	tmf = peer_expect(p, 0x02);
	assert_int_equal(tmf.bhs[1], 0x85);
	assert_int_equal(tmf.bhs[9], 3);
	assert_int_equal(peer_get32(tmf.bhs, 20), 0xffffffff);
	waits = peer_request(p, REQ_READ, 512);
	peer_expect_nothing(p); /* new commands wait for the reset */
	tmf_response(p, &tmf, 0);
	peer_assert_done(p, same, REQ_ABORTED);
	assert_ptr_equal(p->done[0], slow);
	assert_int_equal(slow->result, REQ_TIMEOUT);
	(void)peer_expect(p, 0x01);
	peer_expect_nothing(p);
	assert_int_equal(p->n_done, 2);
	peer_free(p);
	peer_request_free(waits);
	peer_request_free(slow);
	peer_request_free(same);
	peer_request_free(else_where);
}

static void
target_that_answers_nothing_is_given_up_in_bounded_time(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *slow = slow_request(p, 3);

	(void)state;
	(void)peer_expect(p, 0x01);
	peer_tick(p, 100000);
	(void)peer_expect(p, 0x02);
	peer_tick(p, 15000000);
	assert_int_equal(peer_expect(p, 0x02).bhs[1], 0x85);
	peer_tick(p, 30000000);
	assert_int_equal(peer_last(p, SESS_EV_CLOSE)->close.why, CONN_REQUEST_TIMEOUT);
	assert_int_equal(p->n_done, 0);
	sess_disconnected(p->sess, p->now);
	peer_drain(p);
	/* Nobody has said that the target has it no more. */
	peer_assert_done(p, slow, REQ_LOST);
	peer_free(p);
	peer_request_free(slow);
}

#define FAST_KEYS                                                                                \
	"HeaderDigest=None\nDataDigest=None\nMaxConnections=1\nDefaultTime2Wait=2\n"             \
	"DefaultTime2Retain=0\nDataPDUInOrder=Yes\nDataSequenceInOrder=Yes\nErrorRecoveryLevel=" \
	"0\nMaxRecvDataSegmentLength=8192\nMaxOutstandingR2T=1\nTaskReporting=FastAbort\n"       \
	"iSCSIProtocolLevel=2\n" PEER_KEYS_BURSTS "InitialR2T=Yes\nImmediateData=No\n"

/* RFC 7143, section 4.2.3.4: no Data-Out for affected tasks once the function is sent. */
static void
fast_abort_stops_the_data_of_affected_tasks(void **state)
{
	struct peer *p = peer_online(FAST_KEYS);
	struct req *w = peer_request(p, REQ_WRITE, 65536), *slow = slow_request(p, 3);
	uint32_t itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	uint8_t async[48] = { 0x32, 0x80, [9] = 4, [36] = 5 };
	struct peer_pdu tmf, nop;

	(void)state;
	assert_int_equal(sess_params(p->sess)->task_reporting, NEG_TASK_FAST_ABORT);
	assert_int_equal(sess_params(p->sess)->protocol_level, 2);
	(void)peer_expect(p, 0x01);
	peer_tick(p, 100000);
	tmf = peer_expect(p, 0x02);
	tmf_response(p, &tmf, 5);
	assert_int_equal(peer_expect(p, 0x02).bhs[1], 0x85);
	peer_r2t(p, itt, 7, 0, 0, 65536);
	peer_expect_nothing(p);
	assert_int_equal(p->result, CONN_OK);
	/* 11.9.1: the end of a LUN's tasks is acknowledged with a NOP-Out for that LUN. */
	peer_put32(async, 16, 0xffffffff);
	peer_answer(p, async, NULL, 0);
	nop = peer_expect(p, 0x00);
	assert_int_equal(nop.bhs[9], 4);
	assert_int_equal(peer_get32(nop.bhs, 16), 0xffffffff);
	peer_free(p);
	peer_request_free(w);
	peer_request_free(slow);
}

/* Anything at all may come from the wire: no assertion, no overrun, an end. */
static void
random_bytes_never_do_worse_than_close(void **state)
{
	uint64_t x = 88172645463325252ull;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct peer *p = peer_online(PEER_KEYS);
		struct req *r = peer_request(p, REQ_READ, 4096),
			   *w = peer_request(p, REQ_WRITE, 100000);

		peer_pull(p);
		p->chunk = round % 3 == 0 ? 13 : 0;
		for (int pdu = 0; pdu < 20 && p->result == CONN_OK; pdu++) {
			static const uint8_t opcodes[] = { 0x20, 0x21, 0x22, 0x24, 0x25, 0x26, 0x31,
				0x32, 0x3f };
			uint8_t bhs[48];

			for (size_t i = 0; i < 48; i++) {
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
				bhs[i] = (uint8_t)(x >> 24);
			}
			if (bhs[0] < 240)
				bhs[0] = opcodes[bhs[0] % sizeof opcodes];
			if (bhs[2] < 128) { /* half of them nearly right */
				bhs[4] = 0;
				peer_put32(bhs, 16, (bhs[3] & 1) != 0 ? 0x10000 : 0x10001);
				peer_put32(bhs, 24, p->stat_sn);
				peer_put32(bhs, 36, 0);
				peer_put32(bhs, 40, bhs[40] < 128 ? 0 : 16384);
			}
			peer_send(p, bhs, peer_pattern, (uint32_t)(x % 600));
			peer_pull(p);
		}
		peer_free(p);
		peer_request_free(r);
		peer_request_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(violations_close_the_connection),
		cmocka_unit_test(a_web_server_is_recognised_by_its_first_bytes),
		cmocka_unit_test(digest_errors_close_the_connection),
		cmocka_unit_test(a_lost_connection_hands_everything_back_in_order),
		cmocka_unit_test(a_request_is_withdrawn_only_before_it_is_sent),
		cmocka_unit_test(the_window_is_what_may_be_outstanding),
		cmocka_unit_test(late_command_is_aborted_and_comes_back_timed_out),
		cmocka_unit_test(failed_abort_resets_the_lun_and_hands_the_others_back),
		cmocka_unit_test(target_that_answers_nothing_is_given_up_in_bounded_time),
		cmocka_unit_test(fast_abort_stops_the_data_of_affected_tasks),
		cmocka_unit_test(random_bytes_never_do_worse_than_close),
	};

	return cmocka_run_group_tests_name("sess_recover", tests, NULL, NULL);
}
