#include <errno.h>

#include "scsi/sense.h"
#include "scsi/test_bytes.h"

static const uint8_t unrecovered_fixed[18] = { 0xf0, 0, 0x03, 0, 0, 0x12, 0x67, 0x0a, 0, 0, 0, 0,
	0x11, 0 };
static const uint8_t unrecovered_descriptors[] = { 0x72, 0x03, 0x11, 0x00, 0, 0, 0, 28, 0x00, 0x0a,
	0x80, 0, 0, 0, 0, 1, 0, 0, 0x12, 0x67, 0x03, 0x02, 0, 0, 0x01, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 9 };

static struct sense
fixed(uint8_t key, uint8_t asc, uint8_t ascq)
{
	const uint8_t b[18] = { 0x70, 0, key, [7] = 10, [12] = asc, [13] = ascq };
	struct sense s;

	assert_true(sense_parse(b, sizeof b, &s));
	return s;
}

static const char *
action_name(enum sense_action action)
{
	switch (action) {
#define SENSE_ACTION(id, text) \
	case SENSE_##id:       \
		return text;
#include "scsi/action.def"
	}
	return "no action";
}

static void
expect(uint8_t key, uint8_t asc, uint8_t ascq, enum sense_action action, int error)
{
	struct sense s = fixed(key, asc, ascq);
	struct sense_verdict v = sense_judge(SENSE_STATUS_CHECK_CONDITION, &s);

	if (v.action != action || v.error != error)
		fail_msg(
		    "%x/%02x/%02x: %s, errno %d", key, asc, ascq, action_name(v.action), v.error);
}

static void
fixed_format_is_read(void **state)
{
	struct sense s;
	char text[SENSE_TEXT_BYTES];

	(void)state;
	assert_true(sense_parse(unrecovered_fixed, sizeof unrecovered_fixed, &s));
	assert_int_equal(s.key, SENSE_KEY_MEDIUM_ERROR);
	assert_int_equal(s.asc, 0x11);
	assert_true(s.has_info && s.info == 0x1267 && !s.is_deferred && !s.is_descriptor_format);
	assert_false(s.has_command_info || s.has_field || s.has_progress);
	sense_describe(text, sizeof text, SENSE_STATUS_CHECK_CONDITION, &s);
	assert_string_equal(
	    text, "CHECK CONDITION, MEDIUM ERROR (3/11/00): unrecovered read error, at block 4711");
}

static void
descriptor_format_is_read(void **state)
{
	struct sense s;

	(void)state;
	assert_true(sense_parse(unrecovered_descriptors, sizeof unrecovered_descriptors, &s));
	assert_true(s.is_descriptor_format && !s.is_deferred);
	assert_int_equal(s.key, SENSE_KEY_MEDIUM_ERROR);
	assert_int_equal(s.asc, 0x11);
	assert_true(s.has_info && s.info == 0x100001267u);
	assert_true(s.has_command_info && s.command_info == 9);
}

static void
what_additional_length_leaves_out_is_not_read(void **state)
{
	uint8_t b[18];
	struct sense s;

	(void)state;
	memcpy(b, unrecovered_fixed, sizeof b);
	b[7] = 2;
	assert_true(sense_parse(b, sizeof b, &s));
	assert_int_equal(s.asc, 0);
	assert_true(s.has_info);
}

static void
field_and_progress_come_with_their_keys_only(void **state)
{
	uint8_t b[18] = { 0x70, 0, 0x05, [7] = 10, [12] = 0x24, [15] = 0xc0, 0, 4 };
	struct sense s;
	char text[SENSE_TEXT_BYTES];

	(void)state;
	assert_true(sense_parse(b, sizeof b, &s));
	assert_true(s.has_field && s.is_field_in_cdb && s.field == 4 && !s.has_progress);
	sense_describe(text, sizeof text, SENSE_STATUS_CHECK_CONDITION, &s);
	assert_string_equal(text, "CHECK CONDITION, ILLEGAL REQUEST (5/24/00): invalid field in "
				  "CDB, at byte 4 of the command");
	b[2] = 0x02;
	b[12] = 0x04;
	b[13] = 0x04;
	b[16] = 0x40;
	assert_true(sense_parse(b, sizeof b, &s));
	assert_true(s.has_progress && s.progress == 0x4004 && !s.has_field);
	sense_describe(text, sizeof text, SENSE_STATUS_CHECK_CONDITION, &s);
	assert_string_equal(text, "CHECK CONDITION, NOT READY (2/04/04): logical unit not ready, "
				  "format in progress, 25% done");
	b[15] = 0x40;
	assert_true(sense_parse(b, sizeof b, &s));
	assert_false(s.has_progress);
}

