/* Discovery targets, operational targets, instances, devices and redirections. */
#include "registry/test_fixture.h"

/* ---- discovery targets ---- */

static void
an_address_is_kept_as_typed_but_compared_normalised(void **state)
{
	struct registry_address typed = address("[2001:DB8:0:0::1]", 3260, 1), *list;
	struct registry_address same = address("2001:db8::1", 3260, 1);
	struct registry_address other = address("2001:db8::1", 3261, 1);
	size_t n;

	(void)state;
	assert_true(registry_address_same(&typed, &same));
	assert_false(registry_address_same(&typed, &other));
	assert_int_equal(registry_discovery_add(r, &typed), 0);
	assert_int_equal(registry_discovery_add(r, &same), -EEXIST);
	assert_int_equal(registry_discovery_add(r, &other), 0);
	assert_int_equal(registry_discovery_list(r, &list, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].address, "2001:DB8:0:0::1");
	assert_int_equal(list[1].port, 3261);
	free(list);
	assert_int_equal(registry_discovery_remove(r, &same), 0);
	assert_int_equal(registry_discovery_remove(r, &same), -ENOENT);
}

static void
a_bad_address_is_refused_with_the_reason(void **state)
{
	struct registry_address bad = address("192.0.2.999", 3260, 1);

	(void)state;
	assert_int_equal(registry_discovery_add(r, &bad), -EINVAL);
	assert_non_null(strstr(registry_error(r)->message, "192.0.2.999"));
	bad = address("", 3260, 1);
	assert_int_equal(registry_discovery_add(r, &bad), -EINVAL);
}

static void
a_removed_discovery_target_takes_its_settings_along(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 1);
	struct registry_scope scope = { .level = REGISTRY_DISCOVERY, .address = &a };

	(void)state;
	assert_int_equal(registry_discovery_add(r, &a), 0);
	assert_int_equal(registry_set(r, &scope, REGISTRY_KEY_chap_name, "me"), 0);
	assert_string_equal(value_of(&scope, REGISTRY_KEY_chap_name), "me");
	assert_int_equal(registry_discovery_remove(r, &a), 0);
	assert_string_equal(value_of(&scope, REGISTRY_KEY_chap_name), "-");
}

/* ---- operational targets ---- */

/* Discovery (or a user) saw the address of iqn.t; whether it was new. */
static bool
seen(enum registry_source source, const char *host, uint16_t tpgt, int64_t now_s)
{
	struct registry_address a = address(host, 3260, tpgt);
	bool is_new;

	assert_int_equal(registry_target_seen(r, "iqn.t", NULL, source, &a, now_s, &is_new), 0);
	return is_new;
}

static void
discovery_adds_and_updates_what_it_found(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 1);
	struct registry_target *t;
	size_t n;

	(void)state;
	assert_int_equal(
	    registry_target_seen(r, "iqn.t", "Alias", REGISTRY_SENDTARGETS, &a, 100, NULL), 0);
	assert_false(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 200));
	assert_false(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 3700));
	assert_false(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 4000));
	assert_true(seen(REGISTRY_SLP, "192.0.2.2", 2, 300));
	reopen();
	assert_int_equal(registry_target_list(r, NULL, &t, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(t[0].name, "iqn.t");
	assert_string_equal(t[0].alias, "Alias");
	assert_int_equal(t[0].source, REGISTRY_SENDTARGETS);
	assert_int_equal(t[0].n_addresses, 2);
	assert_int_equal(t[0].addresses[0].first_seen_s, 100);
	assert_int_equal(t[0].addresses[0].last_seen_s, 3700);
	assert_int_equal(t[0].addresses[1].source, REGISTRY_SLP);
	assert_int_equal(t[0].addresses[1].a.tpgt, 2);
	registry_targets_free(t, n);
	assert_int_equal(registry_target_list(r, "iqn.other", &t, &n), 0);
	assert_int_equal(n, 0);
	registry_targets_free(t, n);
	assert_int_equal(registry_target_alias(r, "iqn.t", "New"), 0);
	assert_int_equal(registry_target_alias(r, "iqn.other", "New"), -ENOENT);
}

static void
a_changed_tag_follows_and_the_session_stays(void **state)
{
	struct registry_address before = address("192.0.2.1", 3260, 1);
	struct registry_address after = address("192.0.2.1", 3260, 7);
	struct registry_target *t;
	uint32_t instance;
	size_t n;

	(void)state;
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.9", 1, 1));
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 1));
	assert_int_equal(registry_session_instance(r, "iqn.other", &before, &instance), 0);
	assert_int_equal(registry_session_instance(r, "iqn.t", &before, &instance), 0);
	assert_int_equal(instance, 1);
	assert_false(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 7, 2));
	assert_int_equal(registry_target_list(r, "iqn.t", &t, &n), 0);
	assert_int_equal(t[0].n_addresses, 2);
	assert_int_equal(t[0].addresses[1].a.tpgt, 7);
	registry_targets_free(t, n);
	assert_int_equal(registry_session_instance(r, "iqn.t", &after, &instance), 0);
	assert_int_equal(instance, 1);
}

