#include "base/be.h"
#include "scsi/reserve.h"
#include "scsi/test_bytes.h"

#define KEY UINT64_C(0x1122334455667788)

static const char transport[] = "iqn.2026-01.test:a,i,0x00023D000001";

/* READ FULL STATUS with one holder by iSCSI, and one registrant by another protocol. */
static size_t
full_status(uint8_t b[128])
{
	size_t n = 8, id = (sizeof transport + 3) / 4 * 4;

	memset(b, 0, 128);
	be_put32(b, 7);
	be_put64(b + n, KEY);
	b[n + 12] = 0x01;
	b[n + 13] = 0x05;
	be_put16(b + n + 18, 3);
	be_put32(b + n + 20, (uint32_t)(4 + id));
	b[n + 24] = 0x45;
	be_put16(b + n + 26, (uint16_t)id);
	memcpy(b + n + 28, transport, sizeof transport);
	n += 28 + id;
	be_put64(b + n, 2);
	b[n + 12] = 0x02;
	be_put32(b + n + 20, 8);
	n += 32;
	be_put32(b + 4, (uint32_t)(n - 8));
	return n;
}

static void
full_status_names_holders_and_registrants(void **state)
{
	static const uint8_t isid[] = { 0x00, 0x02, 0x3d, 0x00, 0x00, 0x01 };
	struct reserve_holder h;
	uint32_t generation;
	uint8_t b[128];
	size_t n = full_status(b), at = 0;

	(void)state;
	assert_true(reserve_status_generation(b, n, &generation));
	assert_int_equal(generation, 7);
	assert_true(reserve_status_next(b, n, &at, &h));
	assert_true(h.key == KEY && h.is_holder && h.type == RESERVE_TYPE_WRITE_REGISTRANTS);
	assert_int_equal(h.port, 3);
	assert_string_equal(h.name, "iqn.2026-01.test:a");
	assert_true(h.has_isid);
	assert_memory_equal(h.isid, isid, sizeof isid);
	assert_true(reserve_status_next(b, n, &at, &h));
	assert_true(h.key == 2 && !h.is_holder && h.is_all_ports && !h.has_isid);
	assert_string_equal(h.name, "");
	assert_false(reserve_status_next(b, n, &at, &h));
}

/* What a target's name may bring to a terminal. */
static void
a_name_ends_where_it_is_no_text(void **state)
{
	struct reserve_holder h;
	uint8_t b[128];
	size_t n = full_status(b), at = 0;

	(void)state;
	b[8 + 28 + 3] = 0x1b;
	assert_true(reserve_status_next(b, n, &at, &h));
	assert_string_equal(h.name, "iqn");
}

static void
keys_are_counted_as_the_target_says_and_read_as_far_as_they_came(void **state)
{
	uint8_t b[8 + 16];
	struct reserve_keys k;

	(void)state;
	be_put32(b, 9);
	be_put32(b + 4, 24);
	be_put64(b + 8, 1);
	be_put64(b + 16, KEY);
	assert_true(reserve_keys_parse(b, sizeof b, &k));
	assert_true(k.generation == 9 && k.n == 3 && k.n_here == 2);
	assert_true(reserve_keys_count(&k, KEY) == 1 && reserve_keys_count(&k, 1) == 1);
	assert_int_equal(reserve_keys_count(&k, 2), 0);
	assert_false(reserve_keys_parse(b, 7, &k));
}

static void
a_reservation_has_a_key_and_a_type_or_nobody_holds_one(void **state)
{
	uint8_t b[24] = { 0 };
	struct reserve_holder h;
	uint32_t generation;
	bool is_held;

	(void)state;
	assert_true(reserve_reservation_parse(b, 8, &generation, &is_held, &h));
	assert_false(is_held);
	be_put32(b + 4, 16);
	be_put64(b + 8, KEY);
	b[21] = RESERVE_TYPE_EXCLUSIVE_ACCESS;
	assert_true(reserve_reservation_parse(b, sizeof b, &generation, &is_held, &h));
	assert_true(is_held && h.key == KEY && h.type == RESERVE_TYPE_EXCLUSIVE_ACCESS);
	assert_false(reserve_reservation_parse(b, 20, &generation, &is_held, &h));
}