static void
keys_and_codes_decide(void **state)
{
	(void)state;
	expect(0x1, 0x17, 0x01, SENSE_OK, 0);
	expect(0x1, 0x27, 0x00, SENSE_OK, 0);
	expect(0x0, 0x00, 0x00, SENSE_OK, 0);
	expect(0x2, 0x04, 0x01, SENSE_WAIT_READY, EIO);
	expect(0x2, 0x04, 0x02, SENSE_START_UNIT, EIO);
	expect(0x2, 0x04, 0x03, SENSE_FAIL, EIO);
	expect(0x2, 0x04, 0x0a, SENSE_RETRY_DELAYED, EIO);
	expect(0x2, 0x3a, 0x00, SENSE_NO_MEDIUM, ENOMEDIUM);
	expect(0x3, 0x11, 0x00, SENSE_MEDIUM_ERROR, EIO);
	expect(0x4, 0x44, 0x00, SENSE_FAIL, EIO);
	expect(0x5, 0x20, 0x00, SENSE_UNSUPPORTED, EOPNOTSUPP);
	expect(0x5, 0x24, 0x00, SENSE_UNSUPPORTED, EREMOTEIO);
	expect(0x5, 0x25, 0x00, SENSE_GONE, ENXIO);
	expect(0x5, 0x68, 0x00, SENSE_GONE, ENXIO);
	expect(0x6, 0x25, 0x00, SENSE_GONE, ENXIO);
	expect(0x6, 0x2a, 0x01, SENSE_REREAD_MODE, EIO);
	expect(0x6, 0x2a, 0x09, SENSE_RESIZE, EIO);
	expect(0x6, 0x3f, 0x0e, SENSE_RESCAN, EIO);
	expect(0x6, 0x3f, 0x03, SENSE_RESCAN, EIO);
	expect(0x6, 0x28, 0x00, SENSE_RESIZE, EIO);
	expect(0x6, 0x38, 0x07, SENSE_RETRY_NOW, EIO);
	expect(0x6, 0xc0, 0x42, SENSE_RETRY_NOW, EIO);
	expect(0x7, 0x27, 0x00, SENSE_WRITE_PROTECTED, EROFS);
	expect(0x6, 0x27, 0x00, SENSE_REREAD_MODE, EIO);
	expect(0x6, 0x27, 0x02, SENSE_REREAD_MODE, EIO);
	expect(0x7, 0x27, 0x07, SENSE_OUT_OF_SPACE, ENOSPC);
	expect(0xb, 0x47, 0x05, SENSE_ABORTED, EIO);
	expect(0xb, 0x00, 0x00, SENSE_ABORTED, EIO);
	expect(0xe, 0x1d, 0x00, SENSE_FAIL, EILSEQ);
	expect(0x0, 0x00, 0x01, SENSE_TAPE_POSITION, 0);
}

static void
whatever_may_be_another_unit_is_asked_for(void **state)
{
	static const uint8_t asc[] = { 0x29, 0x2a, 0x3f };

	(void)state;
	for (size_t i = 0; i < sizeof asc; i++)
		for (unsigned ascq = 0; ascq < 256; ascq++) {
			struct sense s = fixed(0x6, asc[i], (uint8_t)ascq);
			enum sense_action a = sense_judge(SENSE_STATUS_CHECK_CONDITION, &s).action;

			if (a != SENSE_RESCAN && a != SENSE_RESIZE && a != SENSE_REREAD_MODE)
				fail_msg("6/%02x/%02x", asc[i], ascq);
		}
}

/* Whatever code they come with: ILLEGAL REQUEST's are no exception. */
static void
unit_attentions_and_aborted_commands_are_never_the_end(void **state)
{
	static const uint8_t keys[] = { SENSE_KEY_UNIT_ATTENTION, SENSE_KEY_ABORTED_COMMAND };

	(void)state;
	for (size_t i = 0; i < sizeof keys; i++)
		for (unsigned code = 0; code < 65536; code++) {
			struct sense s = fixed(keys[i], (uint8_t)(code >> 8), (uint8_t)code);
			enum sense_action a = sense_judge(SENSE_STATUS_CHECK_CONDITION, &s).action;

			if (a != SENSE_RETRY_NOW && a != SENSE_RETRY_DELAYED &&
			    a != SENSE_ABORTED && a != SENSE_WAIT_READY && a != SENSE_START_UNIT &&
			    a != SENSE_RESCAN && a != SENSE_RESIZE && a != SENSE_REREAD_MODE &&
			    a != SENSE_GONE)
				fail_msg("%x/%04x: %s", keys[i], code, action_name(a));
		}
}

