/* A session with the core's test target, captured as the driver and iscsiutil do it, and replayed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/visible.h"
#include "core/test_peer.h"
#include "tools/common/say.h"
#include "tools/iscsi_replay/play_impl.h"
#include "tools/iscsiutil/captured.h"

#define RING_BYTES (8u << 20)

struct recording {
	struct peer *peer;
	struct agenda agenda;
	struct agenda_work work;
	struct tapring ring;
	struct tap tap;
	struct captured captured;
};

static void
nothing(struct agenda_work *w)
{
	(void)w;
}

static void
tell(struct recording *r, enum tapring_kind kind, const void *payload, size_t n)
{
	struct tapring_record record = {
		.kind = (uint8_t)kind, .connection = 1, .at_us = r->peer->now
	};

	assert_true(tapring_put(&r->ring, &record, &(struct tapring_part){ payload, n }, 1));
}

static struct recording *
record(uint32_t snap, const struct sess_cfg *cfg)
{
	const struct tapring_open open = {
		.session = 1, .local = "192.0.2.1:40000", .peer = "192.0.2.2:3260"
	};
	struct recording *r = calloc(1, sizeof *r);

	r->peer = peer_new(cfg);
	r->peer->now = 1000000;
	agenda_init(&r->agenda, 0);
	agenda_work_init(&r->work, nothing);
	r->ring = (struct tapring){ .bytes = malloc(RING_BYTES),
		.size = RING_BYTES,
		.agenda = &r->agenda,
		.work = &r->work };
	r->tap = (struct tap){ .ring = &r->ring, .connection = 1, .snap = snap };
	tell(r, TAPRING_OPEN, &open, sizeof open);
	sess_tap(r->peer->sess, &r->tap);
	return r;
}

/* The capture's file, in memory. */
static const uint8_t *
file_of(struct recording *r, size_t *ret_n)
{
	struct records *records = calloc(1, sizeof *records);
	uint8_t *datagram = calloc(1, RECORDS_DATAGRAM_BYTES);
	const uint8_t *p;
	size_t n;

	*records = (struct records){ .each = captured_record, .user = &r->captured };
	captured_begin_file(&r->captured);
	while ((n = tapring_peek(&r->ring, &p)) > 0) {
		n = n < 65536 ? n : 65536;
		memcpy(datagram + 4, p, n);
		assert_true(records_take(records, datagram, n + 4));
		tapring_took(&r->ring, n);
	}
	captured_end_file(&r->captured);
	records_fini(records);
	free(records);
	free(datagram);
	*ret_n = r->captured.out.len;
	return r->captured.out.bytes;
}

static void
recording_free(struct recording *r)
{
	peer_free(r->peer);
	captured_fini(&r->captured);
	free(r->ring.bytes);
	free(r);
}

/* Of a file of one connection. */
static struct play
replay(const uint8_t *file, size_t n, size_t *ret_connections)
{
	struct talks *t = calloc(1, sizeof *t);
	uint8_t none = 0;
	FILE *in = fmemopen(n > 0 ? (void *)(uintptr_t)file : &none, n > 0 ? n : 1, "r");
	char why[PACKETS_WHY_BYTES] = "";
	struct play p = { .result = PLAY_NOT };

	(void)talks_read(t, in, why); /* one that is cut off has its beginning */
	if (t->n > 0)
		play_run(&t->list[0], &p);
	*ret_connections = t->n;
	talks_free(t);
	free(t);
	return p;
}

static void
read_some(struct peer *p, uint32_t len, bool has_status)
{
	struct req *r = peer_request(p, REQ_READ, len);
	struct peer_pdu pdu = peer_expect(p, PDU_SCSI_COMMAND);
	uint32_t itt = peer_get32(pdu.bhs, 16), at = 0, sn = 0;

	while (at < len) {
		uint32_t n = len - at < 5000 ? len - at : 5000;

		peer_data_in(p, itt, sn++, at, peer_pattern + at, n, has_status && at + n == len);
		at += n;
	}
	if (!has_status)
		peer_status(p, itt, 0);
	peer_assert_done(p, r, REQ_DONE);
	peer_request_free(r);
}

