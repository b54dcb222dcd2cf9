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

static struct sess_cfg
config(void)
{
	struct sess_cfg cfg = {
		.login = { .initiator_name = "iqn.2026-11.org.openisw:test",
		    .target_name = "iqn.2026-11.org.openisw:tgt",
		    .expected_tpgt = -1 },
		.isid = { 0x80, 1, 2, 3, 4, 5 },
		.slots = 8,
	};

	neg_offer_default(&cfg.login.offer);
	return cfg;
}

/* What a target answers to our default offer; the last of a key counts. */
#define KEYS_PLAIN                                                                               \
	"HeaderDigest=None\nDataDigest=None\nMaxConnections=1\nDefaultTime2Wait=2\n"             \
	"DefaultTime2Retain=0\nDataPDUInOrder=Yes\nDataSequenceInOrder=Yes\nErrorRecoveryLevel=" \
	"0\n"                                                                                    \
	"MaxRecvDataSegmentLength=8192\nMaxOutstandingR2T=1\nTaskReporting=RFC3720\n"
#define KEYS_BURSTS "MaxBurstLength=65536\nFirstBurstLength=16384\n"
#define KEYS        KEYS_PLAIN KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n"

static struct peer *
online_with(const char *keys)
{
	struct sess_cfg cfg = config();
	struct peer *p = peer_new(&cfg);

	peer_login(p, keys);
	sess_release(p->sess);
	return p;
}

static uint8_t pattern[1 << 20];

static void
make_pattern(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof pattern; i++) {
		x = x * 1103515245 + 12345;
		pattern[i] = (uint8_t)(x >> 16);
	}
}

static struct req *
request(struct peer *p, enum req_dir dir, uint32_t len)
{
	struct req *r = calloc(1, sizeof *r);

	r->dir = dir;
	r->data_len = len;
	r->attr = REQ_SIMPLE;
	r->lun[1] = 3;
	r->cdb[0] = dir == REQ_WRITE ? 0x2a : 0x28;
	if (len > 0) {
		r->data = malloc(len);
		if (dir == REQ_WRITE)
			memcpy(r->data, pattern, len);
		else
			memset(r->data, 0, len);
	}
	sess_submit(p->sess, r, p->now);
	return r;
}

static void
request_free(struct req *r)
{
	free(r->data);
	free(r);
}

static void
assert_done(struct peer *p, const struct req *r, enum req_result result)
{
	assert_true(p->n_done > 0);
	assert_ptr_equal(p->done[p->n_done - 1], r);
	assert_int_equal(r->result, result);
}

static void
assert_broken(struct peer *p, enum conn_result why)
{
	assert_int_equal(p->result, why);
	assert_int_equal(peer_last(p, SESS_EV_CLOSE)->close.why, why);
	peer_expect_nothing(p);
}

static void
login_negotiates_and_goes_online(void **state)
{
	struct peer *p = online_with(KEYS);

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
	struct req *r = request(p, REQ_READ, len);
	struct peer_pdu cmd = peer_expect(p, 0x01);
	uint32_t itt = peer_get32(cmd.bhs, 16), off = 0, sn = 0;

	assert_int_equal(cmd.bhs[1], 0xc1); /* F, R, simple */
	assert_int_equal(peer_get32(cmd.bhs, 20), len);
	assert_int_equal(cmd.bhs[9], 3);
	while (off < len) {
		uint32_t n = len - off < piece ? len - off : piece;

		peer_data_in(p, itt, sn++, off, pattern + off, n, collapsed && off + n == len);
		off += n;
	}
	if (!collapsed)
		peer_status(p, itt, 0);
	assert_done(p, r, REQ_DONE);
	assert_int_equal(r->status, 0);
	assert_int_equal(r->data_got, len);
	assert_memory_equal(r->data, pattern, len);
	request_free(r);
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
		    "MaxOutstandingR2T=1\nTaskReporting=RFC3720\n" KEYS_BURSTS
		    "InitialR2T=No\nImmediateData=Yes\n",
		    digests[d]);
		for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
			for (int direct = 0; direct < 2; direct++) {
				struct peer *p = online_with(keys);

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
	struct req *r = request(p, REQ_WRITE, len);
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
	assert_memory_equal(got, pattern, len);
	peer_status(p, itt, 0);
	assert_done(p, r, REQ_DONE);
	request_free(r);
}