static void
what_may_pass_is_waited_for(void **state)
{
	static const uint8_t ascq[] = { 0x00, 0x01, 0x04, 0x07, 0x09, 0x0a, 0x0b, 0x0c, 0x11, 0x12,
		0x1b, 0x24, 0x99 };

	(void)state;
	for (size_t i = 0; i < sizeof ascq; i++) {
		struct sense s = fixed(0x2, 0x04, ascq[i]);
		enum sense_action a = sense_judge(SENSE_STATUS_CHECK_CONDITION, &s).action;

		if (a != SENSE_WAIT_READY && a != SENSE_RETRY_DELAYED)
			fail_msg("2/04/%02x", ascq[i]);
	}
}

static void
statuses_decide_where_there_is_no_sense(void **state)
{
	char text[SENSE_TEXT_BYTES];

	(void)state;
	assert_int_equal(sense_judge(0x00, NULL).action, SENSE_OK);
	assert_int_equal(sense_judge(0x04, NULL).action, SENSE_OK);
	assert_int_equal(sense_judge(0x08, NULL).action, SENSE_RETRY_DELAYED);
	assert_int_equal(sense_judge(0x18, NULL).action, SENSE_RESERVED);
	assert_int_equal(sense_judge(0x18, NULL).error, EBADE);
	assert_int_equal(sense_judge(0x28, NULL).action, SENSE_RETRY_DELAYED);
	assert_int_equal(sense_judge(0x40, NULL).action, SENSE_ABORTED);
	assert_int_equal(sense_judge(0x02, NULL).action, SENSE_ABORTED);
	assert_int_equal(sense_judge(0x02, NULL).error, EIO);
	assert_int_equal(sense_judge(0x99, NULL).action, SENSE_FAIL);
	assert_int_equal(sense_judge(0x99, NULL).error, EIO);
	sense_describe(text, sizeof text, 0x99, NULL);
	assert_string_equal(text, "unknown status 99h");
	sense_describe(text, sizeof text, 0x08, NULL);
	assert_string_equal(text, "BUSY: the logical unit cannot take a command now");
}

static void
a_deferred_error_means_that_the_command_was_not_executed(void **state)
{
	uint8_t b[18];
	struct sense s;
	char text[SENSE_TEXT_BYTES];

	(void)state;
	memcpy(b, unrecovered_fixed, sizeof b);
	b[0] = 0xf1;
	for (uint8_t key = 0; key < 16; key++) {
		struct sense_verdict v;

		b[2] = key;
		assert_true(sense_parse(b, sizeof b, &s));
		assert_true(s.is_deferred);
		v = sense_judge(SENSE_STATUS_CHECK_CONDITION, &s);
		assert_int_equal(v.error, EIO);
		assert_int_equal(v.action, SENSE_RETRY_NOW);
	}
	b[2] = 0x06;
	assert_true(sense_parse(b, sizeof b, &s));
	assert_int_equal(sense_loss(&s), SENSE_LOSS_NONE);
	b[2] = 0x03;
	assert_true(sense_parse(b, sizeof b, &s));
	assert_int_equal(sense_loss(&s), SENSE_LOSS_DATA);
	sense_describe(text, sizeof text, SENSE_STATUS_CHECK_CONDITION, &s);
	assert_string_equal(text, "CHECK CONDITION, deferred MEDIUM ERROR (3/11/00): unrecovered "
				  "read error, at block 4711");
	s.is_deferred = false;
	assert_int_equal(sense_loss(&s), SENSE_LOSS_NONE);
}

static void
a_unit_attention_says_what_became_of_a_volatile_cache(void **state)
{
	static const enum sense_loss by_ascq[] = { SENSE_LOSS_RESET, SENSE_LOSS_POWER,
		SENSE_LOSS_NONE, SENSE_LOSS_NONE, SENSE_LOSS_POWER, SENSE_LOSS_NONE };

	(void)state;
	for (uint8_t ascq = 0; ascq < sizeof by_ascq / sizeof *by_ascq; ascq++) {
		struct sense s = { .key = SENSE_KEY_UNIT_ATTENTION, .asc = 0x29, .ascq = ascq };

		assert_int_equal(sense_loss(&s), by_ascq[ascq]);
		s.asc = 0x2a;
		assert_int_equal(sense_loss(&s), SENSE_LOSS_NONE);
		s.asc = 0x29;
		s.is_deferred = true;
		assert_int_equal(sense_loss(&s), SENSE_LOSS_NONE);
	}
}

static void
no_error_is_given_up_without_an_errno(void **state)
{
	(void)state;
	for (unsigned key = 0; key < 16; key++)
		for (unsigned code = 0; code < 0x10000; code++) {
			struct sense s = { .key = (uint8_t)key,
				.asc = (uint8_t)(code >> 8),
				.ascq = (uint8_t)code };
			struct sense_verdict v = sense_judge(SENSE_STATUS_CHECK_CONDITION, &s);

			if (v.action == SENSE_OK ? v.error != 0
						 : v.action != SENSE_TAPE_POSITION && v.error <= 0)
				fail_msg("%x/%04x", key, code);
			if (v.action == SENSE_OK)
				assert_true(key == 0 || key == 1 || key == 0xf);
		}
}

