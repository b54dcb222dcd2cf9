#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/neg.h"

static void
the_default_offer_is_the_guides(void **state)
{
	static const struct {
		enum key_id key;
		const char *offer, *params;
	} rows[] = {
		{ KEY_auth_method, "None", "None" },
		{ KEY_header_digest, "None,CRC32C", "None" },
		{ KEY_data_digest, "None,CRC32C", "None" },
		{ KEY_max_connections, "1", "1" },
		{ KEY_initial_r2t, "No", "Yes" },
		{ KEY_immediate_data, "Yes", "Yes" },
		{ KEY_max_recv_dsl, "262144", "8192" },
		{ KEY_max_burst, "1048576", "262144" },
		{ KEY_first_burst, "262144", "65536" },
		{ KEY_time2wait, "0", "2" },
		{ KEY_time2retain, "20", "20" },
		{ KEY_max_outstanding_r2t, "8", "1" },
		{ KEY_data_pdu_in_order, "Yes", "Yes" },
		{ KEY_data_seq_in_order, "Yes", "Yes" },
		{ KEY_erl, "0", "0" },
		{ KEY_task_reporting, "FastAbort,ResponseFence,RFC3720", "RFC3720" },
		{ KEY_protocol_level, "2", "1" },
	};
	struct neg_offer offer;
	struct neg_params params;
	char text[64];

	neg_offer_default(&offer);
	neg_params_default(&params);
	assert_int_equal(sizeof rows / sizeof rows[0], neg_param_count());
	assert_int_equal(params.peer_max_recv_dsl, 8192);
	assert_int_equal(offer.silent, 0);
	for (size_t i = 0; i < neg_param_count(); i++) {
		assert_int_equal(rows[i].key, i);
		assert_true(neg_format_offer(&offer, rows[i].key, text, sizeof text));
		assert_string_equal(text, rows[i].offer);
		assert_true(neg_format(&params, rows[i].key, text, sizeof text));
		assert_string_equal(text, rows[i].params);
		assert_false(neg_format(&params, rows[i].key, text, strlen(text)));
	}
	assert_false(neg_format(&params, KEY_target_name, text, sizeof text));
}

static void
every_key_is_found_by_its_name(void **state)
{
	enum key_id key;

	assert_int_equal(KEY_COUNT, 45);
	for (enum key_id i = 0; i < KEY_COUNT; i++) {
		const struct key_info *k = neg_key_info(i);

		assert_true(neg_key_find(k->name, &key));
		assert_int_equal(key, i);
		assert_true(strlen(k->name) <= LIMIT_KEY_NAME_BYTES);
		assert_true(k->section[0] == '1');
	}
	assert_false(neg_key_find("headerdigest", &key));
	assert_false(neg_key_find("", &key));
}

static void
offers_are_parsed_within_what_we_can_do(void **state)
{
	static const struct {
		enum key_id key;
		const char *text;
		enum neg_parse result;
	} rows[] = {
		{ KEY_max_burst, "512", NEG_PARSE_OK },
		{ KEY_max_burst, "0xffffff", NEG_PARSE_OK },
		{ KEY_max_burst, "511", NEG_PARSE_OUT_OF_RANGE },
		{ KEY_max_burst, "16777216", NEG_PARSE_OUT_OF_RANGE },
		{ KEY_max_burst, "99999999999999999999", NEG_PARSE_OUT_OF_RANGE },
		{ KEY_max_burst, "", NEG_PARSE_NOT_A_NUMBER },
		{ KEY_max_burst, "1k", NEG_PARSE_NOT_A_NUMBER },
		{ KEY_max_connections, "2", NEG_PARSE_OUT_OF_RANGE },
		{ KEY_erl, "1", NEG_PARSE_OUT_OF_RANGE },
		{ KEY_max_outstanding_r2t, "8", NEG_PARSE_OK },
		{ KEY_max_outstanding_r2t, "9", NEG_PARSE_OUT_OF_RANGE },
		{ KEY_time2retain, "3600", NEG_PARSE_OK },
		{ KEY_initial_r2t, "Yes", NEG_PARSE_OK },
		{ KEY_initial_r2t, "No", NEG_PARSE_OK },
		{ KEY_initial_r2t, "no", NEG_PARSE_NOT_A_BOOLEAN },
		{ KEY_data_pdu_in_order, "Yes", NEG_PARSE_OK },
		{ KEY_data_pdu_in_order, "No", NEG_PARSE_FIXED },
		{ KEY_header_digest, "CRC32C", NEG_PARSE_OK },
		{ KEY_header_digest, "CRC32C,None", NEG_PARSE_OK },
		{ KEY_header_digest, "", NEG_PARSE_EMPTY },
		{ KEY_header_digest, "crc32c", NEG_PARSE_UNKNOWN_VALUE },
		{ KEY_header_digest, "None,", NEG_PARSE_UNKNOWN_VALUE },
		{ KEY_header_digest, "None,CRC32C,None", NEG_PARSE_TWICE },
		{ KEY_auth_method, "CHAP,None", NEG_PARSE_OK },
		{ KEY_auth_method, "KRB5", NEG_PARSE_UNKNOWN_VALUE },
		{ KEY_task_reporting, "FastAbort", NEG_PARSE_OK },
		{ KEY_target_name, "iqn.2001-04.com.example", NEG_PARSE_NOT_SETTABLE },
		{ KEY_of_marker, "No", NEG_PARSE_NOT_SETTABLE },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct neg_offer offer, before;
		char text[64];

		neg_offer_default(&offer);
		before = offer;
		assert_int_equal(
		    neg_parse_value(rows[i].key, rows[i].text, &offer), rows[i].result);
		assert_true(strlen(neg_parse_text(rows[i].result)) > 5);
		if (rows[i].result != NEG_PARSE_OK) {
			assert_memory_equal(&offer, &before, sizeof offer);
			continue;
		}
		assert_true(neg_format_offer(&offer, rows[i].key, text, sizeof text));
		if (strcmp(rows[i].text, "0xffffff") == 0)
			assert_string_equal(text, "16777215");
		else
			assert_string_equal(text, rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_offer_is_the_guides),
		cmocka_unit_test(every_key_is_found_by_its_name),
		cmocka_unit_test(offers_are_parsed_within_what_we_can_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