static void
discovery_leaves_what_a_user_configured(void **state)
{
	struct registry_target *t;
	size_t n;

	(void)state;
	assert_true(seen(REGISTRY_STATIC, "192.0.2.1", 1, 1));
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 7, 2)); /* another one, not a change */
	assert_false(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 3));
	assert_int_equal(registry_target_list(r, "iqn.t", &t, &n), 0);
	assert_int_equal(t[0].source, REGISTRY_STATIC);
	assert_int_equal(t[0].n_addresses, 2);
	assert_int_equal(t[0].addresses[0].source, REGISTRY_STATIC);
	assert_int_equal(t[0].addresses[0].a.tpgt, 1);
	registry_targets_free(t, n);
}

static void
a_target_goes_with_its_last_address(void **state)
{
	struct registry_address a = address("192.0.2.1", 3260, 1),
				b = address("192.0.2.2", 3260, 1);
	struct registry_scope target = { .level = REGISTRY_TARGET, .target = "iqn.t" };
	struct registry_target *t;
	size_t n;

	(void)state;
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.1", 1, 1));
	assert_true(seen(REGISTRY_SENDTARGETS, "192.0.2.2", 1, 1));
	assert_int_equal(registry_set(r, &target, REGISTRY_KEY_chap_name, "me"), 0);
	assert_int_equal(registry_target_remove(r, "iqn.t", &a), 0);
	assert_int_equal(registry_target_remove(r, "iqn.t", &a), -ENOENT);
	assert_string_equal(value_of(&target, REGISTRY_KEY_chap_name), "me");
	assert_int_equal(registry_target_remove(r, "iqn.t", &b), 0);
	assert_string_equal(value_of(&target, REGISTRY_KEY_chap_name), "-");
	assert_int_equal(registry_target_list(r, NULL, &t, &n), 0);
	assert_int_equal(n, 0);
	registry_targets_free(t, n);
	assert_true(seen(REGISTRY_SLP, "192.0.2.1", 1, 1));
	assert_int_equal(registry_target_remove(r, "iqn.t", NULL), 0);
	assert_int_equal(registry_target_remove(r, "iqn.t", NULL), -ENOENT);
}

static void
a_target_has_only_so_many_addresses(void **state)
{
	struct registry_address a;
	char host[32];

	(void)state;
	assert_int_equal(registry_begin(r), 0);
	for (int i = 0; i < LIMIT_SENDTARGETS_ADDRESSES; i++) {
		assert_true(snprintf(host, sizeof host, "192.0.2.%d", i) > 0);
		assert_true(seen(REGISTRY_SENDTARGETS, host, 1, 1));
	}
	a = address("192.0.3.1", 3260, 1);
	assert_int_equal(
	    registry_target_seen(r, "iqn.t", NULL, REGISTRY_SENDTARGETS, &a, 1, NULL), -EDQUOT);
	assert_int_equal(registry_commit(r), 0);
}