static void
writes_send_every_byte_once_in_every_mode(void **state)
{
	static const struct {
		const char *keys;
		bool immediate, unsolicited;
	} mode[] = {
		{ KEYS_PLAIN KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n", true, true },
		{ KEYS_PLAIN KEYS_BURSTS "InitialR2T=Yes\nImmediateData=Yes\n", true, false },
		{ KEYS_PLAIN KEYS_BURSTS "InitialR2T=No\nImmediateData=No\n", false, true },
		{ KEYS_PLAIN "MaxBurstLength=65536\nFirstBurstLength=Irrelevant\nInitialR2T="
			     "Yes\nImmediateData=No\n",
		    false, false },
	};
	static const uint32_t sizes[] = { 512, 8192, 8193, 16384, 20000, 100001, 200000 };

	(void)state;
	for (size_t m = 0; m < 4; m++) {
		struct peer *p = online_with(mode[m].keys);

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
	struct sess_cfg cfg = config();
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
		      "RFC3720\n" KEYS_BURSTS "InitialR2T=Yes\nImmediateData=No\n");
	sess_release(p->sess);
	r = request(p, REQ_WRITE, 60000);
	itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	peer_r2t(p, itt, 1, 0, 0, 20000);
	peer_r2t(p, itt, 2, 1, 20000, 20000);
	peer_r2t(p, itt, 3, 2, 40000, 20000);
	take_burst(p, itt, 1, 0, 20000, got);
	take_burst(p, itt, 2, 20000, 20000, got);
	take_burst(p, itt, 3, 40000, 20000, got);
	assert_memory_equal(got, pattern, 60000);
	peer_status(p, itt, 0);
	assert_done(p, r, REQ_DONE);
	request_free(r);
	peer_free(p);
}

static void
commands_wait_for_the_window_and_for_slots(void **state)
{
	struct peer *p = online_with(KEYS);
	struct req *r[12];
	uint32_t itt[12], cmd_sn = 0;

	(void)state;
	p->window = 3;
	peer_send(p,
	    (uint8_t[48]){ 0x20, 0x80, [16] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	    NULL, 0);
	for (int i = 0; i < 12; i++)
		r[i] = request(p, REQ_READ, 512);
	/* MaxCmdSN never moves back, so the first window of 64 still holds: 8 slots decide. */
	for (int i = 0; i < 8; i++) {
		struct peer_pdu c = peer_expect(p, 0x01);

		itt[i] = peer_get32(c.bhs, 16);
		assert_true(i == 0 || peer_get32(c.bhs, 24) == cmd_sn + 1);
		cmd_sn = peer_get32(c.bhs, 24);
	}
	peer_expect_nothing(p);
	peer_data_in(p, itt[5], 0, 0, pattern, 512, true);
	assert_done(p, r[5], REQ_DONE);
	itt[8] = peer_get32(peer_expect(p, 0x01).bhs, 16);
	/* The slot is the same, the tag is not: a late answer to the old one is refused. */
	assert_int_equal(itt[8] & 0xffff, itt[5] & 0xffff);
	assert_int_not_equal(itt[8], itt[5]);
	peer_expect_nothing(p);
	peer_data_in(p, itt[5], 0, 0, pattern, 512, true);
	assert_broken(p, CONN_BAD_ITT);
	sess_disconnected(p->sess, p->now);
	sess_fail_all(p->sess, p->now, REQ_OFFLINE);
	peer_drain(p);
	assert_int_equal(p->n_done, 12);
	for (int i = 0; i < 12; i++)
		request_free(r[i]);
	peer_free(p);
}

static void
no_command_goes_beyond_max_cmd_sn(void **state)
{
	struct sess_cfg cfg = config();
	struct peer *p = peer_new(&cfg);
	struct req *r[4];
	uint32_t itt;

	(void)state;
	p->window = 2;
	peer_login(p, KEYS);
	sess_release(p->sess);
	for (int i = 0; i < 4; i++)
		r[i] = request(p, REQ_NONE, 0);
	itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	(void)peer_expect(p, 0x01);
	peer_expect_nothing(p);
	peer_status(p, itt, 0);
	(void)peer_expect(p, 0x01);
	(void)peer_expect(p, 0x01);
	peer_free(p);
	for (int i = 0; i < 4; i++)
		request_free(r[i]);
}

static void
sense_and_residual_reach_the_caller(void **state)
{
	struct peer *p = online_with(KEYS);
	struct req *r = request(p, REQ_READ, 4096);
	uint8_t bhs[48] = { 0x21, 0x82, 0, 2 }, sense[20] = { 0, 18, 0x70, 0, 5, [14] = 0x24 };
	uint32_t itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	struct conn_counts n;

	(void)state;
	peer_put32(bhs, 16, itt);
	peer_put32(bhs, 44, 4096);
	peer_answer(p, bhs, sense, 20);
	assert_done(p, r, REQ_DONE);
	assert_int_equal(r->status, 2);
	assert_true(r->underflow);
	assert_int_equal(r->residual, 4096);
	assert_int_equal(r->sense_len, 18);
	assert_int_equal(r->sense[12], 0x24);
	sess_counts(p->sess, &n);
	assert_int_equal(n.underflows, 1);
	assert_int_equal(n.response_bad_residual, 0);
	request_free(r);
	peer_free(p);
}

static void
good_status_for_a_write_not_asked_for_is_no_success(void **state)
{
	struct peer *p = online_with(KEYS);
	struct req *r = request(p, REQ_WRITE, 100000);
	uint32_t itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	struct peer_pdu pdu;

	(void)state;
	while (peer_next(p, &pdu))
		assert_int_equal(pdu.bhs[0], 0x05);
	peer_status(p, itt, 0);
	assert_done(p, r, REQ_VIOLATION);
	request_free(r);
	peer_free(p);
}

static void
early_answer_waits_until_queued_data_has_left(void **state)
{
	struct peer *p = online_with(KEYS);
	struct req *r = request(p, REQ_WRITE, 8192);
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
	assert_done(p, r, REQ_DONE);
	assert_int_equal(r->status, 8);
	request_free(r);
	peer_free(p);
}

/* Each of these PDUs must close the connection with its own reason. */
static void
violations_close_the_connection(void **state)
{
	enum {
		DATA_SN,
		DATA_OFFSET,
		DATA_LONG,
		DATA_ON_WRITE,
		R2T_ON_READ,
		R2T_SN,
		R2T_ZERO,
		R2T_LONG,
		R2T_BURST,
		STAT_SN,
		OPCODE,
		LOGIN_AGAIN,
		TMF,
		SEGMENT,
		CASES
	};
	static const enum conn_result want[CASES] = { CONN_BAD_DATA_IN, CONN_BAD_DATA_IN,
		CONN_BAD_DATA_IN, CONN_BAD_DATA_IN, CONN_BAD_R2T, CONN_BAD_R2T, CONN_BAD_R2T,
		CONN_BAD_R2T, CONN_BAD_R2T, CONN_STATSN_HOLE, CONN_BAD_OPCODE, CONN_BAD_STAGE,
		CONN_BAD_ITT, CONN_TOO_LONG };

	(void)state;
	for (int i = 0; i < CASES; i++) {
		struct peer *p = online_with(KEYS);
		struct req *rd = request(p, REQ_READ, 1024), *wr = request(p, REQ_WRITE, 100000);
		uint32_t r = peer_get32(peer_expect(p, 0x01).bhs, 16),
			 w = peer_get32(peer_expect(p, 0x01).bhs, 16);
		struct peer_pdu pdu;

		while (peer_next(p, &pdu))
			assert_int_equal(pdu.bhs[0], 0x05);
		switch (i) {
		case DATA_SN:
			peer_data_in(p, r, 1, 0, pattern, 512, false);
			break;
		case DATA_OFFSET:
			peer_data_in(p, r, 0, 512, pattern, 512, false);
			break;
		case DATA_LONG:
			peer_data_in(p, r, 0, 0, pattern, 1025, false);
			break;
		case DATA_ON_WRITE:
			peer_data_in(p, w, 0, 0, pattern, 512, false);
			break;
		case R2T_ON_READ:
			peer_r2t(p, r, 1, 0, 0, 512);
			break;
		case R2T_SN:
			peer_r2t(p, w, 1, 1, 16384, 512);
			break;
		case R2T_ZERO:
			peer_r2t(p, w, 1, 0, 16384, 0);
			break;
		case R2T_LONG:
			peer_r2t(p, w, 1, 0, 16384, 65537);
			break;
		case R2T_BURST:
			peer_r2t(p, w, 1, 0, 16384, 512);
			peer_r2t(p, w, 2, 1, 16384 + 512, 512);
			break;
		case STAT_SN:
			p->stat_sn++;
			peer_status(p, r, 0);
			break;
		case OPCODE:
			peer_send(p, (uint8_t[48]){ 0x05 }, NULL, 0);
			break;
		case LOGIN_AGAIN:
			peer_answer(p, (uint8_t[48]){ 0x23 }, NULL, 0);
			break;
		case TMF:
			peer_answer(p, (uint8_t[48]){ 0x22 }, NULL, 0);
			break;
		case SEGMENT:
			peer_send(p, (uint8_t[48]){ 0x20 }, pattern, 262145);
			break;
		}
		assert_broken(p, want[i]);
		peer_free(p);
		request_free(rd);
		request_free(wr);
	}
}

static void
digest_errors_close_the_connection(void **state)
{
	(void)state;
	for (int data = 0; data < 2; data++) {
		struct peer *p = online_with(
		    "HeaderDigest=CRC32C\nDataDigest=CRC32C\nMaxConnections=1\nDefaultTime2Wait=2\n"
		    "DefaultTime2Retain=0\nDataPDUInOrder=Yes\nDataSequenceInOrder="
		    "Yes\nErrorRecoveryLevel=0\n"
		    "MaxRecvDataSegmentLength=8192\nMaxOutstandingR2T=1\nTaskReporting="
		    "RFC3720\n" KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n");
		struct req *r = request(p, REQ_READ, 1024);
		uint32_t itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
		struct conn_counts n;

		p->corrupt = data != 0 ? 'D' : 'H';
		peer_data_in(p, itt, 0, 0, pattern, 1024, true);
		assert_broken(p, data != 0 ? CONN_DATA_DIGEST : CONN_HEADER_DIGEST);
		sess_counts(p->sess, &n);
		assert_int_equal(n.header_digest_errors, data == 0);
		assert_int_equal(n.data_digest_errors, data != 0);
		assert_int_equal(p->n_done, 0);
		peer_free(p);
		request_free(r);
	}
}

static void
lost_connection_resends_in_order_only_after_release(void **state)
{
	struct peer *p = online_with(KEYS);
	struct req *r[3], *probe, *once;

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		r[i] = request(p, REQ_READ, 512);
		r[i]->cdb[5] = i;
		(void)peer_expect(p, 0x01);
	}
	once = calloc(1, sizeof *once);
	once->is_once = true;
	sess_submit(p->sess, once, p->now);
	(void)peer_expect(p, 0x01);
	sess_disconnected(p->sess, p->now);
	peer_drain(p);
	assert_done(p, once, REQ_OFFLINE);
	assert_int_equal(p->n_done, 1);

	peer_login(p, KEYS);
	peer_expect_nothing(p);
	probe = calloc(1, sizeof *probe);
	probe->is_probe = true;
	probe->cdb[0] = 0x12;
	sess_submit(p->sess, probe, p->now);
	assert_int_equal(peer_expect(p, 0x01).bhs[32], 0x12);
	peer_expect_nothing(p);
	sess_release(p->sess);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(peer_expect(p, 0x01).bhs[32 + 5], i);
	peer_expect_nothing(p);
	sess_disconnected(p->sess, p->now);
	peer_drain(p);
	assert_done(p, probe, REQ_OFFLINE);
	peer_free(p);
	for (int i = 0; i < 3; i++)
		request_free(r[i]);
	request_free(probe);
	request_free(once);
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
	struct peer *p = online_with(KEYS);
	struct req *slow = slow_request(p, 3), *other = request(p, REQ_READ, 512);
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
	assert_done(p, slow, REQ_TIMEOUT);
	assert_int_equal(p->n_done, 1);
	assert_int_equal(sess_state(p->sess), SESS_ONLINE);
	peer_free(p);
	assert_int_equal(other->result, REQ_OFFLINE);
	request_free(slow);
	request_free(other);
}

static void
failed_abort_resets_the_lun_and_sends_the_others_again(void **state)
{
	struct peer *p = online_with(KEYS);
	struct req *slow = slow_request(p, 3), *same = request(p, REQ_READ, 512),
		   *else_where = slow_request(p, 4);
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
	tmf_response(p, &tmf, 0);
	assert_done(p, slow, REQ_TIMEOUT);
	assert_int_equal(peer_expect(p, 0x01).bhs[32], 0x28); /* `same`, once more */
	peer_expect_nothing(p);
	assert_int_equal(p->n_done, 1);
	peer_free(p);
	request_free(slow);
	request_free(same);
	request_free(else_where);
}

static void
target_that_answers_nothing_is_given_up_in_bounded_time(void **state)
{
	struct peer *p = online_with(KEYS);
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
	assert_done(p, slow, REQ_TIMEOUT);
	peer_free(p);
	request_free(slow);
}

static void
users_abort_and_reset_hand_requests_back_aborted(void **state)
{
	struct peer *p = online_with(KEYS);
	struct req *a = request(p, REQ_READ, 512), *b = request(p, REQ_READ, 512), *c;
	const uint8_t lun[8] = { 0, 3 };
	struct peer_pdu tmf;

	(void)state;
	(void)peer_expect(p, 0x01);
	(void)peer_expect(p, 0x01);
	assert_int_equal(sess_tmf(p->sess, SESS_TMF_ABORT_TASK, lun, a, p, p->now), 0);
	assert_int_equal(sess_tmf(p->sess, SESS_TMF_ABORT_TASK, lun, b, p, p->now), -EBUSY);
	tmf = peer_expect(p, 0x02);
	tmf_response(p, &tmf, 0);
	assert_int_equal(a->result, REQ_ABORTED);
	assert_false(peer_last(p, SESS_EV_TMF)->tmf.is_ours);
	assert_ptr_equal(peer_last(p, SESS_EV_TMF)->tmf.user, p);

	assert_int_equal(
	    sess_tmf(p->sess, SESS_TMF_LOGICAL_UNIT_RESET, lun, NULL, NULL, p->now), 0);
	c = request(p, REQ_READ, 512);
	tmf = peer_expect(p, 0x02);
	peer_expect_nothing(p); /* new commands wait for the reset */
	tmf_response(p, &tmf, 0);
	assert_done(p, b, REQ_ABORTED);
	(void)peer_expect(p, 0x01);
	peer_free(p);
	request_free(a);
	request_free(b);
	request_free(c);
}

static void
target_pings_are_answered_with_their_tag(void **state)
{
	struct peer *p = online_with(KEYS);
	uint8_t bhs[48] = { 0x20, 0x80, [9] = 5 };
	struct peer_pdu out;

	(void)state;
	peer_put32(bhs, 16, 0xffffffff);
	peer_put32(bhs, 20, 0x1234);
	peer_put32(bhs, 24, p->stat_sn);
	peer_send(p, bhs, NULL, 0);
	out = peer_expect(p, 0x00);
	assert_int_equal(out.bhs[0], 0x40);
	assert_int_equal(peer_get32(out.bhs, 16), 0xffffffff);
	assert_int_equal(peer_get32(out.bhs, 20), 0x1234);
	assert_int_equal(out.bhs[9], 5);
	peer_expect_nothing(p);
	peer_free(p);
}

static void
our_ping_measures_and_compares(void **state)
{
	struct peer *p = online_with(KEYS);
	uint8_t bhs[48] = { 0x20, 0x80 }, echo[256];
	struct peer_pdu out;

	(void)state;
	assert_int_equal(sess_ping(p->sess, 4097, NULL, p->now), -EINVAL);
	assert_int_equal(sess_ping(p->sess, 256, p, p->now), 0);
	assert_int_equal(sess_ping(p->sess, 1, p, p->now), -EBUSY);
	out = peer_expect(p, 0x00);
	assert_int_equal(out.len, 256);
	memcpy(echo, out.data, 256);
	echo[200] ^= 1;
	peer_put32(bhs, 16, peer_get32(out.bhs, 16));
	peer_put32(bhs, 20, 0xffffffff);
	p->now += 1234;
	peer_answer(p, bhs, echo, 256);
	assert_int_equal(peer_last(p, SESS_EV_PING)->ping.rtt_us, 1234);
	assert_int_equal(peer_last(p, SESS_EV_PING)->ping.bytes_same, 200);
	assert_ptr_equal(peer_last(p, SESS_EV_PING)->ping.user, p);
	peer_free(p);
}

static void
silence_is_pinged_and_then_ended(void **state)
{
	struct sess_cfg cfg = config();
	struct peer *p;

	(void)state;
	cfg.nop_interval_ms = 5000;
	cfg.nop_timeout_ms = 3000;
	p = peer_new(&cfg);
	peer_login(p, KEYS);
	peer_tick(p, 4999999);
	peer_expect_nothing(p);
	peer_tick(p, 1);
	(void)peer_expect(p, 0x00);
	peer_tick(p, 2999999);
	assert_int_equal(sess_state(p->sess), SESS_ONLINE);
	peer_tick(p, 1);
	assert_int_equal(peer_last(p, SESS_EV_CLOSE)->close.why, CONN_PING_TIMEOUT);
	peer_free(p);
}

static void
send_targets_collects_all_parts(void **state)
{
	struct peer *p = online_with(KEYS);
	uint8_t bhs[48] = { 0x24 };
	struct peer_pdu out;
	uint32_t itt;

	(void)state;
	assert_int_equal(sess_send_targets(p->sess, "All", p->now), 0);
	out = peer_expect(p, 0x04);
	assert_int_equal(out.len, sizeof "SendTargets=All");
	assert_memory_equal(out.data, "SendTargets=All", out.len);
	itt = peer_get32(out.bhs, 16);
	peer_put32(bhs, 16, itt);
	peer_put32(bhs, 20, 99);
	bhs[1] = 0x40; /* C */
	p->chunk = 5;
	peer_answer(p, bhs, "TargetName=iqn.a", 16);
	out = peer_expect(p, 0x04);
	assert_int_equal(out.len, 0);
	assert_int_equal(peer_get32(out.bhs, 16), itt);
	assert_int_equal(peer_get32(out.bhs, 20), 99);
	bhs[1] = 0x80;
	peer_put32(bhs, 20, 0xffffffff);
	peer_answer(p, bhs, "b\0TargetAddress=1.2.3.4,1", 26);
	assert_true(peer_last(p, SESS_EV_TEXT_DONE)->text.ok);
	assert_int_equal(p->text_len, 42);
	assert_memory_equal(p->text, "TargetName=iqn.ab\0TargetAddress=1.2.3.4,1", 42);
	peer_free(p);
}

static void
logout_ends_in_order(void **state)
{
	struct peer *p = online_with(KEYS);
	uint8_t bhs[48] = { 0x26, 0x80 };
	struct peer_pdu out;
	struct req *r;

	(void)state;
	assert_int_equal(sess_logout(p->sess, p->now), 0);
	out = peer_expect(p, 0x06);
	assert_int_equal(out.bhs[1], 0x80);
	r = request(p, REQ_READ, 512);
	peer_expect_nothing(p); /* nothing is sent after the logout */
	peer_put32(bhs, 16, peer_get32(out.bhs, 16));
	peer_answer(p, bhs, NULL, 0);
	assert_int_equal(p->event[p->events - 2].kind, SESS_EV_LOGOUT);
	assert_int_equal(peer_last(p, SESS_EV_CLOSE)->close.why, CONN_OK);
	peer_free(p);
	request_free(r);
}

static void
target_that_asks_for_logout_gets_one(void **state)
{
	struct peer *p = online_with(KEYS);
	uint8_t bhs[48] = { 0x32, 0x80, [36] = 1, [43] = 3 };

	(void)state;
	peer_put32(bhs, 16, 0xffffffff);
	peer_answer(p, bhs, NULL, 0);
	assert_int_equal(peer_last(p, SESS_EV_ASYNC)->async.event, 1);
	assert_int_equal(peer_last(p, SESS_EV_ASYNC)->async.parameter[2], 3);
	(void)peer_expect(p, 0x06);
	peer_free(p);
}

static void
rejected_command_starts_the_session_over(void **state)
{
	struct peer *p = online_with(KEYS);
	struct req *r = request(p, REQ_READ, 512);
	uint8_t bhs[48] = { 0x3f, 0x80, 0x09 };
	struct peer_pdu cmd = peer_expect(p, 0x01);
	struct conn_counts n;

	(void)state;
	peer_put32(bhs, 16, 0xffffffff);
	peer_answer(p, bhs, cmd.bhs, 48);
	assert_broken(p, CONN_REJECTED);
	assert_int_equal(p->event[p->events - 2].reject_reason, 9);
	sess_counts(p->sess, &n);
	assert_int_equal(n.reject_field, 1);
	peer_free(p);
	request_free(r);
}

static void
login_that_stalls_ends_in_time(void **state)
{
	struct sess_cfg cfg = config();
	struct peer *p;

	(void)state;
	cfg.login_timeout_ms = 2000;
	p = peer_new(&cfg);
	assert_int_equal(sess_connected(p->sess, p->now), 0);
	(void)peer_expect(p, 0x03);
	assert_int_equal(sess_deadline(p->sess), p->now + 2000000);
	peer_tick(p, 2000000);
	assert_int_equal(p->event[0].kind, SESS_EV_LOGIN_FAILED);
	assert_int_equal(peer_last(p, SESS_EV_CLOSE)->close.why, CONN_LOGIN_TIMEOUT);
	peer_free(p);
}

/* Anything at all may come from the wire: no assertion, no overrun, an end. */
static void
random_bytes_never_do_worse_than_close(void **state)
{
	uint64_t x = 88172645463325252ull;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct peer *p = online_with(KEYS);
		struct req *r = request(p, REQ_READ, 4096), *w = request(p, REQ_WRITE, 100000);

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
			peer_send(p, bhs, pattern, (uint32_t)(x % 600));
			peer_pull(p);
		}
		peer_free(p);
		request_free(r);
		request_free(w);
	}
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
		cmocka_unit_test(no_command_goes_beyond_max_cmd_sn),
		cmocka_unit_test(sense_and_residual_reach_the_caller),
		cmocka_unit_test(good_status_for_a_write_not_asked_for_is_no_success),
		cmocka_unit_test(early_answer_waits_until_queued_data_has_left),
		cmocka_unit_test(violations_close_the_connection),
		cmocka_unit_test(digest_errors_close_the_connection),
		cmocka_unit_test(lost_connection_resends_in_order_only_after_release),
		cmocka_unit_test(late_command_is_aborted_and_comes_back_timed_out),
		cmocka_unit_test(failed_abort_resets_the_lun_and_sends_the_others_again),
		cmocka_unit_test(target_that_answers_nothing_is_given_up_in_bounded_time),
		cmocka_unit_test(users_abort_and_reset_hand_requests_back_aborted),
		cmocka_unit_test(target_pings_are_answered_with_their_tag),
		cmocka_unit_test(our_ping_measures_and_compares),
		cmocka_unit_test(silence_is_pinged_and_then_ended),
		cmocka_unit_test(send_targets_collects_all_parts),
		cmocka_unit_test(logout_ends_in_order),
		cmocka_unit_test(target_that_asks_for_logout_gets_one),
		cmocka_unit_test(rejected_command_starts_the_session_over),
		cmocka_unit_test(login_that_stalls_ends_in_time),
		cmocka_unit_test(random_bytes_never_do_worse_than_close),
	};

	make_pattern();
	return cmocka_run_group_tests_name("sess", tests, NULL, NULL);
}
