#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scsi/effect.h"

static enum effect
of(uint8_t opcode, uint8_t action)
{
	const uint8_t cdb[CDB_BYTES] = { opcode, action };

	return effect_of(cdb);
}

static void
what_nobody_knows_alters(void **state)
{
	(void)state;
	assert_int_equal(of(0xc0, 0), EFFECT_ALTERS);
	assert_int_equal(of(0x7f, 0), EFFECT_ALTERS);
	assert_int_equal(of(0x04, 0), EFFECT_ALTERS);    /* FORMAT UNIT */
	assert_int_equal(of(0x48, 3), EFFECT_ALTERS);    /* SANITIZE */
	assert_int_equal(of(0x55, 0), EFFECT_ALTERS);    /* MODE SELECT */
	assert_int_equal(of(0x3b, 5), EFFECT_ALTERS);    /* WRITE BUFFER: firmware */
	assert_int_equal(of(0xa4, 0x0a), EFFECT_ALTERS); /* SET TARGET PORT GROUPS */
}

static void
a_service_action_that_has_no_row_is_not_taken_for_one_that_has(void **state)
{
	(void)state;
	assert_int_equal(of(0x9e, 0x10), EFFECT_READS);
	assert_int_equal(of(0x9e, 0x12 | 0xe0), EFFECT_READS);
	assert_int_equal(of(0x9e, 0x11), EFFECT_ALTERS);
}

/* Every command of ours that changes blocks is one that does harm. */
static void
whatever_writes_does_harm_and_what_reads_does_not(void **state)
{
	static const uint8_t harms[] = { 0x0a, 0x2a, 0xaa, 0x8a, 0x2e, 0x8e, 0x41, 0x93, 0x42, 0x89,
		0x83, 0x3f, 0x04, 0x1b, 0x15, 0x55, 0x19 };
	static const uint8_t none[] = { 0x00, 0x12, 0x28, 0x88, 0x08, 0xa8, 0x25, 0x35, 0x91, 0x5e,
		0x5f, 0xa0, 0x1a, 0x4d, 0xa3, 0x84 };

	(void)state;
	for (size_t i = 0; i < sizeof harms; i++)
		assert_true(effect_harms(of(harms[i], 0)));
	for (size_t i = 0; i < sizeof none; i++)
		assert_false(effect_harms(of(none[i], 0)));
	assert_int_equal(of(0x5f, 4), EFFECT_RESERVES);
}

static void
group_codes_say_how_long_a_command_is(void **state)
{
	(void)state;
	assert_int_equal(effect_cdb_len(0x12), 6);
	assert_int_equal(effect_cdb_len(0x28), 10);
	assert_int_equal(effect_cdb_len(0x5e), 10);
	assert_int_equal(effect_cdb_len(0xa0), 12);
	assert_int_equal(effect_cdb_len(0x89), 16);
	assert_int_equal(effect_cdb_len(0x7f), 0);
	assert_int_equal(effect_cdb_len(0xc1), 0);
	assert_true(effect_is_long(0x7f) && effect_is_long(0x7e) && !effect_is_long(0x5f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_knows_alters),
		cmocka_unit_test(a_service_action_that_has_no_row_is_not_taken_for_one_that_has),
		cmocka_unit_test(whatever_writes_does_harm_and_what_reads_does_not),
		cmocka_unit_test(group_codes_say_how_long_a_command_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