static void
write_some(struct peer *p, uint32_t len)
{
	struct req *r = peer_request(p, REQ_WRITE, len);
	struct peer_pdu pdu = peer_expect(p, PDU_SCSI_COMMAND);
	uint32_t itt = peer_get32(pdu.bhs, 16);

	while (peer_next(p, &pdu))
		;
	if (len > 16384)
		peer_r2t(p, itt, 77, 0, 16384, len - 16384);
	while (peer_next(p, &pdu))
		;
	peer_status(p, itt, 0);
	peer_assert_done(p, r, REQ_DONE);
	peer_request_free(r);
}

static void
converse(struct peer *p)
{
	uint8_t nop[48] = { PDU_NOP_IN, 0x80 }, out[48] = { PDU_LOGOUT_RESPONSE, 0x80 };
	struct peer_pdu pdu;

	for (unsigned i = 0; i < 20; i++) {
		p->now += 1000;
		read_some(p, 1 + i * 2000, i % 2 == 0);
		write_some(p, 1 + i * 3000);
	}
	assert_int_equal(sess_ping(p->sess, 100, NULL, p->now), 0);
	pdu = peer_expect(p, PDU_NOP_OUT);
	memcpy(nop + 16, pdu.bhs + 16, 4);
	peer_put32(nop, 20, PDU_NO_TAG);
	peer_answer(p, nop, pdu.data, 100);
	assert_int_equal(sess_logout(p->sess, p->now), 0);
	pdu = peer_expect(p, PDU_LOGOUT_REQUEST);
	memcpy(out + 16, pdu.bhs + 16, 4);
	peer_answer(p, out, NULL, 0);
}

static void
a_capture_is_replayed_without_a_difference_whatever_was_kept_of_it(void **state)
{
	static const uint32_t snaps[] = { 0, 1, 100, 1u << 20 };
	static const char *const digests[] = { "None\nDataDigest=None", "CRC32C\nDataDigest=None",
		"None\nDataDigest=CRC32C", "CRC32C\nDataDigest=CRC32C" };

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct sess_cfg cfg = peer_config();
		struct recording *r = record(snaps[i / 4], &cfg);
		char keys[512];
		const uint8_t *file;
		size_t n, connections;
		struct play p;

		snprintf(keys, sizeof keys,
		    "HeaderDigest=%s\nMaxConnections=1\nDefaultTime2Wait=2\nDefaultTime2Retain=0\n"
		    "DataPDUInOrder=Yes\nDataSequenceInOrder=Yes\nErrorRecoveryLevel=0\n"
		    "MaxRecvDataSegmentLength=8192\nMaxOutstandingR2T=1\nTaskReporting="
		    "RFC3720\n" PEER_KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n",
		    digests[i % 4]);
		peer_login(r->peer, keys);
		converse(r->peer);
		tell(r, TAPRING_CLOSE, NULL, 0);
		file = file_of(r, &n);
		p = replay(file, n, &connections);
		assert_int_equal(connections, 1);
		if (p.result != PLAY_EQUAL)
			print_message("%s: %s, %s\n", play_word(p.result), p.why, p.note[0].text);
		assert_int_equal(p.result, PLAY_EQUAL);
		assert_int_equal(p.played, r->captured.pdus);
		assert_true(p.played > 150);
		recording_free(r);
	}
}

/* A wrong digest is found although the replay makes digests of its own. */
static void
what_the_target_does_wrong_is_found(void **state)
{
	static const uint32_t corrupt[] = { 'H', 'D' };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sess_cfg cfg = peer_config();
		struct recording *r = record(1u << 20, &cfg);
		struct peer_pdu cmd;
		struct req *req;
		size_t n, connections;
		const uint8_t *file;
		struct play p;

		peer_login(r->peer, "HeaderDigest=CRC32C\nDataDigest=CRC32C\nMaxConnections="
				    "1\nDefaultTime2Wait=2\nDefaultTime2Retain=0\n"
				    "DataPDUInOrder=Yes\nDataSequenceInOrder="
				    "Yes\nErrorRecoveryLevel=0\nMaxRecvDataSegmentLength=8192\n"
				    "MaxOutstandingR2T=1\nTaskReporting=RFC3720\n" PEER_KEYS_BURSTS
				    "InitialR2T=No\nImmediateData=Yes\n");
		req = peer_request(r->peer, REQ_READ, 600);
		cmd = peer_expect(r->peer, PDU_SCSI_COMMAND);
		r->peer->corrupt = corrupt[i];
		peer_data_in(r->peer, peer_get32(cmd.bhs, 16), 0, 0, peer_pattern, 600, true);
		assert_int_not_equal(r->peer->result, CONN_OK);
		file = file_of(r, &n);
		p = replay(file, n, &connections);
		assert_int_equal(p.result, PLAY_VIOLATION);
		assert_non_null(strstr(p.why, "RFC 7143, section 7.8"));
		sess_disconnected(r->peer->sess, r->peer->now);
		peer_drain(r->peer);
		peer_request_free(req);
		recording_free(r);
	}
}

