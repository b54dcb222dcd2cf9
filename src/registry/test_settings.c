/* Settings, of one key and of all. */
#include "registry/test_fixture.h"

static void
a_setting_survives_and_can_be_taken_away(void **state)
{
	(void)state;
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_header_digest, "CRC32C,None"), 0);
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_header_digest, "CRC32C"), 0);
	reopen();
	assert_string_equal(value_of(NULL, REGISTRY_KEY_header_digest), "CRC32C");
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_header_digest, NULL), 0);
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_header_digest, NULL), 0);
	assert_string_equal(value_of(NULL, REGISTRY_KEY_header_digest), "-");
}

static void
the_closest_level_counts(void **state)
{
	struct registry_address a = address("Array.Example.com", 3260, 1);
	struct registry_address same = address("array.example.COM", 3260, 1);
	struct registry_scope target = { .level = REGISTRY_TARGET, .target = "iqn.t" };
	struct registry_scope one = { REGISTRY_TARGET_ADDRESS, "iqn.t", &a };
	struct registry_scope again = { REGISTRY_TARGET_ADDRESS, "iqn.t", &same };
	enum registry_level level;
	char *value;

	(void)state;
	assert_int_equal(
	    registry_effective(r, &one, REGISTRY_KEY_data_digest, &value, &level), -ENOENT);
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_data_digest, "global"), 0);
	assert_int_equal(registry_effective(r, &one, REGISTRY_KEY_data_digest, &value, &level), 0);
	assert_string_equal(value, "global");
	assert_int_equal(level, REGISTRY_GLOBAL);
	free(value);
	assert_int_equal(registry_set(r, &target, REGISTRY_KEY_data_digest, "target"), 0);
	assert_int_equal(registry_effective(r, &one, REGISTRY_KEY_data_digest, &value, &level), 0);
	assert_string_equal(value, "target");
	free(value);
	assert_int_equal(registry_set(r, &one, REGISTRY_KEY_data_digest, "address"), 0);
	assert_int_equal(
	    registry_effective(r, &again, REGISTRY_KEY_data_digest, &value, &level), 0);
	assert_string_equal(value, "address");
	assert_int_equal(level, REGISTRY_TARGET_ADDRESS);
	free(value);
	assert_string_equal(value_of(NULL, REGISTRY_KEY_data_digest), "global");
}

/* Of a unit how its paths are used, of a path to it whether it is preferred, and nothing else. */
static void
a_unit_and_a_path_to_it_have_settings_of_their_own(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 0);
	struct registry_scope unit = { .level = REGISTRY_UNIT, .target = "naa.6001405" };
	struct registry_scope way = { REGISTRY_UNIT, "naa.6001405", &a };
	struct registry_scope target = { .level = REGISTRY_TARGET, .target = "naa.6001405" };
	struct registry_unit *list;
	size_t n;

	(void)state;
	assert_int_equal(registry_set(r, &unit, REGISTRY_KEY_choice_path_policy, "fixed"), 0);
	assert_int_equal(registry_set(r, &unit, REGISTRY_KEY_timer_failback, "manual"), 0);
	assert_int_equal(registry_set(r, &way, REGISTRY_KEY_choice_path_preferred, "yes"), 0);
	assert_string_equal(value_of(&unit, REGISTRY_KEY_choice_path_policy), "fixed");
	assert_string_equal(value_of(&way, REGISTRY_KEY_choice_path_preferred), "yes");
	assert_string_equal(value_of(&target, REGISTRY_KEY_choice_path_policy), "-");
	assert_int_equal(registry_set(r, &unit, REGISTRY_KEY_data_digest, "None"), -ENOTSUP);
	assert_int_equal(
	    registry_set(r, &unit, REGISTRY_KEY_choice_path_preferred, "yes"), -ENOTSUP);
	assert_int_equal(registry_set(r, &way, REGISTRY_KEY_choice_path_policy, "fixed"), -ENOTSUP);
	assert_int_equal(registry_unit_list(r, &list, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].name, "naa.6001405");
	assert_false(list[0].has_address);
	assert_true(list[1].has_address);
	assert_string_equal(list[1].address.address, "192.0.2.1");
	assert_int_equal(list[1].address.port, 3260);
	free(list);
	assert_int_equal(registry_set(r, &unit, REGISTRY_KEY_choice_path_policy, NULL), 0);
	assert_int_equal(registry_set(r, &unit, REGISTRY_KEY_timer_failback, NULL), 0);
	assert_int_equal(registry_unit_list(r, &list, &n), 0);
	assert_int_equal(n, 1);
	free(list);
}

