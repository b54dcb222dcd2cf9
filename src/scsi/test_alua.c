#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scsi/alua.h"
#include "scsi/cdb.h"

/* A unit's name, this port's number and its group, as LIO writes them. */
static const uint8_t page[] = { 0, 0x83, 0, 36, 0x01, 0x03, 0, 16, 0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9,
	10, 11, 12, 13, 14, 15, 0x51, 0x94, 0, 4, 0, 0, 0, 7, 0x51, 0x95, 0, 4, 0, 0, 1, 2 };

static void
a_page_says_which_port_it_came_from(void **state)
{
	struct alua a = { 0 };

	(void)state;
	assert_true(alua_take_page(&a, page, sizeof page));
	assert_int_equal(a.port, 7);
	assert_int_equal(a.group, 0x102);
	/* Half a page says nothing, nor does another one. */
	for (size_t n = 0; n < sizeof page; n++) {
		struct alua b = { 0 };
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, page, n);
		assert_false(alua_take_page(&b, copy, n));
		free(copy);
	}
	a.has_group = true;
	assert_false(alua_take_page(&a, "\0\x80\0\0", 4));
	assert_false(alua_take_page(&a, "\0\x83\0\0", 4));
	assert_false(a.has_group);
}

static const uint8_t report[] = { 0, 0, 0, 32, 0x80, 0x8f, 0, 1, 0, 2, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2,
	0x02, 0x8f, 1, 2, 0, 0, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff };

static void
a_report_says_what_the_group_is(void **state)
{
	struct alua a = { .has_group = true, .group = 0x102 };

	(void)state;
	assert_true(alua_take_report(&a, report, sizeof report, false));
	assert_int_equal(a.state, ALUA_STANDBY);
	assert_false(a.is_preferred);
	a.group = 1;
	assert_true(alua_take_report(&a, report, sizeof report, false));
	assert_int_equal(a.state, ALUA_ACTIVE_OPTIMIZED);
	assert_true(a.is_preferred && a.is_reported);
	/* A group that it does not name, and one that is not known. */
	a = (struct alua){ .has_group = true, .group = 5 };
	assert_false(alua_take_report(&a, report, sizeof report, false));
	a = (struct alua){ 0 };
	assert_false(alua_take_report(&a, report, sizeof report, false));
	/* It is not the other form. */
	a = (struct alua){ .has_group = true, .group = 1 };
	assert_false(alua_take_report(&a, report, sizeof report, true));
	assert_false(a.is_reported);
}

static void
a_report_with_times(void **state)
{
	static const uint8_t long_form[] = { 0, 0, 0, 16, 0x10, 45, 0, 0, 0x0f, 0, 0, 9, 0, 0, 0, 1,
		0, 0, 0, 3 };
	struct alua a = { .has_group = true, .group = 9 };

	(void)state;
	assert_true(alua_take_report(&a, long_form, sizeof long_form, true));
	assert_int_equal(a.state, ALUA_TRANSITIONING);
	assert_int_equal(a.transition_s, 45);
	/* Wherever it is cut, nothing is read behind it. */
	for (size_t n = 0; n < sizeof long_form; n++) {
		struct alua b = { .has_group = true, .group = 9 };
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, long_form, n);
		assert_true(!alua_take_report(&b, copy, n, true) || n >= 16);
		assert_true(!alua_take_report(&b, copy, n, false) || n >= 8);
		free(copy);
	}
}

static void
states_and_words(void **state)
{
	(void)state;
	assert_true(alua_serves(ALUA_ACTIVE_OPTIMIZED) && alua_serves(ALUA_ACTIVE_NON_OPTIMIZED));
	assert_false(alua_serves(ALUA_STANDBY) || alua_serves(ALUA_UNAVAILABLE) ||
		     alua_serves(ALUA_OFFLINE) || alua_serves(ALUA_TRANSITIONING));
	assert_false(alua_serves(7));
	assert_string_equal(alua_word(ALUA_STANDBY), "standby");
	assert_string_equal(alua_word(7), "reserved");
}

static void
sense_data_says_it_too(void **state)
{
	struct sense s = { .key = SENSE_KEY_NOT_READY, .asc = 0x04, .ascq = 0x0b };
	uint8_t found = 0;

	(void)state;
	assert_true(alua_of_sense(&s, &found));
	assert_int_equal(found, ALUA_STANDBY);
	s.ascq = 0x0a;
	assert_true(alua_of_sense(&s, &found));
	assert_int_equal(found, ALUA_TRANSITIONING);
	s.ascq = 0x0d;
	assert_false(alua_of_sense(&s, &found));
	s.ascq = 0x0c;
	s.is_deferred = true;
	assert_false(alua_of_sense(&s, &found));
	s = (struct sense){ .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x2a, .ascq = 0x06 };
	assert_false(alua_of_sense(&s, &found));
}

static void
commands(void **state)
{
	static const uint8_t wanted[] = { 0xa3, 0x2a, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0 };
	uint8_t cdb[CDB_BYTES], list[ALUA_SET_BYTES];

	(void)state;
	cdb_report_target_ports(cdb, 4096, true);
	assert_memory_equal(cdb, wanted, sizeof wanted);
	assert_string_equal(cdb_name(cdb), "REPORT TARGET PORT GROUPS");
	cdb_set_target_ports(cdb, ALUA_SET_BYTES);
	assert_string_equal(cdb_name(cdb), "SET TARGET PORT GROUPS");
	assert_int_equal(cdb[9], 8);
	alua_set_list(list, 0x102);
	assert_memory_equal(list, "\0\0\0\0\0\0\1\2", 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_says_which_port_it_came_from),
		cmocka_unit_test(a_report_says_what_the_group_is),
		cmocka_unit_test(a_report_with_times),
		cmocka_unit_test(states_and_words),
		cmocka_unit_test(sense_data_says_it_too),
		cmocka_unit_test(commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