/* A command that is given up is given up again. */
static void
task_management_is_replayed(void **state)
{
	struct sess_cfg cfg = peer_config();
	struct recording *r;
	struct peer_pdu pdu;
	uint8_t tmf[48] = { PDU_TMF_RESPONSE, 0x80 };
	struct req *req;
	size_t n, connections;
	const uint8_t *file;
	struct play p;

	(void)state;
	cfg.request_timeout_ms = 700;
	r = record(0, &cfg);
	peer_login(r->peer, PEER_KEYS);
	req = peer_request(r->peer, REQ_READ, 600);
	(void)peer_expect(r->peer, PDU_SCSI_COMMAND);
	peer_tick(r->peer, 701000);
	pdu = peer_expect(r->peer, PDU_TMF_REQUEST);
	memcpy(tmf + 16, pdu.bhs + 16, 4);
	peer_answer(r->peer, tmf, NULL, 0);
	peer_assert_done(r->peer, req, REQ_TIMEOUT);
	file = file_of(r, &n);
	p = replay(file, n, &connections);
	if (p.result != PLAY_EQUAL)
		print_message("%s: %s, %s\n", play_word(p.result), p.why, p.note[0].text);
	assert_int_equal(p.result, PLAY_EQUAL);
	peer_request_free(req);
	recording_free(r);
}

/* Where its byte is another one, in the first packet with this opcode: its place in the file. */
static size_t
place(const uint8_t *file, size_t n, uint8_t opcode, size_t byte)
{
	uint32_t type, length;

	for (size_t at = 0; at < n; at += length) {
		memcpy(&type, file + at, 4);
		memcpy(&length, file + at + 4, 4);
		if (type == 6 && length > 28 + 40 + 48 && (file[at + 28 + 40] & 0x3f) == opcode)
			return at + 28 + 40 + byte;
	}
	fail();
	return 0;
}

static void
differences_and_what_is_missing_are_found(void **state)
{
	static const struct {
		uint8_t opcode, byte, bits;
		enum play_result result;
	} planted[] = {
		{ PDU_SCSI_COMMAND, 27, 0x40, PLAY_DIFFERENT },   /* CmdSN */
		{ PDU_SCSI_COMMAND, 31, 0x40, PLAY_DIFFERENT },   /* ExpStatSN */
		{ PDU_LOGIN_REQUEST, 1, 0x80, PLAY_DIFFERENT },   /* transit */
		{ PDU_LOGIN_REQUEST, 31, 0x01, PLAY_DIFFERENT },  /* ExpStatSN */
		{ PDU_DATA_OUT, 39, 0x01, PLAY_DIFFERENT },       /* DataSN */
		{ PDU_DATA_OUT, 43, 0x10, PLAY_DIFFERENT },       /* the offset */
		{ PDU_SCSI_RESPONSE, 27, 0x02, PLAY_VIOLATION },  /* StatSN */
		{ PDU_SCSI_RESPONSE, 17, 0x02, PLAY_VIOLATION },  /* ITT */
		{ PDU_R2T, 43, 0x02, PLAY_VIOLATION },            /* the offset */
		{ PDU_DATA_IN, 43, 0x02, PLAY_VIOLATION },        /* the offset */
		{ PDU_LOGIN_RESPONSE, 36, 0x02, PLAY_DIFFERENT }, /* refused, and went on */
	};
	struct sess_cfg cfg = peer_config();
	struct recording *r = record(0, &cfg);
	size_t n, connections;
	const uint8_t *file;
	uint8_t *copy;

	(void)state;
	peer_login(r->peer, PEER_KEYS);
	converse(r->peer);
	tell(r, TAPRING_CLOSE, NULL, 0);
	file = file_of(r, &n);
	copy = malloc(n);
	for (size_t i = 0; i < sizeof planted / sizeof planted[0]; i++) {
		struct play p;

		memcpy(copy, file, n);
		copy[place(file, n, planted[i].opcode, planted[i].byte)] ^= planted[i].bits;
		p = replay(copy, n, &connections);
		if (p.result != planted[i].result)
			print_message("planted %zu: %s: %s, %s\n", i, play_word(p.result), p.why,
			    p.note[0].text);
		assert_int_equal(p.result, planted[i].result);
	}
	free(copy);
	recording_free(r);
}