/* In whatever case a name comes, it is one target's in every table. */
static void
a_target_is_the_same_in_any_case(void **state)
{
	static const char typed[] = "iqn.2001-01.com.example:\xc3\xa4.big";
	static const char own[] = "iqn.2001-01.com.example:\xc3\x84.Big";
	static const char other[] = "IQN.2001-01.COM.EXAMPLE:\xc3\xa4.BIG";
	struct registry_address a = address("h", 3260, 1), b = address("i", 3260, 1), to;
	struct registry_scope scope = { REGISTRY_TARGET, typed, NULL };
	struct registry_scope same = { REGISTRY_TARGET_ADDRESS, other, &a };
	enum registry_level level;
	struct registry_target *t;
	uint32_t first, again;
	char *value;
	size_t n;

	(void)state;
	assert_int_equal(registry_target_seen(r, typed, NULL, REGISTRY_STATIC, &a, 1, NULL), 0);
	assert_int_equal(registry_set(r, &scope, REGISTRY_KEY_chap_name, "joe"), 0);
	assert_int_equal(registry_session_instance(r, typed, &a, &first), 0);
	assert_int_equal(registry_redirect_set(r, typed, &a, &b), 0);
	assert_int_equal(registry_target_seen(r, own, "x", REGISTRY_SENDTARGETS, &b, 2, NULL), 0);
	assert_int_equal(registry_target_list(r, other, &t, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(t->name, own);
	assert_string_equal(t->alias, "x");
	assert_int_equal(t->n_addresses, 2);
	registry_targets_free(t, n);
	assert_int_equal(registry_effective(r, &same, REGISTRY_KEY_chap_name, &value, &level), 0);
	assert_string_equal(value, "joe");
	free(value);
	assert_int_equal(registry_session_instance(r, own, &a, &again), 0);
	assert_int_equal(again, first);
	assert_int_equal(registry_redirect_get(r, other, &a, &to), 0);
	assert_int_equal(registry_target_remove(r, other, NULL), 0);
	assert_int_equal(registry_redirect_get(r, own, &a, &to), -ENOENT);
	assert_string_equal(value_of(&scope, REGISTRY_KEY_chap_name), "-");
}

/* ---- instances ---- */

static uint32_t
session(const char *target)
{
	struct registry_address a = address("192.0.2.1", 3260, 1);
	uint32_t instance;

	assert_int_equal(registry_session_instance(r, target, &a, &instance), 0);
	return instance;
}

static uint32_t
io(enum registry_class c, const char *hw_path)
{
	uint32_t instance;

	assert_int_equal(registry_io_instance(r, c, hw_path, &instance), 0);
	return instance;
}

static void
an_instance_that_is_wished_for_is_given_where_it_is_free(void **state)
{
	uint32_t instance;

	(void)state;
	assert_int_equal(
	    registry_io_instance_as(r, REGISTRY_CLASS_ext_bus, "255/0/2.0", 2, &instance), 0);
	assert_int_equal(instance, 2);
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/7.1"), 0);
	assert_int_equal(
	    registry_io_instance_as(r, REGISTRY_CLASS_ext_bus, "255/0/0.0", 0, &instance), 0);
	assert_int_equal(instance, 1); /* 0 is taken */
	assert_int_equal(
	    registry_io_instance_as(r, REGISTRY_CLASS_ext_bus, "255/0/2.0", 5, &instance), 0);
	assert_int_equal(instance, 2); /* what is known stays */
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/8.0"), 3);
	assert_int_equal(
	    registry_io_instance_as(r, REGISTRY_CLASS_ext_bus, "255/0/9.0", UINT32_MAX, &instance),
	    0);
	assert_int_equal(instance, 4);
}

static void
session_instances_are_stable_and_the_lowest_free(void **state)
{
	struct registry_session *list;
	size_t n;

	(void)state;
	assert_int_equal(session("iqn.a"), 0);
	assert_int_equal(session("iqn.b"), 1);
	assert_int_equal(session("iqn.c"), 2);
	reopen();
	assert_int_equal(session("iqn.d"), 3);
	assert_int_equal(session("iqn.b"), 1);
	assert_int_equal(registry_session_remove(r, 1), 0);
	assert_int_equal(registry_session_remove(r, 1), -ENOENT);
	assert_int_equal(session("iqn.e"), 1);
	assert_int_equal(session("iqn.b"), 4);
	assert_int_equal(registry_session_list(r, &list, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(list[1].instance, 1);
	assert_string_equal(list[1].target, "iqn.e");
	assert_string_equal(list[1].a.address, "192.0.2.1");
	free(list);
}

static void
hardware_paths_have_an_instance_per_class_that_stays(void **state)
{
	struct registry_io *list;
	size_t n;

	(void)state;
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/0.0.0.0"), 0);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/0.0.0.1"), 1);
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/0.0"), 0);
	reopen();
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/0.0.0.1"), 1);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/0.0.0.7"), 2);
	assert_int_equal(registry_io_list(r, &list, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(list[0].class, REGISTRY_CLASS_ext_bus);
	assert_string_equal(list[1].hw_path, "255/0/0.0.0.0");
	assert_int_equal(list[2].instance, 1);
	assert_string_equal(list[3].hw_path, "255/0/0.0.0.7");
	free(list);
}

static void
a_hardware_path_that_is_forgotten_leaves_nothing_and_the_others_alone(void **state)
{
	struct identity id = { .designators = "naa.6", .serial = "1", .size_bytes = ~0ull };
	struct registry_device *devices;
	size_t n;

	(void)state;
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/1.0.0.1"), 0);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/1.0.0.11"), 1);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/11.0.0.1"), 2);
	assert_int_equal(registry_identity_set(r, "255/0/1.0.0.1", &id), 0);
	assert_int_equal(registry_identity_set(r, "255/0/1.0.0.11", &id), 0);
	assert_int_equal(registry_device_add(r, "255/0/1.0.0.1", "c0t0d1"), 0);
	assert_int_equal(registry_device_add(r, "255/0/1.0.0.11", "c0t0d3"), 0);
	assert_int_equal(registry_io_remove(r, "255/0/1.0.0.1"), 0);
	assert_int_equal(registry_io_remove(r, "255/0/1.0.0.1"), -ENOENT);
	assert_int_equal(registry_identity_get(r, "255/0/1.0.0.1", &id), -ENOENT);
	assert_int_equal(registry_identity_get(r, "255/0/1.0.0.11", &id), 0);
	assert_int_equal(registry_device_list(r, &devices, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(devices[0].name, "c0t0d3");
	free(devices);
	/* Its number is free again, and theirs are theirs. */
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/1.0.0.2"), 0);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/1.0.0.11"), 1);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/11.0.0.1"), 2);
}

