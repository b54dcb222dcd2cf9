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

#define KB 1024u

static void
login_negotiates_and_goes_online(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);

	(void)state;
	assert_int_equal(sess_state(p->sess), SESS_ONLINE);
	assert_int_equal(sess_params(p->sess)->first_burst, 16384);
	assert_int_equal(sess_params(p->sess)->peer_max_recv_dsl, 8192);
	assert_int_equal(sess_tsih(p->sess), 7);
	assert_int_equal(sess_tpgt(p->sess), 1);
	peer_free(p);
}

/* One read, answered in PDUs of `piece` bytes, received in chunks. */
static void
read_once(struct peer *p, uint32_t len, uint32_t piece, bool collapsed)
{
	struct req *r = peer_request(p, REQ_READ, len);
	struct peer_pdu cmd = peer_expect(p, 0x01);
	uint32_t itt = peer_get32(cmd.bhs, 16), off = 0, sn = 0;

	assert_int_equal(cmd.bhs[1], 0xc1); /* F, R, simple */
	assert_int_equal(peer_get32(cmd.bhs, 20), len);
	assert_int_equal(cmd.bhs[9], 3);
	while (off < len) {
		uint32_t n = len - off < piece ? len - off : piece;

		peer_data_in(p, itt, sn++, off, peer_pattern + off, n, collapsed && off + n == len);
		off += n;
	}
	if (!collapsed)
		peer_status(p, itt, 0);
	peer_assert_done(p, r, REQ_DONE);
	assert_int_equal(r->status, 0);
	assert_int_equal(r->data_got, len);
	assert_memory_equal(r->data, peer_pattern, len);
	peer_request_free(r);
}

static void
reads_arrive_whole_however_the_stream_is_cut(void **state)
{
	static const char *const digests[] = { "None\nDataDigest=None\n",
		"CRC32C\nDataDigest=None\n", "CRC32C\nDataDigest=CRC32C\n",
		"None\nDataDigest=CRC32C\n" };
	static const size_t chunks[] = { 1, 3, 7, 47, 48, 49, 52, 100, 4096, 9000, 0 };

	(void)state;
	for (size_t d = 0; d < 4; d++) {
		char keys[1024];

		snprintf(keys, sizeof keys,
		    "HeaderDigest=%sMaxConnections=1\nDefaultTime2Wait=2\nDefaultTime2Retain=0\n"
		    "DataPDUInOrder=Yes\nDataSequenceInOrder=Yes\nErrorRecoveryLevel=0\n"
		    "MaxOutstandingR2T=1\nTaskReporting=RFC3720\n" PEER_KEYS_BURSTS
		    "InitialR2T=No\nImmediateData=Yes\n",
		    digests[d]);
		for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
			for (int direct = 0; direct < 2; direct++) {
				struct peer *p = peer_online(keys);

				p->chunk = chunks[i];
				p->direct = direct != 0;
				read_once(p, 40000, 20001, true);
				read_once(p, 513, 512, false);
				read_once(p, 3, 3, true);
				peer_free(p);
			}
	}
}

/* Collect Data-Out PDUs of one burst into `got`, checking every field. */
static void
take_burst(struct peer *p, uint32_t itt, uint32_t ttt, uint32_t off, uint32_t len, uint8_t *got)
{
	uint32_t sn = 0;

	while (len > 0) {
		struct peer_pdu d = peer_expect(p, 0x05);

		assert_int_equal(peer_get32(d.bhs, 16), itt);
		assert_int_equal(peer_get32(d.bhs, 20), ttt);
		assert_int_equal(peer_get32(d.bhs, 36), sn++);
		assert_int_equal(peer_get32(d.bhs, 40), off);
		assert_true(d.len > 0 && d.len <= len && d.len <= 8192);
		assert_int_equal(d.bhs[1], d.len == len ? 0x80 : 0);
		memcpy(got + off, d.data, d.len);
		off += d.len;
		len -= d.len;
	}
}

static void
write_once(struct peer *p, uint32_t len, uint32_t immediate, uint32_t first)
{
	static uint8_t got[256 * KB];
	struct req *r = peer_request(p, REQ_WRITE, len);
	struct peer_pdu cmd = peer_expect(p, 0x01);
	uint32_t itt = peer_get32(cmd.bhs, 16), off, ttt = 0x77, sn = 0;

	assert_int_equal(cmd.bhs[1], first == immediate ? 0xa1 : 0x21);
	assert_int_equal(cmd.len, immediate);
	memcpy(got, cmd.data, cmd.len);
	take_burst(p, itt, 0xffffffff, immediate, first - immediate, got);
	for (off = first; off < len;) {
		uint32_t n = len - off < 65536 ? len - off : 65536;

		peer_r2t(p, itt, ttt, sn++, off, n);
		take_burst(p, itt, ttt++, off, n, got);
		off += n;
	}
	peer_expect_nothing(p);
	assert_memory_equal(got, peer_pattern, len);
	peer_status(p, itt, 0);
	peer_assert_done(p, r, REQ_DONE);
	peer_request_free(r);
}