/* A capture is anybody's file: what it says is quoted, and no terminal obeys it. */
static void
what_a_strange_text_says_is_shown_and_not_obeyed(void **state)
{
	struct play ret = { 0 };
	struct player p = { .ret = &ret };

	(void)state;
	play_note(&p, 7, "from the key %s on", "CHAP_R\x1b[2J\xed\n");
	assert_string_equal(ret.note[0].text, "from the key CHAP_R\\x1b[2J\\xed\\x0a on");
	assert_int_equal(ret.note[0].pdu, 7);
	play_stop(&p, "%0400d\xff", 0);
	assert_true(visible_is_plain(ret.why, strlen(ret.why)));
	assert_int_equal(strlen(ret.why), sizeof ret.why - 1);
}

static void
a_file_that_is_cut_off_anywhere_is_replayed_as_far_as_it_goes(void **state)
{
	struct sess_cfg cfg = peer_config();
	struct recording *r = record(0, &cfg);
	size_t n, connections, last = 0;
	const uint8_t *file;

	(void)state;
	peer_login(r->peer, PEER_KEYS);
	read_some(r->peer, 100, true);
	write_some(r->peer, 20000);
	file = file_of(r, &n);
	for (size_t cut = 0; cut <= n; cut++) {
		/* A copy, so that who reads behind it is found. */
		uint8_t *copy = malloc(cut > 0 ? cut : 1);
		struct play p;

		memcpy(copy, file, cut);
		p = replay(copy, cut, &connections);
		assert_true(
		    p.result == PLAY_NOT || p.result == PLAY_EQUAL || p.result == PLAY_PART);
		assert_true(p.played >= last);
		last = p.played;
		free(copy);
	}
	assert_int_equal(last, r->captured.pdus);
	recording_free(r);
}

/* Bytes that are missing are told, and what is before them is replayed. */
static void
what_was_dropped_ends_the_replay_there(void **state)
{
	struct sess_cfg cfg = peer_config();
	struct recording *r = record(0, &cfg);
	size_t n, connections;
	const uint8_t *file;
	uint64_t taken;
	struct play p;

	(void)state;
	peer_login(r->peer, PEER_KEYS);
	read_some(r->peer, 100, true);
	taken = r->ring.taken;
	r->ring.taken = r->ring.put - r->ring.size; /* nothing fits */
	read_some(r->peer, 100, true);
	r->ring.taken = taken;
	read_some(r->peer, 100, true);
	file = file_of(r, &n);
	assert_int_equal(captured_dropped(&r->captured), 2);
	p = replay(file, n, &connections);
	assert_int_equal(p.result, PLAY_PART);
	assert_int_equal(p.played, 6);
	assert_non_null(strstr(p.why, "missing behind PDU 6"));
	recording_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_capture_is_replayed_without_a_difference_whatever_was_kept_of_it),
		cmocka_unit_test(what_the_target_does_wrong_is_found),
		cmocka_unit_test(task_management_is_replayed),
		cmocka_unit_test(differences_and_what_is_missing_are_found),
		cmocka_unit_test(what_a_strange_text_says_is_shown_and_not_obeyed),
		cmocka_unit_test(a_file_that_is_cut_off_anywhere_is_replayed_as_far_as_it_goes),
		cmocka_unit_test(what_was_dropped_ends_the_replay_there),
	};

	say_init("test", stderr);
	for (size_t i = 0; i < sizeof peer_pattern; i++)
		peer_pattern[i] = (uint8_t)(i * 131 + i / 251);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