static void
a_removed_session_frees_what_is_below_it_and_nothing_else(void **state)
{
	struct identity id = { .designators = "naa.6", .serial = "1", .size_bytes = ~0ull };
	struct registry_device *devices;
	size_t n;

	(void)state;
	assert_int_equal(session("iqn.a"), 0);
	assert_int_equal(session("iqn.b"), 1);
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/1.0"), 0);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/1.0.0.0"), 0);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/11.0.0.0"), 1);
	assert_int_equal(registry_identity_set(r, "255/0/1.0.0.0", &id), 0);
	assert_int_equal(registry_identity_set(r, "255/0/11.0.0.0", &id), 0);
	assert_int_equal(registry_device_add(r, "255/0/1.0.0.0", "c0t0d0"), 0);
	assert_int_equal(registry_session_remove(r, 1), 0);
	assert_int_equal(registry_identity_get(r, "255/0/1.0.0.0", &id), -ENOENT);
	memset(&id, 0, sizeof id);
	assert_int_equal(registry_identity_get(r, "255/0/11.0.0.0", &id), 0);
	assert_true(id.size_bytes == ~0ull);
	assert_string_equal(id.designators, "naa.6");
	assert_int_equal(registry_device_list(r, &devices, &n), 0);
	assert_int_equal(n, 0);
	free(devices);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/11.0.0.0"), 1);
	assert_int_equal(io(REGISTRY_CLASS_disk, "255/0/2.0.0.0"), 0);
}

static void
all_names_of_a_unit_are_kept(void **state)
{
	struct identity id = { .serial = "S", .vendor = "V", .product = "P", .block_bytes = 4096 };
	struct identity got;
	char designator[16];

	(void)state;
	assert_int_equal(registry_identity_get(r, "255/0/0.0.0.0", &got), -ENOENT);
	for (int n = 0;; n++) {
		id.size_bytes = (uint64_t)n;
		assert_int_equal(registry_identity_set(r, "255/0/0.0.0.0", &id), 0);
		reopen();
		memset(&got, 0xa5, sizeof got);
		assert_int_equal(registry_identity_get(r, "255/0/0.0.0.0", &got), 0);
		assert_memory_equal(&got, &id, sizeof id);
		(void)snprintf(designator, sizeof designator, "naa.%08d", n * 17);
		if (n % 9 == 8 || !identity_add(&id, designator))
			break;
	}
	/* And fewer again. */
	memset(id.designators, 0, sizeof id.designators);
	assert_int_equal(registry_identity_set(r, "255/0/0.0.0.0", &id), 0);
	assert_int_equal(registry_identity_get(r, "255/0/0.0.0.0", &got), 0);
	assert_memory_equal(&got, &id, sizeof id);
	assert_int_equal(registry_identity_remove(r, "255/0/0.0.0.0"), 0);
	assert_int_equal(registry_identity_get(r, "255/0/0.0.0.0", &got), -ENOENT);
}