static void
writes_send_every_byte_once_in_every_mode(void **state)
{
	static const struct {
		const char *keys;
		bool immediate, unsolicited;
	} mode[] = {
		{ PEER_KEYS_PLAIN PEER_KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n", true,
		    true },
		{ PEER_KEYS_PLAIN PEER_KEYS_BURSTS "InitialR2T=Yes\nImmediateData=Yes\n", true,
		    false },
		{ PEER_KEYS_PLAIN PEER_KEYS_BURSTS "InitialR2T=No\nImmediateData=No\n", false,
		    true },
		{ PEER_KEYS_PLAIN "MaxBurstLength=65536\nFirstBurstLength=Irrelevant\nInitialR2T="
				  "Yes\nImmediateData=No\n",
		    false, false },
	};
	static const uint32_t sizes[] = { 512, 8192, 8193, 16384, 20000, 100001, 200000 };

	(void)state;
	for (size_t m = 0; m < 4; m++) {
		struct peer *p = peer_online(mode[m].keys);

		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			uint32_t first = sizes[i] < 16384 ? sizes[i] : 16384;
			uint32_t immediate = mode[m].immediate ? (first < 8192 ? first : 8192) : 0;

			p->chunk = i % 2 == 0 ? 0 : 5000;
			write_once(p, sizes[i], immediate, mode[m].unsolicited ? first : immediate);
		}
		peer_free(p);
	}
}

static void
several_r2ts_are_answered_in_order(void **state)
{
	static uint8_t got[64 * KB];
	struct sess_cfg cfg = peer_config();
	struct peer *p;
	struct req *r;
	uint32_t itt;

	(void)state;
	cfg.login.offer.max_outstanding_r2t = 3;
	p = peer_new(&cfg);
	peer_login(p, "HeaderDigest=None\nDataDigest=None\nMaxConnections=1\nDefaultTime2Wait=2\n"
		      "DefaultTime2Retain=0\nDataPDUInOrder=Yes\nDataSequenceInOrder="
		      "Yes\nErrorRecoveryLevel=0\n"
		      "MaxRecvDataSegmentLength=8192\nMaxOutstandingR2T=3\nTaskReporting="
		      "RFC3720\n" PEER_KEYS_BURSTS "InitialR2T=Yes\nImmediateData=No\n");
	r = peer_request(p, REQ_WRITE, 60000);
	itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	peer_r2t(p, itt, 1, 0, 0, 20000);
	peer_r2t(p, itt, 2, 1, 20000, 20000);
	peer_r2t(p, itt, 3, 2, 40000, 20000);
	take_burst(p, itt, 1, 0, 20000, got);
	take_burst(p, itt, 2, 20000, 20000, got);
	take_burst(p, itt, 3, 40000, 20000, got);
	assert_memory_equal(got, peer_pattern, 60000);
	peer_status(p, itt, 0);
	peer_assert_done(p, r, REQ_DONE);
	peer_request_free(r);
	peer_free(p);
}

