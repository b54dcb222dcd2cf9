#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/test_peer.h"

/* Small, so that every residual there can be is tried. */
#define LEN 6u

/* An answer as it comes, and the bytes that moved before it. */
struct answer {
	enum req_dir dir;
	uint32_t moved;
	bool overflow, underflow, in_data;
	uint32_t residual;
	uint8_t status;
};

/*
 * Section 11.4.5.2: a target whose SCSI layer presented `n` bytes of data moves
 * what fits and says by how much it was more or less.
 */
static bool
is_said_by_some_honest_target(const struct answer *a)
{
	uint32_t want = a->dir == REQ_NONE ? 0 : LEN;

	for (uint32_t n = 0; n <= 4 * LEN; n++) {
		uint32_t residual = n > want ? n - want : want - n;

		if (a->moved == (n < want ? n : want) && a->overflow == (n > want) &&
		    a->underflow == (n < want) && (n == want || a->residual == residual))
			return true;
	}
	return false;
}

static void
move(struct peer *p, const struct answer *a, uint32_t itt)
{
	struct peer_pdu pdu;

	if (a->dir == REQ_WRITE && a->moved > 0) {
		peer_r2t(p, itt, 1, 0, 0, a->moved);
		pdu = peer_expect(p, 0x05);
		assert_int_equal(pdu.len, a->moved);
	}
	if (a->dir == REQ_READ && !a->in_data && a->moved > 0)
		peer_data_in(p, itt, 0, 0, peer_pattern, a->moved, false);
}

static void
respond(struct peer *p, const struct answer *a, uint32_t itt)
{
	uint8_t flags = (uint8_t)(0x80 | (a->overflow ? 4 : 0) | (a->underflow ? 2 : 0));
	uint8_t bhs[48] = { a->in_data ? 0x25 : 0x21, (uint8_t)(flags | a->in_data), 0, a->status };

	peer_put32(bhs, 16, itt);
	peer_put32(bhs, 44, a->residual);
	if (a->in_data)
		peer_put32(bhs, 20, 0xffffffff);
	peer_answer(p, bhs, peer_pattern, a->in_data ? a->moved : 0);
}

static void
check(struct peer *p, const struct answer *a)
{
	struct req *r = peer_request(p, a->dir, a->dir == REQ_NONE ? 0 : LEN);
	uint32_t itt = peer_get32(peer_expect(p, 0x01).bhs, 16);
	bool is_success = a->status == 0 || a->status == 4;

	move(p, a, itt);
	respond(p, a, itt);
	/* What is no success anyway is passed on with its sense data. */
	peer_assert_done(
	    p, r, !is_success || is_said_by_some_honest_target(a) ? REQ_DONE : REQ_VIOLATION);
	assert_int_equal(r->data_got, a->moved);
	assert_int_equal(r->status, a->status);
	assert_int_equal(r->residual, a->residual);
	assert_true(r->overflow == a->overflow && r->underflow == a->underflow);
	/* The connection lives on in any case. */
	assert_int_equal(p->result, CONN_OK);
	peer_request_free(r);
}

static void
only_what_an_honest_target_says_is_a_success(void **state)
{
	static const uint8_t statuses[] = { 0x00, 0x04, 0x02, 0x08, 0x18, 0x28 };
	struct peer *p =
	    peer_online(PEER_KEYS_PLAIN "MaxBurstLength=65536\nFirstBurstLength=Irrelevant\n"
					"InitialR2T=Yes\nImmediateData=No\n");
	unsigned tried = 0;

	(void)state;
	for (unsigned i = 0; i < 3u * (LEN + 1) * 2 * 2 * 2 * (2 * LEN + 2) * sizeof statuses;
	     i++) {
		unsigned x = i;
		struct answer a = { 0 };

		a.dir = (enum req_dir)(x % 3);
		x /= 3;
		a.moved = x % (LEN + 1);
		x /= LEN + 1;
		a.overflow = (x & 1) != 0;
		a.underflow = (x & 2) != 0;
		a.in_data = (x & 4) != 0;
		x /= 8;
		a.residual = x % (2 * LEN + 2);
		a.status = statuses[x / (2 * LEN + 2)];
		if ((a.in_data && a.dir != REQ_READ) || (a.dir == REQ_NONE && a.moved > 0))
			continue;
		check(p, &a);
		tried++;
	}
	assert_true(tried > 5000);
	peer_free(p);
}

static void
an_empty_data_in_answers_a_read_of_nothing(void **state)
{
	struct peer *p = peer_online(PEER_KEYS);
	struct req *r = peer_request(p, REQ_READ, 0);
	struct peer_pdu cmd = peer_expect(p, 0x01);

	(void)state;
	assert_null(r->data);
	peer_data_in(p, peer_get32(cmd.bhs, 16), 0, 0, NULL, 0, true);
	assert_int_equal(p->result, CONN_OK);
	peer_assert_done(p, r, REQ_DONE);
	peer_free(p);
	peer_request_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_data_in_answers_a_read_of_nothing),
		cmocka_unit_test(only_what_an_honest_target_says_is_a_success),
	};

	return cmocka_run_group_tests_name("residual", tests, NULL, NULL);
}