static void
lists_and_commands_are_what_was_put_in(void **state)
{
	const struct reserve_list in = { .key = 1, .service_key = KEY, .all_tg_pt = true };
	uint8_t b[RESERVE_LIST_BYTES], cdb[CDB_BYTES];
	struct reserve_list out;

	(void)state;
	reserve_list_make(&in, b);
	assert_true(reserve_list_parse(b, sizeof b, &out));
	assert_true(out.key == 1 && out.service_key == KEY && out.all_tg_pt && !out.aptpl);
	assert_false(reserve_list_parse(b, sizeof b - 1, &out));
	reserve_out(cdb, RESERVE_OUT_PREEMPT, RESERVE_TYPE_WRITE_EXCLUSIVE);
	assert_true(cdb[0] == 0x5f && cdb[1] == 4 && cdb[2] == 1 && cdb[8] == 24);
	reserve_in(cdb, RESERVE_IN_STATUS, 8192);
	assert_true(cdb[0] == 0x5e && cdb[1] == 3 && be_get16(cdb + 7) == 8192);
	assert_string_equal(reserve_out_name(5), "PREEMPT AND ABORT");
	assert_string_equal(reserve_type_name(5), "Write Exclusive - Registrants Only");
}

/* ---- whether a key that is not there is registered again ---- */

static struct reserve_keys
keys(uint8_t b[24], uint32_t generation, uint32_t n, uint64_t key)
{
	struct reserve_keys k;

	be_put32(b, generation);
	be_put32(b + 4, 8 * n);
	be_put64(b + 8, key);
	assert_true(reserve_keys_parse(b, 8 + (n > 0 ? 8 : 0), &k));
	return k;
}

/* PRGENERATION began anew: only that tells a loss from a fence. */
static void
a_key_that_is_gone_was_taken_away_unless_the_target_lost_its_power(void **state)
{
	uint8_t b[24];
	struct reserve_keys k;

	(void)state;
	k = keys(b, 0, 0, 0);
	assert_int_equal(reserve_again(&k, KEY, 3), RESERVE_WAS_LOST);
	/* CLEAR by another, or PREEMPT by one who left: it counted on. */
	k = keys(b, 4, 0, 0);
	assert_int_equal(reserve_again(&k, KEY, 3), RESERVE_WAS_TAKEN);
	k = keys(b, 3, 0, 0);
	assert_int_equal(reserve_again(&k, KEY, 3), RESERVE_WAS_TAKEN);
	/* Another one came first after the loss. */
	k = keys(b, 1, 1, 5);
	assert_int_equal(reserve_again(&k, KEY, 3), RESERVE_WAS_LOST);
	/* PREEMPT: the other one is there. */
	k = keys(b, 4, 1, 5);
	assert_int_equal(reserve_again(&k, KEY, 3), RESERVE_WAS_TAKEN);
	/* Not all keys came: ours may be among the others. */
	k = keys(b, 1, 2, 5);
	assert_int_equal(reserve_again(&k, KEY, 3), RESERVE_WAS_TAKEN);
	/* It was never seen which count it had. */
	k = keys(b, 0, 0, 0);
	assert_int_equal(reserve_again(&k, KEY, 0), RESERVE_WAS_TAKEN);
	k = keys(b, 9, 1, KEY);
	assert_int_equal(reserve_again(&k, KEY, 3), RESERVE_IS_THERE);
}

static void
try_all(const uint8_t *p, size_t n)
{
	struct reserve_holder h;
	struct reserve_keys k;
	struct reserve_list l;
	uint32_t generation;
	bool is_held;
	size_t at = 0;

	while (reserve_status_next(p, n, &at, &h))
		assert_true(at <= n && strlen(h.name) < sizeof h.name);
	if (reserve_keys_parse(p, n, &k))
		assert_true(reserve_keys_count(&k, KEY) <= k.n_here);
	(void)reserve_reservation_parse(p, n, &generation, &is_held, &h);
	(void)reserve_list_parse(p, n, &l);
}

static void
hostile_answers_are_read_no_further_than_they_are(void **state)
{
	uint8_t b[128];

	(void)state;
	test_hostile(b, full_status(b), try_all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_status_names_holders_and_registrants),
		cmocka_unit_test(a_name_ends_where_it_is_no_text),
		cmocka_unit_test(keys_are_counted_as_the_target_says_and_read_as_far_as_they_came),
		cmocka_unit_test(a_reservation_has_a_key_and_a_type_or_nobody_holds_one),
		cmocka_unit_test(lists_and_commands_are_what_was_put_in),
		cmocka_unit_test(
		    a_key_that_is_gone_was_taken_away_unless_the_target_lost_its_power),
		cmocka_unit_test(hostile_answers_are_read_no_further_than_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
