#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/iscsi/keys.h"

static const char *
shown(const struct keys_effective *e, enum key_id key)
{
	static char text[128];

	assert_true(neg_format_offer(&e->offer, key, text, sizeof text));
	return text;
}

static void
nothing_configured_is_the_guides_default(void **state)
{
	struct keys_config config = { 0 };
	struct keys_effective e;

	(void)state;
	keys_merge(&config, &e);
	assert_string_equal(shown(&e, KEY_header_digest), "None,CRC32C");
	assert_string_equal(shown(&e, KEY_data_digest), "None,CRC32C");
	assert_string_equal(shown(&e, KEY_auth_method), "None");
	for (size_t k = 0; k < neg_param_count(); k++)
		assert_int_equal(e.from[k], KEYS_DEFAULT);
}

static void
address_counts_before_target_before_global(void **state)
{
	struct keys_config config = { 0 };
	struct keys_effective e;

	(void)state;
	config.value[KEYS_GLOBAL][KEY_header_digest] = "None";
	config.value[KEYS_GLOBAL][KEY_data_digest] = "None";
	config.value[KEYS_GLOBAL][KEY_max_burst] = "65536";
	config.value[KEYS_TARGET][KEY_header_digest] = "CRC32C,None";
	config.value[KEYS_TARGET][KEY_data_digest] = "CRC32C,None";
	config.value[KEYS_ADDRESS][KEY_header_digest] = "CRC32C";
	keys_merge(&config, &e);
	assert_string_equal(shown(&e, KEY_header_digest), "CRC32C");
	assert_int_equal(e.from[KEY_header_digest], KEYS_ADDRESS);
	assert_string_equal(shown(&e, KEY_data_digest), "CRC32C,None");
	assert_int_equal(e.from[KEY_data_digest], KEYS_TARGET);
	assert_int_equal(e.offer.max_burst, 65536);
	assert_int_equal(e.from[KEY_max_burst], KEYS_GLOBAL);
	assert_int_equal(e.from[KEY_auth_method], KEYS_DEFAULT);
}

static void
a_value_of_another_release_costs_only_its_level(void **state)
{
	struct keys_config config = { 0 };
	struct keys_effective e;

	(void)state;
	config.value[KEYS_ADDRESS][KEY_header_digest] = "CRC64";
	config.value[KEYS_GLOBAL][KEY_header_digest] = "CRC32C";
	keys_merge(&config, &e);
	assert_string_equal(shown(&e, KEY_header_digest), "CRC32C");
	assert_int_equal(e.from[KEY_header_digest], KEYS_GLOBAL);
	assert_true(e.is_bad[KEY_header_digest]);
	assert_false(e.is_bad[KEY_data_digest]);
}

static void
first_burst_never_exceeds_max_burst(void **state)
{
	struct keys_config config = { 0 };
	struct keys_effective e;

	(void)state;
	config.value[KEYS_GLOBAL][KEY_first_burst] = "262144";
	config.value[KEYS_ADDRESS][KEY_max_burst] = "8192";
	keys_merge(&config, &e);
	assert_int_equal(e.offer.max_burst, 8192);
	assert_int_equal(e.offer.first_burst, 8192);
}

static void
keys_and_values_are_read_in_any_case(void **state)
{
	static const struct {
		const char *name, *values;
		enum key_id key;
		const char *value;
	} rows[] = {
		{ "headerdigest", "None,CRC32C", KEY_header_digest, "None,CRC32C" },
		{ "DATADIGEST", "crc32c,none", KEY_data_digest, "CRC32C,None" },
		{ "AuthMethod", "chap,NONE", KEY_auth_method, "CHAP,None" },
		{ "maxburstlength", "65536", KEY_max_burst, "65536" },
		{ "initialr2t", "YES", KEY_initial_r2t, "Yes" },
		{ "taskreporting", "rfc3720", KEY_task_reporting, "RFC3720" },
		{ "DefaultTime2Wait", "0", KEY_time2wait, "0" },
	};
	char why[KEYS_WHY_BYTES];
	struct keys_change c;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!keys_parse(rows[i].name, rows[i].values, &c, why))
			fail_msg("%s: %s", rows[i].name, why);
		assert_int_equal(c.n, 1);
		assert_int_equal(c.key[0], rows[i].key);
		assert_string_equal(c.value, rows[i].value);
		assert_false(c.is_unset);
	}
	assert_true(keys_parse("bothDigest", "CRC32C", &c, why));
	assert_int_equal(c.n, 2);
	assert_int_equal(c.key[0], KEY_header_digest);
	assert_int_equal(c.key[1], KEY_data_digest);
	assert_true(keys_parse("maxburstlength", "Default", &c, why));
	assert_true(c.is_unset);
	assert_true(keys_parse("volatileloss", "Warn", &c, why));
	assert_int_equal(c.kind, KEYS_CHOICE);
	assert_string_equal(keys_change_name(&c, 0), "VolatileLoss");
	assert_string_equal(c.value, "warn");
}

