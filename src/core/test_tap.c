#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/pdu.h"
#include "core/tap.h"
#include "core/test_peer.h"

/* PEER_KEYS with these digests. */
#define KEYS(header, data)                                                    \
	"HeaderDigest=" header "\nDataDigest=" data                           \
	"\nMaxConnections=1\nDefaultTime2Wait=2\nDefaultTime2Retain=0\n"      \
	"DataPDUInOrder=Yes\nDataSequenceInOrder=Yes\nErrorRecoveryLevel=0\n" \
	"MaxRecvDataSegmentLength=8192\nMaxOutstandingR2T=1\nTaskReporting="  \
	"RFC3720\n" PEER_KEYS_BURSTS "InitialR2T=No\nImmediateData=Yes\n"

#define RING_BYTES (8u << 20)

/* Somebody who listens to a peer's session. */
struct listener {
	struct agenda agenda;
	struct agenda_work work;
	struct tapring ring;
	struct tap tap;
};

static void
nothing(struct agenda_work *w)
{
	(void)w;
}

static struct listener *
listen_to(struct peer *p, uint32_t snap, bool has_secrets)
{
	struct listener *l = calloc(1, sizeof *l);

	agenda_init(&l->agenda, 0);
	agenda_work_init(&l->work, nothing);
	l->ring = (struct tapring){ .bytes = malloc(RING_BYTES),
		.size = RING_BYTES,
		.agenda = &l->agenda,
		.work = &l->work };
	l->tap = (struct tap){
		.ring = &l->ring, .connection = 7, .snap = snap, .has_secrets = has_secrets
	};
	sess_tap(p->sess, &l->tap);
	return l;
}

static void
listener_free(struct listener *l)
{
	free(l->ring.bytes);
	free(l);
}

/* The next record, whose payload lies behind it; NULL: there is none.  The ring never wraps here.
 */
static const struct tapring_record *
next(struct listener *l)
{
	const uint8_t *p;
	struct tapring_record *r;

	if (tapring_peek(&l->ring, &p) == 0)
		return NULL;
	r = (struct tapring_record *)(void *)(uintptr_t)p;
	tapring_took(&l->ring, r->bytes);
	assert_int_equal(r->kind, TAPRING_PDU);
	assert_int_equal(r->connection, 7);
	assert_true(r->kept <= r->wire);
	return r;
}

static const uint8_t *
payload(const struct tapring_record *r)
{
	return (const uint8_t *)(r + 1);
}

/* All that was recorded, against both streams: equal as far as it was kept, and without a gap. */
static size_t
compare(struct listener *l, const struct peer *p, bool is_all)
{
	uint64_t at[2] = { 0, 0 };
	const struct tapring_record *r;
	size_t n = 0;

	for (; (r = next(l)) != NULL; n++) {
		assert_int_equal(r->position, at[r->way]);
		assert_true(r->position + r->wire <= p->stream_len[r->way]);
		assert_memory_equal(payload(r), p->stream[r->way] + r->position, r->kept);
		if (is_all)
			assert_int_equal(r->kept, r->wire);
		at[r->way] += r->wire;
	}
	assert_int_equal(at[0], p->stream_len[0]);
	assert_int_equal(at[1], p->stream_len[1]);
	return n;
}

static struct peer *
recorded_peer(size_t chunk, bool is_direct)
{
	struct sess_cfg cfg = peer_config();
	struct peer *p = peer_new(&cfg);

	p->chunk = chunk;
	p->direct = is_direct;
	p->stream[0] = malloc(PEER_BYTES);
	p->stream[1] = malloc(PEER_BYTES);
	return p;
}

static void
recorded_free(struct peer *p)
{
	free(p->stream[0]);
	free(p->stream[1]);
	peer_free(p);
}