static void
commands_wait_for_the_window_and_for_slots(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *r[12];
	uint32_t itt[12], cmd_sn = 0;

	(void)state;
	p->window = 3;
	peer_send(p,
	    (uint8_t[48]){ 0x20, 0x80, [16] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	    NULL, 0);
	for (int i = 0; i < 12; i++)
		r[i] = peer_request(p, REQ_READ, 512);
	/* MaxCmdSN never moves back, so the first window of 64 still holds: 8 slots decide. */
	for (int i = 0; i < 8; i++) {
		struct peer_pdu c = peer_expect(p, 0x01);

		itt[i] = peer_get32(c.bhs, 16);
		assert_true(i == 0 || peer_get32(c.bhs, 24) == cmd_sn + 1);
		cmd_sn = peer_get32(c.bhs, 24);
	}
	peer_expect_nothing(p);
	peer_data_in(p, itt[5], 0, 0, peer_pattern, 512, true);
	peer_assert_done(p, r[5], REQ_DONE);
	itt[8] = peer_get32(peer_expect(p, 0x01).bhs, 16);
	/* The slot is the same, the tag is not: a late answer to the old one is refused. */
	assert_int_equal(itt[8] & 0xffff, itt[5] & 0xffff);
	assert_int_not_equal(itt[8], itt[5]);
	peer_expect_nothing(p);
	peer_data_in(p, itt[5], 0, 0, peer_pattern, 512, true);
	peer_assert_broken(p, CONN_BAD_ITT);
	sess_disconnected(p->sess, p->now);
	peer_drain(p);
	assert_int_equal(p->n_done, 12);
	for (int i = 0; i < 12; i++)
		peer_request_free(r[i]);
	peer_free(p);
}

static void
as_many_commands_are_out_as_there_are_slots(void **state)
{
	static const uint16_t slots[] = { 1, 7, 8, 9, 20, 60 };
	struct req *r[63];
	uint32_t itt[60];

	(void)state;
	for (size_t k = 0; k < sizeof slots / sizeof *slots; k++) {
		struct sess_cfg cfg = peer_config();
		struct peer *p;
		uint16_t n = cfg.slots = slots[k];
		uint64_t seen = 0;

		p = peer_new(&cfg);
		peer_login(p, PEER_KEYS);
		for (unsigned i = 0; i < n + 3u; i++)
			r[i] = peer_request(p, REQ_READ, 512);
		for (unsigned i = 0; i < n; i++) {
			itt[i] = peer_get32(peer_expect(p, 0x01).bhs, 16);
			assert_in_range(itt[i] & 0xffff, 0, n - 1);
			assert_false(seen >> (itt[i] & 0xffff) & 1);
			seen |= UINT64_C(1) << (itt[i] & 0xffff);
		}
		peer_expect_nothing(p);
		for (unsigned i = n; i-- > 0;) {
			peer_data_in(p, itt[i], 0, 0, peer_pattern, 512, true);
			peer_assert_done(p, r[i], REQ_DONE);
		}
		sess_disconnected(p->sess, p->now);
		peer_drain(p);
		for (unsigned i = 0; i < n + 3u; i++)
			peer_request_free(r[i]);
		peer_free(p);
	}
}

static void
no_command_goes_beyond_max_cmd_sn(void **state)
{
	struct sess_cfg cfg = peer_config();
	struct peer *p = peer_new(&cfg);
	struct req *r[4];
	uint32_t itt;

	(void)state;
	p->window = 2;
	peer_login(p, PEER_KEYS);
	for (int i = 0; i < 4; i++)
		r[i] = peer_request(p, REQ_NONE, 0);
	itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	(void)peer_expect(p, 0x01);
	peer_expect_nothing(p);
	peer_status(p, itt, 0);
	(void)peer_expect(p, 0x01);
	(void)peer_expect(p, 0x01);
	peer_free(p);
	for (int i = 0; i < 4; i++)
		peer_request_free(r[i]);
}

static void
sense_and_residual_reach_the_caller(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *r = peer_request(p, REQ_READ, 4096);
	uint8_t bhs[48] = { 0x21, 0x82, 0, 2 }, sense[20] = { 0, 18, 0x70, 0, 5, [14] = 0x24 };
	uint32_t itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	struct conn_counts n;

	(void)state;
	peer_put32(bhs, 16, itt);
	peer_put32(bhs, 44, 4096);
	peer_answer(p, bhs, sense, 20);
	peer_assert_done(p, r, REQ_DONE);
	assert_int_equal(r->status, 2);
	assert_true(r->underflow);
	assert_int_equal(r->residual, 4096);
	assert_int_equal(r->sense_len, 18);
	assert_int_equal(r->sense[12], 0x24);
	sess_counts(p->sess, &n);
	assert_int_equal(n.underflows, 1);
	assert_int_equal(n.response_bad_residual, 0);
	peer_request_free(r);
	peer_free(p);
}

static void
good_status_for_a_write_not_asked_for_is_no_success(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *r = peer_request(p, REQ_WRITE, 100000);
	uint32_t itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	struct peer_pdu pdu;

	(void)state;
	while (peer_next(p, &pdu))
		assert_int_equal(pdu.bhs[0], 0x05);
	peer_status(p, itt, 0);
	peer_assert_done(p, r, REQ_VIOLATION);
	peer_request_free(r);
	peer_free(p);
}

static void
early_answer_waits_until_queued_data_has_left(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *r = peer_request(p, REQ_WRITE, 8192);
	const struct iovec *iov;
	uint8_t head[48];
	size_t n = conn_tx_peek(sess_conn(p->sess), &iov, p->now);

	(void)state;
	assert_int_equal(n, 2);
	memcpy(head, iov[0].iov_base, 48);
	conn_tx_done(sess_conn(p->sess), 48 + 100);
	peer_status(p, peer_get32(head, 16), 8);
	assert_int_equal(p->n_done, 0);
	conn_tx_done(sess_conn(p->sess), 8192 - 100);
	peer_drain(p);
	peer_assert_done(p, r, REQ_DONE);
	assert_int_equal(r->status, 8);
	peer_request_free(r);
	peer_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_negotiates_and_goes_online),
		cmocka_unit_test(reads_arrive_whole_however_the_stream_is_cut),
		cmocka_unit_test(writes_send_every_byte_once_in_every_mode),
		cmocka_unit_test(several_r2ts_are_answered_in_order),
		cmocka_unit_test(commands_wait_for_the_window_and_for_slots),
		cmocka_unit_test(as_many_commands_are_out_as_there_are_slots),
		cmocka_unit_test(no_command_goes_beyond_max_cmd_sn),
		cmocka_unit_test(sense_and_residual_reach_the_caller),
		cmocka_unit_test(good_status_for_a_write_not_asked_for_is_no_success),
		cmocka_unit_test(early_answer_waits_until_queued_data_has_left),
	};

	return cmocka_run_group_tests_name("sess", tests, NULL, NULL);
}
