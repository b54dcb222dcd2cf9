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

static void
target_pings_are_answered_with_their_tag(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
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
	struct peer *p = peer_online(PEER_KEYS);
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

/* Also where more comes than was sent, or than is kept of it. */
static void
pings_of_any_length_come_back_whole(void **state)
{
	static const uint32_t sent[] = { 4096, 1, 320, 321, 0, 4096, 319, 4095 };
	struct peer *p = peer_online(PEER_KEYS);
	uint8_t echo[8192] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
		for (unsigned is_longer = 0; is_longer < 2; is_longer++) {
			uint8_t bhs[48] = { 0x20, 0x80 };
			uint32_t n = sent[i];
			struct peer_pdu out;

			assert_int_equal(sess_ping(p->sess, n, p, p->now), 0);
			out = peer_expect(p, 0x00);
			assert_int_equal(out.len, n);
			if (n > 0)
				memcpy(echo, out.data, n);
			peer_put32(bhs, 16, peer_get32(out.bhs, 16));
			peer_put32(bhs, 20, 0xffffffff);
			peer_answer(p, bhs, echo, is_longer ? n + 4096 : n);
			assert_int_equal(peer_last(p, SESS_EV_PING)->ping.bytes_same, n);
		}
	peer_free(p);
}

/* RFC 7143, section 13.12; found by tests/sim, seed 5. */
static void
ping_is_no_longer_than_the_target_takes(void **state)
{
	struct peer *p = peer_online(
	    "HeaderDigest=None\nDataDigest=None\nMaxConnections=1\nDefaultTime2Wait=2\n"
	    "DefaultTime2Retain=0\nDataPDUInOrder=Yes\nDataSequenceInOrder=Yes\n"
	    "ErrorRecoveryLevel=0\nMaxRecvDataSegmentLength=512\nMaxOutstandingR2T=1\n"
	    "TaskReporting=RFC3720\n" PEER_KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n");

	(void)state;
	assert_int_equal(sess_ping_bytes_max(p->sess), 512);
	assert_int_equal(sess_ping(p->sess, 513, NULL, p->now), -EINVAL);
	assert_int_equal(sess_ping(p->sess, 512, p, p->now), 0);
	assert_int_equal(peer_expect(p, 0x00).len, 512);
	peer_free(p);
}

static void
silence_is_pinged_and_then_ended(void **state)
{
	struct sess_cfg cfg = peer_config();
	struct peer *p;

	(void)state;
	cfg.nop_interval_ms = 5000;
	cfg.nop_timeout_ms = 3000;
	p = peer_new(&cfg);
	peer_login(p, PEER_KEYS);
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
	struct peer *p = peer_online(PEER_KEYS);
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
	assert_int_equal(peer_last(p, SESS_EV_TEXT_DONE)->text.ending.how, SESS_END_ANSWERED);
	assert_int_equal(p->text_len, 42);
	assert_memory_equal(p->text, "TargetName=iqn.ab\0TargetAddress=1.2.3.4,1", 42);
	peer_free(p);
}

static void
a_text_without_end_is_ended(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	uint8_t bhs[48] = { 0x24, 0x40 }; /* C */
	unsigned parts = 0;

	(void)state;
	assert_int_equal(sess_send_targets(p->sess, "All", p->now), 0);
	for (; p->result == CONN_OK && parts < 3000; parts++) {
		struct peer_pdu out = peer_expect(p, 0x04);

		p->text_len = 0;
		p->events = 0;
		peer_put32(bhs, 16, peer_get32(out.bhs, 16));
		peer_put32(bhs, 20, parts);
		peer_answer(p, bhs, peer_pattern, 8192);
	}
	assert_int_equal(p->result, CONN_ENDLESS_TEXT);
	assert_int_equal(parts, LIMIT_SENDTARGETS_BYTES / 8192 + 1);
	sess_disconnected(p->sess, p->now);
	peer_drain(p);
	assert_int_equal(peer_last(p, SESS_EV_TEXT_DONE)->text.ending.how, SESS_END_VIOLATION);
	assert_int_equal(peer_last(p, SESS_EV_TEXT_DONE)->text.ending.why, CONN_ENDLESS_TEXT);
	peer_free(p);
}

static void
a_text_without_end_and_without_bytes_is_ended(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	uint8_t bhs[48] = { 0x24, 0x40 }; /* C */
	unsigned parts = 0;

	(void)state;
	assert_int_equal(sess_send_targets(p->sess, "All", p->now), 0);
	for (; p->result == CONN_OK && parts < 2 * LIMIT_TEXT_PARTS; parts++) {
		struct peer_pdu out = peer_expect(p, 0x04);

		p->events = 0;
		peer_put32(bhs, 16, peer_get32(out.bhs, 16));
		peer_put32(bhs, 20, parts);
		peer_answer(p, bhs, NULL, 0);
	}
	assert_int_equal(p->result, CONN_ENDLESS_TEXT);
	assert_int_equal(parts, LIMIT_TEXT_PARTS + 1);
	peer_free(p);
}

static void
logout_ends_in_order(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	uint8_t bhs[48] = { 0x26, 0x80 };
	struct peer_pdu out;
	struct req *r;

	(void)state;
	assert_int_equal(sess_logout(p->sess, p->now), 0);
	out = peer_expect(p, 0x06);
	assert_int_equal(out.bhs[1], 0x80);
	r = peer_request(p, REQ_READ, 512);
	peer_expect_nothing(p); /* nothing is sent after the logout */
	peer_put32(bhs, 16, peer_get32(out.bhs, 16));
	peer_answer(p, bhs, NULL, 0);
	assert_int_equal(p->event[p->events - 2].kind, SESS_EV_LOGOUT);
	assert_int_equal(peer_last(p, SESS_EV_CLOSE)->close.why, CONN_OK);
	peer_free(p);
	peer_request_free(r);
}

static void
target_that_asks_for_logout_gets_one(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
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
	struct peer *p = peer_online(PEER_KEYS);
	struct req *r = peer_request(p, REQ_READ, 512);
	uint8_t bhs[48] = { 0x3f, 0x80, 0x09 };
	struct peer_pdu cmd = peer_expect(p, 0x01);
	struct conn_counts n;

	(void)state;
	peer_put32(bhs, 16, 0xffffffff);
	peer_answer(p, bhs, cmd.bhs, 48);
	peer_assert_broken(p, CONN_REJECTED);
	assert_int_equal(p->event[p->events - 2].reject_reason, 9);
	sess_counts(p->sess, &n);
	assert_int_equal(n.reject_field, 1);
	peer_free(p);
	peer_request_free(r);
}

static void
login_that_stalls_ends_in_time(void **state)
{
	struct sess_cfg cfg = peer_config();
	struct peer *p;

	(void)state;
	cfg.login_timeout_ms = 2000;
	p = peer_new(&cfg);
	assert_int_equal(sess_connected(p->sess, p->now), 0);
	(void)peer_expect(p, 0x03);
	assert_int_equal(sess_deadline(p->sess), p->now + 2000000);
	peer_tick(p, 2000000);
	assert_int_equal(p->event[0].kind, SESS_EV_LOGIN_FAILED);
	assert_string_equal(p->event[0].login.culprit, "");
	assert_string_equal(p->event[0].login.proposed, "");
	assert_int_equal(peer_last(p, SESS_EV_CLOSE)->close.why, CONN_LOGIN_TIMEOUT);
	peer_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target_pings_are_answered_with_their_tag),
		cmocka_unit_test(our_ping_measures_and_compares),
		cmocka_unit_test(pings_of_any_length_come_back_whole),
		cmocka_unit_test(ping_is_no_longer_than_the_target_takes),
		cmocka_unit_test(silence_is_pinged_and_then_ended),
		cmocka_unit_test(send_targets_collects_all_parts),
		cmocka_unit_test(a_text_without_end_is_ended),
		cmocka_unit_test(a_text_without_end_and_without_bytes_is_ended),
		cmocka_unit_test(logout_ends_in_order),
		cmocka_unit_test(target_that_asks_for_logout_gets_one),
		cmocka_unit_test(rejected_command_starts_the_session_over),
		cmocka_unit_test(login_that_stalls_ends_in_time),
	};

	return cmocka_run_group_tests_name("sess_control", tests, NULL, NULL);
}