/* A read, a write of two bursts, a ping and a text exchange. */
static void
converse(struct peer *p)
{
	struct req *read = peer_request(p, REQ_READ, 60001), *write;
	struct peer_pdu pdu = peer_expect(p, PDU_SCSI_COMMAND);
	uint8_t text[48] = { PDU_TEXT_RESPONSE, 0x80 }, nop[48] = { PDU_NOP_IN, 0x80 };

	peer_data_in(p, peer_get32(pdu.bhs, 16), 0, 0, peer_pattern, 30000, false);
	peer_data_in(p, peer_get32(pdu.bhs, 16), 1, 30000, peer_pattern + 30000, 30001, true);
	peer_assert_done(p, read, REQ_DONE);
	write = peer_request(p, REQ_WRITE, 30001);
	pdu = peer_expect(p, PDU_SCSI_COMMAND);
	while (peer_next(p, &pdu) && pdu.bhs[0] == PDU_DATA_OUT)
		;
	peer_r2t(p, (uint32_t)peer_get32(pdu.bhs, 16), 9, 0, 16384, 30001 - 16384);
	while (peer_next(p, &pdu))
		;
	peer_status(p, peer_get32(pdu.bhs, 16), 0);
	peer_assert_done(p, write, REQ_DONE);
	peer_request_free(read);
	peer_request_free(write);
	assert_int_equal(sess_send_targets(p->sess, "All", p->now), 0);
	pdu = peer_expect(p, PDU_TEXT_REQUEST);
	memcpy(text + 16, pdu.bhs + 16, 4);
	peer_put32(text, 20, PDU_NO_TAG);
	peer_answer(p, text, "TargetName=iqn.x", 17);
	peer_put32(nop, 16, PDU_NO_TAG);
	peer_put32(nop, 20, 5);
	peer_put32(nop, 24, p->stat_sn);
	peer_send(p, nop, "ping", 4);
	(void)peer_expect(p, PDU_NOP_OUT);
}

static void
what_is_recorded_is_what_passed_in_whatever_pieces(void **state)
{
	static const size_t chunks[] = { 1, 7, 47, 48, 49, 1000, 20000, 0 };
	static const char *const keys[] = { PEER_KEYS, KEYS("CRC32C", "CRC32C") };

	(void)state;
	for (size_t i = 0; i < 2 * 2 * sizeof chunks / sizeof chunks[0]; i++) {
		struct peer *p = recorded_peer(chunks[i / 4], i % 2 == 0);
		struct listener *all = listen_to(p, UINT32_MAX, true),
				*some = listen_to(p, 10, true);
		size_t n;

		peer_login(p, keys[i / 2 % 2]);
		converse(p);
		n = compare(all, p, true);
		assert_true(n > 15);
		assert_int_equal(compare(some, p, false), n);
		assert_true(some->ring.put < all->ring.put / 3);
		recorded_free(p);
		listener_free(all);
		listener_free(some);
	}
}

static void
users_data_is_kept_as_far_as_it_was_asked_for_and_the_rest_is_kept(void **state)
{
	struct peer *p = recorded_peer(0, true);
	struct listener *l = listen_to(p, 0, true);
	const struct tapring_record *r;

	(void)state;
	peer_login(p, PEER_KEYS);
	converse(p);
	while ((r = next(l)) != NULL) {
		uint8_t opcode = pdu_opcode(payload(r));

		if (opcode == PDU_SCSI_COMMAND || opcode == PDU_DATA_OUT || opcode == PDU_DATA_IN)
			assert_int_equal(r->kept, PDU_BHS_BYTES);
		else
			assert_int_equal(r->kept, r->wire);
	}
	recorded_free(p);
	listener_free(l);
}

static void
what_came_of_a_pdu_before_the_connection_ended_is_recorded(void **state)
{
	(void)state;
	for (size_t cut = 48; cut < 48 + 1000; cut += 61) {
		struct peer *p = recorded_peer(0, false);
		struct listener *l = listen_to(p, UINT32_MAX, true);
		uint8_t bhs[48] = { PDU_DATA_IN };
		struct req *r;
		struct peer_pdu cmd;

		peer_login(p, PEER_KEYS);
		r = peer_request(p, REQ_READ, 1000);
		cmd = peer_expect(p, PDU_SCSI_COMMAND);
		memcpy(bhs + 16, cmd.bhs + 16, 4);
		peer_put32(bhs, 20, PDU_NO_TAG);
		peer_put32(bhs, 28, p->exp_cmd_sn);
		peer_put32(bhs, 32, p->exp_cmd_sn + 8);
		peer_put24(bhs, 5, 1000);
		peer_bytes(p, bhs, 48);
		peer_bytes(p, peer_pattern, cut - 48);
		sess_disconnected(p->sess, p->now);
		(void)compare(l, p, true);
		peer_drain(p);
		peer_request_free(r);
		recorded_free(p);
		listener_free(l);
	}
}

