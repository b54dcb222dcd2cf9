#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "driver/iscsial/retry.h"
#include "scsi/cdb.h"

static struct req
answered(uint8_t status)
{
	return (struct req){ .result = REQ_DONE, .status = status };
}

static struct req
checked(uint8_t key, uint8_t asc, uint8_t ascq)
{
	struct req r = answered(SENSE_STATUS_CHECK_CONDITION);

	r.sense[0] = 0x70;
	r.sense[2] = key;
	r.sense[7] = 10;
	r.sense[12] = asc;
	r.sense[13] = ascq;
	r.sense_len = 18;
	return r;
}

static void
good_is_done(void **state)
{
	struct req r = answered(SENSE_STATUS_GOOD);
	struct retry t = { 0 };

	(void)state;
	assert_int_equal(retry_judge(&t, &r, 0).step, RETRY_DONE);
}

static void
unit_attention_is_sent_again_but_not_for_ever(void **state)
{
	struct req r = checked(SENSE_KEY_UNIT_ATTENTION, 0x29, 0x00);
	struct retry t = { 0 };
	unsigned n = 0;

	(void)state;
	while (retry_judge(&t, &r, 0).step == RETRY_AGAIN)
		assert_true(++n < 100);
	assert_true(n >= 10);
	assert_int_equal(retry_judge(&t, &r, 0).error, EIO);
}

static void
reported_luns_changed_asks_for_a_look(void **state)
{
	struct req r = checked(SENSE_KEY_UNIT_ATTENTION, 0x3f, 0x0e);
	struct retry t = { 0 };

	(void)state;
	assert_int_equal(retry_judge(&t, &r, 0).step, RETRY_LOOK);
}

static void
busy_waits_longer_each_time(void **state)
{
	struct req r = answered(SENSE_STATUS_BUSY);
	struct retry t = { 0 };
	uint64_t last = 0, total = 0;
	struct retry_verdict v;

	(void)state;
	while ((v = retry_judge(&t, &r, 0)).step == RETRY_AGAIN) {
		assert_true(v.delay_us >= last && v.delay_us <= 2000000);
		last = v.delay_us;
		total += v.delay_us;
	}
	assert_true(total > 10000000 && total < 60000000);
	assert_int_equal(v.error, EIO);
}

static void
becoming_ready_is_waited_for_as_often_as_asked(void **state)
{
	struct req r = checked(SENSE_KEY_NOT_READY, 0x04, 0x01);
	struct retry t = { 0 };

	(void)state;
	assert_int_equal(retry_judge(&t, &r, 2).step, RETRY_AGAIN);
	assert_int_equal(retry_judge(&t, &r, 2).step, RETRY_AGAIN);
	assert_int_equal(retry_judge(&t, &r, 2).step, RETRY_GIVE_UP);
}

static void
write_protection_is_a_read_only_error(void **state)
{
	struct req r = checked(SENSE_KEY_DATA_PROTECT, 0x27, 0x00);
	struct retry t = { 0 };

	(void)state;
	assert_int_equal(retry_judge(&t, &r, 0).step, RETRY_GIVE_UP);
	assert_int_equal(retry_judge(&t, &r, 0).error, EROFS);
}

static void
an_offline_session_is_never_tried_again(void **state)
{
	struct req r = { .result = REQ_OFFLINE };
	struct retry t = { 0 };

	(void)state;
	assert_int_equal(retry_judge(&t, &r, 9).step, RETRY_GIVE_UP);
	assert_int_equal(retry_judge(&t, &r, 9).error, EIO);
}

static void
the_sentence_names_command_and_cause(void **state)
{
	struct req r = checked(SENSE_KEY_MEDIUM_ERROR, 0x11, 0x00);
	char text[300], tiny[8];

	(void)state;
	cdb_read(r.cdb, 4711, 8, 0);
	assert_non_null(strstr(retry_describe(text, sizeof text, &r), "READ(10)"));
	assert_non_null(strstr(text, "MEDIUM ERROR"));
	retry_describe(tiny, sizeof tiny, &r);
	assert_int_equal(tiny[7], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_is_done),
		cmocka_unit_test(unit_attention_is_sent_again_but_not_for_ever),
		cmocka_unit_test(reported_luns_changed_asks_for_a_look),
		cmocka_unit_test(busy_waits_longer_each_time),
		cmocka_unit_test(becoming_ready_is_waited_for_as_often_as_asked),
		cmocka_unit_test(write_protection_is_a_read_only_error),
		cmocka_unit_test(an_offline_session_is_never_tried_again),
		cmocka_unit_test(the_sentence_names_command_and_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