static void
names_of_families_cover_every_qualifier(void **state)
{
	(void)state;
	assert_string_equal(sense_asc_text(0x40, 0x00), "RAM failure");
	assert_string_equal(sense_asc_text(0x40, 0x85), "diagnostic failure on component");
	assert_string_equal(sense_asc_text(0x4d, 0x00), "tagged overlapped commands, task tag");
	assert_null(sense_asc_text(0xff, 0x00));
	for (uint8_t key = 0; key < 16; key++)
		assert_true(strlen(sense_key_name(key)) > 0);
}

static void
the_tables_are_in_order_and_without_doubles(void **state)
{
	static const struct {
		int code;
		const char *text;
	} rows[] = {
#define ASC(code, qualifier, action, error, text) { (code) << 8 | (qualifier), text },
#define ASC_BY_KEY(code, qualifier, text)         { (code) << 8 | (qualifier), text },
#define ASC_FAMILY(code, text)
#define ASC_REST(code, action, error, text)
#include "scsi/asc.def"
	};
	static const int keys[] = {
#define SENSE_KEY(id, code, action, error, name, text) code,
#include "scsi/sense.def"
	};

	(void)state;
	for (size_t i = 1; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].code <= rows[i - 1].code)
			fail_msg("asc.def: %04x after %04x", rows[i].code, rows[i - 1].code);
	assert_int_equal(sizeof keys / sizeof keys[0], 16);
	for (int i = 0; i < 16; i++)
		assert_int_equal(keys[i], i);
}

static void
every_sentence_has_room(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 0x10000; code++) {
		struct sense s = { .key = SENSE_KEY_HARDWARE_ERROR,
			.asc = (uint8_t)(code >> 8),
			.ascq = (uint8_t)code,
			.is_deferred = true,
			.has_info = true,
			.info = UINT64_MAX,
			.has_field = true,
			.field = UINT16_MAX,
			.has_progress = true,
			.progress = UINT16_MAX };
		char text[SENSE_TEXT_BYTES];
		size_t n = sense_describe(text, sizeof text, SENSE_STATUS_CHECK_CONDITION, &s);

		assert_true(n < sizeof text - 1 && strcmp(text + n - 6, "% done") == 0);
	}
}

static void
parse_and_describe(const uint8_t *p, size_t n)
{
	struct sense s;
	char text[SENSE_TEXT_BYTES];

	if (!sense_parse(p, n, &s))
		return;
	assert_true(n >= 4);
	assert_true(s.key < 16);
	assert_true(sense_describe(text, sizeof text, SENSE_STATUS_CHECK_CONDITION, &s) > 0);
	assert_int_equal(sense_describe(text, 1, SENSE_STATUS_CHECK_CONDITION, &s), 0);
	(void)sense_judge(SENSE_STATUS_CHECK_CONDITION, &s);
}

static void
hostile_sense_data_do_no_harm(void **state)
{
	struct sense s;

	(void)state;
	test_hostile(unrecovered_fixed, sizeof unrecovered_fixed, parse_and_describe);
	test_hostile(unrecovered_descriptors, sizeof unrecovered_descriptors, parse_and_describe);
	assert_false(sense_parse((const uint8_t[]){ 0x7f, 0, 0, 0, 0, 0, 0, 0 }, 8, &s));
	assert_false(sense_parse((const uint8_t[]){ 0x00, 0, 3, 0, 0, 0, 0, 0 }, 8, &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_format_is_read),
		cmocka_unit_test(descriptor_format_is_read),
		cmocka_unit_test(what_additional_length_leaves_out_is_not_read),
		cmocka_unit_test(field_and_progress_come_with_their_keys_only),
		cmocka_unit_test(keys_and_codes_decide),
		cmocka_unit_test(whatever_may_be_another_unit_is_asked_for),
		cmocka_unit_test(unit_attentions_and_aborted_commands_are_never_the_end),
		cmocka_unit_test(what_may_pass_is_waited_for),
		cmocka_unit_test(statuses_decide_where_there_is_no_sense),
		cmocka_unit_test(a_deferred_error_means_that_the_command_was_not_executed),
		cmocka_unit_test(a_unit_attention_says_what_became_of_a_volatile_cache),
		cmocka_unit_test(no_error_is_given_up_without_an_errno),
		cmocka_unit_test(names_of_families_cover_every_qualifier),
		cmocka_unit_test(the_tables_are_in_order_and_without_doubles),
		cmocka_unit_test(every_sentence_has_room),
		cmocka_unit_test(hostile_sense_data_do_no_harm),
	};

	return cmocka_run_group_tests_name("sense", tests, NULL, NULL);
}