/* What cannot be read is no unit that nobody knows. */
static void
an_identity_that_cannot_be_read_is_not_a_missing_one(void **state)
{
	static const char *const changes[] = {
		"UPDATE unit SET serial = printf('%.*c', 5000, 'a')",
		"UPDATE unit SET serial = '', vendor = printf('%.*c', 9, 'a')",
		"UPDATE unit SET vendor = '', block_bytes = -1",
		("UPDATE unit SET block_bytes = 512;"
		 "INSERT INTO designator VALUES ('255/0/0.0.0.0', 1, 'naa.1')"),
		"UPDATE designator SET text = printf('%.*c', 5000, 'a') WHERE place = 1",
	};
	struct identity id = { .designators = "naa.1", .serial = "S" };

	(void)state;
	assert_int_equal(registry_identity_set(r, "255/0/0.0.0.0", &id), 0);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		alter(changes[i]);
		assert_int_equal(registry_open(path, &r, &error), 0);
		assert_int_equal(registry_identity_get(r, "255/0/0.0.0.0", &id), -EUCLEAN);
		assert_string_equal(id.serial, "S"); /* as it was */
	}
}

/* ---- what a discovery address has named ---- */

static int
found(const char *name, const struct registry_address *by, uint32_t share)
{
	struct registry_address a = address("192.0.2.1", 3260, 1);

	return registry_target_found(r, name, REGISTRY_SENDTARGETS, &a, by, share, 1, NULL);
}

static size_t
targets(void)
{
	struct registry_target *t = NULL;
	size_t n = 0;

	assert_int_equal(registry_target_list(r, NULL, &t, &n), 0);
	registry_targets_free(t, n);
	return n;
}

static size_t
found_alone(const struct registry_address *by)
{
	struct registry_found *list = NULL;
	size_t n = 0;

	assert_int_equal(registry_found_list(r, by, &list, &n), 0);
	free(list);
	return n;
}

static void
a_discovery_address_names_no_more_than_its_share(void **state)
{
	struct registry_address by = address("192.0.2.7", 3260, 1);
	struct registry_address other = address("192.0.2.8", 3260, 1);

	(void)state;
	assert_int_equal(found("iqn.a", &by, 2), 0);
	assert_int_equal(found("iqn.b", &by, 2), 0);
	assert_int_equal(found("iqn.c", &by, 2), -EDQUOT);
	assert_non_null(strstr(registry_error(r)->message, "192.0.2.7"));
	assert_int_equal(targets(), 2);
	/* What is known already is no news; another address has a share of its own. */
	assert_int_equal(found("iqn.a", &by, 2), 0);
	assert_int_equal(found("iqn.c", &other, 2), 0);
	/* Where another address has added it, it is not new here: it costs a session once. */
	assert_int_equal(found("iqn.c", &by, 2), 0);
}

static void
what_came_from_one_discovery_address_alone_is_told(void **state)
{
	struct registry_address by = address("192.0.2.7", 3260, 1), a;
	struct registry_address other = address("192.0.2.8", 3260, 1);

	(void)state;
	assert_int_equal(found("iqn.a", &by, 9), 0);
	assert_int_equal(found("iqn.b", &by, 9), 0);
	assert_int_equal(found("iqn.b", &other, 9), 0);
	a = address("192.0.2.1", 3260, 1);
	assert_int_equal(registry_target_seen(r, "iqn.c", NULL, REGISTRY_STATIC, &a, 1, NULL), 0);
	assert_int_equal(found("iqn.c", &by, 9), 0);
	assert_int_equal(found_alone(&by), 1); /* iqn.a: b is another's too, c a user's */
	assert_int_equal(registry_discovery_add(r, &other), 0);
	assert_int_equal(registry_discovery_remove(r, &other), 0);
	assert_int_equal(found_alone(&by), 2);
	assert_int_equal(registry_target_remove(r, "iqn.a", NULL), 0);
	assert_int_equal(found_alone(&by), 1);
}

