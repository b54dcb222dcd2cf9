#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "tools/iscsiutil/prwire.h"

static void
greet(struct prwire *p)
{
	memset(p, 0, sizeof *p);
	assert_false(prwire_at_command(p));
	assert_int_equal(prwire_want(p), 4);
	assert_int_equal(prwire_take(p, "\0\0\0", 4), PRWIRE_MORE);
	assert_true(prwire_at_command(p));
}

static void
a_reading_command_is_sixteen_bytes(void **state)
{
	uint8_t cdb[16] = { 0x5e, 0, 0, 0, 0, 0, 0, 0x20, 0x00 };
	struct prwire p;

	(void)state;
	greet(&p);
	assert_int_equal(prwire_take(&p, cdb, 1), PRWIRE_MORE);
	assert_false(prwire_at_command(&p));
	assert_int_equal(prwire_want(&p), 15);
	assert_int_equal(prwire_take(&p, cdb + 1, 15), PRWIRE_COMMAND);
	assert_true(!p.is_out && p.len == 8192);
	assert_memory_equal(p.cdb, cdb, 16);
	prwire_next(&p);
	assert_true(prwire_at_command(&p));
}

static void
a_writing_command_brings_its_list(void **state)
{
	uint8_t cdb[16] = { 0x5f, 0, 0, 0, 0, 0, 0, 0, 24 }, list[24];
	struct prwire p;

	(void)state;
	greet(&p);
	memset(list, 7, sizeof list);
	assert_int_equal(prwire_take(&p, cdb, 16), PRWIRE_MORE);
	assert_int_equal(prwire_want(&p), 24);
	assert_int_equal(prwire_take(&p, list, 20), PRWIRE_MORE);
	assert_int_equal(prwire_take(&p, list, 4), PRWIRE_COMMAND);
	assert_true(p.is_out && p.len == 24);
	assert_memory_equal(p.data, list, 24);
}

static void
what_is_too_long_or_another_command_breaks_it(void **state)
{
	static const uint8_t cdbs[][16] = {
		{ 0x5e, 0, 0, 0, 0, 0, 0, 0x20, 0x01 },
		{ 0x5f, 0, 0, 0, 0, 0, 0, 0x20, 0x01 },
		{ 0x5f, 0, 0, 0, 0, 1, 0, 0, 24 },
		{ 0x12, 0, 0, 0, 36 },
	};
	struct prwire p;

	(void)state;
	for (size_t i = 0; i < sizeof cdbs / sizeof *cdbs; i++) {
		greet(&p);
		assert_int_equal(prwire_take(&p, cdbs[i], 16), PRWIRE_BROKEN);
	}
	memset(&p, 0, sizeof p);
	assert_int_equal(prwire_take(&p, "\0\0\0\1", 4), PRWIRE_BROKEN);
}

static void
an_answer_has_status_size_and_sense(void **state)
{
	uint8_t b[PRWIRE_ANSWER_BYTES], sense[200];

	(void)state;
	prwire_sense(sense, 5, 0x25, 1);
	prwire_answer(b, 2, 0, sense, PRWIRE_OWN_SENSE_BYTES);
	assert_int_equal(be_get32(b), 2);
	assert_int_equal(be_get32(b + 4), 0);
	assert_true(b[8] == 0x70 && b[10] == 5 && b[20] == 0x25 && b[21] == 1);
	memset(sense, 9, sizeof sense);
	prwire_answer(b, 0, 4096, sense, sizeof sense);
	assert_true(be_get32(b + 4) == 4096 && b[PRWIRE_ANSWER_BYTES - 1] == 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reading_command_is_sixteen_bytes),
		cmocka_unit_test(a_writing_command_brings_its_list),
		cmocka_unit_test(what_is_too_long_or_another_command_breaks_it),
		cmocka_unit_test(an_answer_has_status_size_and_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