static void
a_pdu_that_ends_the_connection_is_recorded(void **state)
{
	struct peer *p = recorded_peer(0, false);
	struct listener *l = listen_to(p, UINT32_MAX, true);
	struct peer_pdu cmd;
	struct req *r;

	(void)state;
	peer_login(p, KEYS("None", "CRC32C"));
	r = peer_request(p, REQ_READ, 999);
	cmd = peer_expect(p, PDU_SCSI_COMMAND);
	p->corrupt = 'D';
	peer_data_in(p, peer_get32(cmd.bhs, 16), 0, 0, peer_pattern, 999, true);
	assert_int_equal(p->result, CONN_DATA_DIGEST);
	(void)compare(l, p, true);
	sess_disconnected(p->sess, p->now);
	assert_null(next(l)); /* and once */
	peer_drain(p);
	peer_request_free(r);
	recorded_free(p);
	listener_free(l);
}

/* Two Login Responses: a value that the C bit cuts. */
static void
secrets_of_a_login_are_hidden_unless_they_are_asked_for(void **state)
{
	static const char first[] = "AuthMethod=None\0CHAP_C=0x12", second[] = "3456\0X-a=0x9";

	(void)state;
	for (int is_shown = 0; is_shown < 2; is_shown++) {
		struct peer *p = recorded_peer(0, false);
		struct listener *l = listen_to(p, UINT32_MAX, is_shown == 1);
		uint8_t bhs[48] = { PDU_LOGIN_RESPONSE, 0x40 };
		const struct tapring_record *r;
		struct peer_pdu pdu;

		assert_int_equal(sess_connected(p->sess, p->now), 0);
		pdu = peer_expect(p, PDU_LOGIN_REQUEST);
		memcpy(bhs + 8, pdu.bhs + 8, 12);
		peer_answer(p, bhs, first, sizeof first - 1);
		pdu = peer_expect(p, PDU_LOGIN_REQUEST);
		bhs[1] = 0;
		memcpy(bhs + 16, pdu.bhs + 16, 4);
		peer_answer(p, bhs, second, sizeof second);
		(void)next(l);
		r = next(l);
		assert_memory_equal(payload(r) + 48,
		    is_shown ? first : "AuthMethod=None\0CHAP_C=0x00", sizeof first - 1);
		(void)next(l);
		r = next(l);
		assert_memory_equal(
		    payload(r) + 48, is_shown ? second : "0000\0X-a=0x9", sizeof second);
		recorded_free(p);
		listener_free(l);
	}
}

static void
who_comes_within_a_pdu_has_it_whole_and_who_goes_hears_no_more(void **state)
{
	struct peer *p = recorded_peer(0, true);
	struct listener *l;
	const struct tapring_record *rec;
	uint8_t bhs[48] = { PDU_DATA_IN, 0x81 };
	struct peer_pdu cmd;
	struct req *r;

	(void)state;
	peer_login(p, PEER_KEYS);
	r = peer_request(p, REQ_READ, 1000);
	cmd = peer_expect(p, PDU_SCSI_COMMAND);
	memcpy(bhs + 16, cmd.bhs + 16, 4);
	peer_put32(bhs, 20, PDU_NO_TAG);
	peer_put32(bhs, 24, p->stat_sn++);
	peer_put32(bhs, 28, p->exp_cmd_sn + 1);
	peer_put32(bhs, 32, p->exp_cmd_sn + 8);
	peer_put24(bhs, 5, 1000);
	peer_bytes(p, bhs, 48);
	peer_bytes(p, peer_pattern, 500);
	l = listen_to(p, UINT32_MAX, true);
	peer_bytes(p, peer_pattern + 500, 500);
	peer_assert_done(p, r, REQ_DONE);
	rec = next(l);
	assert_int_equal(rec->wire, 1048);
	assert_memory_equal(payload(rec) + 48, peer_pattern, 1000);
	sess_untap(p->sess, &l->tap);
	sess_untap(p->sess, &l->tap);
	assert_int_equal(sess_ping(p->sess, 0, NULL, p->now), 0);
	(void)peer_expect(p, PDU_NOP_OUT);
	assert_null(next(l));
	peer_request_free(r);
	recorded_free(p);
	listener_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_recorded_is_what_passed_in_whatever_pieces),
		cmocka_unit_test(
		    users_data_is_kept_as_far_as_it_was_asked_for_and_the_rest_is_kept),
		cmocka_unit_test(what_came_of_a_pdu_before_the_connection_ended_is_recorded),
		cmocka_unit_test(a_pdu_that_ends_the_connection_is_recorded),
		cmocka_unit_test(secrets_of_a_login_are_hidden_unless_they_are_asked_for),
		cmocka_unit_test(who_comes_within_a_pdu_has_it_whole_and_who_goes_hears_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