static void
every_session_may_have_a_bus(void **state)
{
	char hw_path[32];

	(void)state;
	assert_int_equal(registry_begin(r), 0);
	for (int i = 0; i < LIMIT_SESSIONS; i++) {
		assert_true(snprintf(hw_path, sizeof hw_path, "255/0/%d.0", i) > 0);
		assert_int_equal(io(REGISTRY_CLASS_ext_bus, hw_path), i);
	}
	assert_int_equal(io(REGISTRY_CLASS_ext_bus, "255/0/7.0"), 7);
	assert_int_equal(registry_commit(r), 0);
}

static void
thousands_of_disks_get_instances_in_time(void **state)
{
	char hw_path[32];

	(void)state;
	assert_int_equal(registry_begin(r), 0);
	for (int i = 0; i < LIMIT_LUNS; i++) {
		assert_true(snprintf(hw_path, sizeof hw_path, "255/0/0.%d.%d.%d", i / 128,
				i % 128 / 8, i % 8) > 0);
		assert_int_equal(io(REGISTRY_CLASS_disk, hw_path), i);
	}
	assert_int_equal(registry_commit(r), 0);
}

/* ---- devices, redirections ---- */

static void
a_device_name_belongs_to_one_path(void **state)
{
	struct registry_device *list;
	size_t n;

	(void)state;
	assert_int_equal(registry_device_add(r, "255/0/0.0.0.0", "c0t0d0"), 0);
	assert_int_equal(registry_device_add(r, "255/0/0.0.0.0", "c0t0d0"), 0);
	assert_int_equal(registry_device_add(r, "255/0/0.0.0.1", "c0t0d0"), -EEXIST);
	reopen();
	assert_int_equal(registry_device_list(r, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].name, "c0t0d0");
	assert_string_equal(list[0].hw_path, "255/0/0.0.0.0");
	free(list);
	assert_int_equal(registry_device_remove(r, "c0t0d0"), 0);
	assert_int_equal(registry_device_remove(r, "c0t0d0"), -ENOENT);
}

static void
a_redirection_is_kept_and_replaced(void **state)
{
	struct registry_address from = address("Array.example.com", 3260, 1);
	struct registry_address same = address("array.example.com", 3260, 1);
	struct registry_address to = address("192.0.2.1", 3260, 1), got;

	(void)state;
	assert_int_equal(registry_redirect_get(r, "iqn.t", &from, &got), -ENOENT);
	assert_int_equal(registry_redirect_set(r, "iqn.t", &from, &to), 0);
	to.port = 3261;
	assert_int_equal(registry_redirect_set(r, "iqn.t", &same, &to), 0);
	assert_int_equal(registry_redirect_get(r, "iqn.t", &from, &got), 0);
	assert_int_equal(got.port, 3261);
	assert_int_equal(registry_redirect_remove(r, "iqn.t", &same), 0);
	assert_int_equal(registry_redirect_get(r, "iqn.t", &from, &got), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		OPENED(an_address_is_kept_as_typed_but_compared_normalised),
		OPENED(a_bad_address_is_refused_with_the_reason),
		OPENED(a_target_is_the_same_in_any_case),
		OPENED(a_removed_discovery_target_takes_its_settings_along),
		OPENED(discovery_adds_and_updates_what_it_found),
		OPENED(a_changed_tag_follows_and_the_session_stays),
		OPENED(discovery_leaves_what_a_user_configured),
		OPENED(a_target_goes_with_its_last_address),
		OPENED(a_target_has_only_so_many_addresses),
		OPENED(an_instance_that_is_wished_for_is_given_where_it_is_free),
		OPENED(session_instances_are_stable_and_the_lowest_free),
		OPENED(hardware_paths_have_an_instance_per_class_that_stays),
		OPENED(a_hardware_path_that_is_forgotten_leaves_nothing_and_the_others_alone),
		OPENED(a_removed_session_frees_what_is_below_it_and_nothing_else),
		OPENED(all_names_of_a_unit_are_kept),
		OPENED(an_identity_that_cannot_be_read_is_not_a_missing_one),
		OPENED(a_discovery_address_names_no_more_than_its_share),
		OPENED(what_came_from_one_discovery_address_alone_is_told),
		OPENED(every_session_may_have_a_bus),
		OPENED(thousands_of_disks_get_instances_in_time),
		OPENED(a_device_name_belongs_to_one_path),
		OPENED(a_redirection_is_kept_and_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
