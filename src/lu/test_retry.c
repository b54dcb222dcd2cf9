#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lu/retry.h"
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
expect(struct req r, enum retry_step step, int error)
{
	struct retry_verdict v = retry_judge(&r, 0);

	assert_int_equal(v.step, step);
	if (step == RETRY_FAIL)
		assert_int_equal(v.error, error);
}

static void
every_end_has_its_step(void **state)
{
	(void)state;
	expect(answered(SENSE_STATUS_GOOD), RETRY_DONE, 0);
	expect(answered(SENSE_STATUS_BUSY), RETRY_AGAIN, 0);
	expect(answered(SENSE_STATUS_TASK_SET_FULL), RETRY_AGAIN, 0);
	expect(answered(SENSE_STATUS_TASK_ABORTED), RETRY_AGAIN, 0);
	expect(answered(SENSE_STATUS_CHECK_CONDITION), RETRY_AGAIN, 0);
	expect(answered(SENSE_STATUS_RESERVATION_CONFLICT), RETRY_FAIL, EIO);
	expect(checked(SENSE_KEY_NOT_READY, 0x04, 0x01), RETRY_AGAIN, 0);
	expect(checked(SENSE_KEY_NOT_READY, 0x04, 0x0a), RETRY_AGAIN, 0);
	expect(checked(SENSE_KEY_NOT_READY, 0x04, 0x0b), RETRY_AGAIN, 0);
	expect(checked(SENSE_KEY_NOT_READY, 0x04, 0x0c), RETRY_AGAIN, 0);
	expect(checked(SENSE_KEY_NOT_READY, 0x04, 0x02), RETRY_ASK, 0);
	expect(checked(SENSE_KEY_ABORTED_COMMAND, 0x4b, 0x00), RETRY_AGAIN, 0);
	expect(checked(SENSE_KEY_ABORTED_COMMAND, 0x08, 0x00), RETRY_AGAIN, 0);
	expect(checked(SENSE_KEY_UNIT_ATTENTION, 0x29, 0x00), RETRY_ASK, 0);
	expect(checked(SENSE_KEY_UNIT_ATTENTION, 0x3f, 0x0e), RETRY_ASK, 0);
	expect(checked(SENSE_KEY_UNIT_ATTENTION, 0x2a, 0x09), RETRY_ASK, 0);
	expect(checked(SENSE_KEY_UNIT_ATTENTION, 0x25, 0x00), RETRY_ASK, 0);
	expect(checked(SENSE_KEY_ILLEGAL_REQUEST, 0x25, 0x00), RETRY_ASK, 0);
	expect(checked(SENSE_KEY_UNIT_ATTENTION, 0xc0, 0x01), RETRY_AGAIN, 0);
	expect(checked(SENSE_KEY_MEDIUM_ERROR, 0x11, 0x00), RETRY_FAIL, EIO);
	expect(checked(SENSE_KEY_HARDWARE_ERROR, 0x44, 0x00), RETRY_FAIL, EIO);
	expect(checked(SENSE_KEY_DATA_PROTECT, 0x27, 0x00), RETRY_FAIL, EROFS);
	expect(checked(SENSE_KEY_DATA_PROTECT, 0x27, 0x07), RETRY_FAIL, ENOSPC);
	expect(checked(SENSE_KEY_ILLEGAL_REQUEST, 0x20, 0x00), RETRY_FAIL, EOPNOTSUPP);
	expect(checked(SENSE_KEY_MISCOMPARE, 0x1d, 0x00), RETRY_FAIL, EIO);
	expect((struct req){ .result = REQ_NO_TARGET }, RETRY_AGAIN, 0);
	expect((struct req){ .result = REQ_TIMEOUT }, RETRY_AGAIN, 0);
	expect((struct req){ .result = REQ_ABORTED }, RETRY_AGAIN, 0);
	expect((struct req){ .result = REQ_UNSENT }, RETRY_HELD, 0);
	expect((struct req){ .result = REQ_LOST }, RETRY_HELD, 0);
	expect((struct req){ .result = REQ_VIOLATION }, RETRY_TRY, 0);
}

static void
a_deferred_error_is_not_the_commands_own(void **state)
{
	struct req r = checked(SENSE_KEY_MEDIUM_ERROR, 0x0c, 0x00);

	(void)state;
	r.sense[0] = 0x71;
	expect(r, RETRY_AGAIN, 0);
}

static void
pauses_double_up_to_two_seconds(void **state)
{
	struct req r = answered(SENSE_STATUS_BUSY);
	uint64_t last = 0;

	(void)state;
	assert_int_equal(retry_judge(&r, 0).delay_us, 50000);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t us = retry_judge(&r, i).delay_us;

		assert_true(us >= last && us <= 2000000);
		last = us;
	}
	assert_int_equal(last, 2000000);
}

static void
unit_attentions_cost_no_pause_until_there_are_too_many(void **state)
{
	struct req r = checked(SENSE_KEY_UNIT_ATTENTION, 0x29, 0x00);

	(void)state;
	assert_int_equal(retry_judge(&r, 0).delay_us, 0);
	assert_int_equal(retry_judge(&r, 7).delay_us, 0);
	assert_true(retry_judge(&r, 8).delay_us > 0);
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
		cmocka_unit_test(every_end_has_its_step),
		cmocka_unit_test(a_deferred_error_is_not_the_commands_own),
		cmocka_unit_test(pauses_double_up_to_two_seconds),
		cmocka_unit_test(unit_attentions_cost_no_pause_until_there_are_too_many),
		cmocka_unit_test(the_sentence_names_command_and_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
