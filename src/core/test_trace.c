#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/pdu_field.h"
#include "core/test_peer.h"
#include "core/trace.h"

static void
the_ring_keeps_the_newest_in_order(void **state)
{
	struct trace_entry got[TRACE_ENTRIES];
	struct trace *t = calloc(1, sizeof *t);
	uint8_t bhs[PDU_BHS_BYTES] = { 0 };

	(void)state;
	assert_non_null(t);
	assert_int_equal(trace_copy(t, got, TRACE_ENTRIES), 0);
	for (unsigned i = 0; i < TRACE_ENTRIES + 3; i++) {
		bhs[47] = (uint8_t)i;
		trace_put(t, i % 2 == 0 ? TRACE_IN : TRACE_OUT, bhs, 1000 + i);
		assert_int_equal(
		    trace_copy(t, got, TRACE_ENTRIES), i < TRACE_ENTRIES ? i + 1 : TRACE_ENTRIES);
	}
	for (unsigned i = 0; i < TRACE_ENTRIES; i++) {
		assert_int_equal(got[i].bhs[47], i + 3);
		assert_int_equal(got[i].at_us, 1003 + i);
		assert_int_equal(got[i].way, i % 2 == 0 ? TRACE_OUT : TRACE_IN);
	}
	assert_int_equal(trace_copy(t, got, 2), 2);
	assert_int_equal(got[0].bhs[47], TRACE_ENTRIES + 1);
	assert_int_equal(got[1].bhs[47], TRACE_ENTRIES + 2);
	free(t);
}

static void
a_session_traces_both_ways_and_over_connections(void **state)
{
	struct trace_entry got[TRACE_ENTRIES];
	struct peer *p = peer_online(PEER_KEYS);
	struct req *r = peer_request(p, REQ_READ, 100);
	struct peer_pdu cmd;
	size_t n;

	(void)state;
	p->now += 5;
	cmd = peer_expect(p, PDU_SCSI_COMMAND);
	peer_data_in(p, peer_get32(cmd.bhs, 16), 0, 0, peer_pattern, 100, true);
	peer_assert_done(p, r, REQ_DONE);
	n = trace_copy(sess_trace(p->sess), got, TRACE_ENTRIES);
	assert_true(n >= 4);
	assert_int_equal(pdu_opcode(got[0].bhs), PDU_LOGIN_REQUEST);
	assert_int_equal(got[0].way, TRACE_OUT);
	assert_int_equal(pdu_opcode(got[1].bhs), PDU_LOGIN_RESPONSE);
	assert_int_equal(got[1].way, TRACE_IN);
	assert_memory_equal(got[n - 2].bhs, cmd.bhs, PDU_BHS_BYTES);
	assert_int_equal(got[n - 2].at_us, p->now);
	assert_int_equal(pdu_opcode(got[n - 1].bhs), PDU_DATA_IN);
	assert_int_equal(got[n - 1].connection, 1);
	sess_disconnected(p->sess, p->now);
	peer_drain(p);
	assert_int_equal(trace_copy(sess_trace(p->sess), got, TRACE_ENTRIES), n);
	peer_login(p, PEER_KEYS);
	assert_true(trace_copy(sess_trace(p->sess), got, TRACE_ENTRIES) > n);
	assert_int_equal(pdu_opcode(got[n].bhs), PDU_LOGIN_REQUEST);
	assert_int_equal(got[n].connection, 2);
	peer_request_free(r);
	peer_free(p);
}

static void
a_header_that_breaks_the_connection_is_in_the_trace(void **state)
{
	struct trace_entry got[TRACE_ENTRIES];
	struct peer *p = peer_online(PEER_KEYS);
	uint8_t bhs[PDU_BHS_BYTES] = { 0x1c, 0x80 };
	size_t n;

	(void)state;
	peer_bytes(p, bhs, sizeof bhs);
	assert_int_equal(p->result, CONN_BAD_OPCODE);
	n = trace_copy(sess_trace(p->sess), got, TRACE_ENTRIES);
	assert_memory_equal(got[n - 1].bhs, bhs, PDU_BHS_BYTES);
	peer_free(p);
}

/* The field of that name; the test fails without one. */
static struct pdu_field
field(const uint8_t *bhs, const char *name)
{
	struct pdu_field f[PDU_FIELDS_MAX];
	size_t n = pdu_fields(bhs, f);

	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, name) == 0)
			return f[i];
	fail_msg("there is no field %s", name);
	return f[0];
}

static void
fields_have_names_and_values(void **state)
{
	struct pdu_field f[PDU_FIELDS_MAX];
	uint8_t bhs[PDU_BHS_BYTES];
	struct pdu_scsi_command pdu = {
		.final = true,
		.attr = 5,
		.data_segment_length = 0x010203,
		.lun = { 0, 3 },
		.itt = 0xdeadbeef,
	};

	(void)state;
	pdu_put_scsi_command(bhs, &pdu);
	assert_int_equal(field(bhs, "final").number, 1);
	assert_int_equal(field(bhs, "final").kind, PDU_FIELD_FLAG);
	assert_int_equal(field(bhs, "read").number, 0);
	assert_int_equal(field(bhs, "attr").number, 5);
	assert_int_equal(field(bhs, "data_segment_length").number, 0x010203);
	assert_int_equal(field(bhs, "itt").number, 0xdeadbeef);
	assert_int_equal(field(bhs, "lun").kind, PDU_FIELD_BYTES);
	assert_int_equal(field(bhs, "lun").len, 8);
	assert_ptr_equal(field(bhs, "lun").bytes, bhs + 8);
	bhs[0] = 0x1c;
	assert_int_equal(pdu_fields(bhs, f), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ring_keeps_the_newest_in_order),
		cmocka_unit_test(a_session_traces_both_ways_and_over_connections),
		cmocka_unit_test(a_header_that_breaks_the_connection_is_in_the_trace),
		cmocka_unit_test(fields_have_names_and_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