static void
wrong_keys_and_values_are_explained(void **state)
{
	static const struct {
		const char *name, *values, *part;
	} rows[] = {
		{ "nokey", "None", "there is no login key \"nokey\"" },
		{ "TargetName", "x", "there is no login key" },
		{ "CHAP_A", "5", "there is no login key" },
		{ "headerdigest", "None,CRC32C,None", "more than two" },
		{ "headerdigest", "MD5", "None, CRC32C" },
		{ "headerdigest", "None,None", "twice" },
		{ "headerdigest", "", "None, CRC32C" },
		{ "authmethod", "SRP", "None, CHAP" },
		{ "authmethod", "KRB5,None", "does not know" },
		{ "maxburstlength", "511", "512 to 16777215" },
		{ "maxburstlength", "16777216", "512 to 16777215" },
		{ "maxburstlength", "12x", "not a number" },
		{ "maxburstlength", "-1", "not a number" },
		{ "maxconnections", "2", "only 1 here" },
		{ "datapduinorder", "No", "only Yes here" },
		{ "initialr2t", "maybe", "Yes or No" },
		{ "lunaddressing", "flat", "all or primary" },
	};
	char why[KEYS_WHY_BYTES], longer[300];
	struct keys_change c = { .n = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (keys_parse(rows[i].name, rows[i].values, &c, why))
			fail_msg("%s=%s is accepted", rows[i].name, rows[i].values);
		if (strstr(why, rows[i].part) == NULL)
			fail_msg("%s=%s: %s", rows[i].name, rows[i].values, why);
	}
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_false(keys_parse("authmethod", longer, &c, why));
	assert_false(keys_parse(longer, longer, &c, why));
	assert_int_equal(c.n, 77);
}

static void
time_limits_are_set_like_keys(void **state)
{
	static const char *const bad[] = { "", "-1", "86401", "12s", "0x10", "1,2",
		"99999999999999999999" };
	char why[KEYS_WHY_BYTES];
	struct keys_change c;

	(void)state;
	assert_true(keys_parse("replacementtimeout", "0", &c, why));
	assert_int_equal(c.kind, KEYS_TIMER);
	assert_int_equal(c.timer, TIMER_replacement);
	assert_string_equal(c.value, "0");
	assert_true(keys_parse("NOPInterval", "007", &c, why));
	assert_string_equal(c.value, "7");
	assert_true(keys_parse("CommandTimeout", "default", &c, why));
	assert_true(c.is_unset);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(keys_parse("ReplacementTimeout", bad[i], &c, why));
		assert_non_null(strstr(why, "from 0 to 86400"));
	}
	assert_false(keys_parse("LoginTimeout", "0", &c, why));
	assert_false(keys_parse("NoSuchTimeout", "1", &c, why));
	assert_non_null(strstr(why, "ReplacementTimeout"));
}

static void
a_path_is_an_address_of_ours_or_an_interface(void **state)
{
	static const char *const bad_addresses[] = { "", "host.example.com", "1.2.3",
		"1.2.3.4,5.6.7.8" };
	static const char *const bad_interfaces[] = { "", "a/b", "sixteen-is-a-lot", "two words" };
	char why[KEYS_WHY_BYTES];
	struct keys_change c;

	(void)state;
	assert_true(keys_parse("sourceaddress", "192.0.2.7", &c, why));
	assert_string_equal(keys_change_name(&c, 0), "SourceAddress");
	assert_string_equal(c.value, "192.0.2.7");
	assert_true(keys_parse("SourceAddress", "fe80::1%eth0", &c, why));
	assert_true(keys_parse("INTERFACE", "bond0.12", &c, why));
	assert_int_equal(c.path, KEYS_PATH_interface);
	assert_true(keys_parse("congestioncontrol", "cubic", &c, why));
	assert_int_equal(c.path, KEYS_PATH_congestion_control);
	assert_false(keys_parse("CongestionControl", "a b", &c, why));
	assert_non_null(strstr(why, "tcp_allowed_congestion_control"));
	assert_true(keys_parse("Interface", "default", &c, why));
	assert_true(c.is_unset);
	for (size_t i = 0; i < 4; i++) {
		assert_false(keys_parse("SourceAddress", bad_addresses[i], &c, why));
		assert_false(keys_parse("Interface", bad_interfaces[i], &c, why));
	}
}

static void
filters_are_looked_at_before_they_are_kept(void **state)
{
	char why[KEYS_WHY_BYTES];
	struct keys_change c;

	(void)state;
	assert_true(keys_parse("filters", "delay=5ms,error=write:1/1000,readonly,stats", &c, why));
	assert_string_equal(keys_change_name(&c, 0), "Filters");
	assert_string_equal(c.value, "delay=5ms,error=write:1/1000,readonly,stats");
	assert_false(keys_wait_for_login(&c));
	assert_true(keys_parse("Filters", "none", &c, why));
	assert_true(keys_parse("Filters", "default", &c, why));
	assert_true(c.is_unset);
	assert_false(keys_parse("Filters", "", &c, why));
	assert_false(keys_parse("Filters", "delay=5", &c, why));
	assert_non_null(strstr(why, "\"5\" is no parameter of delay"));
	assert_non_null(strstr(why, "such as delay=5ms,error=write:1/1000:EIO"));
	assert_true(keys_parse("Interface", "lo", &c, why));
	assert_true(keys_wait_for_login(&c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_are_looked_at_before_they_are_kept),
		cmocka_unit_test(a_path_is_an_address_of_ours_or_an_interface),
		cmocka_unit_test(time_limits_are_set_like_keys),
		cmocka_unit_test(nothing_configured_is_the_guides_default),
		cmocka_unit_test(address_counts_before_target_before_global),
		cmocka_unit_test(a_value_of_another_release_costs_only_its_level),
		cmocka_unit_test(first_burst_never_exceeds_max_burst),
		cmocka_unit_test(keys_and_values_are_read_in_any_case),
		cmocka_unit_test(wrong_keys_and_values_are_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