static void
bad_settings_are_refused_and_secrets_never_shown(void **state)
{
	struct registry_scope target = { .level = REGISTRY_TARGET, .target = "iqn.t" };
	char big[400];

	(void)state;
	memset(big, 's', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_chap_secret, big), -ENAMETOOLONG);
	assert_null(strstr(registry_error(r)->message, "sss"));
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_initiator_alias, "\xff"), -EINVAL);
	assert_int_equal(registry_set(r, &target, REGISTRY_KEY_nas_hostname, "x"), -ENOTSUP);
	assert_string_equal(registry_key_name(REGISTRY_KEY_chap_secret), "chap_secret");
}

/* In any world of settings, all at once are what they are one by one. */
static void
all_values_at_once_are_those_of_each_key(void **state)
{
	static const char *const names[] = { "iqn.t", "iqn.U" }, *const again[] = { "iqn.T",
		"iqn.u" };
	struct registry_address a[] = { address("h", 1, 1), address("h", 1, 2) };
	struct registry_scope scopes[9] = { { REGISTRY_GLOBAL, NULL, NULL } };
	struct registry_values all;
	size_t n = 1;

	(void)state;
	for (int i = 0; i < 2; i++) {
		scopes[n++] = (struct registry_scope){ REGISTRY_DISCOVERY, NULL, &a[i] };
		scopes[n++] = (struct registry_scope){ REGISTRY_TARGET, names[i], NULL };
		for (int k = 0; k < 2; k++)
			scopes[n++] =
			    (struct registry_scope){ REGISTRY_TARGET_ADDRESS, names[i], &a[k] };
	}
	srandom(3720);
	assert_int_equal(registry_begin(r), 0);
	for (int world = 0; world < 300; world++) {
		const struct registry_scope *s = &scopes[(size_t)random() % n];
		enum registry_key key = (enum registry_key)(random() % REGISTRY_KEYS);
		struct registry_scope asked;
		char text[8];
		int err;

		(void)snprintf(text, sizeof text, "%d", world);
		/* Or there is no such key at this level. */
		err = registry_set(r, s, key, random() % 4 > 0 ? text : NULL);
		assert_true(err == 0 || err == -ENOTSUP);
		asked = scopes[(size_t)random() % n];
		if (asked.target != NULL)
			asked.target = again[asked.target == names[1]];
		assert_int_equal(registry_effective_all(r, &asked, &all), 0);
		for (int k = 0; k < REGISTRY_KEYS; k++) {
			enum registry_level level, level_all;
			const char *got =
			    registry_values_get(&all, (enum registry_key)k, &level_all);
			char *value;

			err = registry_effective(r, &asked, (enum registry_key)k, &value, &level);

			assert_int_equal(err, got != NULL ? 0 : -ENOENT);
			if (got == NULL)
				continue;
			assert_string_equal(got, value);
			assert_int_equal(level_all, level);
			free(value);
		}
		registry_values_fini(&all);
	}
	assert_int_equal(registry_commit(r), 0);
}

static void
one_value_that_cannot_be_read_fails_all(void **state)
{
	struct registry_values all;

	(void)state;
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_chap_method, "CHAP_BI"), 0);
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_chap_name, "joe"), 0);
	alter("INSERT INTO setting VALUES (0, '', '', 0, 0, 'of_another_release', '1');"
	      "UPDATE setting SET value = printf('%.*c', 5000, 'a') WHERE key = 'chap_method'");
	assert_int_equal(registry_open(path, &r, &error), 0);
	memset(&all, 0xa5, sizeof all);
	assert_int_equal(registry_effective_all(r, NULL, &all), -EUCLEAN);
	assert_null(registry_values_get(&all, REGISTRY_KEY_chap_name, NULL));
	assert_int_equal(registry_set(r, NULL, REGISTRY_KEY_chap_method, NULL), 0);
	assert_int_equal(registry_effective_all(r, NULL, &all), 0);
	assert_string_equal(registry_values_get(&all, REGISTRY_KEY_chap_name, NULL), "joe");
	registry_values_fini(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		OPENED(a_setting_survives_and_can_be_taken_away),
		OPENED(the_closest_level_counts),
		OPENED(a_unit_and_a_path_to_it_have_settings_of_their_own),
		OPENED(bad_settings_are_refused_and_secrets_never_shown),
		OPENED(all_values_at_once_are_those_of_each_key),
		OPENED(one_value_that_cannot_be_read_fails_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
